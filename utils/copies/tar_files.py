"""Tars of a category, of the tars of categories, of class folders or a validation set, and shards."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..models.fast_pickle import FastPickle
from ..models.images import EXTENSIONS
from ..models.rows import LocalImage
from ..tar_reader import BLOCK, FileRange, HeaderReader, TarHeader, is_header, padded
from ..text import pluralize
from . import ilsvrc
from .members import WNID, Kind, Member, classify, parse_stem
from .reader import MAX_READ_BYTES, READ_ERRORS, Reader, require_file

MAX_MEMBERS = 100_000_000
PEEKED = 100
"""Members that are looked at to recognise a layout."""
MAX_PADDING = 1 << 20
"""Bytes behind the end mark of a tar; more are the sign of a download that filled the file with zeros."""
_LABELS = {"json", "cls"}
_IMAGES = {one.removeprefix(".") for one in EXTENSIONS}
MAX_TEXT_BYTES = 64 * 1024
"""Bytes of the JSON and of the label of a sample in a shard."""


@dataclass(frozen=True, slots=True)
class RangeImage(FastPickle, LocalImage):
    """Bytes of a file, e.g. a member of a tar."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Read the bytes, up to `MAX_READ_BYTES`.

        Raises
        ------
        OSError, EOFError
            If they cannot be read completely.
        """
        size = min(self.size, MAX_READ_BYTES)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            data = file.read(size)
        if len(data) < size:
            raise EOFError("the file ends within it")
        return data


@dataclass(frozen=True, slots=True)
class TarEntry:
    """A regular file in a tar: its path, and the place of its content in bytes."""

    name: str
    offset: int
    size: int

    @property
    def place(self) -> tuple[int, int, int]:
        """The place of a `Member`."""
        return self.offset, self.size, 0


def entries(file: BinaryIO | gzip.GzipFile, start: int, end: int) -> Iterator[TarEntry]:
    """Yield the regular files of a tar that lies in a range of a file; only headers are read.

    Raises
    ------
    OSError, EOFError, ValueError
        If it is damaged; the files before the damage have been yielded, and one that is cut off, too.
    """
    if start == end:
        raise EOFError("it is empty")
    source, headers = FileRange(file, start, end), HeaderReader(max_members=MAX_MEMBERS)
    while header := headers.read(source):
        if header.is_file:
            yield TarEntry(_text(header), source.position, min(header.size, end))
        source.position += padded(header.size)
        if source.position > end:
            raise source.cut_off()
    if start == 0 and end - source.position > MAX_PADDING:
        raise EOFError(f"it ends after {source.position:,} of {end:,} bytes; the images before that are used")


def _text(header: TarHeader) -> str:
    return header.name.decode("utf-8", "replace").removeprefix("./")


class TarReader(Reader):
    """A tar of images, by the paths in it."""

    layout = ("tar of images", "tars of images")

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:
        """Whether it is a tar, and the first of its files that is of use has this layout."""
        return _layout(path, start) is cls

    @classmethod
    def fits(cls, entry: TarEntry) -> bool:
        """Whether a file in a tar shows that the tar has this layout."""
        return classify(entry.name) is not None

    def scan(self) -> Iterator[Member]:
        """Yield the members that are of use."""
        for entry in self.entries():
            if member := classify(entry.name, entry.place):
                yield member

    def image(self, member: Member) -> RangeImage:
        """Return a member as workers read it."""
        return RangeImage(self.path, *member.place[:2])

    def entries(self, start: int = 0, size: int | None = None) -> Iterator[TarEntry]:
        """Yield the files of the tar, or of one within it; damage ends it, and is reported."""
        try:
            require_file(self.path)
            with self.path.open("rb", buffering=0) as file:
                end = self.path.stat().st_size
                yield from entries(file, start, end if size is None else min(end, start + size))
        except READ_ERRORS as error:
            self.add_error(error)


class CategoryTar(TarReader):
    """A tar of one category, by default named `<wnid>.tar`."""

    layout = ("tar of a category", "tars of categories")
    must_scan = False

    def __init__(self, path: Path, name: str, code: str = "") -> None:
        super().__init__(path, name)
        self.code = code or path.name[:9]

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:  # noqa: ARG003  # thousands need not be opened
        """Whether it has the name of a category."""
        return is_category_tar(path.name)

    def members(self, code: str) -> Iterable[Member]:
        """Return the images, if it is the tar of this category."""
        return _of_category(self.entries(), code) if code == self.code else ()


class TarOfTars(TarReader):
    """A tar whose members are the tars of categories; the headers of 1,000 of them are read in no time."""

    layout = ("tar of tars", "tars of tars")
    must_scan = False

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, name)
        self._tars: dict[str, list[TarEntry]] | None = None

    @classmethod
    def fits(cls, entry: TarEntry) -> bool:
        """Whether a file is the tar of a category."""
        return is_category_tar(entry.name.rpartition("/")[2])

    def members(self, code: str) -> Iterator[Member]:
        """Return the images in the tar of a category."""
        if self._tars is None:
            self._tars = {}
            for one in filter(self.fits, self.entries()):
                self._tars.setdefault(one.name.rpartition("/")[2][:9], []).append(one)
        for one in self._tars.get(code, ()):
            prefix = f"{one.name}/"
            yield from _of_category(self.entries(one.offset, one.size), code, prefix)


class ShardReader(TarReader):
    """A WebDataset shard: samples of `KEY.jpg`, `KEY.json` and `KEY.cls`.

    The category is `class_name` in the JSON, else that of the key, else that of the label's number.
    """

    layout = ("WebDataset shard", "WebDataset shards")

    def scan(self) -> Iterator[Member]:
        """Yield the images."""
        without_code = 0
        try:
            with self.path.open("rb", buffering=0) as file:
                for key, sample in itertools.groupby(self.entries(), _key):
                    if member := self._member(key, list(sample), file):
                        yield member
                    else:
                        without_code += 1
        except OSError as error:
            self.add_error(error)
        if without_code:
            left_out = pluralize(without_code, "sample")
            self.add_problem(f"left out: {left_out} without image code or category")

    def _member(self, key: str, sample: list[TarEntry], file: BinaryIO) -> Member | None:
        by_extension = {_extension(one): one for one in sample}
        image = next((one for extension, one in by_extension.items() if extension in _IMAGES), None)
        if image is None:
            return None
        about = _parse_json(_text_of(by_extension.get("json"), file))
        image_code, code = parse_stem(key.rpartition("/")[2])
        if not image_code:
            stem = str(about.get("filename", "")).rpartition("/")[2].rpartition(".")[0]
            image_code, code = parse_stem(stem)
        class_name, label = about.get("class_name"), about.get("label")
        if isinstance(class_name, str) and WNID.fullmatch(class_name):
            code = class_name
        elif not code:
            text = _text_of(by_extension.get("cls"), file).strip() or str(label)
            code = ilsvrc.code_of_label(text)
        return Member(Kind.IMAGE, code, image_code, image.name, image.place) if image_code and code else None


def is_category_tar(name: str) -> bool:
    """Whether a file is named as the tar of a category."""
    return name.endswith(".tar") and WNID.fullmatch(name[:-4]) is not None


def _layout(path: Path, start: bytes) -> type[TarReader] | None:
    """Return the reader of a tar by the first of its files that are of use; None if there is none."""
    for _name, sample in itertools.groupby(_peek(path, start), _key):
        files = list(sample)
        extensions = set(map(_extension, files))
        if any(map(TarOfTars.fits, files)):
            return TarOfTars
        if extensions & _LABELS and extensions & _IMAGES:
            return ShardReader
        if any(map(TarReader.fits, files)):
            return TarReader
    return None


def _peek(path: Path, start: bytes) -> Iterator[TarEntry]:
    """Yield the first files of a tar; none if it is not a tar. Damage ends them."""
    if not is_header(start[:BLOCK]):
        return
    with contextlib.suppress(OSError, EOFError, ValueError), path.open("rb", buffering=0) as file:
        yield from itertools.islice(entries(file, 0, path.stat().st_size), PEEKED)


def _of_category(found: Iterable[TarEntry], code: str, prefix: str = "") -> Iterator[Member]:
    for entry in found:
        member = classify(prefix + entry.name, entry.place)
        if member and member.kind is not Kind.LABELS:
            yield Member(member.kind, code, member.image_code, member.name, member.place)


def _key(entry: TarEntry) -> str:
    """Return the name up to the first dot of its last component, as WebDataset does."""
    folders, slash, name = entry.name.rpartition("/")
    return folders + slash + name.partition(".")[0]


def _extension(entry: TarEntry) -> str:
    return entry.name.rpartition("/")[2].partition(".")[2].lower()


def _text_of(entry: TarEntry | None, file: BinaryIO) -> str:
    if entry is None or entry.size > MAX_TEXT_BYTES:
        return ""
    file.seek(entry.offset)
    return file.read(entry.size).decode("utf-8", "replace")


def _parse_json(text: str) -> dict[str, object]:
    try:
        content = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
