"""The statuses and reasons of the report: for each reason its word, when it is retried, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(str, Enum):
    """What became of one URL: the `status` column of the report."""

    DOWNLOADED = "downloaded"
    ALREADY_PRESENT = "already_present"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_ATTEMPTED = "not_attempted"

    @property
    def is_saved(self) -> bool:
        """Whether the image lies in `Images/`."""
        return self in (Status.DOWNLOADED, Status.ALREADY_PRESENT)


class RetryPolicy(Enum):
    """How long a failure is believed."""

    PERMANENT = "not asked for again unless told to"
    TEMPORARY = "tried again within the run and by the next one"
    NEXT_RUN = "proves itself at once: tried again by the next run only"
    FLAG_DEPENDENT = "judged anew when the flag that decided it has changed"


class Reason(Enum):
    """Why an image is not there: the `reason` column of the report.

    Each member holds its word and how long the failure is believed. `HTTP_STATUS` stands for
    `http_400` to `http_599`; an `Outcome` spells it out.
    """

    INVALID_URL = "invalid_url", RetryPolicy.PERMANENT
    INVALID_IMAGE_CODE = "invalid_image_code", RetryPolicy.PERMANENT
    DUPLICATE_IMAGE_CODE = "duplicate_image_code", RetryPolicy.PERMANENT
    FORBIDDEN_REDIRECT = "forbidden_redirect", RetryPolicy.PERMANENT
    OPTED_OUT = "opted_out", RetryPolicy.FLAG_DEPENDENT
    DNS_ERROR = "dns_error", RetryPolicy.NEXT_RUN
    CONNECTION_REFUSED = "connection_refused", RetryPolicy.NEXT_RUN
    CONNECT_TIMEOUT = "connect_timeout", RetryPolicy.TEMPORARY
    TIMEOUT = "timeout", RetryPolicy.TEMPORARY
    TLS_ERROR = "tls_error", RetryPolicy.NEXT_RUN
    CONNECTION_ERROR = "connection_error", RetryPolicy.TEMPORARY
    TOO_MANY_REDIRECTS = "too_many_redirects", RetryPolicy.PERMANENT
    HTTP_STATUS = "http_status", RetryPolicy.PERMANENT
    NOT_AN_IMAGE = "not_an_image", RetryPolicy.PERMANENT
    TRUNCATED = "truncated", RetryPolicy.TEMPORARY
    CORRUPT = "corrupt", RetryPolicy.PERMANENT
    TOO_SMALL = "too_small", RetryPolicy.FLAG_DEPENDENT
    TOO_LARGE = "too_large", RetryPolicy.PERMANENT
    PLACEHOLDER = "placeholder", RetryPolicy.PERMANENT
    ANNOTATION_MISMATCH = "annotation_mismatch", RetryPolicy.FLAG_DEPENDENT
    DEAD_HOST = "dead_host", RetryPolicy.NEXT_RUN
    RATE_LIMITED = "rate_limited", RetryPolicy.TEMPORARY
    DISK_ERROR = "disk_error", RetryPolicy.TEMPORARY
    CRASHED = "crashed", RetryPolicy.NEXT_RUN
    INTERRUPTED = "interrupted", RetryPolicy.NEXT_RUN
    FILLED = "filled", RetryPolicy.NEXT_RUN

    def __init__(self, word: str, retry_policy: RetryPolicy) -> None:
        self.word = word
        self.retry_policy = retry_policy


def is_passing_http(status: int) -> bool:
    """Whether an HTTP status says "not now" rather than "no"."""
    return status >= 500 or status in (408, 425, 429)


NOT_NEEDED = (Status.SKIPPED, Reason.FILLED, "As many as wanted were there before it.")
CUT_SHORT = (Status.NOT_ATTEMPTED, Reason.INTERRUPTED, "The run ended before it was there.")
"""Ends that no attempt brings about: a status, a reason, a sentence."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why something is not taken: the reason, and the same in words for the report."""

    reason: Reason
    description: str

    @property
    def sentence(self) -> str:
        """The description as the report and the screen say it."""
        return f"{self.description[:1].upper()}{self.description[1:].removesuffix('.')}."
