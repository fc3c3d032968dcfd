"""What it means when curl gives no body: its result codes as the report's reasons.

The codes alone do not tell causes apart: 7 is a host that refuses as well as a proxy that does, 28 any kind
of lateness. So code, message, the system's error number and what had been reached are looked at together.
"""

from __future__ import annotations

import email.utils
import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timezone

import pycurl

from ..models.tasks import FetchError
from ..reasons import Reason

MAX_RETRY_AFTER = 10**6
REASONS = {
    pycurl.E_URL_MALFORMAT: Reason.INVALID_URL,
    pycurl.E_COULDNT_RESOLVE_HOST: Reason.DNS_ERROR,
    pycurl.E_PARTIAL_FILE: Reason.TRUNCATED,
    pycurl.E_FILESIZE_EXCEEDED: Reason.TOO_LARGE,
    pycurl.E_WRITE_ERROR: Reason.TOO_LARGE,  # there is no other reason for which we take no more
    pycurl.E_SSL_CONNECT_ERROR: Reason.TLS_ERROR,
    pycurl.E_PEER_FAILED_VERIFICATION: Reason.TLS_ERROR,
    pycurl.E_SSL_CERTPROBLEM: Reason.TLS_ERROR,
    pycurl.E_SSL_CIPHER: Reason.TLS_ERROR,
    pycurl.E_SSL_ISSUER_ERROR: Reason.TLS_ERROR,
    pycurl.E_SSL_INVALIDCERTSTATUS: Reason.TLS_ERROR,
    pycurl.E_SSL_ENGINE_NOTFOUND: Reason.TLS_ERROR,
}
WORDS = {
    Reason.INVALID_URL: "The address cannot be understood.",
    Reason.DNS_ERROR: "The host's name does not resolve.",
    Reason.TRUNCATED: "The connection ended before the whole body had come.",
    Reason.TOO_MANY_REDIRECTS: "More than 10 redirects.",
    Reason.TOO_LARGE: "More than 20 MB.",
    Reason.TLS_ERROR: "No secure connection could be made.",
    Reason.CONNECTION_REFUSED: "The host refuses connections.",
    Reason.CONNECT_TIMEOUT: "The host did not accept a connection in time.",
    Reason.TIMEOUT: "The image did not arrive in time.",
    Reason.CONNECTION_ERROR: "The connection broke.",
    Reason.FORBIDDEN_REDIRECT: "A redirect leads where none may lead.",
    Reason.RATE_LIMITED: "The host asks for fewer requests (429).",
}
UNREACHED = frozenset({Reason.DNS_ERROR, Reason.CONNECTION_REFUSED, Reason.CONNECT_TIMEOUT, Reason.TLS_ERROR})
HTTP_ERRORS = range(400, 600)
UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True)
class Ending:
    """How a transfer ended.

    Attributes
    ----------
    code, message
        curl's; code 0 for a transfer that ended well, but perhaps not with a success.
    http_status, retry_after
        Of the last answer; 0 and "" without one.
    refused
        Why we would not have it, if it was we who ended it.
    """

    code: int
    message: str
    http_status: int
    retry_after: str = ""
    refused: Reason | None = None


def no_body(curl: pycurl.Curl, ending: Ending) -> FetchError:
    """Say why a transfer brought no body; the handle is asked for what the transfer reached."""
    proxy_at_fault = _proxy_at_fault(curl, ending)
    reason = Reason.CONNECTION_ERROR if proxy_at_fault else _reason(curl, ending)
    return FetchError(
        reason=reason,
        description=_proxy_words(ending) if proxy_at_fault else _words(reason, ending),
        http_status=ending.http_status,
        retry_after=seconds_to_wait(ending.retry_after),
        proxy_at_fault=proxy_at_fault,
        unreached=reason in UNREACHED or "tunnel failed" in ending.message,
        dripped=ending.refused is Reason.TIMEOUT,
        seconds=float(curl.getinfo(pycurl.TOTAL_TIME)),
    )


def seconds_to_wait(retry_after: str, now: float | None = None) -> float | None:
    """Read a Retry-After header, in seconds or as a date; None where it says nothing usable."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), MAX_RETRY_AFTER))
    try:
        date = email.utils.parsedate_to_datetime(text)
        then = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()  # HTTP's are in GMT
    except (TypeError, ValueError, OverflowError, OSError):  # the last two for years and zones out of range
        return None
    return min(max(0.0, then - (time.time() if now is None else now)), float(MAX_RETRY_AFTER))


def _reason(curl: pycurl.Curl, ending: Ending) -> Reason:
    if ending.refused:
        return ending.refused
    if ending.http_status in HTTP_ERRORS:
        return Reason.RATE_LIMITED if ending.http_status == 429 else Reason.HTTP_STATUS
    if ending.http_status >= 300 and ending.code in (0, pycurl.E_WRITE_ERROR):
        # a redirect to nowhere, or a status that nobody knows
        return Reason.NOT_AN_IMAGE
    told_apart = TOLD_APART.get(ending.code)
    if told_apart:
        return told_apart(curl, ending.message)
    return REASONS.get(ending.code, Reason.CONNECTION_ERROR)


def _not_connected(curl: pycurl.Curl, message: str) -> Reason:
    if "timed out" in message.lower() or curl.getinfo(pycurl.OS_ERRNO) == errno.ETIMEDOUT:
        return Reason.CONNECT_TIMEOUT
    if curl.getinfo(pycurl.OS_ERRNO) in UNREACHABLE | {errno.ECONNREFUSED}:
        return Reason.CONNECTION_REFUSED
    return Reason.CONNECTION_ERROR


def _late(_curl: pycurl.Curl, message: str) -> Reason:
    if message.startswith("Resolving timed out"):
        return Reason.DNS_ERROR
    # curl's connect time does not tell: it is 0 on a connection that served before
    return Reason.CONNECT_TIMEOUT if message.startswith("Connection timed out") else Reason.TIMEOUT


def _proxy_at_fault(curl: pycurl.Curl, ending: Ending) -> bool:
    """Whether it is the proxy that cannot be used; what it says of a host is not its fault."""
    if ending.code == pycurl.E_COULDNT_RESOLVE_PROXY or ending.message.startswith("Unsupported proxy"):
        return True
    if not curl.getinfo(pycurl.USED_PROXY):
        return False
    if ending.code == pycurl.E_COULDNT_CONNECT:
        return "tunnel" not in ending.message or ending.http_status == 407
    late = ending.code == pycurl.E_OPERATION_TIMEDOUT and ending.message.startswith("Connection timed out")
    unreached = late and curl.getinfo(pycurl.CONNECT_TIME) == 0
    return bool(unreached or ending.http_status == 407)


def _words(reason: Reason, ending: Ending) -> str:
    if ending.refused is Reason.TIMEOUT:
        return "The image came so slowly that it could not arrive in time."
    return WORDS.get(reason) or f"The server answered {ending.http_status}."


def _proxy_words(ending: Ending) -> str:
    wants_password = ending.http_status == 407
    return "The proxy wants a name and a password." if wants_password else "The proxy cannot be reached."


TOLD_APART: dict[int, Callable[[pycurl.Curl, str], Reason]] = {
    pycurl.E_COULDNT_CONNECT: _not_connected,
    pycurl.E_OPERATION_TIMEDOUT: _late,
}
