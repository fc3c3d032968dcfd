"""The nouns: every value that travels between modules, and the words of the report.

All of them are frozen; none does any work beyond answering questions about itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from pathlib import Path

USER_AGENT = "part-of-imagenet/0.1 (fetches images that ImageNet lists; honours X-Robots-Tag: noai)"
"""Who asks, as servers are told."""
MAX_IMAGE_BYTES = 20_000_000
"""More is neither fetched nor judged."""


class Source(str, Enum):
    """Where images come from: the word of `--source`."""

    URLS = "urls"
    ARCHIVE = "archive"
    BOTH = "both"


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


@dataclass(frozen=True)
class Category:
    """One row of `ncodes.csv`.

    Attributes
    ----------
    code
        The wnid, `n` and eight digits.
    name
        ImageNet's name: WordNet's words joined by ", ".
    folder
        The name of its folder, which is the label of its boxes, too.
    selected
        Whether the user marked it.
    how_many
        -1 for all, else a number of URLs or images (see `Settings.fill`).
    line
        Its line in the file, from 1; 0 where there is none.
    """

    code: str
    name: str
    folder: str
    selected: bool = False
    how_many: int = -1
    line: int = 0


class Sent:
    """What goes from process to process with every image: dataclasses with two fields or more.

    They are rebuilt from their fields' values, in half the time that slots take by themselves.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[type[Sent], tuple[object, ...]]:
        names: tuple[str, ...] = self.__slots__
        return type(self), attrgetter(*names)(self)


@dataclass(frozen=True, slots=True)
class UrlRow(Sent):
    """One row of the URL table.

    Attributes
    ----------
    position
        Where the row begins in the table, in bytes: the table's order.
    image_code, url
        As the table has them; nothing is checked yet.
    repeat
        How many rows of the same category had this image code before it.
    """

    position: int
    image_code: str
    url: str
    repeat: int = 0

    @property
    def key(self) -> str:
        """What names the row from run to run, even if the table is made anew."""
        return f"{self.image_code} {self.url} {self.repeat}"


@dataclass(frozen=True, slots=True)
class Box(Sent):
    """A bounding box, 0-based, in pixels of the image it belongs to; xmax and ymax belong to the box.

    `label` is the wnid in an archive, and the folder name of that wnid in a result folder.
    """

    label: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    pose: str = "Unspecified"
    truncated: int = 0
    difficult: int = 0


@dataclass(frozen=True, slots=True)
class Annotation(Sent):
    """The boxes of one image, and the size in pixels of the picture on which they were drawn.

    A width or height of 0 means that none (or none that can be) was stated.
    """

    image_code: str
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Picture(Sent):
    """What is known of an image that was judged good: sizes in pixels and bytes."""

    format: ImageFormat
    width: int
    height: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not taken: the reason, and the same in words for the report."""

    reason: Reason
    description: str

    @property
    def sentence(self) -> str:
        """The description as the report and the screen say it."""
        return f"{self.description[:1].upper()}{self.description[1:].removesuffix('.')}."


@dataclass(frozen=True, slots=True)
class Member(Sent):
    """An image in a tar.

    Attributes
    ----------
    image_code
        What its name says.
    name
        The last part of its path, extension and all.
    offset, size
        Where its bytes lie in the file, and how many there are.
    stamp
        A checksum of its header, by which it is told that another file lies there by now.
    """

    image_code: str
    name: str
    offset: int
    size: int
    stamp: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Piece(Sent):
    """An image that lies in a tar on disk already."""

    path: Path
    member: Member


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row to be considered.

    Attributes
    ----------
    refusal
        Why it cannot even be tried; None if it can.
    piece
        Where its bytes lie, if they need not be fetched.
    """

    row: UrlRow
    refusal: Refusal | None
    annotation: Annotation | None
    piece: Piece | None = None


@dataclass(frozen=True, slots=True)
class Body:
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
class NoBody:
    """Why no body came.

    Attributes
    ----------
    reason, description
        For the report.
    http_status
        Of the answer, 0 if there was none.
    retry_after
        Seconds for which the host wants to be left alone, if it said so.
    proxy_at_fault
        Whether a proxy refused, and not the host.
    unreached
        Whether no connection to the host came about.
    dripped
        Whether it was given up because the rest came too slowly.
    seconds
        From the start of the request to its end.
    """

    reason: Reason
    description: str
    http_status: int = 0
    retry_after: float | None = None
    proxy_at_fault: bool = False
    unreached: bool = False
    dripped: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Route(Sent):
    """A way to an image: what to ask for (ASCII, percent-encoded), and the host whose turn it takes."""

    address: str
    host: str


@dataclass(frozen=True, slots=True)
class Trail(Sent):
    """How far a try has come along redirects.

    Attributes
    ----------
    redirects
        How many it has followed.
    seconds
        What its requests have taken of the time that a try has; waiting for a host's turn is not counted.
    http_status
        Of the last redirect, 0 before the first.
    from_public
        Whether it began at a public address; None as long as that is open.
    """

    redirects: int = 0
    seconds: float = 0.0
    http_status: int = 0
    from_public: bool | None = None


