"""The statuses and reasons of the report: one table of all reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus


class Status(str, Enum):
    """The result of one URL: the column `status` of the report."""

    DOWNLOADED = "downloaded"
    ALREADY_PRESENT = "already_present"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_ATTEMPTED = "not_attempted"

    @property
    def is_saved(self) -> bool:
        """Whether the image is in `Images/`."""
        return self in (Status.DOWNLOADED, Status.ALREADY_PRESENT)


class RetryPolicy(Enum):
    """When a failure is retried; the values are those of docs/report.md."""

    PERMANENT = "no"
    TEMPORARY = "in this run, then by the next"
    NEXT_RUN = "by the next run"
    FLAG_DEPENDENT = "when the flag has changed"
    LIST_DEPENDENT = "when the list has changed"


class Reason(Enum):
    """Why an image is not saved: the column `reason` of the report.

    Each line has the word in the report, when the failure is retried, and what it means. `HTTP_STATUS` stands
    for `http_400` to `http_599`, except statuses that have a reason in `fetch.curl_errors.STATUS_REASONS`.

    A new reason also needs a line in docs/report.md.
    """

    INVALID_URL = "invalid_url", RetryPolicy.PERMANENT, "The URL is malformed."
    INVALID_IMAGE_CODE = "invalid_image_code", RetryPolicy.PERMANENT, "The image code is malformed."
    DUPLICATE_IMAGE_CODE = "duplicate_image_code", RetryPolicy.PERMANENT, "An earlier row has the same code."
    DNS_ERROR = "dns_error", RetryPolicy.NEXT_RUN, "The host name does not resolve."
    CONNECTION_REFUSED = "connection_refused", RetryPolicy.NEXT_RUN, "The host refuses connections."
    CONNECT_TIMEOUT = "connect_timeout", RetryPolicy.TEMPORARY, "The host accepted no connection in time."
    TLS_ERROR = "tls_error", RetryPolicy.NEXT_RUN, "No TLS connection could be made."
    CONNECTION_ERROR = "connection_error", RetryPolicy.TEMPORARY, "The connection broke."
    TIMEOUT = "timeout", RetryPolicy.TEMPORARY, "The image did not arrive in time."
    TRUNCATED = "truncated", RetryPolicy.TEMPORARY, "The connection closed before the whole body arrived."
    HTTP_STATUS = "http_status", RetryPolicy.PERMANENT, "The server answered with an error status."
    RATE_LIMITED = "rate_limited", RetryPolicy.TEMPORARY, "The host asks for fewer requests."
    DEAD_HOST = "dead_host", RetryPolicy.NEXT_RUN, "The host does not respond."
    FORBIDDEN_REDIRECT = "forbidden_redirect", RetryPolicy.PERMANENT, "A redirect to a forbidden address."
    TOO_MANY_REDIRECTS = "too_many_redirects", RetryPolicy.PERMANENT, "More than 10 redirects."
    NOT_AN_IMAGE = "not_an_image", RetryPolicy.PERMANENT, "The response is not an image, e.g. a web page."
    CORRUPT = "corrupt", RetryPolicy.PERMANENT, "The image does not decode."
    TOO_LARGE = "too_large", RetryPolicy.PERMANENT, "The image exceeds 20 MB or 50 megapixels."
    PLACEHOLDER = "placeholder", RetryPolicy.PERMANENT, "A picture that stands for a removed image."
    TOO_SMALL = "too_small", RetryPolicy.FLAG_DEPENDENT, "The image is smaller than --min_side."
    ANNOTATION_MISMATCH = "annotation_mismatch", RetryPolicy.FLAG_DEPENDENT, "No boxes fit the image."
    OPTED_OUT = "opted_out", RetryPolicy.FLAG_DEPENDENT, "The server opts out (X-Robots-Tag)."
    DISK_ERROR = "disk_error", RetryPolicy.NEXT_RUN, "The image could not be saved."
    CRASHED = "crashed", RetryPolicy.NEXT_RUN, "The image crashed the worker process."
    INTERRUPTED = "interrupted", RetryPolicy.NEXT_RUN, "The run ended before the image was saved."
    FILLED = "filled", RetryPolicy.NEXT_RUN, "Enough images were saved without this one."
    NOT_AS_LISTED = "not_as_listed", RetryPolicy.LIST_DEPENDENT, "It is not the image that --images lists."
    EXCLUDED = "excluded", RetryPolicy.LIST_DEPENDENT, "The image is listed in excluded.txt."

    def __init__(self, word: str, retry_policy: RetryPolicy, meaning: str) -> None:
        self.word = word
        self.retry_policy = retry_policy
        self.meaning = meaning


REASONS = {reason.word: reason for reason in Reason}
NOT_NEEDED = (Status.SKIPPED, Reason.FILLED, Reason.FILLED.meaning)
INTERRUPTED = (Status.NOT_ATTEMPTED, Reason.INTERRUPTED, Reason.INTERRUPTED.meaning)
"""Status, reason and description of outcomes that no attempt causes."""


def is_temporary_status(http_status: int) -> bool:
    """Whether a request with this HTTP status may succeed soon."""
    return http_status >= 500 or http_status in (408, 425, 429)


def meaning(word: str) -> str:
    """Return the meaning of a word of the column `reason`, e.g. `http_404`."""
    if word in REASONS:
        return REASONS[word].meaning
    try:
        status = HTTPStatus(int(word.removeprefix("http_")))
    except ValueError:  # some servers use statuses of their own
        return Reason.HTTP_STATUS.meaning
    return f"The server answered {status.value} {status.phrase}."


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row or an image is rejected."""

    reason: Reason
    description: str

    @property
    def sentence(self) -> str:
        """The description as a sentence, for report and screen."""
        return f"{self.description[:1].upper()}{self.description[1:].removesuffix('.')}."
