"""Restricts redirects to http and https, and from public addresses to public ones.

The address of the connection decides, because a name can resolve to any address. Behind a proxy that is the
proxy's address, so there the host in the URL is checked, if it is an IP address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import string
from collections.abc import Sequence
from urllib.parse import quote, urljoin

import pycurl

from ..reasons import Reason
from ..urls import host_of, request_url, url_error

MAX_REDIRECTS = 10
_SLASHES = re.compile(r"^(https?:(?=/)|(?=//))/+", re.IGNORECASE)
"""The start of a URL with a host; browsers accept any number of slashes."""
_IGNORED = re.compile(r"[\t\r\n]")
_UNICAST_V6, _NAT64 = ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
        ),
    )
)
"""IANA's registries of special-purpose addresses; `ipaddress` knows others in each version of Python."""


def redirect_target(base: str, location: bytes) -> str | Reason:
    """Return the URL of a redirect as it is requested, or the reason not to follow it.

    Parameters
    ----------
    base
        The URL whose response was the redirect.
    location
        The value of the Location header, in any encoding. It is read as browsers do: a backslash before the
        query is a slash, and tabs are ignored.
    """
    try:
        text = location.decode()
    except UnicodeDecodeError:
        text = quote(location, safe=string.printable)
    path, *rest = re.split(r"(?=[?#])", _IGNORED.sub("", text), maxsplit=1)
    url = "".join([_SLASHES.sub(r"\1//", path.replace("\\", "/")), *rest])
    try:
        url = url if url.lower().startswith(("http://", "https://")) else urljoin(base, url)
    except ValueError:
        return Reason.INVALID_URL
    if not url.lower().startswith(("http:", "https:")):
        return Reason.FORBIDDEN_REDIRECT
    if url_error(url):
        return Reason.INVALID_URL
    return request_url(url)


class RedirectGuard:
    """Checks the connections of one request.

    Parameters
    ----------
    url
        The URL of the request.
    from_public
        Whether the attempt started at a public address; None if this request is its first.
    is_proxied
        Whether the request is sent to a proxy.

    Attributes
    ----------
    blocked
        Whether a connection was refused.
    """

    def __init__(self, url: str, from_public: bool | None = None, *, is_proxied: bool = False) -> None:
        self.blocked = False
        self._url = url
        self._ip = ""
        self._from_public = from_public
        self._is_proxied = is_proxied

    @property
    def from_public(self) -> bool:
        """Whether the attempt started at a public address; known once the request was sent."""
        if self._from_public is not None:
            return self._from_public
        return not self._leads_inside(self._ip)

    def open_socket(self, _purpose: int, address: Sequence[object]) -> socket.socket | int:
        """Create the socket of a connection, or refuse it; pycurl's OPENSOCKETFUNCTION."""
        family, kind, protocol, target = address
        if not self._allows(target[0] if isinstance(target, tuple) else ""):
            return int(pycurl.SOCKET_BAD)
        try:
            made = socket.socket(family, kind, protocol)  # type: ignore[arg-type]
        except OSError:  # too many open files, or an unsupported family: another address may work
            return int(pycurl.SOCKET_BAD)
        return _DuplicatedSocket(made.family, made.type, made.proto, made.detach())

    def before_request(self, ip: str, *_connection: object) -> int:
        """Check the address of a reused connection as well; pycurl's PREREQFUNCTION."""
        self._ip = ip
        return int(pycurl.PREREQFUNC_OK if self._allows(ip) else pycurl.PREREQFUNC_ABORT)

    def _allows(self, ip: str) -> bool:
        is_forbidden = bool(self._from_public) and self._leads_inside(ip)
        self.blocked = self.blocked or is_forbidden
        return not is_forbidden

    def _leads_inside(self, ip: str) -> bool:
        """Whether a connection to this address leads to a private network; behind a proxy the URL tells."""
        return _has_private_host(self._url) if self._is_proxied else is_private(ip)


class _DuplicatedSocket(socket.socket):
    """A socket that pycurl duplicates, so that this object has to be closed."""

    def __del__(self) -> None:
        self.close()


def is_private(ip: str) -> bool:
    """Whether an address is not a public one; False for text that is no address."""
    try:
        address = ipaddress.ip_address(ip.split("%", 1)[0].strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        address = _embedded_ipv4(address) or address
    if address.version == 6 and address not in _UNICAST_V6:
        return True
    return any(address in network for network in _NOT_PUBLIC)


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) % 2**32)
    return address.ipv4_mapped or address.sixtofour


def _has_private_host(url: str) -> bool:
    host = host_of(url).rpartition(":")[0]
    return host == "localhost" or host.endswith(".localhost") or is_private(host)
