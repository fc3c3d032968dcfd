"""The protocol of sources: where the images of a category come from.

A source is opened once for a run and gives a stream of candidates for each category. Streams never block:
rows of the URL table are there at once, members of a tar arrive while it is downloaded.

To add a source, write a module with a subclass of `Source` and add it to `registry.SOURCES`. Images that need
no download are candidates with a `LocalImage`, which a worker reads.
"""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from ..models.images import Annotation
from ..models.rows import Candidate, Category, UrlRow
from ..models.settings import Settings
from ..models.tasks import Outcome
from .url_table import UrlTable


@dataclass(frozen=True)
class Request:
    """What a run wants of a category.

    Attributes
    ----------
    folder
        The category's folder.
    annotations
        What the category's archive of boxes holds, by image code.
    outcomes
        Gives the last outcome of every URL considered so far.
    saved
        The image codes that have an image; kept up to date by the owner.
    limit
        Candidates wanted at most; -1 for all.
    count_saved
        Whether `how_many` counts images saved: then the stream goes on until the run stops asking.
    only
        The image codes that are wanted; None for all.
    """

    category: Category
    folder: Path
    annotations: Mapping[str, Annotation]
    outcomes: Callable[[], Iterable[Outcome]]
    saved: Collection[str]
    limit: int = -1
    count_saved: bool = False
    only: frozenset[str] | None = None


class CandidateStream(Protocol):
    """The candidates of one category from one source, in order."""

    @property
    def exhausted(self) -> bool:
        """Whether no more will come."""

    @property
    def problem(self) -> str:
        """Why it ended badly, in a sentence; empty if it did not."""

    def next(self) -> Candidate | None:
        """Give the next candidate; None if there is none at present."""

    def close(self, *, finished: bool) -> None:
        """End the stream; if the work is not `finished`, a later run goes on where this one ends."""


@dataclass(frozen=True)
class SourceContext:
    """What sources are opened with.

    Attributes
    ----------
    result_folder
        None in a dry run, for which nothing may be written.
    table
        The URL table, whether or not images come from it.
    """

    settings: Settings
    result_folder: Path | None
    table: UrlTable


class Source(abc.ABC):
    """Where images come from; opened once for a run.

    Attributes
    ----------
    name
        The word for it in `--source`.
    flags
        Flags that make sense only with this source, and their defaults.
    listable
        Whether all candidates are known before anything is fetched.
    many_hosts
        Whether images come from many hosts, so that the network's speed decides how many at once.
    distributable
        Whether other machines can fetch them (`--scheduler`).
    max_open
        Categories that are open at the same time.
    """

    name: ClassVar[str]
    flags: ClassVar[Mapping[str, object]] = {}
    listable: ClassVar[bool] = True
    many_hosts: ClassVar[bool] = False
    distributable: ClassVar[bool] = False
    max_open: ClassVar[int] = 256

    @classmethod  # noqa: B027  # most sources accept all settings
    def check(cls, settings: Settings) -> None:
        """Check the settings before anything is opened.

        Raises
        ------
        InputError
            If something that the source needs is missing.
        """

    @classmethod
    def notice(cls, settings: Settings) -> str:  # noqa: ARG003
        """Return what the user should be reminded of; empty for nothing."""
        return ""

    @classmethod
    @abc.abstractmethod
    def origin(cls, settings: Settings) -> str:
        """Say where images come from, as part of a sentence, without secrets."""

    @classmethod
    @abc.abstractmethod
    def open(cls, context: SourceContext) -> contextlib.AbstractContextManager[Source]:
        """Open the source for a run.

        Raises
        ------
        DatasetError
            If it cannot be opened.
        """

    @abc.abstractmethod
    def describe(self, category: Category) -> str:
        """Say what the source has of a category, e.g. `312 URLs`."""

    @abc.abstractmethod
    def nothing_found(self, category: Category) -> str:
        """Say in a sentence that the source has no image of a category."""

    @abc.abstractmethod
    def stream(self, request: Request) -> CandidateStream:
        """Give the candidates of a category."""

    @abc.abstractmethod
    def expected(self, category: Category) -> int:
        """Estimate how many candidates will be tried, for the progress bar."""

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterable[UrlRow]:  # noqa: ARG002
        """Find the rows of images that are saved but in no journal, except those of the URL table."""
        return ()

    def stop(self) -> None:  # noqa: B027
        """Start nothing new: the run is about to end."""

    def finish(self, category: Category) -> None:  # noqa: B027
        """Remove what was kept for later runs of a category that is complete."""
