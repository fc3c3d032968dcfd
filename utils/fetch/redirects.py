"""Where a redirect leads, and where none may lead: from a public address never to a private one.

Nor to loopback or link-local addresses, nor to anything but http and https. The address connected to is
what counts, for a name can resolve to anything. Behind a proxy that address is the proxy's, so there the
names in the URLs are judged, as far as they are literal addresses.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import string
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote, unquote, urljoin, urlsplit

import pycurl

from ..reasons import Reason
from ..urls import request_url, url_fault

MAX_REDIRECTS = 10
_SLASHES = re.compile(r"^(https?):/{1,3}(?=[^/])", re.IGNORECASE)
"""What browsers and curl take for the beginning of a whole URL."""
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
"""From IANA's registries of special-purpose addresses, of which each version of Python knows others."""
_WEB = re.compile(r"https?:", re.IGNORECASE)


def target(base: str, location: bytes, *, from_public: bool) -> str | Reason:
    """Say where a redirect leads, spelled as it is asked for, or why nobody follows it.

    Parameters
    ----------
    base
        The URL that was answered with the redirect.
    location
        The header's value, in whatever encoding.
    from_public
        Whether the try began at a public address.
    """
    try:
        url = urljoin(base, _SLASHES.sub(r"\1://", _text(location)))
    except ValueError:
        return Reason.INVALID_URL
    if not _WEB.match(url):
        return Reason.FORBIDDEN_REDIRECT
    if url_fault(url):
        return Reason.INVALID_URL
    if from_public and _is_private_host(url):
        return Reason.FORBIDDEN_REDIRECT
    return request_url(url)


class _Lent(socket.socket):
    """A socket of which pycurl takes a copy, so that nobody closes this one."""

    def __del__(self) -> None:
        self.close()


class RedirectGuard:
    """Watches the connections of one request.

    Parameters
    ----------
    url
        What is asked for.
    from_public
        Whether the try began at a public address; None if it begins with this request.
    """

    def __init__(self, url: str, from_public: bool | None = None) -> None:
        self.blocked = False
        self._url = url
        self._ip = ""
        self._from_public = from_public

    @property
    def from_public(self) -> bool:
        """Whether the try began at a public address; to be asked once the request was sent."""
        if self._from_public is not None:
            return self._from_public
        return not (_is_private_host(self._url) if _uses_proxy(self._url) else is_private(self._ip))

    def open_socket(self, _purpose: int, address: Sequence[object]) -> socket.socket | int:
        """Make the socket for a connection, or refuse it; pycurl's OPENSOCKETFUNCTION."""
        family, kind, protocol, target = address
        if not self._allows(target[0] if isinstance(target, tuple) else ""):
            return int(pycurl.SOCKET_BAD)
        try:
            made = socket.socket(family, kind, protocol)  # type: ignore[arg-type]
        except OSError:  # no more descriptors, or no such family here: another address may do
            return int(pycurl.SOCKET_BAD)
        return _Lent(made.family, made.type, made.proto, made.detach())

    def before_request(self, ip: str) -> int:
        """Look at the address once more, for a connection may be an old one; pycurl's PREREQFUNCTION."""
        self._ip = ip
        return int(pycurl.PREREQFUNC_OK if self._allows(ip) else pycurl.PREREQFUNC_ABORT)

    def _allows(self, ip: str) -> bool:
        forbidden = bool(self._from_public) and is_private(ip) and not _uses_proxy(self._url)
        self.blocked = self.blocked or forbidden
        return not forbidden


def is_private(ip: str) -> bool:
    """Whether an address is not one of the public internet; False for what is no address."""
    try:
        address = ipaddress.ip_address(ip.split("%", 1)[0].strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        address = _within(address) or address
    if address.version == 6 and address not in _UNICAST_V6:
        return True
    return any(address in network for network in _NOT_PUBLIC)


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Give the IPv4 address that is reached by an IPv6 address, if one is."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) % 2**32)
    return address.ipv4_mapped or address.sixtofour


def _text(location: bytes) -> str:
    """Read a header in UTF-8; in any other encoding its bytes are taken over as percents."""
    try:
        return location.decode()
    except UnicodeDecodeError:
        return quote(location, safe=string.printable)


def _is_private_host(url: str) -> bool:
    try:
        host = _plain(urlsplit(url).hostname or "")
    except ValueError:
        return True  # nobody can say where it leads
    local = host == "localhost" or host.endswith(".localhost")
    return local or is_private(host) or _is_odd_ipv4(host)


def _plain(host: str) -> str:
    """Undo the spellings in which curl still understands a host: percents, wide digits, odd dots."""
    text = unquote(host) if "%25" not in host else host  # that one begins the zone of an IPv6 address
    return unicodedata.normalize("NFKC", text).replace("\u3002", ".").rstrip(".").lower()


def _is_odd_ipv4(host: str) -> bool:
    """Spellings such as 2130706433 and 0x7f.1, which resolvers take for 127.0.0.1."""
    try:
        return is_private(socket.inet_ntoa(socket.inet_aton(host)))
    except (OSError, UnicodeError, ValueError):
        return False


def _uses_proxy(url: str) -> bool:
    """Whether curl sends this URL to a proxy; it reads the same variables, in the same order."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    # A web server may be made to set HTTP_PROXY by a request's header, so nobody reads that one.
    names = [
        f"{parts.scheme}_proxy",
        "HTTPS_PROXY" if parts.scheme == "https" else "",
        "all_proxy",
        "ALL_PROXY",
    ]
    # Loads much, and is needed where a redirect leads through a proxy only.
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # the stubs lack it

    proxy = next((value for name in names if (value := os.environ.get(name))), "")
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    host = parts.netloc.rpartition("@")[2]
    return bool(proxy) and not proxy_bypass_environment(host, {"no": exceptions})
