"""Class folders, validation sets and annotations in a folder, and the other files of a copy in it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..models.fast_pickle import FastPickle
from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.rows import LocalImage
from .members import WNID, Kind, Member, classify
from .reader import Reader
from .tar_files import is_category_tar

MAX_DEPTH = 5
"""Levels at which class folders are looked for."""


@dataclass(frozen=True, slots=True)
class FileImage(FastPickle, LocalImage):
    """A file of an image."""

    path: str
    directory: str

    def read(self) -> bytes:
        """Read the file; of one that is too large only the beginning, which is rejected for its size."""
        with Path(self.directory, self.path).open("rb") as file:
            return file.read(MAX_IMAGE_BYTES + 1)


class FolderReader(Reader):
    """A folder, searched down to `MAX_DEPTH`.

    Parameters
    ----------
    wanted
        The wnids of which images are looked for outside of class folders.

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
        self._search("", 1)

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:  # noqa: ARG003
        """Whether it is a folder."""
        return path.is_dir()

    @property
    def kinds(self) -> list[str]:
        """What was found, in words; empty if there is nothing but `archives`."""
        validation = any(one.kind is Kind.IMAGE for one in self._others.get("", ()))
        return ["class folders"] * bool(self._class_folders) + ["a validation set"] * validation

    def members(self, code: str) -> Iterator[Member]:
        """Return the members of a category; with an empty code, those whose path tells no category."""
        yield from self._others.get(code, ())
        for folder in self._class_folders.get(code, ()):
            for name in self._files_in(folder):
                if (member := classify(name)) and member.kind is not Kind.LABELS:
                    yield member

    def image(self, member: Member) -> FileImage:
        """Return a member as workers read it."""
        return FileImage(member.name, str(self.path))

    def _search(self, folder: str, depth: int) -> None:
        """Search a folder, given relative to the copy."""
        for entry in self._entries(folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if not entry.is_dir():
                self._add_file(name, entry.name)
            elif WNID.fullmatch(entry.name):
                self._class_folders.setdefault(entry.name, []).append(name)
            elif depth < MAX_DEPTH:
                self._search(name, depth + 1)

    def _add_file(self, name: str, base: str) -> None:
        if is_category_tar(base):
            self.archives.append(name)
        elif base.lower().endswith(self._extensions):
            if not WNID.match(base):  # <wnid>.tar.gz: an archive of boxes, for --annotations_dir
                self.archives.append(name)
        elif (member := classify(name)) and (not member.code or member.code in self._wanted):
            self._others.setdefault(member.code, []).append(member)

    def _files_in(self, folder: str) -> Iterator[str]:
        """Yield the files of a class folder and of its folder `images`, relative to the copy."""
        for directory in (folder, f"{folder}/images"):
            if directory == folder or (self.path / directory).is_dir():
                yield from (
                    f"{directory}/{entry.name}" for entry in self._entries(directory) if not entry.is_dir()
                )

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.path / folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.add_problem(f"{folder or self.path} cannot be read ({error.strerror})")
            return []
