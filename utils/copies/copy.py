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
from ..text import join_names, pluralize
from . import labels
from .compressed_tars import CompressedTar
from .folders import FolderReader
from .index import Index
from .members import LABEL_FILES, Kind, Member
from .reader import READ_ERRORS, Reader
from .registry import EXTENSIONS, LAYOUTS, open_file
from .tar_files import CategoryTar

MAX_PROBLEMS = 5
"""Damaged files that are named at once, for each copy."""
MAX_NAMED = 20
"""Copies that are named one by one; a shell may give thousands of shards for a pattern."""


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

    Attributes
    ----------
    place
        The folder that contains its files.
    scanned
        The readers whose members the index of `place` keeps, by their names in it.
    compressed
        The compressed tars in it.

    Raises
    ------
    InputError
        If the path does not exist or no layout is recognised.
    """

    def __init__(self, given: str, *, wanted: Collection[str], folder: Path) -> None:
        self.given = given
        self._path = resolve(given)
        self.place = self._path if self._path.is_dir() else self._path.parent
        self._wanted = wanted
        self._problems: list[str] = []
        self._reported: set[str] = set()
        self._readers = list(self._open_readers())
        self.compressed = [one for one in self._readers if isinstance(one, CompressedTar)]
        for one in self.compressed:
            one.wanted, one.folder = wanted, folder
        if not self.kinds:
            why = " ".join(["no copy of ImageNet is recognised.", *self.new_problems()])
            raise InputError(f"--copy {given}: {why} Known are {LAYOUTS}.")
        self._category_tars: dict[str, list[Reader]] = {}
        for reader in self._readers:
            if isinstance(reader, CategoryTar):
                self._category_tars.setdefault(reader.code, []).append(reader)
        self._direct = [one for one in self._readers if not (one.must_scan or isinstance(one, CategoryTar))]
        self.scanned = {one.name or self._path.name: one for one in self._readers if one.must_scan}

    @property
    def has_row_groups(self) -> bool:
        """Whether some of its files are read in row groups."""
        return any(one.has_row_groups for one in self._readers)

    def find(self, code: str) -> Iterator[Found]:
        """Yield the members of a category that no index keeps; with an empty code, those without category."""
        for reader in (*self._direct, *self._category_tars.get(code, ())):
            for member in reader.members(code):
                yield Found(self, reader, member)

    def new_problems(self) -> list[str]:
        """Return sentences about damage that was not returned before, the first ones if there are many."""
        problems = [*self._problems]
        for one in self._readers:
            problems += [f"{one.name}: {fault}." if one.name else f"{fault}." for fault in one.faults]
        new = [one for one in problems if one not in self._reported]
        self._reported.update(new)
        more = len(new) - MAX_PROBLEMS
        if more > 0:
            new[MAX_PROBLEMS:] = [f"{pluralize(more, 'more problem')}."]
        return new

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
            self._problems.append(f"{name or 'It'} cannot be read: {why}.")
            return
        if reader:
            yield reader
        else:
            self._problems.append(f"{name or 'It'} is not an archive, or holds no images of ImageNet.")

    @functools.cached_property
    def kinds(self) -> Counter[tuple[str, str]]:
        """How often it has each layout, which is in words for one and for several."""
        folders = [kind for one in self._readers if isinstance(one, FolderReader) for kind in one.kinds]
        files = [one.layout for one in self._readers if not isinstance(one, FolderReader)]
        return Counter([*((one, one) for one in folders), *files])


class Copies:
    """All copies of a run, and the indexes of the folders in which they are.

    Parameters
    ----------
    notify
        Called with sentences about what takes long.
    """

    def __init__(self, copies: Sequence[Copy], notify: Callable[[str], None]) -> None:
        self.copies = copies
        self._notify = notify
        self._listed: tuple[str, list[Found]] = "", []  # the category listed last, and its members
        self._ranks = {one: rank for rank, one in enumerate(copies)}
        places: dict[Path, list[Copy]] = {}
        for one in copies:
            if one.scanned:
                places.setdefault(one.place.resolve(), []).append(one)
        self._indexes: list[tuple[Index, dict[str, list[tuple[Copy, Reader]]]]] = []
        for place, together in places.items():
            self._open_index(place, together)

    def close(self) -> None:
        """Close the indexes."""
        for index, _files in self._indexes:
            index.close()

    def images(self, code: str, version: int = 0) -> list[Found]:
        """Return the images of a category by number, training images first; each image code once.

        Parameters
        ----------
        version
            How many copies with the same image are skipped; images of fewer copies are left out.
        """
        found: dict[str, dict[Copy, Found]] = {}
        for one in self._find_images(code):
            found.setdefault(one.member.image_code, {}).setdefault(one.copy, one)
        versions = ([*one.values()] for one in found.values())
        return sorted(
            (one[version] for one in versions if len(one) > version), key=lambda one: one.member.order
        )

    def count_each(self, code: str) -> list[int]:
        """Count the images of a category in each copy."""
        found = {(one.copy, one.member.image_code) for one in self._find_images(code)}
        counts = Counter(copy for copy, _image_code in found)
        return [counts[one] for one in self.copies]

    def describe(self, codes: Sequence[str]) -> list[str]:
        """Describe each copy in a line: its layouts, and of how many categories it has images.

        More than `MAX_NAMED` copies are described together.
        """
        holders = [self._holders(code) for code in codes]
        together = len(self.copies) > MAX_NAMED
        return [
            f"{names(copies)}: {_layouts(copies)}, "
            f"{sum(not one.isdisjoint(copies) for one in holders)} "
            f"of the {pluralize(len(codes), 'selected category')}"
            for copies in ([self.copies] if together else [[one] for one in self.copies])
        ]

    def annotations(self, code: str) -> dict[str, Annotation]:
        """Return the boxes that the copies have of images of a category, by image code."""
        annotations: dict[str, Annotation] = {}
        for one in self._find_boxes(code):
            image_code = one.member.image_code
            if image_code not in annotations and (annotation := voc_xml.parse(one.read(), image_code)):
                annotations[image_code] = annotation
        return annotations

    def _open_index(self, place: Path, copies: Sequence[Copy]) -> None:
        """Open the index of a folder, and list the files that it does not know."""
        files: dict[str, list[tuple[Copy, Reader]]] = {}
        for one in copies:
            for name, reader in one.scanned.items():
                files.setdefault(name, []).append((one, reader))
        index = Index(place)
        self._indexes.append((index, files))
        packed = any(one.compressed for one in copies)
        note = " Compressed ones are read from the front, which takes long." if packed else ""
        index.update(
            {name: [reader for _copy, reader in holders] for name, holders in files.items()},
            lambda count, share: self._notify(
                f"{names(copies)}: listing the files in {pluralize(count, 'archive')}"
                f"{f', {share:.0%} done.' if share else f'.{note}'}"
            ),
        )

    def _holders(self, code: str) -> set[Copy]:
        """Return the copies that have images of a category."""
        holders = {one.copy for one in self._labelled.get(code, ())}
        for copy in self.copies:
            if any(one.member.kind is Kind.IMAGE for one in copy.find(code)):
                holders.add(copy)
        for index, files in self._indexes:
            for name in index.files(code):
                holders.update(copy for copy, _reader in files.get(name, ()))
        return holders

    def _find_images(self, code: str) -> list[Found]:
        found = [*self._find(code, Kind.IMAGE), *self._labelled.get(code, ())]
        return sorted(found, key=lambda one: self._ranks[one.copy])

    def _find_boxes(self, code: str) -> Iterator[Found]:
        yield from self._find(code, Kind.BOXES)
        if self._unlabelled[Kind.BOXES]:
            image_codes = {one.member.image_code for one in self._find_images(code)}
            yield from (one for one in self._unlabelled[Kind.BOXES] if one.member.image_code in image_codes)

    def _find(self, code: str, kind: Kind) -> Iterator[Found]:
        if self._listed[0] != code:  # a run asks several times for one category, then for the next
            self._listed = code, self._find_all(code)
        return (one for one in self._listed[1] if one.member.kind is kind)

    def _find_all(self, code: str) -> list[Found]:
        """Return the members of a category in the order of the copies."""
        found = [one for copy in self.copies for one in copy.find(code)]
        for index, files in self._indexes:
            for one in index.members(code):
                found += [Found(copy, reader, one.member) for copy, reader in files.get(one.file, ())]
        return sorted(found, key=lambda one: self._ranks[one.copy])

    @functools.cached_property
    def _unlabelled(self) -> dict[Kind, list[Found]]:
        """The members whose path tells no category."""
        members: dict[Kind, list[Found]] = {one: [] for one in Kind}
        for found in self._find_all(""):
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


def names(copies: Sequence[Copy]) -> str:
    """Name copies as the user gave them, the first ones if there are many."""
    return join_names([one.given for one in copies], MAX_NAMED if len(copies) <= MAX_NAMED else 1)


def _layouts(copies: Sequence[Copy]) -> str:
    """Return the layouts of copies in words."""
    counts = sum((one.kinds for one in copies), Counter[tuple[str, str]]())
    return ", ".join(
        one if one == several else f"a {one}" if count == 1 else f"{count:,} {several}"
        for (one, several), count in counts.items()
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
