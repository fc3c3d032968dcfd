"""Writes the gallery page, the dataset card, the manifest, metadata and their state file at the end of a run.

Errors become messages and do not stop the run. An interrupted run writes the files only if that takes no
noticeable time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from ..errors import DatasetError, wrap_os_errors
from ..export import fingerprints
from ..export.fingerprints import ImageHash
from ..fetch.credentials import Credentials
from ..fetch.locations import is_url
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX, open_file
from ..models.rows import Category
from ..models.settings import Settings
from ..reasons import Status
from ..results import exclusions, manifest, reader
from ..results.manifest import ManifestRow
from ..results.paths import (
    CROISSANT_NAME,
    FINGERPRINTS_NAME,
    GALLERY_STATE_NAME,
    MANIFEST_NAME,
    CategoryFolder,
)
from . import card, croissant, page, run_history
from .category_page import CategoryPage
from .category_stats import CategoryStats, GalleryImage
from .run_history import CommandRuns, RunHistory
from .state import GalleryState, stamp_of

INDEX, CARD = "index.html", "dataset_card.md"
MARK = "Written anew by part-of-imagenet after every run; remove this line, and the file stays as it is."
"""Part of the templates of page and card."""
MARK_WITHIN = 2_000
"""Bytes at the beginning of a file that are searched for the mark."""
QUICK = 500_000
"""Bytes of journals that are read in about a tenth of a second."""


class _InterruptedError(Exception):
    """The run was interrupted, and the files would take noticeable time."""


class OutputWriter:
    """Writes page, card, manifest and state file into a result folder.

    Parameters
    ----------
    everything
        The rows of `ncodes.csv`.
    stopped
        Whether the run was interrupted; called before each category.
    print_line
        Called with a message if images have to be hashed for the manifest and that takes long.

    Attributes
    ----------
    written
        Files that were written.
    kept
        Files without our mark, which were not changed.
    unwritten
        Messages about files that could not be written.
    """

    def __init__(
        self,
        root: Path,
        everything: Sequence[Category],
        settings: Settings,
        stopped: Callable[[], bool] = lambda: False,
        print_line: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.written: list[Path] = []
        self.kept: list[Path] = []
        self.unwritten: list[str] = []
        self._root, self._everything, self._settings = root, everything, settings
        self._stopped, self._print_line = stopped, print_line
        self._stats: list[CategoryStats] = []
        self._images: list[tuple[str, GalleryImage]] = []  # without own photos; each with its folder
        self._saved = 0

    def write(self) -> None:
        """Write the files, each atomically."""
        at = run_history.now()
        for name in (INDEX, CARD, MANIFEST_NAME, CROISSANT_NAME, GALLERY_STATE_NAME):  # left by a killed run
            with suppress(OSError):  # reported when the file itself is written
                (self._root / f"{PARTIAL_PREFIX}{name}{PARTIAL_SUFFIX}").unlink(missing_ok=True)
        state = GalleryState(self._root / GALLERY_STATE_NAME)
        pages = self._pages(state)
        with suppress(_InterruptedError):
            try:
                if self._settings.gallery:
                    self._write(INDEX, lambda path: page.write(path, pages, at))
                for _ in pages:  # if the page was not written, or only in part
                    pass
                history = self._history(state, at)
                self._write(
                    CARD,
                    lambda path: card.write(
                        path, self._stats, settings=self._settings, history=history, at=at
                    ),
                )
                with self._report_os_errors(self._root / GALLERY_STATE_NAME):
                    state.write(history)
            except DatasetError as error:
                self.unwritten.append(f"{INDEX}, {CARD} and {MANIFEST_NAME} were not written. {error}")
                return
            try:
                self._write_manifest(at)
            except DatasetError as error:
                self.unwritten.append(f"{MANIFEST_NAME} was not written. {error}")

    def _write_manifest(self, at: str) -> None:
        """Write manifest and metadata, unless the run was interrupted and images have to be hashed first.

        Raises
        ------
        DiskError, FolderError
            If an image cannot be read, or a hash cannot be recorded.
        """
        paths = {
            image.sha256: CategoryFolder(self._root / folder).images
            / unquote(image.file, errors="surrogateescape")
            for folder, image in self._images
        }
        hashes = fingerprints.update(self._root / FINGERPRINTS_NAME, paths, self._print_line, self._stopped)
        if paths.keys() <= hashes.keys():
            path = self._root / MANIFEST_NAME
            with self._report_os_errors(path):
                manifest.write(path, (_manifest_row(*one, hashes) for one in self._images))
                metadata = self._root / CROISSANT_NAME
                with self._report_os_errors(metadata):
                    croissant.write(metadata, self._stats, version=run_history.version(), date=at.split()[0])

    def _write(self, name: str, write: Callable[[Path], None]) -> None:
        path = self._root / name
        with self._report_os_errors(path):
            if _is_ours(path):
                write(path)
                self.written.append(path)
            else:
                self.kept.append(path)

    @contextmanager
    def _report_os_errors(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.unwritten.append(
                f"{path} could not be written: {error.strerror}. Everything else was saved; the next run "
                "tries again."
            )

    def _pages(self, state: GalleryState) -> Iterator[CategoryPage]:
        """Read the categories that have changed since the last run, and take the others from its state."""
        self._check_interrupted()
        excluded = exclusions.read(self._root)
        last_run = _mtime_ns(self._root / GALLERY_STATE_NAME) or _mtime_ns(self._root / CARD)
        for category, folder in reader.readable_folders(self._root, self._everything):
            with wrap_os_errors(folder.path):
                stamp = stamp_of(folder, excluded)
                category_page = state.unchanged(category, stamp)
                if category_page is None:
                    category_page = CategoryPage.from_folder(reader.read_category(category, folder, excluded))
                    state.keep(category_page, stamp)
                if _mtime_ns(folder.journal) > last_run:  # so this run downloaded the category
                    self._saved += category_page.stats.summary.statuses[Status.DOWNLOADED]
            self._stats.append(category_page.stats)
            self._images += ((category.folder, image) for image in category_page.images if image.url)
            yield category_page
            self._check_interrupted()

    def _check_interrupted(self) -> None:
        if self._stopped():
            journals = (CategoryFolder(path).journal for path in self._root.iterdir())
            if sum(journal.stat().st_size for journal in journals if journal.is_file()) > QUICK:
                raise _InterruptedError

    def _history(self, state: GalleryState, at: str) -> RunHistory:
        earlier = state.history or RunHistory.from_card(self._root / CARD)
        credentials = Credentials.from_environment(os.environ)
        command = run_history.command_line(self._settings.command, credentials)
        return earlier.add(CommandRuns(at, command, self._saved))


def _manifest_row(folder: str, image: GalleryImage, hashes: Mapping[str, ImageHash]) -> ManifestRow:
    image_code, _, extension = image.file.rpartition(".")
    known = hashes[image.sha256].hash
    return ManifestRow(
        image_code=image_code,
        category=folder,
        url=image.url if is_url(image.url) else "",
        sha256=image.sha256,
        phash="" if known is None else f"{known:016x}",
        format=extension,
        width=image.width,
        height=image.height,
        bytes=image.bytes,
        boxes=len(image.boxes) // 5 or None,
    )


def _is_ours(path: Path) -> bool:
    """Whether a file may be replaced: it does not exist, or has our mark.

    Raises
    ------
    OSError
        If it exists and cannot be read, e.g. because it is a folder.
    """
    try:
        with open_file(path) as file:
            return MARK.encode() in file.read(MARK_WITHIN)
    except FileNotFoundError:
        return True


def _mtime_ns(path: Path) -> int:
    """Return the modification time of a file in nanoseconds; 0 if it does not exist."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
