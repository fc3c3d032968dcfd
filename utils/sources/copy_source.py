"""Images from copies of ImageNet on disk (`--copy`).

Images are candidates in the order of their numbers. Those that a run will certainly try are tried in the
order in which they lie on disk.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy as shallow_copy
from pathlib import Path
from typing import ClassVar

from ..copies import ilsvrc
from ..copies.compressed_tars import CompressedTar, StoppedError
from ..copies.copy import MAX_NAMED, Copies, Copy, Found, names, resolve
from ..copies.members import image_order
from ..errors import InputError, disk_error, wrap_os_errors
from ..files import make_folder
from ..models.images import Annotation
from ..models.rows import Candidate, Category, UrlRow
from ..models.settings import Settings
from ..results.known_outcomes import is_final
from ..text import join_names, pluralize
from ..urls import VALIDATION_PREFIX
from .base import POSITION_OFFSET, CandidateStream, ListedStream, Request, Source, SourceContext
from .place_order import PlacedStream, PlaceOrder

UNPACKED = ".copies"
"""The folder, in the result folder, for unpacked members of compressed tars; removed when it is empty."""
TERMS = (
    "Images of a copy are used under the terms under which it was obtained; ImageNet's own allow "
    "non-commercial research and education only: https://image-net.org/download.php"
)
MAX_VERSIONS = 3
"""Copies in which an image is tried."""
_VALIDATION, _OTHER_SYNSET = 2**40, 2**41
"""Added to positions of rows, which give the order of the report."""


class CopySource(Source):
    """Copies of ImageNet on disk."""

    name: ClassVar[str] = "copy"
    flags: ClassVar[Mapping[str, object]] = {"copy": ()}
    reliable: ClassVar[bool] = True
    distributable: ClassVar[bool] = True

    def __init__(self, context: SourceContext, copies: Copies) -> None:
        self._context, self._copies = context, copies
        self._order = PlaceOrder()
        self.is_ordered = context.result_folder is not None and any(
            one.has_row_groups for one in copies.copies
        )
        self._version = 0
        self._counts: dict[str, int] = {}
        self._unfinished = set(context.codes)
        versions = min(len(copies.copies), MAX_VERSIONS)
        self.fallbacks = [self._fallback(version) for version in range(1, versions)]

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Check that there is a copy.

        Raises
        ------
        InputError
            If not.
        """
        if not settings.copy:
            raise InputError("--source copy needs a copy of ImageNet: add --copy PATH.")
        for given in settings.copy:
            resolve(given)

    @classmethod
    def notice(cls, settings: Settings) -> str:  # noqa: ARG003
        """Return a reminder of the terms."""
        return TERMS

    @classmethod
    def origin(cls, settings: Settings) -> str:
        """Name the copies."""
        return f"copies of ImageNet on disk ({join_names(settings.copy, MAX_NAMED)})"

    @classmethod
    @contextlib.contextmanager
    def open(cls, context: SourceContext) -> Iterator[CopySource]:
        """Open the copies, and say what they hold.

        Raises
        ------
        InputError
            If a path does not exist or holds no layout that is known.
        DiskError, FolderError
            If members of compressed tars cannot be unpacked.
        """
        wanted = [*context.codes, *context.other_codes]
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(_unpack_folder(context.result_folder))
            with wrap_os_errors(folder):
                copies = _opened(context.settings, wanted, folder, notify=context.notify)
                source = cls(context, stack.enter_context(copies))
                source.remove_outdated(folder)
                source.introduce()
            yield source
            source.close()

    def remove_outdated(self, folder: Path) -> None:
        """Delete what earlier runs have unpacked of other tars or for other categories."""
        kept = {path for one in self._compressed for path in one.unpacked_files}
        for path in folder.iterdir():
            if path not in kept:
                path.unlink()

    def introduce(self) -> None:
        """Say what each copy is, and what is damaged."""
        for line in self._copies.describe(self._context.codes):
            self._context.notify(line)
        self._report_problems()

    def describe(self, category: Category) -> str:
        """Count the images of the category, in all copies and in each."""
        text = pluralize(self._count(category.code), "image")
        copies = self._copies.copies
        if len(copies) == 1:
            return f"{text} in the copy"
        if len(copies) > MAX_NAMED:
            return f"{text} in the copies"
        counts = self._copies.count_each(category.code)
        each = (f"{copy.given}: {count:,}" for copy, count in zip(copies, counts, strict=True))
        return f"{text} in the copies ({', '.join(each)})"

    def nothing_found(self) -> str:
        """Return a sentence that names the copies."""
        return f"None was found in {names(self._copies.copies)}."

    def expected(self, category: Category) -> int:
        """Count the images that will be considered."""
        count = self._count(category.code)
        return count if category.how_many < 0 else min(category.how_many, count)

    def annotations(self, category: Category) -> Mapping[str, Annotation]:
        """Return the boxes that the copies have."""
        return self._copies.annotations(category.code)

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterator[UrlRow]:
        """Find the rows of images."""
        found = (one for one in self._copies.images(category.code) if one.member.image_code in image_codes)
        return (_row(one, category) for one in found)

    def stream(self, request: Request) -> CandidateStream:
        """Return the images of a category."""
        found = list(self._candidates(request))
        if self._version:
            found = [one for one in found if one.member.image_code not in request.saved]
        self._report_problems()
        certain = len(found)
        if request.count_saved:
            certain = request.category.how_many
        elif request.limit >= 0:
            found = found[: request.limit]
        found[:certain] = sorted(found[:certain], key=lambda one: one.place)
        make = functools.partial(_candidate, category=request.category, annotations=request.annotations)
        if self._context.result_folder and (self._compressed or self.is_ordered):
            needed = self._needed(found, request)
            readers = dict.fromkeys(one.reader for one in found if one in needed)
            packed = [one for one in readers if isinstance(one, CompressedTar) and not one.is_unpacked]
            if packed:
                return UnpackingStream(packed, lambda: map(make, found), request.folder)
            if self.is_ordered:
                placed = ((one.place[:3] if one in needed else None, make(one)) for one in found)
                return PlacedStream(placed, self._order)
        return ListedStream(map(make, found), -1)

    def stop(self) -> None:
        """End the unpacking of compressed tars, and the order of candidates."""
        self._order.ended = True
        for one in self._compressed:
            one.stopped = True

    def finish(self, category: Category) -> None:
        """Remember that what was unpacked for a category is not needed any more."""
        self._unfinished.discard(category.code)

    def close(self) -> None:
        """Delete what was unpacked, unless the next run needs it."""
        self.stop()
        for one in self._compressed:
            if not self._unfinished:
                one.discard()

    @property
    def _compressed(self) -> list[CompressedTar]:
        return [one for copy in self._copies.copies for one in copy.compressed]

    def _fallback(self, version: int) -> CopySource:
        """Return a source of the same images from other copies; see `Copies.images`."""
        fallback = shallow_copy(self)
        fallback._version, fallback.is_ordered = version, False
        return fallback

    def _report_problems(self) -> None:
        """Name what is damaged, once."""
        for copy in self._copies.copies:
            for problem in copy.new_problems():
                self._context.notify(f"{copy.given}: {problem}")

    def _count(self, code: str) -> int:
        if code not in self._counts:
            self._counts[code] = len(self._copies.images(code))
        return self._counts[code]

    def _candidates(self, request: Request) -> Iterator[Found]:
        """Yield the requested images in the order of their numbers; those of other synsets last."""
        only: Collection[str] | None = request.only
        if self._context.settings.with_annotation:
            only = request.annotations.keys() & (request.annotations if only is None else only)
        code = request.category.code
        own = self._copies.images(code, self._version)
        yield from (one for one in own if only is None or one.member.image_code in only)
        if only is None:
            return
        others = set(only) - {one.member.image_code for one in own}
        for other in sorted({one[:9] for one in others if not one.startswith(VALIDATION_PREFIX)} - {code}):
            yield from (
                one
                for one in self._copies.images(other, self._version)
                if one.member.image_code in others
                and not (isinstance(one.reader, CompressedTar) and other not in one.reader.wanted)
            )

    def _needed(self, found: Iterable[Found], request: Request) -> set[Found]:
        """Return the images that will be read, because they are neither saved nor known to be invalid."""
        final = {one.row.key for one in request.outcomes() if is_final(one, self._context.settings)}
        return {
            one
            for one in found
            if one.member.image_code not in request.saved
            and one.member.image_code not in request.excluded
            and _row(one, request.category).key not in final
        }


