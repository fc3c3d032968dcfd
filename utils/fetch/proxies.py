"""The proxies of the environment, for libcurl and requests alike.

`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` are read in lower and upper case, as urllib does; curl
itself ignores `HTTP_PROXY`. `no_proxy` holds all that urllib, requests or curl understand.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..urls import host_of

SUFFIX = "_proxy"
REMOTE_RESOLUTION = {"socks5": "socks5h", "socks4": "socks4a"}
"""SOCKS proxies get the names of hosts, as from browsers: behind a proxy names often do not resolve."""


@dataclass(frozen=True)
class Proxies:
    """The proxies for URLs.

    Attributes
    ----------
    by_scheme
        The proxies by `http`, `https` or `all`; empty for none.
    exempt
        Hosts without a proxy, in lower case: names (also for their subdomains), `host:port`, or `*` for all.
    networks
        Addresses without a proxy.
    """

    by_scheme: Mapping[str, str]
    exempt: tuple[str, ...] = ()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """Read the variables; the lower-case one counts if both are set, even if it is empty."""
        found = {}
        for name in sorted(environment):  # lower case last
            scheme = name.lower().removesuffix(SUFFIX)
            # A CGI server sets HTTP_PROXY from a header of the request.
            is_header = name == "HTTP_PROXY" and "REQUEST_METHOD" in environment
            if scheme in ("http", "https", "all", "no") and scheme != name.lower() and not is_header:
                found[scheme] = environment[name]
        entries = re.split(r"[\s,]+", found.pop("no", "").lower())
        names, networks = [], []
        for entry in filter(None, entries):
            names.append(entry.removeprefix("*.").strip(".") if entry != "*" else entry)
            with contextlib.suppress(ValueError):
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
        by_scheme = {scheme: _with_remote_resolution(proxy) for scheme, proxy in found.items() if proxy}
        return cls(by_scheme, tuple(names), tuple(networks))

    def for_url(self, url: str) -> str:
        """Return the proxy of an http or https URL; empty for none."""
        if not self.by_scheme:
            return ""
        scheme = url.partition(":")[0].lower()
        proxy = self.by_scheme.get(scheme) or self.by_scheme.get("all", "")
        return "" if proxy and self._is_exempt(host_of(url)) else proxy

    def _is_exempt(self, server: str) -> bool:
        host = server.rpartition(":")[0]
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(host.strip("[]"))
            if any(address in network for network in self.networks):
                return True
        return any(
            name == "*" or f".{host}".endswith(f".{name}") or f".{server}".endswith(f".{name}")
            for name in self.exempt
        )


def _with_remote_resolution(proxy: str) -> str:
    scheme, separator, rest = proxy.partition("://")
    return f"{REMOTE_RESOLUTION.get(scheme.lower(), scheme)}{separator}{rest}"
