"""A source in one module: the images in folders that are named by wnids, e.g. `copy/n00000001/x.JPEG`."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from utils.models.rows import Candidate, Category, LocalImage, UrlRow
from utils.models.settings import Settings
from utils.sources import registry
from utils.sources.base import POSITION_OFFSET, CandidateStream, ListedStream, Request, Source, SourceContext
from utils.sources.url_source import UrlSource
from utils.text import pluralize


@dataclass(frozen=True)
class ImageFile(LocalImage):
    """An image in a file of its own."""

    path: Path

    def read(self) -> bytes:
        """Read it."""
        return self.path.read_bytes()


class FolderSource(Source):
    """Images in folders below `--save_dir`."""

    name: ClassVar[str] = "folders"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def origin(cls, settings: Settings) -> str:
        """Name the folder."""
        return f"folders in {settings.save_dir / 'copy'}"

    @classmethod
    @contextlib.contextmanager
    def open(cls, context: SourceContext) -> Iterator[FolderSource]:
        """Open the source."""
        yield cls(context.settings.save_dir / "copy")

    def describe(self, category: Category) -> str:
        """Count the files."""
        return pluralize(len(self._files(category)), "file")

    def nothing_found(self) -> str:
        """Say that there is no file of a category."""
        return f"No file was found in {self._folder}."

    def expected(self, category: Category) -> int:
        """Count the files."""
        return len(self._files(category))

    def stream(self, request: Request) -> CandidateStream:
        """Give the files of a category in the order of their names."""
        rows = self._rows(request.category)
        wanted = [
            Candidate(row, None, request.annotations.get(row.image_code), ImageFile(path))
            for path, row in rows
            if request.only is None or row.image_code in request.only
        ]
        return ListedStream(wanted, request.limit)

    def find_rows(self, category: Category, image_codes: Collection[str]) -> list[UrlRow]:
        """Find the rows of saved images."""
        return [row for _, row in self._rows(category) if row.image_code in image_codes]

    def _files(self, category: Category) -> list[Path]:
        return sorted((self._folder / category.code).glob("*.JPEG"))

    def _rows(self, category: Category) -> list[tuple[Path, UrlRow]]:
        return [
            (path, UrlRow(POSITION_OFFSET + number, path.stem, path.relative_to(self._folder).as_posix()))
            for number, path in enumerate(self._files(category))
        ]


def register() -> None:
    """Add the source, and a word for URLs followed by it."""
    registry.SOURCES[FolderSource.name] = FolderSource
    registry.ALIASES["urls_and_folders"] = (UrlSource.name, FolderSource.name)