def labels_of(
    settings: Settings, image_codes: Collection[str], notify: Callable[[str], None]
) -> dict[str, str]:
    """Find the wnids of validation images in the copies of the settings, by image code.

    Raises
    ------
    InputError
        If there is no such copy.
    """
    wanted = ilsvrc.codes()
    with _unpack_folder(None) as folder, _opened(settings, wanted, folder, notify=notify) as copies:
        return {
            one.member.image_code: code
            for code in wanted
            for one in copies.images(code)
            if one.member.image_code in image_codes
        }


class UnpackingStream:
    """The candidates of a category for which compressed tars have to be unpacked first, in a thread."""

    def __init__(
        self, packed: Sequence[CompressedTar], candidates: Callable[[], Iterable[Candidate]], folder: Path
    ) -> None:
        self.problem = ""
        self._candidates = candidates
        self._listed: ListedStream | None = None
        self._error: OSError | None = None
        self._closed = False
        self._packed = packed
        self._folder = folder
        self._thread = threading.Thread(target=self._unpack, name="unpack", daemon=True)
        self._thread.start()

    @property
    def exhausted(self) -> bool:
        """Whether there are no more candidates."""
        return self._closed or (self._listed is not None and self._listed.exhausted)

    def next(self) -> Candidate | None:
        """Return the next candidate; None while the tars are being unpacked.

        Raises
        ------
        DatasetError
            If they cannot be unpacked.
        """
        if self._listed is None:
            if self._thread.is_alive():
                return None
            if self._error:
                raise disk_error(self._folder, self._error)
            self._listed = ListedStream(self._candidates(), -1)
        return None if self._closed else self._listed.next()

    def close(self, *, finished: bool) -> None:  # noqa: ARG002  # what is unpacked is kept by the source
        """End the stream."""
        self._closed = True

    def _unpack(self) -> None:
        try:
            for one in self._packed:
                one.unpack()
        except StoppedError:
            self._closed = True
        except OSError as error:
            self._error = error


