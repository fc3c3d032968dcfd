"""Where a redirect may lead: from a public address never to a private, loopback or link-local one.

The address connected to is what counts, for a name can resolve to anything. Behind a proxy that address
is the proxy's, so there the names in the URLs are judged, as far as they are literal addresses.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # the stubs lack the second
    getproxies_environment,
    proxy_bypass_environment,
)

import pycurl


class _Lent(socket.socket):
    """A socket of which pycurl takes a copy, so that nobody closes this one."""

    def __del__(self) -> None:
        self.close()


class RedirectGuard:
    """Watches the connections of one transfer; the first decides whether it began in public."""

    def __init__(self, url: str) -> None:
        self.blocked = False
        self._url = url
        self._proxied: bool | None = None
        self._began_public: bool | None = None

    def open_socket(self, _purpose: int, address: Sequence[object]) -> socket.socket | int:
        """Make the socket for a connection, or refuse it; pycurl's OPENSOCKETFUNCTION."""
        family, kind, protocol, target = address
        ip = target[0] if isinstance(target, tuple) else ""
        if not self._allowed(ip):
            self.blocked = True
            return int(pycurl.SOCKET_BAD)
        try:
            return _Lent(family, kind, protocol)  # type: ignore[arg-type]
        except OSError:  # no more descriptors, or no such family here: another address may do
            return int(pycurl.SOCKET_BAD)

    def before_request(self, ip: str) -> int:
        """Look at the address once more, for a connection may be an old one; pycurl's PREREQFUNCTION."""
        if self._began_public is None:
            self._began_public = not is_private(ip)
        if not self._allowed(ip):
            self.blocked = True
            return int(pycurl.PREREQFUNC_ABORT)
        return int(pycurl.PREREQFUNC_OK)

    def location_allowed(self, location: str) -> bool:
        """Judge the target of a redirect by its literal address, where a proxy hides the real one."""
        if self._is_proxied() and not _is_private_host(self._url):
            self.blocked = _is_private_host(_joined(self._url, location))
        return not self.blocked

    def _allowed(self, ip: str) -> bool:
        return not (self._began_public and not self._is_proxied() and is_private(ip))

    def _is_proxied(self) -> bool:
        if self._proxied is None:
            self._proxied = _uses_proxy(self._url)
        return self._proxied


def is_private(ip: str) -> bool:
    """Whether an address is not one of the public internet; False for what is no address."""
    try:
        address = ipaddress.ip_address(ip.split("%", 1)[0].strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


def _is_private_host(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True  # nobody can say where it leads
    return host.rstrip(".").lower() == "localhost" or is_private(host) or _is_odd_ipv4(host)


def _is_odd_ipv4(host: str) -> bool:
    """Spellings such as 2130706433 and 0x7f.1, which resolvers take for 127.0.0.1."""
    try:
        return is_private(socket.inet_ntoa(socket.inet_aton(host)))
    except (OSError, UnicodeError):
        return False


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        return location


def _uses_proxy(url: str) -> bool:
    proxies = getproxies_environment()
    if not proxies:
        return False
    try:
        host = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return True
    return bool({"http", "https", "all"} & proxies.keys()) and not proxy_bypass_environment(host, proxies)
