"""Images from ImageNet's tars of whole categories, read while they are downloaded.

How far a tar has been read is kept beside the category's journal, so that a run that would find nothing new
does not download it again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..errors import InputError, wrap_os_errors
from ..fetch.credentials import Credentials
from ..fetch.locations import is_url, local_path, redacted
from ..files import write_atomic
from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.rows import Candidate, Category, TarMember, TarMemberRef, UrlRow
from ..models.settings import Settings
from ..reasons import Reason, Rejection
from ..results.known_outcomes import is_final
from ..results.paths import CategoryFolder
from . import tar_address
from .base import CandidateStream, Request, Source, SourceContext
from .tar_members import TarScanner

if TYPE_CHECKING:
    from .tar_download import TarDownload
    from .tar_download_queue import TarDownloadQueue

DOWNLOADS = ".archive"
"""The folder, in the result folder, into which tars are downloaded; removed when it is empty."""
TERMS = (
    "ImageNet gives the images of its archive to researchers and teachers only, for non-commercial research "
    "and education: https://image-net.org/download.php"
)
BEHIND_THE_TABLE = 2**44
"""Added to a member's offset in its tar: in reports, members follow all rows of the URL table."""
TOO_LARGE = Rejection(Reason.TOO_LARGE, "It has more than 20 MB.")


@dataclass(frozen=True)
class TarRequest:
    """What is wanted from a tar.

    Attributes
    ----------
    address
        Of the tar, without secrets.
    limit
        Candidates wanted at most, from the front; -1 for all.
    among
        The image codes that are wanted; None for all.
    """

    address: str
    limit: int = -1
    among: frozenset[str] | None = None

    @property
    def codes(self) -> int:
        """Image codes wanted; -1 for all."""
        return -1 if self.among is None else len(self.among)

    @property
    def most(self) -> int:
        """Candidates at most; -1 if unknown."""
        return min((number for number in (self.limit, self.codes) if number >= 0), default=-1)


@dataclass(frozen=True)
class TarProgress:
    """How far a tar has been read.

    Attributes
    ----------
    address
        Of the tar.
    codes, candidates
        How many image codes were wanted (-1 for all), and how many of these were taken from the front.
    whole
        Whether all of it was read, with all image codes wanted.
    absent
        Image codes that were wanted and are not in it.
    passed
        Image codes that were seen but not tried: saved already, or not needed.
    """

    address: str = ""
    codes: int = -1
    candidates: int = 0
    whole: bool = False
    absent: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> TarProgress:
        """Read the note; anything else counts as none."""
        try:
            note = cls(**json.loads(path.read_bytes()))
            absent, passed = (tuple(map(str, codes)) for codes in (note.absent, note.passed))
            return replace(note, candidates=int(note.candidates), absent=absent, passed=passed)
        except (OSError, ValueError, TypeError, OverflowError, RecursionError):
            return cls()

    def save(self, path: Path) -> None:
        """Write the note.

        Raises
        ------
        DiskError, FolderError
            If it cannot be written.
        """
        with wrap_os_errors(path):
            write_atomic(path, json.dumps(asdict(self)).encode())

    def covers(self, wish: TarRequest, known: Collection[str]) -> bool:
        """Whether reading the tar again would bring nothing new.

        Parameters
        ----------
        known
            Image codes with an image, or with a member of the tar whose result is known.
        """
        if self.address != wish.address or not set(self.passed).issubset(known):
            return False
        as_far = 0 <= wish.limit <= self.candidates and self.codes == wish.codes
        all_found = wish.among is not None and wish.among.difference(known).issubset(self.absent)
        return self.whole or as_far or all_found


