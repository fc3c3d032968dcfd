"""The protocol of sources of images.

A source is opened once for a run and returns a stream of candidates for each category. Streams never block:
rows of the URL table are available at once, members of a tar arrive while it is downloaded.

To add a source, write a module with a subclass of `Source` and add it to `registry.SOURCES`. Images that need
no download are candidates with a `LocalImage`, which a worker reads. The positions of rows start at
`POSITION_OFFSET`.
"""

from __future__ import annotations

import abc
import contextlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from ..models.images import Annotation
from ..models.rows import Candidate, Category, UrlRow
from ..models.settings import Settings
from ..models.tasks import Outcome
from .url_table import UrlTable

POSITION_OFFSET = 2**44
"""Added to positions of rows that are not in the URL table: in reports, they follow all rows of the table."""


@dataclass(frozen=True)
class Request:
    """The images that a run requests of a category.

    Attributes
    ----------
    folder
        The category's folder.
    annotations
        The annotations in the category's archive, by image code.
    outcomes
        Returns the last outcome of every URL considered so far.
    saved
        The image codes that have an image; the caller keeps the collection up to date.
    excluded
        The image codes that the user does not want; the caller rejects such candidates.
    limit
        The maximum number of candidates; -1 for all.
    count_saved
        Whether `how_many` counts images saved; the stream then has no limit, and the run stops reading it.
    only
        The requested image codes; None for all.
    urls
        URLs of requested images, for those that the URL table does not have.
    """

    category: Category
    folder: Path
    annotations: Mapping[str, Annotation]
    outcomes: Callable[[], Iterable[Outcome]]
    saved: Collection[str]
    excluded: Collection[str] = ()
    limit: int = -1
    count_saved: bool = False
    only: frozenset[str] | None = None
    urls: Mapping[str, str] = field(default_factory=dict)


class CandidateStream(Protocol):
    """The candidates of one category from one source, in order."""

    @property
    def exhausted(self) -> bool:
        """Whether there are no more candidates."""

    @property
    def problem(self) -> str:
        """Why the stream failed, in a sentence; empty if it did not."""

    def next(self) -> Candidate | None:
        """Return the next candidate; None if there is none at present."""

    def close(self, *, finished: bool) -> None:
        """End the stream; if the category is not `finished`, a later run continues it."""


class ListedStream:
    """The stream of a listable source.

    Parameters
    ----------
    limit
        The maximum number of candidates; -1 for all.
    """

    def __init__(self, candidates: Iterable[Candidate], limit: int) -> None:
        self.exhausted = False
        self.problem = ""
        limited = itertools.islice(candidates, None if limit < 0 else limit)
        self._candidates: Iterator[Candidate] = limited

    def next(self) -> Candidate | None:
        """Return the next candidate; None after the last one."""
        candidate = next(self._candidates, None)
        self.exhausted = candidate is None
        return candidate

    def close(self, *, finished: bool) -> None:  # noqa: ARG002  # there is nothing to continue
        """End the stream."""
        self.exhausted, self._candidates = True, iter(())


@dataclass(frozen=True)
class SourceContext:
    """The arguments with which sources are opened.

    Attributes
    ----------
    result_folder
        None in a dry run, which writes nothing.
    table
        The URL table, whether or not images come from it.
    codes
        The wnids of the selected categories.
    notify
        Called with sentences for the user.
    other_codes
        Further wnids of which images are requested.
    """

    settings: Settings
    result_folder: Path | None
    table: UrlTable
    codes: Sequence[str] = ()
    notify: Callable[[str], None] = lambda _sentence: None
    other_codes: Sequence[str] = ()


class Source(abc.ABC):
    """A source of images; opened once for a run.

    Attributes
    ----------
    name
        Its name in `--source`.
    flags
        Flags that have an effect only with this source, and their defaults.
    listable
        Whether all candidates are known before anything is downloaded.
    reliable
        Whether hardly any candidate fails, so that none is tried in place of others in flight.
    many_hosts
        Whether images come from many hosts, so that the batch size depends on the speed of the network.
    distributable
        Whether other machines can download them (`--scheduler`).
    max_open
        The maximum number of categories that are open at the same time.
    is_ordered
        Whether a category yields candidates only after those of others.
    fallbacks
        Sources of other versions of the same images, for those that could not be saved.
    """

    name: ClassVar[str]
    flags: ClassVar[Mapping[str, object]] = {}
    listable: bool = True
    reliable: ClassVar[bool] = False
    many_hosts: ClassVar[bool] = False
    distributable: ClassVar[bool] = False
    max_open: int = 256
    is_ordered: bool = False
    fallbacks: Sequence[Source] = ()

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
        """Return a notice for the user, such as terms of use; empty if there is none."""
        return ""

    @classmethod
    @abc.abstractmethod
    def origin(cls, settings: Settings) -> str:
        """Describe where images come from, as part of a sentence, without secrets."""

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
        """Describe the source's content for a category, e.g. `312 URLs`."""

    @abc.abstractmethod
    def nothing_found(self) -> str:
        """Return a sentence that states that the source has no image of some categories."""

    @abc.abstractmethod
    def stream(self, request: Request) -> CandidateStream:
        """Return the candidates of a category."""

    @abc.abstractmethod
    def expected(self, category: Category) -> int:
        """Estimate how many candidates will be tried, for the progress bar."""

    def annotations(self, category: Category) -> Mapping[str, Annotation]:  # noqa: ARG002
        """Return boxes that the source has itself, by image code; those of the archives come first."""
        return {}

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterable[UrlRow]:  # noqa: ARG002
        """Find rows of images that are saved but not in a journal; the URL table is searched in any case."""
        return ()

    def stop(self) -> None:  # noqa: B027
        """Start no further downloads, because the run is about to end."""

    def finish(self, category: Category) -> None:  # noqa: B027
        """Delete files kept for later runs of a category, which is complete now."""
