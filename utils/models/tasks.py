"""A try of one URL: the task, the way to the image, what came, what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..reasons import Reason, RetryPolicy, Status, is_temporary_status
from .fast_pickle import FastPickle
from .images import Annotation, BoxCounts, Picture
from .rows import TarMemberRef, UrlRow


@dataclass(frozen=True, slots=True)
class RequestTarget(FastPickle):
    """A way to an image: what to ask for (ASCII, percent-encoded), and the host whose turn it takes."""

    address: str
    host: str


@dataclass(frozen=True, slots=True)
class RedirectHistory(FastPickle):
    """How far a try has come along redirects.

    Attributes
    ----------
    count
        How many it has followed.
    seconds
        What its requests have taken of the time that a try has; waiting for a host's turn is not counted.
    http_status
        Of the last redirect, 0 before the first.
    from_public
        Whether it began at a public address; None as long as that is open.
    """

    count: int = 0
    seconds: float = 0.0
    http_status: int = 0
    from_public: bool | None = None


@dataclass(frozen=True, slots=True)
class Redirect(FastPickle):
    """A server's answer that the image is elsewhere: where, and the trail that leads there."""

    target: RequestTarget
    history: RedirectHistory


@dataclass(frozen=True, slots=True)
class ImageTask(FastPickle):
    """One URL to be tried: what a worker needs to know, and nothing else.

    Attributes
    ----------
    number
        Names the task within a run.
    folder
        The category's folder, below the result folder.
    row
        The row of the URL table that it comes from.
    address, host
        What is asked for: the row's URL, where its image lies today, or where a redirect leads; and of whom.
    redirect_history
        The redirects that led to the address.
    annotation
        Its boxes, labelled as in the result folder; None if it has none.
    tar_member
        Where its bytes lie, if they need not be fetched.
    """

    number: int
    folder: str
    row: UrlRow
    address: str = ""
    host: str = ""
    redirect_history: RedirectHistory = RedirectHistory()  # frozen, so one may serve all
    annotation: Annotation | None = None
    tar_member: TarMemberRef | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What a server sent for an image, whole as far as the protocol can tell.

    Attributes
    ----------
    data
        The bytes, with any content encoding undone.
    http_status
        Of the final answer, 200 to 299.
    final_url
        What was asked for at last, after all redirects.
    robots
        The values of its `X-Robots-Tag` headers.
    length_known
        Whether the protocol said where the body ends; if not, a cut body looks like a whole one.
    seconds
        From the start of the request to its end.
    """

    data: bytes
    http_status: int
    final_url: str
    robots: tuple[str, ...] = ()
    length_known: bool = True
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FetchError:
    """Why no body came.

    Attributes
    ----------
    reason, description
        For the report.
    http_status
        Of the answer, 0 if there was none.
    retry_after
        Seconds for which the host wants to be left alone, if it said so.
    from_proxy
        Whether a proxy refused, and not the host.
    connect_failed
        Whether no connection to the host came about.
    too_slow
        Whether it was given up because the rest came too slowly.
    seconds
        From the start of the request to its end.
    """

    reason: Reason
    description: str
    http_status: int = 0
    retry_after: float | None = None
    from_proxy: bool = False
    connect_failed: bool = False
    too_slow: bool = False
    seconds: float = 0.0


TRANSIENT = frozenset({"retry_after", "from_proxy", "connect_failed", "too_slow", "disk_full", "staged"})
"""Fields of an `Outcome` that matter only within a run, and are not written to the journal."""


@dataclass(frozen=True, slots=True)
class Outcome(FastPickle):
    """What became of one row of the URL table: a line of the journal, a row of the report.

    Attributes
    ----------
    row
        The row of the URL table.
    status, reason, description
        As in the report; the reason is None where the image stands.
    http_status
        Of the last answer, 0 if there was none.
    attempts, seconds
        Tries so far, and the time that they took in all.
    file
        The image, relative to the category's folder; empty if there is none.
    picture
        What the image is, where it stands or was judged.
    boxes
        Boxes in its XML; None if it has no XML.
    fitted
        What became of its annotation's boxes; None if it has no annotation.
    modified_ns
        The image file's modification time, by which a changed file is told.
    decided_by
        The flag that decided, where a failure lasts as long as that flag is kept.
    final_host
        The host that sent the image, after all redirects.
    retry_after, from_proxy, connect_failed, too_slow
        As in `FetchError`; they do not outlive the run.
    disk_full
        Whether it could not be saved because the disk takes nothing more.
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
        """How long this failure is believed; None where the image stands."""
        if self.reason is Reason.HTTP_STATUS and is_temporary_status(self.http_status):
            return RetryPolicy.TEMPORARY
        return self.reason.retry_policy if self.reason else None