class TarSource(Source):
    """ImageNet's tars, in the web or in a folder."""

    name: ClassVar[str] = "archive"
    flags: ClassVar[Mapping[str, object]] = {"archive_url": tar_address.IMAGENET}
    listable: ClassVar[bool] = False
    max_open: ClassVar[int] = 2  # they wait for one download after another

    def __init__(self, context: SourceContext, queue: TarDownloadQueue | None) -> None:
        self._context = context
        self._optional_queue = queue

    @property
    def _queue(self) -> TarDownloadQueue:
        if self._optional_queue is None:
            raise ValueError("a dry run downloads no tars")
        return self._optional_queue

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Check that the terms are accepted and that the address can be used.

        Raises
        ------
        InputError
            If not.
        """
        before_code = tar_address.template(settings.archive_url).partition(tar_address.CODE)[0]
        if not settings.accept_imagenet_terms:
            raise InputError(f"{TERMS}\nIf you accept that, add --accept_imagenet_terms True.")
        if not is_url(before_code) and not (folder := local_path(f"{before_code}_").parent).is_dir():
            raise InputError(
                f"--archive_url {settings.archive_url}: there is no folder {folder}. "
                "Give the folder that holds the tars."
            )

    @classmethod
    def notice(cls, settings: Settings) -> str:  # noqa: ARG003
        """Return ImageNet's terms."""
        return f"{TERMS} (accepted)."

    @classmethod
    def origin(cls, settings: Settings) -> str:
        """Name the tars by their address, without secrets."""
        return f"tars of whole categories ({redacted(settings.archive_url)})"

    @classmethod
    @contextlib.contextmanager
    def open(cls, context: SourceContext) -> Iterator[TarSource]:
        """Open the source; downloads go to the result folder.

        Raises
        ------
        InputError
            If the credentials in the environment cannot be sent.
        FolderError, DiskError
            If the folder of downloads cannot be created.
        """
        from .tar_download import TERMS as DOWNLOAD_TERMS  # here: only this source needs requests
        from .tar_download_queue import TarDownloadQueue

        if context.result_folder is None:
            yield cls(context, None)
            return
        terms = replace(DOWNLOAD_TERMS, credentials=Credentials.from_environment(os.environ))
        downloads = context.result_folder / DOWNLOADS
        with wrap_os_errors(downloads):
            downloads.mkdir(exist_ok=True)
        try:
            queue = TarDownloadQueue(context.settings.archive_url, downloads, terms=terms)
            yield cls(context, queue)
        finally:
            with contextlib.suppress(OSError):  # parts of tars stay for the next run
                downloads.rmdir()

    def describe(self, category: Category) -> str:  # noqa: ARG002
        """Say that there is a tar."""
        return "its tar"

    def nothing_found(self, category: Category) -> str:  # noqa: ARG002
        """Say that the tar has no image, or none with boxes."""
        kind = "image with boxes" if self._context.settings.with_annotation else "image"
        return f"Its tar holds no {kind}."

    def expected(self, category: Category) -> int:
        """Take the number of URLs for that of the tar's members."""
        return category.how_many if category.how_many >= 0 else self._context.table.count(category.code)

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterator[UrlRow]:
        """Find images in the part of the category's tar that is on disk."""
        if self._optional_queue is None:
            return iter(())
        tar, address = self._queue.at_hand(category.code), self._queue.address(category.code)
        return (row for row in rows_at_hand(tar, address) if row.image_code in image_codes)

    def stream(self, request: Request) -> CandidateStream:
        """Give the members of the category's tar."""
        code = request.category.code
        annotated = self._context.settings.with_annotation and request.only is None
        only = frozenset(request.annotations) if annotated else request.only
        wanted = TarRequest(self._queue.address(code), request.limit, only)
        note = CategoryFolder(request.folder).archive_note
        stream = TarStream(wanted, request, lambda: self._queue.open(code), note)
        if self._brings_nothing(wanted, request, TarProgress.load(note)):
            stream.close(finished=False)
        return stream

    def stop(self) -> None:
        """Start no further download."""
        self._queue.start_no_more()

    def finish(self, category: Category) -> None:
        """Remove what earlier runs left of the category's download."""
        self._queue.clear(category.code)

    def _brings_nothing(self, wanted: TarRequest, request: Request, progress: TarProgress) -> bool:
        """Whether all members that are wanted were tried before, and none is to be tried again."""
        members = [one for one in request.outcomes() if is_member(one.row, wanted.address)]
        known = {one.row.image_code for one in members}.union(request.saved)
        return progress.covers(wanted, known) and all(
            is_final(one, self._context.settings)
            for one in members
            if wanted.among is None or one.row.image_code in wanted.among
        )


