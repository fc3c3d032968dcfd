"""The statuses and reasons of the report: for each reason its word, when it is retried, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus


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
    """When a failed URL is tried again."""

    PERMANENT = "only with --retry_failed"
    TEMPORARY = "in the same run, and in the next one"
    NEXT_RUN = "in the next run"
    FLAG_DEPENDENT = "when the flag that caused it has changed"


class Reason(Enum):
    """Why an image was not saved: the `reason` column of the report.

    Each member has its word, its retry policy, and its meaning for page and card. `HTTP_STATUS` stands for
    `http_400` to `http_599`.
    """

    INVALID_URL = ("invalid_url", RetryPolicy.PERMANENT, "The row of the URL table has no valid URL.")
    INVALID_IMAGE_CODE = (
        "invalid_image_code",
        RetryPolicy.PERMANENT,
        "The row of the URL table has no valid image code.",
    )
    DUPLICATE_IMAGE_CODE = (
        "duplicate_image_code",
        RetryPolicy.PERMANENT,
        "The URL table has the same image code in an earlier row.",
    )
    FORBIDDEN_REDIRECT = (
        "forbidden_redirect",
        RetryPolicy.PERMANENT,
        "The server redirects to an address that is not allowed.",
    )
    OPTED_OUT = ("opted_out", RetryPolicy.FLAG_DEPENDENT, "The server asks not to use its images this way.")
    DNS_ERROR = ("dns_error", RetryPolicy.NEXT_RUN, "The host name does not exist any more.")
    CONNECTION_REFUSED = ("connection_refused", RetryPolicy.NEXT_RUN, "The host accepts no connections.")
    CONNECT_TIMEOUT = ("connect_timeout", RetryPolicy.TEMPORARY, "The host does not answer.")
    TIMEOUT = ("timeout", RetryPolicy.TEMPORARY, "The image did not arrive in time.")
    TLS_ERROR = ("tls_error", RetryPolicy.NEXT_RUN, "No secure connection was possible.")
    CONNECTION_ERROR = ("connection_error", RetryPolicy.TEMPORARY, "The connection broke.")
    TOO_MANY_REDIRECTS = ("too_many_redirects", RetryPolicy.PERMANENT, "The server redirects too often.")
    HTTP_STATUS = ("http_status", RetryPolicy.PERMANENT, "The server said no.")
    NOT_AN_IMAGE = ("not_an_image", RetryPolicy.PERMANENT, "The response is not an image, e.g. a web page.")
    TRUNCATED = ("truncated", RetryPolicy.TEMPORARY, "Only a part of the image arrived.")
    CORRUPT = ("corrupt", RetryPolicy.PERMANENT, "The image is damaged.")
    TOO_SMALL = ("too_small", RetryPolicy.FLAG_DEPENDENT, "The image is smaller than --min_side.")
    TOO_LARGE = ("too_large", RetryPolicy.PERMANENT, "The image is larger than the limits.")
    PLACEHOLDER = (
        "placeholder",
        RetryPolicy.PERMANENT,
        'A picture that says "no longer available" arrived instead.',
    )
    ANNOTATION_MISMATCH = (
        "annotation_mismatch",
        RetryPolicy.FLAG_DEPENDENT,
        "The image is not the one on which the boxes were drawn.",
    )
    DEAD_HOST = ("dead_host", RetryPolicy.NEXT_RUN, "The host answered no request, and was given up.")
    RATE_LIMITED = (
        "rate_limited",
        RetryPolicy.TEMPORARY,
        "The host wants fewer requests, for longer than a run waits.",
    )
    DISK_ERROR = ("disk_error", RetryPolicy.TEMPORARY, "The image could not be saved.")
    CRASHED = ("crashed", RetryPolicy.NEXT_RUN, "The image crashed the process that validated it.")
    INTERRUPTED = ("interrupted", RetryPolicy.NEXT_RUN, "The run ended before this URL was tried.")
    FILLED = ("filled", RetryPolicy.NEXT_RUN, "Enough images were saved before.")

    def __init__(self, word: str, retry_policy: RetryPolicy, meaning: str) -> None:
        self.word = word
        self.retry_policy = retry_policy
        self.meaning = meaning


_MEANINGS = {reason.word: reason.meaning for reason in Reason}


def meaning(word: str) -> str:
    """Explain a word of the report's `reason` column, e.g. `http_404`, in a sentence."""
    if word in _MEANINGS:
        return _MEANINGS[word]
    sentence = Reason.HTTP_STATUS.meaning
    try:
        status = HTTPStatus(int(word.removeprefix("http_")))
    except ValueError:  # not a standard status
        return sentence
    return f"{sentence[:-1]}: {status.value} {status.phrase}."


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
