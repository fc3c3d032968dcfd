"""The data that all categories of a run share."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..models.images import Annotation
from ..models.rows import Category, UrlRow
from ..models.settings import Settings
from ..results.exclusions import Exclusions
from ..results.paths import CategoryFolder
from ..results.staging import StagingFolder
from ..sources.base import Source
from ..sources.url_table import UrlTable


@dataclass(frozen=True)
class RunContext:
    """The data that all categories of a run share.

    Attributes
    ----------
    folder
        The result folder.
    labels
        The folder name of every wnid, which is also its label in XML files.
    sources
        The sources of images, in the order in which they are used.
    exclusions
        The images that the user does not want.
    delivering_hosts
        Hosts that delivered images in earlier runs, of the categories that have been opened.
    task_numbers
        Generates the numbers of tasks.
    """

    settings: Settings
    folder: Path
    table: UrlTable
    labels: Mapping[str, str]
    sources: Sequence[Source]
    staging: StagingFolder
    exclusions: Exclusions = field(default_factory=Exclusions)
    delivering_hosts: set[str] = field(default_factory=set)
    task_numbers: Iterator[int] = field(default_factory=itertools.count)

    def folder_of(self, category: Category) -> CategoryFolder:
        """Return the folder of a category."""
        return CategoryFolder(self.folder / category.folder)

    def annotations(self, category: Category, archived: Mapping[str, Annotation]) -> Mapping[str, Annotation]:
        """Return the boxes of a category by image code: those of its archive, else those of the sources."""
        annotations: dict[str, Annotation] = {}
        for source in reversed(self.sources):
            annotations.update(source.annotations(category))
        return annotations | dict(archived) if annotations else archived

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterator[UrlRow]:
        """Find the rows of images that are saved but not in a journal, e.g. after a killed run."""
        for source in self.sources:
            yield from source.find_rows(category, image_codes)
        yield from self.table.rows_of(image_codes)

    def counts_saved(self, category: Category) -> bool:
        """Whether a category's `how_many` counts images saved; else it counts URLs tried."""
        return self.settings.fill and category.how_many >= 0
