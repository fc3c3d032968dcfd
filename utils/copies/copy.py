"""Copies of ImageNet: what a path given by the user holds, and the images of a category in several copies."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..annotations import voc_xml
from ..errors import InputError
from ..models.images import Annotation
from ..models.rows import LocalImage
from ..text import pluralize
from . import labels
from .compressed_tars import CompressedTar
from .folders import FolderReader
from .index import Index
from .members import LABEL_FILES, Kind, Member
from .reader import READ_ERRORS, Reader
from .registry import EXTENSIONS, LAYOUTS, open_file
from .tar_files import CategoryTar

MAX_PROBLEMS = 5
"""Damaged files that are named, for each copy."""


@dataclass(frozen=True, slots=True)
class Found:
    """A member of a copy, and how it is read."""

    copy: Copy
    reader: Reader
    member: Member

    @property
    def url(self) -> str:
        """The copy as the user gave it, `#`, and the path inside."""
        parts = (self.reader.name, self.member.name)
        return f"{self.copy.given}#{'/'.join(part for part in parts if part)}"

    @property
    def image(self) -> LocalImage:
        """The image as workers read it."""
        return self.reader.image(self.member)

    @property
    def place(self) -> tuple[str, str, int, int, int, str]:
        """Sorts members in the order in which they lie on disk."""
        return self.copy.given, self.reader.name, *self.member.place, self.member.name

    def read(self) -> bytes:
        """Read it; empty if it is damaged, which is reported."""
        try:
            return self.reader.read(self.member)
        except READ_ERRORS as error:
            self.reader.add_problem(f"{self.member.name}: {getattr(error, 'strerror', None) or error}")
            return b""


class Copy:
    """A copy at one path.

    Parameters
    ----------
    given
        The path as the user gave it.
    wanted
        The wnids of the selected categories.
    folder
        For unpacked members of compressed tars.
    notify
        Called with sentences about what takes long.

    Attributes
    ----------
    compressed
        The compressed tars in it.

    Raises
    ------
    InputError
        If the path does not exist or no layout is recognised.
    """

    def __init__(
        self, given: str, *, wanted: Collection[str], folder: Path, notify: Callable[[str], None]
    ) -> None:
        self.given = given
        self._path = resolve(given)
        self._wanted = wanted
        self._problems: list[str] = []
        self._readers = list(self._open_readers())
        self.compressed = [one for one in self._readers if isinstance(one, CompressedTar)]
        for one in self.compressed:
            one.wanted, one.folder = wanted, folder
        if not self._kinds():
            why = " ".join(["no copy of ImageNet is recognised.", *self.problems()])
            raise InputError(f"--copy {given}: {why} Known are {LAYOUTS}.")
        self._category_tars: dict[str, list[Reader]] = {}
        for reader in self._readers:
            if isinstance(reader, CategoryTar):
                self._category_tars.setdefault(reader.code, []).append(reader)
        self._direct = [one for one in self._readers if not (one.must_scan or isinstance(one, CategoryTar))]
        self._scanned = {one.name: one for one in self._readers if one.must_scan}
        self._index: Index | None = None
        if self._scanned:
            self._index = Index(self._path)
            self._index.update([*self._scanned.values()], lambda count: notify(self._scan_notice(count)))

    @property
    def has_row_groups(self) -> bool:
        """Whether there are files of which several images are read at once."""
        return any(one.has_row_groups for one in self._readers)

    def find(self, code: str) -> Iterator[Found]:
        """Yield the members of a category; with an empty code, those whose path tells no category."""
        for reader in (*self._direct, *self._category_tars.get(code, ())):
            for member in reader.members(code):
                yield Found(self, reader, member)
        for one in self._index.members(code) if self._index else ():
            if one.file in self._scanned:
                yield Found(self, self._scanned[one.file], one.member)

    def describe(self, codes: Sequence[str], found: int) -> str:
        """Describe the copy in a line: its layouts, and of how many categories it has images."""
        kinds = ", ".join(self._kinds())
        return f"{self.given}: {kinds}, {found} of the {pluralize(len(codes), 'selected category')}"

    def problems(self) -> list[str]:
        """Return sentences about what is damaged, the first ones if there are many."""
        everything = [*self._problems, *(sentence for one in self._readers for sentence in one.problems)]
        more = len(everything) - MAX_PROBLEMS
        if more > 0:
            everything[MAX_PROBLEMS:] = [f"{pluralize(more, 'more problem')}."]
        return everything

    def close(self) -> None:
        """Close the index."""
        if self._index:
            self._index.close()

    def _open_readers(self) -> Iterator[Reader]:
        if not self._path.is_dir():
            yield from self._open_file(self._path, "")
            return
        folder = FolderReader(self._path, wanted=self._wanted, extensions=EXTENSIONS)
        yield folder
        for name in folder.archives:
            yield from self._open_file(self._path / name, name)

    def _open_file(self, path: Path, name: str) -> Iterator[Reader]:
        try:
            reader = open_file(path, name)
        except READ_ERRORS as error:
            why = getattr(error, "strerror", None) or "its end is missing or invalid"
            self._problems.append(f"{name or path} cannot be read: {why}.")
            return
        if reader:
            yield reader
        else:
            self._problems.append(f"{name or path} is not an archive, or holds no images of ImageNet.")

    def _kinds(self) -> list[str]:
        counts = Counter(one.layout for one in self._readers if not isinstance(one, FolderReader))
        folders = [kind for one in self._readers if isinstance(one, FolderReader) for kind in one.kinds]
        files = [
            f"a {one}" if count == 1 else f"{count:,} {several}" for (one, several), count in counts.items()
        ]
        return folders + files

    def _scan_notice(self, count: int) -> str:
        packed = " Compressed ones are read from the front, which takes long." if self.compressed else ""
        return f"{self.given}: listing the files in {pluralize(count, 'archive')}.{packed}"


class Copies:
    """All copies of a run.

    Parameters
    ----------
    notify
        As for `Copy`.
    """

    def __init__(self, copies: Sequence[Copy], notify: Callable[[str], None]) -> None:
        self._copies = copies
        self._notify = notify
        self._listed: tuple[str, list[Found]] = "", []  # the category listed last, and its members

    def images(self, code: str) -> list[Found]:
        """Return the images of a category by number, training images first; each image code once."""
        found: dict[str, Found] = {}
        for one in sorted(self._find_images(code), key=lambda one: self._copies.index(one.copy)):
            found.setdefault(one.member.image_code, one)
        return sorted(found.values(), key=lambda one: one.member.order)

    def count_each(self, code: str) -> list[int]:
        """Count the images of a category in each copy."""
        found = {(self._copies.index(one.copy), one.member.image_code) for one in self._find_images(code)}
        counts = Counter(number for number, _image_code in found)
        return [counts[number] for number in range(len(self._copies))]

    def annotations(self, code: str) -> dict[str, Annotation]:
        """Return the boxes that the copies have of images of a category, by image code."""
        annotations: dict[str, Annotation] = {}
        for one in self._find_boxes(code):
            image_code = one.member.image_code
            if image_code not in annotations and (annotation := voc_xml.parse(one.read(), image_code)):
                annotations[image_code] = annotation
        return annotations

    def has_images(self, copy: Copy, code: str) -> bool:
        """Whether a copy has images of a category."""
        own = (one for one in copy.find(code) if one.member.kind is Kind.IMAGE)
        return any(own) or any(one.copy is copy for one in self._labelled.get(code, ()))

    def _find_images(self, code: str) -> Iterator[Found]:
        yield from self._find(code, Kind.IMAGE)
        yield from self._labelled.get(code, ())

    def _find_boxes(self, code: str) -> Iterator[Found]:
        yield from self._find(code, Kind.BOXES)
        if self._unlabelled[Kind.BOXES]:
            image_codes = {one.member.image_code for one in self._find_images(code)}
            yield from (one for one in self._unlabelled[Kind.BOXES] if one.member.image_code in image_codes)

    def _find(self, code: str, kind: Kind) -> Iterator[Found]:
        if self._listed[0] != code:  # a run asks several times for one category, then for the next
            self._listed = code, [one for copy in self._copies for one in copy.find(code)]
        return (one for one in self._listed[1] if one.member.kind is kind)

    @functools.cached_property
    def _unlabelled(self) -> dict[Kind, list[Found]]:
        """The members whose path tells no category."""
        members: dict[Kind, list[Found]] = {one: [] for one in Kind}
        for copy in self._copies:
            for found in copy.find(""):
                members[found.member.kind].append(found)
        return members

    @functools.cached_property
    def _labelled(self) -> dict[str, list[Found]]:
        """The images whose path tells no category, by the category that labels or boxes tell."""
        codes: dict[str, str] = {}
        for found in self._unlabelled[Kind.LABELS]:
            for image_code, code in labels.parse(found.member.name, found.read()).items():
                codes.setdefault(image_code, code)
        self._read_labels_from_boxes(codes)
        labelled: dict[str, list[Found]] = {}
        for found in self._unlabelled[Kind.IMAGE]:
            labelled.setdefault(codes.get(found.member.image_code, ""), []).append(found)
        return labelled

    def _read_labels_from_boxes(self, known: dict[str, str]) -> None:
        """Label images without a label by the first box in their XML."""
        missing = {one.member.image_code for one in self._unlabelled[Kind.IMAGE]}.difference(known)
        boxes = [one for one in self._unlabelled[Kind.BOXES] if one.member.image_code in missing]
        if boxes:
            count = pluralize(len(boxes), "validation image")
            self._notify(f"Reading the categories of {count} from their XML ...")
        for one in boxes:
            if annotation := voc_xml.parse(one.read(), one.member.image_code):
                known[one.member.image_code] = annotation.boxes[0].label
        if unknown := len(missing.difference(known)):
            needed = f"{' or '.join(LABEL_FILES)}, or their XML"
            self._notify(
                f"{pluralize(unknown, 'validation image')} cannot be used, as nothing tells their category. "
                f"Add the file or folder with {needed} to --copy."
            )


def resolve(given: str) -> Path:
    """Return the absolute path of a copy.

    Raises
    ------
    InputError
        If it does not exist, or cannot be accessed.
    """
    if not given:
        raise InputError("--copy: the path is empty.")
    try:
        path = Path(given).expanduser().absolute()
        path.stat()
    except FileNotFoundError as error:
        raise InputError(f"--copy {given}: there is no such file or folder.") from error
    except (OSError, RuntimeError) as error:  # the latter: `~name` of an unknown user
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--copy {given}: it cannot be read ({why}).") from error
    return path
