"""Images from ImageNet's tars of whole categories, read while they are downloaded.

The progress in a tar is saved beside the category's journal, so that a run that would find nothing new does
not download it again.
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

from ..copies.tar_members import TarMemberRef, TarScanner
from ..errors import InputError, wrap_os_errors
from ..fetch.credentials import Credentials
from ..fetch.locations import is_url, local_path, redacted
from ..files import make_folder, read_json, write_atomic
from ..images.validation import TOO_LARGE
from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.rows import Candidate, Category, TarMember, UrlRow
from ..models.settings import Settings
from ..results.known_outcomes import is_final
from ..results.paths import CategoryFolder
from . import tar_address
from .base import POSITION_OFFSET, CandidateStream, Request, Source, SourceContext

if TYPE_CHECKING:
    from .tar_download import TarDownload
    from .tar_download_queue import TarDownloadQueue

DOWNLOADS = ".archive"
"""The folder, in the result folder, into which tars are downloaded; removed when it is empty."""
TERMS = (
    "ImageNet gives the images of its archive to researchers and teachers only, for non-commercial research "
    "and education: https://image-net.org/download.php"
)


@dataclass(frozen=True)
class TarRequest:
    """The images that are requested from a tar.

    Attributes
    ----------
    address
        Of the tar, without secrets.
    limit
        The maximum number of candidates, from the beginning; -1 for all.
    only
        The requested image codes; None for all.
    """

    address: str
    limit: int = -1
    only: frozenset[str] | None = None

    @property
    def codes(self) -> int:
        """The number of requested image codes; -1 for all."""
        return -1 if self.only is None else len(self.only)

    @property
    def max_candidates(self) -> int:
        """The upper limit of candidates; -1 if unknown."""
        return min((number for number in (self.limit, self.codes) if number >= 0), default=-1)


@dataclass(frozen=True)
class TarProgress:
    """The progress in a tar; saved as a JSON file.

    Attributes
    ----------
    address
        Of the tar.
    codes, candidates
        The number of requested image codes (-1 for all), and of candidates taken from the beginning.
    whole
        Whether all of it was read, and all image codes were requested.
    absent
        Requested image codes that are not in it.
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
        """Read the file; an invalid one counts as no progress."""
        try:
            loaded = cls(**read_json(path))
            absent, passed = (tuple(map(str, codes)) for codes in (loaded.absent, loaded.passed))
            return replace(loaded, candidates=int(loaded.candidates), absent=absent, passed=passed)
        except (OSError, ValueError, TypeError, OverflowError):
            return cls()

    def save(self, path: Path) -> None:
        """Write the file.

        Raises
        ------
        DiskError, FolderError
            If it cannot be written.
        """
        with wrap_os_errors(path):
            write_atomic(path, json.dumps(asdict(self)).encode())

    def covers(self, request: TarRequest, known: Collection[str]) -> bool:
        """Whether the tar has nothing new for a request.

        Parameters
        ----------
        known
            Image codes with an image, or with a member of the tar whose result is known.
        """
        if self.address != request.address or not set(self.passed).issubset(known):
            return False
        as_far = 0 <= request.limit <= self.candidates and self.codes == request.codes
        all_found = request.only is not None and request.only.difference(known).issubset(self.absent)
        return self.whole or as_far or all_found


class TarSource(Source):
    """ImageNet's tars, on the web or in a folder."""

    name: ClassVar[str] = "archive"
    flags: ClassVar[Mapping[str, object]] = {"archive_url": tar_address.IMAGENET}
    listable = False
    max_open = 2  # tars are downloaded one at a time

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
        before_code = tar_address.address_template(settings.archive_url).partition(tar_address.CODE)[0]
        if not settings.accept_imagenet_terms:
            raise InputError(f"{TERMS}\nIf you accept that, add --accept_imagenet_terms True.")
        if not is_url(before_code) and not (folder := local_path(f"{before_code}_").parent).is_dir():
            raise InputError(
                f"--archive_url {settings.archive_url}: there is no folder {folder}. "
                "Give the folder that contains the tars."
            )

    @classmethod
    def notice(cls, settings: Settings) -> str:  # noqa: ARG003
        """Return ImageNet's terms."""
        return f"{TERMS} (accepted)."

    @classmethod
    def origin(cls, settings: Settings) -> str:
        """Return the address of the tars, without secrets."""
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
        from .tar_download import OPTIONS  # here: only this source needs requests
        from .tar_download_queue import TarDownloadQueue

        if not is_url(context.settings.archive_url):
            from .tar_folder import TarFolderSource

            yield TarFolderSource(context)
            return
        if context.result_folder is None:
            yield cls(context, None)
            return
        credentials = Credentials.from_environment(os.environ)
        options = replace(OPTIONS, credentials=credentials, user_agent=context.settings.user_agent)
        downloads = context.result_folder / DOWNLOADS
        with wrap_os_errors(downloads):
            make_folder(downloads)
        try:
            queue = TarDownloadQueue(context.settings.archive_url, downloads, options=options)
            yield cls(context, queue)
        finally:
            with contextlib.suppress(OSError):  # parts of tars stay for the next run
                downloads.rmdir()

    def describe(self, category: Category) -> str:  # noqa: ARG002
        """Return a constant, because the number of images in the tar is not known."""
        return "its tar"

    def nothing_found(self) -> str:
        """Return a constant."""
        return "None was found in the tar."

    def expected(self, category: Category) -> int:
        """Return the number of URLs, because that of the tar's members is not known."""
        return category.how_many if category.how_many >= 0 else self._context.table.count(category.code)

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterator[UrlRow]:
        """Find images in the part of the category's tar that is on disk."""
        if self._optional_queue is None:
            return iter(())
        tar, address = self._queue.path(category.code), self._queue.address(category.code)
        return (row for row in rows_on_disk(tar, address) if row.image_code in image_codes)

    def stream(self, request: Request) -> CandidateStream:
        """Return the members of the category's tar."""
        code = request.category.code
        annotated = self._context.settings.with_annotation and request.only is None
        only = frozenset(request.annotations) if annotated else request.only
        wanted = TarRequest(self._queue.address(code), request.limit, only)
        progress_path = CategoryFolder(request.folder).tar_progress
        stream = TarStream(wanted, request, lambda: self._queue.open(code), progress_path)
        if self._has_nothing_new(wanted, request, TarProgress.load(progress_path)):
            stream.close(finished=False)
        return stream

    def stop(self) -> None:
        """Start no further download."""
        self._queue.stop()

    def finish(self, category: Category) -> None:
        """Delete the category's part file."""
        self._queue.discard(category.code)

    def _has_nothing_new(self, wanted: TarRequest, request: Request, progress: TarProgress) -> bool:
        """Whether all requested members were tried before, and none has to be tried again."""
        members = [one for one in request.outcomes() if is_member(one.row, wanted.address)]
        known = {one.row.image_code for one in members}.union(request.saved, request.excluded)
        return progress.covers(wanted, known) and all(
            is_final(one, self._context.settings)
            for one in members
            if wanted.only is None or one.row.image_code in wanted.only
        )


