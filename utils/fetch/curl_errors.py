"""Maps the errors of libcurl to the reasons of the report.

A result code alone does not name the cause: 7 is a host that refuses or a proxy that does, 28 is any kind of
timeout. Code, message and the system's error number are therefore looked at together.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

import pycurl

from ..models.tasks import FetchError
from ..reasons import Reason
from .headers import parse_retry_after

CURL_REASONS = {
    pycurl.E_URL_MALFORMAT: Reason.INVALID_URL,
    pycurl.E_COULDNT_RESOLVE_HOST: Reason.DNS_ERROR,
    pycurl.E_PARTIAL_FILE: Reason.TRUNCATED,
    pycurl.E_FILESIZE_EXCEEDED: Reason.TOO_LARGE,
    pycurl.E_SSL_CONNECT_ERROR: Reason.TLS_ERROR,
    pycurl.E_PEER_FAILED_VERIFICATION: Reason.TLS_ERROR,
    pycurl.E_SSL_CERTPROBLEM: Reason.TLS_ERROR,
    pycurl.E_SSL_CIPHER: Reason.TLS_ERROR,
    pycurl.E_SSL_ISSUER_ERROR: Reason.TLS_ERROR,
    pycurl.E_SSL_INVALIDCERTSTATUS: Reason.TLS_ERROR,
    pycurl.E_SSL_ENGINE_NOTFOUND: Reason.TLS_ERROR,
}
STATUS_REASONS = {429: Reason.RATE_LIMITED}
"""The HTTP statuses that have a reason of their own; all others are `Reason.HTTP_STATUS`."""
CONNECT_ERRORS = frozenset(
    {Reason.DNS_ERROR, Reason.CONNECTION_REFUSED, Reason.CONNECT_TIMEOUT, Reason.TLS_ERROR}
)
UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ECONNREFUSED})


@dataclass(frozen=True, slots=True)
class TransferEnd:
    """How a transfer ended.

    Attributes
    ----------
    code, message
        curl's; the code is 0 for a complete response, which may be an error page.
    http_status, retry_after
        Of the last response; 0 and "" if there was none.
    rejected
        The reason for which the response was rejected or aborted, if it was.
    """

    code: int
    message: str
    http_status: int
    retry_after: str = ""
    rejected: Reason | None = None


def fetch_error(curl: pycurl.Curl, end: TransferEnd) -> FetchError:
    """Return the error of a transfer that gave no body."""
    is_proxy_error = _is_proxy_error(curl, end)
    if is_proxy_error:
        needs_login = end.http_status == 407
        reason = Reason.CONNECTION_ERROR
        description = f"The proxy {'requires a name and a password' if needs_login else 'cannot be reached'}."
    else:
        reason = _reason(curl, end)
        description = reason.meaning
        if end.rejected is Reason.TIMEOUT:
            description = "The image arrived too slowly to be complete in time."
        elif reason in (Reason.HTTP_STATUS, Reason.NOT_AN_IMAGE):
            description = f"The server answered {end.http_status}."
    return FetchError(
        reason=reason,
        description=description,
        http_status=end.http_status,
        retry_after=parse_retry_after(end.retry_after),
        from_proxy=is_proxy_error,
        connect_failed=reason in CONNECT_ERRORS or "tunnel failed" in end.message,
        too_slow=end.rejected is Reason.TIMEOUT,
        seconds=float(curl.getinfo(pycurl.TOTAL_TIME)),
    )


def _reason(curl: pycurl.Curl, end: TransferEnd) -> Reason:
    if end.rejected:
        return end.rejected
    if 400 <= end.http_status < 600:
        return STATUS_REASONS.get(end.http_status, Reason.HTTP_STATUS)
    if end.http_status >= 300 and end.code in (0, pycurl.E_WRITE_ERROR):
        return Reason.NOT_AN_IMAGE  # a redirect without a target, or an unknown status
    if end.code == pycurl.E_COULDNT_CONNECT:
        error = curl.getinfo(pycurl.OS_ERRNO)
        if "timed out" in end.message.lower() or error == errno.ETIMEDOUT:
            return Reason.CONNECT_TIMEOUT
        return Reason.CONNECTION_REFUSED if error in UNREACHABLE else Reason.CONNECTION_ERROR
    if end.code == pycurl.E_OPERATION_TIMEDOUT:
        # Only the message tells: the connect time is 0 on a reused connection as well.
        timeouts = {"Resolving": Reason.DNS_ERROR, "Connection": Reason.CONNECT_TIMEOUT}
        return timeouts.get(end.message.partition(" timed out")[0], Reason.TIMEOUT)
    return CURL_REASONS.get(end.code, Reason.CONNECTION_ERROR)


def _is_proxy_error(curl: pycurl.Curl, end: TransferEnd) -> bool:
    """Whether the proxy itself cannot be used; what it reports of a host is not its error."""
    if end.code == pycurl.E_COULDNT_RESOLVE_PROXY or end.message.startswith("Unsupported proxy"):
        return True
    if not curl.getinfo(pycurl.USED_PROXY):
        return False
    if end.code == pycurl.E_COULDNT_CONNECT:
        return "tunnel" not in end.message or end.http_status == 407
    timed_out = end.code == pycurl.E_OPERATION_TIMEDOUT and end.message.startswith("Connection timed out")
    return end.http_status == 407 or (timed_out and curl.getinfo(pycurl.CONNECT_TIME) == 0)
