"""What a row of the URL table must be, and how its URL is asked for.

Pure functions over text. This module alone knows what makes an image code and a URL acceptable, and
how a URL as people wrote it becomes one that can be sent. None of them raises, whatever the text.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote

from .models.rows import UrlRow
from .reasons import Reason, Rejection

LONGEST_URL = 8000
LONGEST_HOST = 253  # what the domain name system can carry
DEFAULT_PORTS = {"http": 80, "https": 443}
IMAGE_CODE = re.compile(r"n[0-9]{8}_[0-9]{1,12}")

BLANKS = " \t"  # some thousand real URLs hold them; all other control characters are refused
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\\]*)(?P<rest>[^#]*)", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_AUTHORITY = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>.*))?", re.DOTALL)
_HOST_NAME = re.compile(r"[a-z0-9_.-]*[a-z0-9_-][.]?")
# What may stand in a URL as it is. "%" is among them: nearly all URLs are encoded already.
_PATH_SAFE = "%/?:@!$&'()*+,;=~-._[]"
_USER_SAFE = "%:!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class _Url:
    """The parts of an http(s) URL; `port` is the text after the colon, None without a colon."""

    scheme: str
    user: str | None
    host: str
    port: str | None
    rest: str


def rejection(row: UrlRow) -> Rejection | None:
    """Say why a row cannot be tried, or None if it can."""
    if not IMAGE_CODE.fullmatch(row.image_code):
        return Rejection(
            Reason.INVALID_IMAGE_CODE,
            f"{_shown(row.image_code)} is no image code (n, eight digits, underscore, digits)",
        )
    fault = url_fault(row.url)
    return Rejection(Reason.INVALID_URL, fault) if fault else None


def request_url(url: str) -> str:
    """Spell a URL as it is sent: ASCII only, without fragment, credentials kept.

    Blanks and non-ASCII characters are percent-encoded (UTF-8), a host beyond ASCII becomes punycode;
    "%" is never encoded again. What is no http(s) URL comes back percent-encoded.
    """
    parts = _split(url)
    if parts is None:
        return _quoted(url.strip(BLANKS), _PATH_SAFE)
    user = "" if parts.user is None else _quoted(parts.user, _USER_SAFE) + "@"
    port = f":{_quoted(parts.port, '%')}" if parts.port else ""
    rest = _quoted(parts.rest, _PATH_SAFE)
    root = "" if rest.startswith("/") else "/"
    return f"{parts.scheme}://{user}{parts.host}{port}{root}{rest}"


def host_of(url: str) -> str:
    """Name the server that a URL asks: lower-case host, colon, port; empty if it names none.

    Different spellings of a server are one: `example.org.` for `example.org`, `0x7f.1` for `127.0.0.1`.
    """
    parts = _split(url)
    if parts is None or not parts.host:
        return ""
    port = _quoted(parts.port, "%").lstrip("0") if parts.port else DEFAULT_PORTS[parts.scheme]
    return f"{_one_spelling(parts.host)}:{port}"


def _one_spelling(host: str) -> str:
    host = host.removesuffix(".")
    if host[-1:].isdigit() or "0x" in host:  # the only names that a resolver may take for numbers
        with contextlib.suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(host))
    return host


@functools.lru_cache(maxsize=64)  # several questions in a row are asked of each URL
def _split(url: str) -> _Url | None:
    whole = _URL.match(url.strip(BLANKS))
    if whole is None:
        return None
    authority = _AUTHORITY.fullmatch(whole["authority"])
    if authority is None:  # something between "]" and the port: no host that could be asked
        return _Url(whole["scheme"].lower(), None, "", None, whole["rest"])
    host = _ascii_host(authority["host"])
    return _Url(whole["scheme"].lower(), authority["user"], host, authority["port"], whole["rest"])


def _ascii_host(host: str) -> str:
    if host.startswith("[") and host.isascii() and host.isprintable() and " " not in host:
        return host.lower()
    if not host.isascii() and len(host) <= LONGEST_HOST:  # the codec's time grows with the square of that
        with contextlib.suppress(UnicodeError):  # no domain name at all: percent-encoded, it resolves nowhere
            encoded = host.encode("idna").decode("ascii").lower()
            # Some characters stand for several ("℀" for "a/c") and would smuggle a slash into the name.
            if _HOST_NAME.fullmatch(encoded):
                return encoded
    return _quoted(host, "%").lower()


def url_fault(url: str) -> str:
    """Say what is wrong with a URL; nothing if it can be asked for."""
    if not url.strip(BLANKS):
        return "there is no URL"
    if len(url) > LONGEST_URL:
        return f"the URL has {len(url)} characters, more than {LONGEST_URL}"
    control = _CONTROL.search(url)
    if control:
        return f"the URL holds the control character {control[0]!r}"
    parts = _split(url)
    if parts is None:
        return _scheme_fault(url.strip(BLANKS))
    return _host_fault(parts.host) or _port_fault(parts.port)


def _scheme_fault(url: str) -> str:
    scheme = _SCHEME.match(url)
    if scheme is None:
        return f"{_shown(url)} does not begin with http:// or https://"
    if scheme[0].lower() in ("http:", "https:"):
        return f"{_shown(url)} names no host"
    return f"the scheme {_shown(scheme[0])} is neither http: nor https:"


def _host_fault(host: str) -> str:
    if not host:
        return "the URL names no host"
    if len(host) > LONGEST_HOST:
        return f"the host has {len(host)} characters, more than {LONGEST_HOST}"
    sound = _is_ipv6(host) if host.startswith("[") else _HOST_NAME.fullmatch(host)
    return "" if sound else f"{_shown(host)} is no host name"


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return host.endswith("]")


def _port_fault(port: str | None) -> str:
    if not port:
        return ""
    if re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= 65535:
        return ""
    return f"{_shown(port)} is no port (1 to 65535)"


def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="replace")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
