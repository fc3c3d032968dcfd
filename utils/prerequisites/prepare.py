"""Creates `ncodes.csv`, `imageNetURLs.csv` and `annotation/`.

A failure of one of them affects neither the others nor existing files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar

from ..catalog import categories
from ..errors import DatasetError, DiskError, InputError, OneSourceError
from ..fetch.archive_stream import open_text
from ..fetch.file_download import DownloadOptions
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX, write_atomic
from ..results.folder_lock import FolderLock
from ..sources import url_table
from ..text import pluralize
from . import annotation_archives
from .first_available import Console, Job, use_first_available
from .known_sources import ANNOTATION_SOURCES, ANNOTATIONS_BY_HAND, URL_SOURCES, URLS_BY_HAND, KnownSource
from .url_list import BAD_LINES_NAME, convert


class PrerequisiteName(str, Enum):
    """The prerequisites; the values are those of `--only`."""

    NCODES = "ncodes"
    URLS = "urls"
    ANNOTATIONS = "annotations"


@dataclass(frozen=True)
class Options:
    """The flags of the command line; the fields have their names."""

    ncodes_dir: Path
    only: frozenset[PrerequisiteName] = frozenset(PrerequisiteName)
    urls_source: tuple[str, ...] = ()
    annotations_source: str | None = None
    force: bool = False


def prepare(options: Options, console: Console, download_options: DownloadOptions | None = None) -> None:
    """Create all requested prerequisites that do not exist yet.

    Raises
    ------
    DatasetError
        If any of them could not be created, after all have been tried.
    """
    try:
        options.ncodes_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--ncodes_dir {options.ncodes_dir} cannot be created: {error.strerror}. Choose another folder."
        ) from error
    failures: list[DatasetError] = []
    for name, prerequisite in _PREREQUISITES.items():
        if name in options.only:
            try:
                prerequisite(options, console, download_options or DownloadOptions()).provide()
            except DatasetError as error:
                failures.append(error)
    if failures:
        # An input error decides the exit code; equal messages are shown once.
        first = next((error for error in failures if isinstance(error, InputError)), failures[0])
        raise type(first)("\n\n".join(dict.fromkeys(map(str, failures))))


class _Prerequisite(ABC):
    """A file or folder to create."""

    name: ClassVar[str]
    is_folder: ClassVar[bool] = False

    def __init__(self, options: Options, console: Console, download_options: DownloadOptions) -> None:
        self._options = options
        self._console = console
        self._download_options = download_options
        self._path = options.ncodes_dir / self.name

    @abstractmethod
    def _exists(self) -> bool:
        """Whether a usable file or folder exists; prints so."""

    @abstractmethod
    def _create(self) -> None:
        """Create or replace the file or folder."""

    def provide(self) -> None:
        """Create the file or folder, unless it exists."""
        path = self._path
        try:
            if os.path.lexists(path) and not (path.is_dir() if self.is_folder else path.is_file()):
                kind = "folder" if self.is_folder else "file"
                raise InputError(f"{path} exists, but is not a {kind}. Move it away, and run again.")
            if self._options.force or not self._exists():
                with FolderLock(path.parent, "--ncodes_dir"):
                    self._create()
            else:
                self._remove_partial_files()
        except OSError as error:
            raise DiskError(
                f"{error.filename or path} cannot be read or written: {error.strerror}."
            ) from error

    def _remove_partial_files(self) -> None:
        """Remove partial files of a killed run, unless another run is active; keep partial downloads."""
        folder, pattern = self._path.parent, f"{PARTIAL_PREFIX}{self._path.stem}*{PARTIAL_SUFFIX}"
        if any(folder.glob(pattern)):
            with contextlib.suppress(InputError), FolderLock(folder, "--ncodes_dir"):
                for path in folder.glob(pattern):
                    path.unlink()

    def _require_space(self, needed: float) -> None:
        folder = self._path.parent
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise DiskError(
                f"{self.name} needs {needed / 1e6:,.0f} MB, but {folder} has {free / 1e6:,.0f} MB free. "
                "Free some space, or choose another --ncodes_dir."
            )


class _Ncodes(_Prerequisite):
    name = "ncodes.csv"

    def _exists(self) -> bool:
        if not self._path.exists():
            return False
        problem = ""
        try:
            categories.read(self._path)
        except InputError as error:  # the user can correct it; it is no reason to stop
            problem = f", but it is invalid: {error}"
        self._console.print(f"{self.name}: already present{problem}")
        return True

    def _create(self) -> None:
        if not self._path.exists():
            categories.write_fresh(self._path)
            self._console.print(
                f"{self.name}: written. Set to_download to True for the categories that you want."
            )
            return
        previous = categories.read(self._path)
        backup = self._path.with_name(f"{self.name}.bak")
        write_atomic(backup, self._path.read_bytes())
        categories.write_fresh(self._path, previous)
        marked = pluralize(sum(category.selected for category in previous), "marked category")
        self._console.print(
            f"{self.name}: written again with your {marked}; the previous file is {backup.name}"
        )


class _UrlTable(_Prerequisite):
    name = url_table.NAME

    def _exists(self) -> bool:
        """Whether a table exists; a missing or outdated index is created again."""
        if not (self._path.exists() or self._path.with_name(url_table.OTHER_NAME).exists()):
            return False
        try:
            with self._console.bar(f"indexing {self.name}") as progress:
                table = url_table.open_table(self._path, progress)
        except InputError as error:
            self._console.print(
                f"{self.name}: downloading again, because the existing file cannot be used: {error}"
            )
            return False
        rows = sum(table.count(code) for code in table.codes())
        if rows:
            hint = _force_hint(rows, URL_SOURCES, "--urls_source" if self._options.urls_source else "")
            self._console.print(f"{table.path.name}: already present ({pluralize(rows, 'row')}){hint}")
        return rows > 0

    def _create(self) -> None:
        job = Job(
            self.name,
            "--urls_source",
            [KnownSource(address) for address in self._options.urls_source] or URL_SOURCES,
            self._convert,
            disk_factor=4.6,  # 334 MB to download, and 1.2 GB for the table
            by_hand=URLS_BY_HAND,
        )
        use_first_available(job, self._path.parent, console=self._console, options=self._download_options)

    def _convert(self, path: Path, source: KnownSource) -> None:
        with open_text(path) as text:
            self._require_space(1.3 * text.size)  # each row of the table repeats its wnid
            total = path.stat().st_size
            with self._console.bar("writing the table") as progress:
                counts = convert(
                    text.stream,
                    self._path,
                    min_rows=source.min_count,
                    on_progress=lambda: progress(text.position(), total),
                )
        self._console.print(f"{self.name}: {pluralize(counts.rows, 'row')}")
        if counts.bad_lines:
            bad_lines = pluralize(counts.bad_lines, "malformed line")
            self._console.print(f"  left out: {bad_lines} of the list; see {BAD_LINES_NAME}")


class _Annotations(_Prerequisite):
    name = annotation_archives.FOLDER_NAME
    is_folder = True

    def _exists(self) -> bool:
        count = annotation_archives.count_categories(self._path)
        if count:
            own = "--annotations_source" if self._options.annotations_source else ""
            hint = _force_hint(count, ANNOTATION_SOURCES, own)
            self._console.print(f"{self.name}/: already present ({pluralize(count, 'category')}){hint}")
        return count > 0

    def _create(self) -> None:
        own = self._options.annotations_source
        job = Job(
            self.name,
            "--annotations_source",
            ANNOTATION_SOURCES if own is None else [KnownSource(own)],
            self._copy,
            disk_factor=2.0,
            by_hand=ANNOTATIONS_BY_HAND,
        )
        use_first_available(job, self._path.parent, console=self._console, options=self._download_options)

    def _copy(self, path: Path, source: KnownSource) -> None:
        if self._path.exists() and path.exists() and path.samefile(self._path):
            raise OneSourceError("it is the destination folder itself")
        with self._console.bar("checking") as progress:
            check = annotation_archives.check_archives(path, self._known_codes(), progress)
        rejected = check.describe_rejected()
        if len(check.usable) < source.min_count:
            found = f"it has {pluralize(len(check.usable), 'usable archive')} <wnid>.tar.gz"
            raise OneSourceError("; ".join([f"{found} ({source.min_count:,} expected)", *rejected]))
        self._require_space(check.size)
        with self._console.bar("writing") as progress:
            written = annotation_archives.write_archives(
                path, self._path, check.usable, replace=self._options.force, progress=progress
            )
        present = len(check.usable) - written
        self._console.print(
            f"{self.name}/: {pluralize(written, 'archive')} written, {present:,} already present"
        )
        for text in rejected:
            self._console.print(f"  left out: {text}")

    def _known_codes(self) -> frozenset[str]:
        """Return the wnids of all categories, including those that the user has added to `ncodes.csv`."""
        codes = {synset.code for synset in categories.load_synsets()}
        ncodes = self._options.ncodes_dir / _Ncodes.name
        if ncodes.is_file():
            with contextlib.suppress(InputError):  # reported by _Ncodes
                codes.update(category.code for category in categories.read(ncodes))
        return frozenset(codes)


_PREREQUISITES: dict[PrerequisiteName, type[_Prerequisite]] = {
    PrerequisiteName.NCODES: _Ncodes,
    PrerequisiteName.URLS: _UrlTable,
    PrerequisiteName.ANNOTATIONS: _Annotations,
}


def _force_hint(count: int, published: tuple[KnownSource, ...], own: str) -> str:
    """Return what --force does, if the user named a source or has less than is published."""
    if own:
        return f"; --force replaces it from {own}"
    return "; --force downloads everything published" if count < published[0].min_count else ""
