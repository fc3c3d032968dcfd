"""Where a redirect may lead: from a public address never to a private, loopback or link-local one.

The address connected to is what counts, for a name can resolve to anything. Behind a proxy that address
is the proxy's, so there the names in the URLs are judged, as far as they are literal addresses.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # the stubs lack it

import pycurl

_SLASHES = re.compile(r"^(https?):/{1,3}(?=[^/])", re.IGNORECASE)
"""What curl takes for the beginning of a whole URL."""


class _Lent(socket.socket):
    """A socket of which pycurl takes a copy, so that nobody closes this one."""

    def __del__(self) -> None:
        self.close()


class RedirectGuard:
    """Watches the connections of one transfer; the first decides whether it began in public."""

    def __init__(self, url: str) -> None:
        self.blocked = False
        self._first_url = self._url = url
        self._first_ip = ""
        self._began_public: bool | None = None

    def open_socket(self, _purpose: int, address: Sequence[object]) -> socket.socket | int:
        """Make the socket for a connection, or refuse it; pycurl's OPENSOCKETFUNCTION."""
        family, kind, protocol, target = address
        ip = target[0] if isinstance(target, tuple) else ""
        if not self._allowed(ip):
            self.blocked = True
            return int(pycurl.SOCKET_BAD)
        try:
            made = socket.socket(family, kind, protocol)  # type: ignore[arg-type]
        except OSError:  # no more descriptors, or no such family here: another address may do
            return int(pycurl.SOCKET_BAD)
        return _Lent(made.family, made.type, made.proto, made.detach())

    def before_request(self, ip: str) -> int:
        """Look at the address once more, for a connection may be an old one; pycurl's PREREQFUNCTION."""
        self._first_ip = self._first_ip or ip
        if not self._allowed(ip):
            self.blocked = True
            return int(pycurl.PREREQFUNC_ABORT)
        return int(pycurl.PREREQFUNC_OK)

    def location_allowed(self, location: str) -> bool:
        """Judge the target of a redirect by its literal address, for a proxy may hide the real one."""
        self._url = _joined(self._url, location)
        self.blocked = self._is_public_origin() and _is_private_host(self._url)
        return not self.blocked

    def _allowed(self, ip: str) -> bool:
        redirected = self._url is not self._first_url
        return not (redirected and is_private(ip) and self._is_public_origin() and not _uses_proxy(self._url))

    def _is_public_origin(self) -> bool:
        if self._began_public is None:
            proxied = _uses_proxy(self._first_url)
            self._began_public = not (
                _is_private_host(self._first_url) if proxied else is_private(self._first_ip)
            )
        return self._began_public


def is_private(ip: str) -> bool:
    """Whether an address is not one of the public internet; False for what is no address."""
    try:
        address = ipaddress.ip_address(ip.split("%", 1)[0].strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return not (mapped or address).is_global


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


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, _SLASHES.sub(r"\1://", location))
    except ValueError:
        return location


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
    proxy = next((value for name in names if (value := os.environ.get(name))), "")
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
    host = parts.netloc.rpartition("@")[2]
    return bool(proxy) and not proxy_bypass_environment(host, {"no": exceptions})
