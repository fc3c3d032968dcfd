"""Validation of image codes and URLs, and the form in which URLs are requested.

None of the functions raises an exception for invalid text.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote, unquote

from .models.rows import UrlRow
from .reasons import Reason, Rejection

MAX_URL_LENGTH = 8000
MAX_HOST_LENGTH = 253  # the limit of DNS
DEFAULT_PORTS = {"http": 80, "https": 443}
LISTED_CODE = re.compile(r"n[0-9]{8}_[0-9]{1,12}")
"""Image codes of the URL table."""
VALIDATION_PREFIX = "ILSVRC2012_val_"
"""The beginning of the image codes of ILSVRC's validation images, which name no category."""
IMAGE_CODE = re.compile(rf"{LISTED_CODE.pattern}|{VALIDATION_PREFIX}[0-9]{{1,8}}")
"""Image codes in a result folder."""

_BLANKS = " \t"  # about a thousand real URLs contain them; other control characters are invalid
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\\]*)(?P<rest>[^#]*)", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_AUTHORITY = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>.*))?", re.DOTALL)
_HOST_NAME = re.compile(r"[a-z0-9_.-]*[a-z0-9_-][.]?")
# Characters that are not percent-encoded. "%" is one of them, because nearly all URLs are encoded already.
_PATH_SAFE = "%/?:@!$&'()*+,;=~-._[]"
_USER_SAFE = "%:!$&'()*+,;=~-._"
_percent_encode = functools.partial(quote, errors="replace")


@dataclass(frozen=True, slots=True)
class _Url:
    """The parts of an http(s) URL; `port` is the text after the colon, or None without a colon."""

    scheme: str
    user: str | None
    host: str
    port: str | None
    rest: str


def rejection(row: UrlRow) -> Rejection | None:
    """Return why a row cannot be downloaded, or None if it is valid."""
    if not LISTED_CODE.fullmatch(row.image_code):
        return Rejection(
            Reason.INVALID_IMAGE_CODE,
            f"{_ascii(row.image_code)} is not an image code (n, eight digits, underscore, digits)",
        )
    error = url_error(row.url)
    return Rejection(Reason.INVALID_URL, error) if error else None


def request_url(url: str) -> str:
    """Return a URL in the form that is requested: ASCII, without fragment, with credentials.

    Blanks and non-ASCII characters are percent-encoded (UTF-8), a non-ASCII host becomes punycode, and "%" is
    not encoded again. As in browsers, a host may be percent-encoded, and a backslash in the path is a slash.
    A text that is not an http(s) URL is percent-encoded as a whole.
    """
    parts = _split(url)
    if parts is None:
        return _percent_encode(url.strip(_BLANKS), _PATH_SAFE)
    user = "" if parts.user is None else _percent_encode(parts.user, _USER_SAFE) + "@"
    port = f":{_percent_encode(parts.port, '%')}" if parts.port else ""
    path, mark, query = parts.rest.partition("?")
    rest = _percent_encode(path.replace("\\", "/") + mark + query, _PATH_SAFE)
    root = "" if rest.startswith("/") else "/"
    return f"{parts.scheme}://{user}{parts.host}{port}{root}{rest}"


def host_of(url: str) -> str:
    """Return the server of a URL as `host:port`, in lower case, or "" if it has none.

    Equivalent spellings give the same result: `example.org.` and `example.org`, `0x7f.1` and `127.0.0.1`.
    """
    parts = _split(url)
    if parts is None or not parts.host:
        return ""
    host = parts.host.removesuffix(".")
    if host[-1:].isdigit() or "0x" in host:  # only such names can be resolved as numbers
        with contextlib.suppress(OSError):
            host = socket.inet_ntoa(socket.inet_aton(host))
    port = _percent_encode(parts.port, "%").lstrip("0") if parts.port else DEFAULT_PORTS[parts.scheme]
    return f"{host}:{port}"


@functools.lru_cache(maxsize=64)  # each URL is split several times in a row
def _split(url: str) -> _Url | None:
    match = _URL.match(url.strip(_BLANKS))
    if match is None:
        return None
    authority = _AUTHORITY.fullmatch(match["authority"])
    if authority is None:  # not a valid host
        return _Url(match["scheme"].lower(), None, "", None, match["rest"])
    host = _ascii_host(authority["host"])
    return _Url(match["scheme"].lower(), authority["user"], host, authority["port"], match["rest"])


def _ascii_host(host: str) -> str:
    if host.startswith("[") and host.isascii() and host.isprintable() and " " not in host:
        return host.lower()
    name = unquote(host)
    if (name != host or not host.isascii()) and len(
        name
    ) <= MAX_HOST_LENGTH:  # the codec takes quadratic time
        with contextlib.suppress(UnicodeError):  # not a domain name: percent-encoded, it does not resolve
            encoded = name.encode("idna").decode("ascii").lower()
            # Some characters are encoded as several ("℀" as "a/c"), which would add a slash to the name.
            if _HOST_NAME.fullmatch(encoded):
                return encoded
    return _percent_encode(host, "%").lower()


def url_error(url: str) -> str:
    """Return why a URL is invalid, or "" if it can be requested."""
    if not url.strip(_BLANKS):
        return "there is no URL"
    if len(url) > MAX_URL_LENGTH:
        return f"the URL has {len(url)} characters, more than {MAX_URL_LENGTH}"
    control = _CONTROL.search(url)
    if control:
        return f"the URL contains the control character {control[0]!r}"
    parts = _split(url)
    if parts is None:
        return _scheme_error(url.strip(_BLANKS))
    host, port = parts.host, parts.port
    if not host:
        return "the URL has no host"
    if len(host) > MAX_HOST_LENGTH:
        return f"the host has {len(host)} characters, more than {MAX_HOST_LENGTH}"
    if not (_is_ipv6(host) if host.startswith("[") else _HOST_NAME.fullmatch(host)):
        return f"{_ascii(host)} is not a host name"
    if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) <= 65535):
        return f"{_ascii(port)} is not a port (1 to 65535)"
    return ""


def _scheme_error(url: str) -> str:
    scheme = _SCHEME.match(url)
    if scheme is None:
        return f"{_ascii(url)} does not begin with http:// or https://"
    if scheme[0].lower() in ("http:", "https:"):
        return f"{_ascii(url)} has no host"
    return f"the scheme {_ascii(scheme[0])} is neither http: nor https:"


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return False
    return host.endswith("]")


def _ascii(text: str) -> str:
    """Return the escaped text in quotation marks, shortened."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