@contextlib.contextmanager
def _opened(
    settings: Settings, wanted: Collection[str], folder: Path, *, notify: Callable[[str], None]
) -> Iterator[Copies]:
    """Open all copies; see `Copy`."""
    opened = [Copy(given, wanted=wanted, folder=folder) for given in settings.copy]
    with contextlib.closing(Copies(opened, notify)) as copies:
        yield copies


@contextlib.contextmanager
def _unpack_folder(result_folder: Path | None) -> Iterator[Path]:
    if result_folder is None:  # of a dry run
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    folder = (result_folder / UNPACKED).absolute()  # other machines have another working directory
    with wrap_os_errors(folder):
        make_folder(folder)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # members for the next run stay
            folder.rmdir()


def _candidate(found: Found, category: Category, annotations: Mapping[str, Annotation]) -> Candidate:
    return Candidate(
        row=_row(found, category),
        rejection=None,
        annotation=annotations.get(found.member.image_code),
        local_image=found.image,
    )


def _row(found: Found, category: Category) -> UrlRow:
    image_code = found.member.image_code
    is_validation, number = image_order(image_code)
    position = POSITION_OFFSET * 2 + number
    if is_validation:
        position += _VALIDATION
    elif image_code[:9] != category.code:
        position += _OTHER_SYNSET
    return UrlRow(position, image_code, found.url)
