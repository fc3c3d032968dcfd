"""The words of the report: statuses, reasons and how long each is believed, formats."""

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
    def stands(self) -> bool:
        """Whether the image lies in `Images/`."""
        return self in (Status.DOWNLOADED, Status.ALREADY_PRESENT)


class Lasting(Enum):
    """How long a failure is believed."""

    FOR_GOOD = "not asked for again unless told to"
    IN_PASSING = "tried again within the run and by the next one"
    AT_ONCE = "proves itself at once: tried again by the next run only"
    BY_FLAG = "judged anew when the flag that decided it has changed"


class Reason(Enum):
    """Why an image is not there: the `reason` column of the report.

    Each member holds its word and how long the failure is believed. `HTTP_STATUS` stands for
    `http_400` to `http_599`; an `Outcome` spells it out.
    """

    INVALID_URL = "invalid_url", Lasting.FOR_GOOD
    INVALID_IMAGE_CODE = "invalid_image_code", Lasting.FOR_GOOD
    DUPLICATE_IMAGE_CODE = "duplicate_image_code", Lasting.FOR_GOOD
    FORBIDDEN_REDIRECT = "forbidden_redirect", Lasting.FOR_GOOD
    OPTED_OUT = "opted_out", Lasting.BY_FLAG
    DNS_ERROR = "dns_error", Lasting.AT_ONCE
    CONNECTION_REFUSED = "connection_refused", Lasting.AT_ONCE
    CONNECT_TIMEOUT = "connect_timeout", Lasting.IN_PASSING
    TIMEOUT = "timeout", Lasting.IN_PASSING
    TLS_ERROR = "tls_error", Lasting.AT_ONCE
    CONNECTION_ERROR = "connection_error", Lasting.IN_PASSING
    TOO_MANY_REDIRECTS = "too_many_redirects", Lasting.FOR_GOOD
    HTTP_STATUS = "http_status", Lasting.FOR_GOOD
    NOT_AN_IMAGE = "not_an_image", Lasting.FOR_GOOD
    TRUNCATED = "truncated", Lasting.IN_PASSING
    CORRUPT = "corrupt", Lasting.FOR_GOOD
    TOO_SMALL = "too_small", Lasting.BY_FLAG
    TOO_LARGE = "too_large", Lasting.FOR_GOOD
    PLACEHOLDER = "placeholder", Lasting.FOR_GOOD
    ANNOTATION_MISMATCH = "annotation_mismatch", Lasting.BY_FLAG
    DEAD_HOST = "dead_host", Lasting.AT_ONCE
    RATE_LIMITED = "rate_limited", Lasting.IN_PASSING
    DISK_ERROR = "disk_error", Lasting.IN_PASSING
    CRASHED = "crashed", Lasting.AT_ONCE
    INTERRUPTED = "interrupted", Lasting.AT_ONCE
    FILLED = "filled", Lasting.AT_ONCE

    def __init__(self, word: str, lasting: Lasting) -> None:
        self.word = word
        self.lasting = lasting


def is_passing_http(status: int) -> bool:
    """Whether an HTTP status says "not now" rather than "no"."""
    return status >= 500 or status in (408, 425, 429)


class ImageFormat(str, Enum):
    """The image formats that are kept; the value is the file's extension."""

    JPEG = "jpg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    BMP = "bmp"
    TIFF = "tiff"


NOT_NEEDED = (Status.SKIPPED, Reason.FILLED, "As many as wanted were there before it.")
CUT_SHORT = (Status.NOT_ATTEMPTED, Reason.INTERRUPTED, "The run ended before it was there.")
"""Ends that no attempt brings about: a status, a reason, a sentence."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not taken: the reason, and the same in words for the report."""

    reason: Reason
    description: str

    @property
    def sentence(self) -> str:
        """The description as the report and the screen say it."""
        return f"{self.description[:1].upper()}{self.description[1:].removesuffix('.')}."
