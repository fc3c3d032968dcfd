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

E_WEIRD_SERVER_REPLY, E_PROXY = 8, 97  # pycurl has no names for these
CURL_REASONS = {
    pycurl.E_URL_MALFORMAT: Reason.INVALID_URL,
    pycurl.E_COULDNT_RESOLVE_HOST: Reason.DNS_ERROR,
    pycurl.E_PARTIAL_FILE: Reason.TRUNCATED,
    pycurl.E_FILESIZE_EXCEEDED: Reason.TOO_LARGE,
    **dict.fromkeys(
        (
            *(pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE),
            *(pycurl.E_SSL_CERTPROBLEM, pycurl.E_SSL_CIPHER, pycurl.E_SSL_ISSUER_ERROR),
            *(pycurl.E_SSL_INVALIDCERTSTATUS, pycurl.E_SSL_ENGINE_NOTFOUND),
        ),
        Reason.TLS_ERROR,
    ),
}
STATUS_REASONS = {429: Reason.RATE_LIMITED}
"""The HTTP statuses that have a reason of their own; all others are `Reason.HTTP_STATUS`."""
CONNECT_ERRORS = frozenset(
    {Reason.DNS_ERROR, Reason.CONNECTION_REFUSED, Reason.CONNECT_TIMEOUT, Reason.TLS_ERROR}
)
UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ECONNREFUSED})
# libcurl's details of a failed SOCKS connection (CURLproxycode); all others are faults of the proxy.
SOCKS_REPLIES = frozenset({9, *range(17, 28)})
"""What a working proxy says of a host, or what libcurl finds out about it."""
SOCKS_REASONS = {
    19: Reason.CONNECTION_REFUSED,
    21: Reason.CONNECTION_REFUSED,  # host or network unreachable, as without a proxy
    22: Reason.CONNECTION_REFUSED,
    27: Reason.DNS_ERROR,
}
SOCKS_CLOSED = frozenset({3, 13, 14, 15, 16})
"""The connection ended without a reply, which some proxies do instead of one."""
SOCKS_LOGIN = frozenset({12, 33})
PROXY_NEEDS_LOGIN = "The proxy requires a name and a password."
PROXY_UNREACHABLE = "The proxy cannot be reached."
PROXY_SILENT = "The proxy does not respond."
PROXY_WITHOUT_TLS = (
    "No TLS connection to the proxy could be made; its address may have to begin with http://."
)
PROXY_WITHOUT_SOCKS = "The proxy does not speak SOCKS as its address says."
PROXY_WITHOUT_HTTP = "The proxy does not speak HTTP as its address says."


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
    proxy
        The proxy that was used; empty for none.
    is_proven
        Whether this proxy has responded before.
    """

    code: int
    message: str
    http_status: int
    retry_after: str = ""
    rejected: Reason | None = None
    proxy: str = ""
    is_proven: bool = False


def fetch_error(curl: pycurl.Curl, end: TransferEnd) -> FetchError:
    """Return the error of a transfer that gave no body."""
    problem = _proxy_problem(curl, end) if end.proxy and not end.rejected else ""
    if problem:
        reason, description = Reason.CONNECTION_ERROR, problem
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
        from_proxy=bool(problem),
        connect_failed=reason in CONNECT_ERRORS or end.code == E_PROXY or "tunnel failed" in end.message,
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
    if end.code == E_PROXY:
        return SOCKS_REASONS.get(curl.getinfo(pycurl.PROXY_ERROR), Reason.CONNECTION_ERROR)
    return CURL_REASONS.get(end.code, Reason.CONNECTION_ERROR)


def has_responded(curl: pycurl.Curl, http_status: int) -> bool:
    """Whether the proxy of a transfer that ended has responded to it."""
    return http_status > 0 or curl.getinfo(pycurl.PROXY_ERROR) in SOCKS_REPLIES


def _proxy_problem(curl: pycurl.Curl, end: TransferEnd) -> str:
    """Return why the proxy itself cannot be used; empty for what it reports of a host."""
    if end.code == pycurl.E_COULDNT_RESOLVE_PROXY or end.message.startswith("Unsupported proxy"):
        return PROXY_UNREACHABLE
    if end.http_status == 407:
        return PROXY_NEEDS_LOGIN
    if end.code == pycurl.E_COULDNT_CONNECT:
        return "" if "tunnel" in end.message else PROXY_UNREACHABLE
    if end.code == pycurl.E_OPERATION_TIMEDOUT:
        # Not the connect time: before libcurl 8.23 it includes the proxy's way to the host.
        connected = curl.getinfo(pycurl.NUM_CONNECTS) or not end.message.startswith("Connection timed out")
        return "" if connected else PROXY_UNREACHABLE
    if end.code == E_PROXY:
        return _socks_problem(curl.getinfo(pycurl.PROXY_ERROR), end)
    if end.http_status:
        return ""
    if CURL_REASONS.get(end.code) is Reason.TLS_ERROR:  # no response to a CONNECT: it is not the host's
        return PROXY_WITHOUT_TLS if end.proxy.lower().startswith("https:") else ""
    is_garbage = end.code in (pycurl.E_UNSUPPORTED_PROTOCOL, E_WEIRD_SERVER_REPLY)
    return PROXY_WITHOUT_HTTP if is_garbage and not end.is_proven else ""


def _socks_problem(detail: int, end: TransferEnd) -> str:
    if detail in SOCKS_REPLIES or (detail in SOCKS_CLOSED and end.is_proven):
        return ""
    return PROXY_NEEDS_LOGIN if detail in SOCKS_LOGIN else PROXY_WITHOUT_SOCKS