@dataclass(frozen=True, slots=True)
class Redirect(Sent):
    """A server's answer that the image is elsewhere: where, and the trail that leads there."""

    route: Route
    trail: Trail


@dataclass(frozen=True, slots=True)
class ImageTask(Sent):
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
    trail
        The redirects that led to the address.
    annotation
        Its boxes, labelled as in the result folder; None if it has none.
    piece
        Where its bytes lie, if they need not be fetched.
    ask_before_saving
        Whether the worker must ask whether the image is still wanted (`how_many` may be reached).
    """

    number: int
    folder: str
    row: UrlRow
    address: str = ""
    host: str = ""
    trail: Trail = Trail()  # frozen, so one may serve all
    annotation: Annotation | None = None
    piece: Piece | None = None
    ask_before_saving: bool = False


@dataclass(frozen=True, slots=True)
class BoxCounts(Sent):
    """What became of the boxes of an annotation when it was fitted to a picture.

    Attributes
    ----------
    kept, scaled
        Boxes taken as they were, and scaled.
    mended
        Boxes that reached outside and were clipped, or were reversed and swapped.
    dropped
        Boxes without area in the picture, or on a picture of another shape.
    """

    kept: int = 0
    scaled: int = 0
    mended: int = 0
    dropped: int = 0

    def __add__(self, other: BoxCounts) -> BoxCounts:
        return BoxCounts(
            self.kept + other.kept,
            self.scaled + other.scaled,
            self.mended + other.mended,
            self.dropped + other.dropped,
        )


@dataclass(frozen=True, slots=True)
class Outcome(Sent):
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
    judged_with
        The flag that decided, where a failure lasts as long as that flag is kept.
    answered_by
        The host that sent the image, after all redirects.
    retry_after, proxy_at_fault, unreached, dripped
        As in `NoBody`; they do not outlive the run.
    disk_full
        Whether it could not be saved because nothing can be saved any more.
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
    judged_with: str = ""
    answered_by: str = ""
    retry_after: float | None = None
    proxy_at_fault: bool = False
    unreached: bool = False
    dripped: bool = False
    disk_full: bool = False

    @property
    def reason_word(self) -> str:
        """The report's word for the reason, e.g. `http_404`."""
        if self.reason is None:
            return ""
        return f"http_{self.http_status}" if self.reason is Reason.HTTP_STATUS else self.reason.word

    @property
    def lasting(self) -> Lasting | None:
        """How long this failure is believed; None where the image stands."""
        if self.reason is Reason.HTTP_STATUS and is_passing_http(self.http_status):
            return Lasting.IN_PASSING
        return self.reason.lasting if self.reason else None


@dataclass(frozen=True)
class Settings:
    """What the user asked of a run; the fields carry the names of the flags.

    Attributes
    ----------
    batch_size
        Images in flight at once, at most; None lets the tool choose.
    fill
        True: `how_many` counts images saved. False: it counts URLs tried.
    timeout
        Seconds that one try may take.
    retries
        Further tries after a passing failure.
    min_side
        In pixels; smaller images are refused.
    archive_url
        Where the tars of whole categories lie, for the sources that are archives.
    find
        Words of names that are looked for; nothing is downloaded then.
    format
        How what was found is listed; None for what fits the screen.
    mark, unmark
        Whether what was found or named is marked, with `how_many` if that is given, or not any more.
    gallery
        Whether a page is left that shows the images.
    export
        The formats that the images are exported in after the run.
    val_fraction
        The part of them that is for validation.
    seed
        Of the split; another one gives another split.
    labels
        What classes are called in exports: "name" as their folders, "code" by their wnids.
    export_unannotated
        Whether formats that are about boxes hold images without any.
    scheduler
        The address of a Dask scheduler, or "local"; None for a run on this machine alone.
    command
        The arguments of the command line, as they were given; they may hold secrets.
    """

    save_dir: Path
    annotations_dir: Path
    url_data: Path
    ncode_data: Path
    with_annotation: bool = False
    parallel: bool = True
    verbose: bool = True
    batch_size: int | None = None
    categories: tuple[str, ...] = field(default=())
    how_many: int | None = None
    fill: bool = False
    retry_failed: bool = False
    timeout: float = 10.0
    retries: int = 2
    min_side: int = 16
    speed_test: bool = True
    honour_opt_out: bool = True
    dry_run: bool = False
    verify: bool = False
    with_subcategories: bool = False
    source: Source = Source.URLS
    archive_url: str = ""
    accept_imagenet_terms: bool = False
    find: tuple[str, ...] = ()
    format: str | None = None
    mark: bool = False
    unmark: bool = False
    gallery: bool = True
    export: tuple[str, ...] = ()
    val_fraction: float = 0.1
    seed: int = 0
    labels: str = "name"
    export_unannotated: bool = True
    scheduler: str | None = None
    command: tuple[str, ...] = field(default=(), repr=False)