class TarStream:
    """The candidates of one tar.

    Parameters
    ----------
    open_download
        Asks for the tar; called when the first candidate is wanted.
    note
        The file that says how far the tar has been read.
    """

    def __init__(
        self, wanted: TarRequest, request: Request, open_download: Callable[[], TarDownload], note: Path
    ) -> None:
        self._wanted, self._request, self._open_download, self._note = wanted, request, open_download, note
        self._download: TarDownload | None = None
        self._members: deque[TarMember] = deque()
        self._given: set[str] = set()
        self._closed = False

    @property
    def exhausted(self) -> bool:
        """Whether no more will come."""
        return self._closed or 0 <= self._wanted.most <= len(self._given) or self._has_ended

    @property
    def problem(self) -> str:
        """Why the tar ended badly, in a sentence; empty if it did not."""
        return self._download.problem if self._download else ""

    def next(self) -> Candidate | None:
        """Give the next candidate; None if there is none at present.

        Raises
        ------
        DatasetError
            If the disk takes nothing more.
        """
        while not self.exhausted:
            if self._download is None:
                self._download = self._open_download()
            member = self._next_member(self._download)
            if member is None:
                return None
            if self._is_asked_for(member):
                self._given.add(member.image_code)
                return self._candidate(self._download, member)
        return None

    def close(self, *, finished: bool) -> None:
        """End the stream; if the work is not `finished`, the part that has arrived is kept."""
        closed, self._closed = self._closed, True
        if self._download and not closed:
            read = self._read_through()
            self._download.close(keep=not finished or bool(self.problem))
            if finished:
                read.save(self._note)

    @property
    def _has_ended(self) -> bool:
        if self._download is None or self._download.error:  # an error is still to be raised
            return False
        return self._download.ended and not self._members

    def _read_through(self) -> TarProgress:
        wanted, ended_well = self._wanted, self._has_ended and not self.problem
        tried = {one.row.image_code for one in self._request.outcomes() if is_member(one.row, wanted.address)}
        absent = wanted.among.difference(self._given) if wanted.among and ended_well else frozenset()
        return TarProgress(
            wanted.address,
            wanted.codes,
            candidates=len(self._given),
            whole=ended_well and wanted.among is None,
            absent=tuple(sorted(absent)),
            passed=tuple(sorted(self._given - tried)),
        )

    def _next_member(self, download: TarDownload) -> TarMember | None:
        if not self._members:
            self._members.extend(download.poll())
        if download.error:
            raise download.error
        return self._members.popleft() if self._members else None

    def _is_asked_for(self, member: TarMember) -> bool:
        """Whether a member is a candidate; it was given before if the download was restarted."""
        if member.image_code in self._given:
            return False
        return self._wanted.among is None or member.image_code in self._wanted.among

    def _candidate(self, download: TarDownload, member: TarMember) -> Candidate:
        return Candidate(
            row=_row(member, self._wanted.address),
            rejection=TOO_LARGE if member.size > MAX_IMAGE_BYTES else None,
            annotation=self._request.annotations.get(member.image_code),
            tar_member=TarMemberRef(download.path, member),
        )


def is_member(row: UrlRow, address: str) -> bool:
    """Whether a row is an image in the tar at an address."""
    return row.url.startswith(f"{address}#")


def rows_at_hand(path: Path, address: str) -> Iterator[UrlRow]:
    """Yield the rows of the images in a tar, as far as it is on disk."""
    try:
        if not path.is_file():  # a pipe would never open
            return
        scan = TarScanner(path)
    except OSError:
        return
    with contextlib.closing(scan), contextlib.suppress(OSError, ValueError):  # earlier members are good
        for member in scan.scan_to(path.stat().st_size):
            yield _row(member, address)


def _row(member: TarMember, address: str) -> UrlRow:
    return UrlRow(BEHIND_THE_TABLE + member.offset, member.image_code, f"{address}#{member.name}")
