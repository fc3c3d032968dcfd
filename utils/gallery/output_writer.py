"""What a run leaves for people to look at, written at its end: the gallery, and the dataset card.

Nothing of it is worth a run: what cannot be written is told in a sentence. And nothing of it keeps a user
waiting who wants to go: an interrupted run writes it only where that is a matter of an instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import DatasetError, wrap_os_errors
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX
from ..models.enums import Status
from ..models.rows import Category
from ..models.settings import Settings
from ..results import reader
from ..results.paths import CategoryFolder
from . import card, page, page_data, run_history
from .category_stats import CategoryStats
from .ownership import is_ours
from .page_cache import Earlier, last_run_of, stamp_of
from .page_data import CategoryPage, Labels

INDEX, CARD = "index.html", "dataset_card.md"
AN_INSTANT = 500_000
"""Bytes of journals; what they tell of is read in about a tenth of a second."""


class _LeftUndoneError(Exception):
    """The user wants to go, and there is more to do than an instant's work."""


def _never() -> bool:
    """Say that there is time."""
    return False


class OutputWriter:
    """What is left in a result folder.

    Parameters
    ----------
    everything
        The rows of `ncodes.csv`.
    stopped
        Asked before each category whether the user wants to go.

    Attributes
    ----------
    written
        The files that were written.
    kept
        Those that somebody made or changed, and that were left as they are.
    unwritten
        Why others were not written, in sentences.
    """

    def __init__(
        self,
        root: Path,
        everything: Sequence[Category],
        settings: Settings,
        stopped: Callable[[], bool] = _never,
    ) -> None:
        self.written: list[Path] = []
        self.kept: list[Path] = []
        self.unwritten: list[str] = []
        self._root, self._everything, self._settings = root, everything, settings
        self._stopped = stopped
        self._figures: list[CategoryStats] = []
        self._saved = 0

    def write(self) -> None:
        """Write what there is time for; what was there before is replaced whole, or stays."""
        at = run_history.now()
        self._remove_leftovers()
        earlier = Earlier(self._root / INDEX)
        labels = Labels(earlier.labels)
        albums = self._albums(earlier, labels)
        with suppress(_LeftUndoneError):
            try:
                if self._settings.gallery:
                    self._write(INDEX, lambda path: page.write(path, albums, labels, at))
                for _ in albums:  # what the page did not want to know
                    pass
                self._write(CARD, lambda path: self._write_card(path, at))
            except DatasetError as error:
                self.unwritten.append(f"{INDEX} and {CARD} were not written. {error}")

    def _remove_leftovers(self) -> None:
        """Remove what a killed run left half written."""
        for name in (INDEX, CARD):
            with suppress(OSError):  # what is in the way of the next file is told when that is written
                (self._root / f"{PARTIAL_PREFIX}{name}{PARTIAL_SUFFIX}").unlink(missing_ok=True)

    def _write_card(self, path: Path, at: str) -> None:
        card.write(path, self._figures, self._settings, at, saved=self._saved)

    def _write(self, name: str, write: Callable[[Path], None]) -> None:
        path = self._root / name
        try:
            if is_ours(path):
                write(path)
                self.written.append(path)
            else:
                self.kept.append(path)
        except OSError as error:
            self.unwritten.append(
                f"{path} could not be written: {error.strerror}. All else is there; the next run tries again."
            )

    def _albums(self, earlier: Earlier, labels: Labels) -> Iterator[CategoryPage]:
        """Read the categories that have changed since the earlier page, and take the others from there."""
        self._see_whether_there_is_time()
        last_card = _time_of(self._root / CARD)
        for category, folder in reader.places(self._root, self._everything):
            album = _album(category, folder, earlier, labels)
            self._figures.append(album.figures)
            if last_run_of(album.stamp) > last_card:  # this run was about it: what it has downloaded is new
                self._saved += album.figures.summary.statuses[Status.DOWNLOADED]
            yield album
            self._see_whether_there_is_time()

    def _see_whether_there_is_time(self) -> None:
        if self._stopped() and _bytes_of_journals(self._root) > AN_INSTANT:
            raise _LeftUndoneError


def _album(category: Category, folder: CategoryFolder, earlier: Earlier, labels: Labels) -> CategoryPage:
    with wrap_os_errors(folder.path):
        stamp = stamp_of(folder)
        known = earlier.album(category, stamp)
        return known or page_data.album(reader.read(category, folder), labels, stamp)


def _time_of(path: Path) -> int:
    """Say when a file was written, in nanoseconds; 0 if it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _bytes_of_journals(root: Path) -> int:
    journals = (CategoryFolder(path).journal for path in root.iterdir())
    return sum(journal.stat().st_size for journal in journals if journal.is_file())
