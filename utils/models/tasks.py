"""Tasks, responses and outcomes: the download of one image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..reasons import Reason, RetryPolicy, Status, is_temporary_status
from .fast_pickle import FastPickle
from .images import Annotation, BoxCounts, Picture
from .rows import LocalImage, UrlRow


@dataclass(frozen=True, slots=True)
class RequestTarget(FastPickle):
    """The URL of a request (ASCII, percent-encoded), and its host with port."""

    address: str
    host: str


@dataclass(frozen=True, slots=True)
class RedirectHistory(FastPickle):
    """The redirects that an attempt has followed.

    Attributes
    ----------
    count
        The number of redirects.
    seconds
        The duration of their requests, which counts towards the timeout of the attempt.
    http_status
        Of the last redirect; 0 before the first.
    from_public
        Whether the first request went to a public address; None before the first.
    """

    count: int = 0
    seconds: float = 0.0
    http_status: int = 0
    from_public: bool | None = None


@dataclass(frozen=True, slots=True)
class Redirect(FastPickle):
    """A redirect: its target, and the redirects up to it."""

    target: RequestTarget
    history: RedirectHistory


@dataclass(frozen=True, slots=True)
class ImageTask(FastPickle):
    """One URL to try, with all that a worker needs.

    Attributes
    ----------
    number
        Identifies the task within a run.
    folder
        The folder of the category, in the result folder.
    row
        The row of the URL table.
    address, host
        The target of the next request: the row's URL, a rewritten URL, or the target of a redirect.
    redirect_history
        The redirects that led to the address.
    annotation
        Its boxes, with the labels of the result folder; None if it has none.
    local_image
        The image in a tar on disk; None if it has to be downloaded.
    timed_out_before
        Whether it timed out in an earlier run: it is tried once, after all other tasks.
    """

    number: int
    folder: str
    row: UrlRow
    address: str = ""
    host: str = ""
    redirect_history: RedirectHistory = RedirectHistory()  # immutable, so one instance is enough
    annotation: Annotation | None = None
    local_image: LocalImage | None = None
    timed_out_before: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response, as far as the protocol can tell.

    Attributes
    ----------
    data
        The body, decoded from its content encoding.
    http_status
        Of the response, 200 to 299.
    final_url
        The URL after all redirects.
    robots
        The values of its `X-Robots-Tag` headers.
    length_known
        Whether the protocol marks the end of the body; otherwise a truncated body looks complete.
    seconds
        The duration of the request.
    """

    data: bytes
    http_status: int
    final_url: str
    robots: tuple[str, ...] = ()
    length_known: bool = True
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FetchError:
    """A request without a usable response.

    Attributes
    ----------
    reason, description
        For the report.
    http_status
        Of the response; 0 if there was none.
    retry_after
        Seconds of the `Retry-After` header, if there was one.
    from_proxy
        Whether the error is that of a proxy, not of the host.
    connect_failed
        Whether no connection to the host could be made.
    too_slow
        Whether it was aborted because the body arrived too slowly.
    seconds
        The duration of the request.
    """

    reason: Reason
    description: str
    http_status: int = 0
    retry_after: float | None = None
    from_proxy: bool = False
    connect_failed: bool = False
    too_slow: bool = False
    seconds: float = 0.0


TRANSIENT = frozenset(
    {"retry_after", "from_proxy", "connect_failed", "too_slow", "disk_full", "staged", "phash"}
)
"""Fields of an `Outcome` and its picture that matter only within a run, and are not in the journal."""


@dataclass(frozen=True, slots=True)
class Outcome(FastPickle):
    """The result of one row of the URL table: a line of the journal, a row of the report.

    Attributes
    ----------
    row
        The row of the URL table.
    status, reason, description
        As in the report; the reason is None if the image is saved.
    http_status
        Of the last response; 0 if there was none.
    attempts, seconds
        The number of attempts, and their total time.
    file
        The image, relative to the category's folder; empty if there is none.
    picture
        The properties of the image, if it was validated.
    boxes
        Boxes in its XML; None if it has no XML.
    fitted
        How the boxes of its annotation were fitted; None if it has no annotation.
    modified_ns
        The modification time of the image file, to detect changes.
    decided_by
        The flag and value that caused the failure, if it depends on one; `judged_with` in journals.
    final_host
        The host that sent the image, after all redirects; `answered_by` in journals.
    retry_after, from_proxy, connect_failed, too_slow
        As in `FetchError`.
    disk_full
        Whether it could not be saved because the disk is full.
    staged
        The name of its files in the staging folder, until the run has committed or discarded them.
    """

    row: UrlRow
    status: Status
    reason: Reason | None = None
    description: str = ""
    http_status: int = 0
    attempts: int = 0
    seconds: float = 0.0
    file: str = ""
    picture: Picture | None = None
    boxes: int | None = None
    fitted: BoxCounts | None = None
    modified_ns: int = 0
    decided_by: str = ""
    final_host: str = ""
    retry_after: float | None = None
    from_proxy: bool = False
    connect_failed: bool = False
    too_slow: bool = False
    disk_full: bool = False
    staged: str = ""

    @property
    def reason_word(self) -> str:
        """The report's word for the reason, e.g. `http_404`."""
        if self.reason is None:
            return ""
        return f"http_{self.http_status}" if self.reason is Reason.HTTP_STATUS else self.reason.word

    @property
    def retry_policy(self) -> RetryPolicy | None:
        """When this failure is retried; None if the image is saved."""
        if self.reason is Reason.HTTP_STATUS and is_temporary_status(self.http_status):
            return RetryPolicy.TEMPORARY
        return self.reason.retry_policy if self.reason else None

    def without_image(self, status: Status, reason: Reason, description: str) -> Outcome:
        """Return the outcome after its image was removed, or is not to be saved."""
        return replace(
            self,
            status=status,
            reason=reason,
            description=description,
            file="",
            boxes=None,
            fitted=None,
            decided_by="",
        )