class TarStream:
    """The candidates of one tar.

    Parameters
    ----------
    open_download
        Queues the download; called when the first candidate is requested.
    progress_path
        The file of `TarProgress`.
    """

    def __init__(
        self,
        wanted: TarRequest,
        request: Request,
        open_download: Callable[[], TarDownload],
        progress_path: Path,
    ) -> None:
        self._wanted, self._request, self._open_download = wanted, request, open_download
        self._progress_path = progress_path
        self._download: TarDownload | None = None
        self._members: deque[TarMember] = deque()
        self._yielded: set[str] = set()
        self._closed = False

    @property
    def exhausted(self) -> bool:
        """Whether there are no more candidates."""
        return self._closed or 0 <= self._wanted.max_candidates <= len(self._yielded) or self._has_ended

    @property
    def problem(self) -> str:
        """Why the download failed, in a sentence; empty if it did not."""
        return self._download.problem if self._download else ""

    def next(self) -> Candidate | None:
        """Return the next candidate; None if there is none at present.

        Raises
        ------
        DatasetError
            If nothing more can be written.
        """
        while not self.exhausted:
            if self._download is None:
                self._download = self._open_download()
            member = self._next_member(self._download)
            if member is None:
                return None
            if self._is_wanted(member):
                self._yielded.add(member.image_code)
                return self._candidate(self._download, member)
        return None

    def close(self, *, finished: bool) -> None:
        """End the stream; unless the category is `finished`, the part file is kept."""
        closed, self._closed = self._closed, True
        if self._download and not closed:
            progress = self._progress()
            self._download.close(keep=not finished or bool(self.problem))
            if finished:
                progress.save(self._progress_path)

    @property
    def _has_ended(self) -> bool:
        if self._download is None or self._download.error:  # an error is still to be raised
            return False
        return self._download.ended and not self._members

    def _progress(self) -> TarProgress:
        wanted, ended_well = self._wanted, self._has_ended and not self.problem
        tried = {one.row.image_code for one in self._request.outcomes() if is_member(one.row, wanted.address)}
        absent = wanted.only.difference(self._yielded) if wanted.only and ended_well else frozenset()
        return TarProgress(
            wanted.address,
            wanted.codes,
            candidates=len(self._yielded),
            whole=ended_well and wanted.only is None,
            absent=tuple(sorted(absent)),
            passed=tuple(sorted(self._yielded - tried)),
        )

    def _next_member(self, download: TarDownload) -> TarMember | None:
        if not self._members:
            self._members.extend(download.poll())
        if download.error:
            raise download.error
        return self._members.popleft() if self._members else None

    def _is_wanted(self, member: TarMember) -> bool:
        """Whether a member is a candidate; it was given before if the download was restarted."""
        if member.image_code in self._yielded:
            return False
        return self._wanted.only is None or member.image_code in self._wanted.only

    def _candidate(self, download: TarDownload, member: TarMember) -> Candidate:
        return Candidate(
            row=_row(member, self._wanted.address),
            rejection=TOO_LARGE if member.size > MAX_IMAGE_BYTES else None,
            annotation=self._request.annotations.get(member.image_code),
            local_image=TarMemberRef(download.path, member),
        )


def is_member(row: UrlRow, address: str) -> bool:
    """Whether a row is an image in the tar at an address."""
    return row.url.startswith(f"{address}#")


def rows_on_disk(path: Path, address: str) -> Iterator[UrlRow]:
    """Yield the rows of the images in the part of a tar that is on disk."""
    try:
        if not path.is_file():  # opening a pipe would block
            return
        scan = TarScanner(path)
    except OSError:
        return
    with (
        contextlib.closing(scan),
        contextlib.suppress(OSError, ValueError),
    ):  # members before the damage are valid
        for member in scan.scan_to(path.stat().st_size):
            yield _row(member, address)


def _row(member: TarMember, address: str) -> UrlRow:
    return UrlRow(POSITION_OFFSET + member.offset, member.image_code, f"{address}#{member.name}")
