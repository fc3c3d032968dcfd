"""Class folders, validation sets and annotations in a folder, and the other files of a copy in it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..models.fast_pickle import FastPickle
from ..models.rows import LocalImage
from .members import LABEL_FILES, WNID, Kind, Member, classify
from .reader import MAX_READ_BYTES, Reader, require_file
from .tar_files import is_category_tar

MAX_DEPTH = 5
"""Levels at which class folders are looked for."""
_CLASS_FOLDERS, _IMAGES, _VALIDATION = "class folders", "images", "a validation set"
_KIND_OF = {Kind.BOXES: "annotations", Kind.LABELS: "labels of a validation set"}
_KINDS_OF_IMAGES = (_CLASS_FOLDERS, _IMAGES, _VALIDATION)
_KINDS = (*_KINDS_OF_IMAGES, *_KIND_OF.values())
_SIDES = ("train", "val")
"""Names of folders that hold class folders or validation sets."""


@dataclass(frozen=True, slots=True)
class FileImage(FastPickle, LocalImage):
    """A file of an image."""

    path: str
    directory: str

    def read(self) -> bytes:
        """Read the file, up to `MAX_READ_BYTES`."""
        path = Path(self.directory, self.path)
        size = require_file(path).st_size
        with path.open("rb") as file:
            return file.read(min(size, MAX_READ_BYTES))


class FolderReader(Reader):
    """A folder, searched down to `MAX_DEPTH`.

    Parameters
    ----------
    wanted
        The categories (wnids) whose images are searched outside of class folders.

    Attributes
    ----------
    archives
        The other files in it that may be part of a copy, relative to it.
    """

    layout = ("folder of images", "folders of images")
    must_scan = False

    def __init__(self, path: Path, *, wanted: Collection[str], extensions: tuple[str, ...]) -> None:
        super().__init__(path, "")
        self.archives: list[str] = []
        self._wanted, self._extensions = wanted, extensions
        self._class_folders: dict[str, list[str]] = {}
        self._others: dict[str, list[Member]] = {}
        self._kinds: set[str] = set()
        self._searched: dict[tuple[int, int], int] = {}
        self._too_deep = ""
        self._search("", 1)
        if self._too_deep and not self._kinds.intersection(_KINDS_OF_IMAGES):
            self.add_problem(
                f"{self._too_deep} is below level {MAX_DEPTH} and not searched: give a folder nearer to it"
            )

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:  # noqa: ARG003
        """Whether it is a folder."""
        return path.is_dir()

    @property
    def kinds(self) -> list[str]:
        """What was found, in words; empty if there is nothing but `archives`."""
        found = [one for one in _KINDS if one in self._kinds]
        return [one for one in found if one in _KINDS_OF_IMAGES] or found

    def members(self, code: str) -> Iterator[Member]:
        """Return the members of a category; with an empty code, those whose path tells no category."""
        for folder in self._class_folders.get(code, ()):
            for name in self._files_in(folder):
                if (member := classify(name)) and member.kind is not Kind.LABELS:
                    yield member
        yield from self._others.get(code, ())

    def image(self, member: Member) -> FileImage:
        """Return a member as workers read it."""
        return FileImage(member.name, str(self.path))

    def _search(self, folder: str, depth: int) -> None:
        """Search a folder, given relative to the copy; links can lead to one that was searched before."""
        if not self._is_new(folder, depth):
            return
        for entry in self._entries(folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):  # e.g. macOS' `._<name>`, and caches
                continue
            if not _is_folder(entry):
                self._add_file(name, entry.name)
            elif WNID.fullmatch(entry.name):
                self._kinds.add(_CLASS_FOLDERS)
                self._class_folders.setdefault(entry.name, []).append(name)
            elif depth < MAX_DEPTH:
                self._search(name, depth + 1)
            elif entry.name in _SIDES:
                self._too_deep = name

    def _is_new(self, folder: str, depth: int) -> bool:
        """Whether a folder was not searched at this or a higher level."""
        try:
            status = (self.path / folder).stat()
        except OSError:
            return True  # `_entries` will report it
        key = (status.st_dev, status.st_ino)
        earlier = self._searched.get(key, MAX_DEPTH + 1)
        self._searched[key] = min(earlier, depth)
        return depth < earlier

    def _add_file(self, name: str, base: str) -> None:
        if is_category_tar(base):
            self.archives.append(name)
        elif base.lower().endswith(self._extensions):
            if not WNID.match(base):  # <wnid>.tar.gz: an archive of boxes, for --annotations_dir
                self.archives.append(name)
        elif member := classify(name):
            self._kinds.add(_KIND_OF.get(member.kind) or (_IMAGES if member.code else _VALIDATION))
            if not member.code or member.code in self._wanted:
                self._others.setdefault(member.code, []).append(member)

    def _files_in(self, folder: str) -> Iterator[str]:
        """Yield the files of a class folder and of its folder `images`, relative to the copy."""
        for directory in (folder, f"{folder}/images"):
            if directory == folder or (self.path / directory).is_dir():
                yield from (
                    f"{directory}/{entry.name}" for entry in self._entries(directory) if not _is_folder(entry)
                )

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.path / folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.add_problem(f"{folder or self.path} cannot be read ({error.strerror})")
            return []


class LabelFile(Reader):
    """A table of the categories of validation images, given as a copy of its own."""

    layout = ("table of labels", "tables of labels")
    must_scan = False

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:  # noqa: ARG003
        """Whether it has the name of one."""
        return path.name in LABEL_FILES

    def members(self, code: str) -> Iterator[Member]:
        """Return the table, as it belongs to no category."""
        if not code:
            yield Member(Kind.LABELS, "", "", self.path.name)

    def image(self, member: Member) -> FileImage:
        """Return the table as workers read images."""
        return FileImage(member.name, str(self.path.parent))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # e.g. a link to itself
        return False
