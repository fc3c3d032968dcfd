"""The data that all categories of a run share."""

from __future__ import annotations

import itertools
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..annotations import voc_xml
from ..annotations.voc_xml import ArchiveContent
from ..models.rows import Category, UrlRow
from ..models.settings import Settings
from ..results.exclusions import Exclusions
from ..results.paths import CategoryFolder
from ..results.staging import StagingFolder
from ..sources.base import Source
from ..sources.url_table import UrlTable
from .listed_images import ListedImages


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
    listed
        The images to which the run is limited.
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
    listed: ListedImages = field(default_factory=ListedImages)
    delivering_hosts: set[str] = field(default_factory=set)
    task_numbers: Iterator[int] = field(default_factory=itertools.count)

    def folder_of(self, category: Category) -> CategoryFolder:
        """Return the folder of a category."""
        return CategoryFolder(self.folder / category.folder)

    def read_annotations(self, category: Category) -> ArchiveContent:
        """Read the annotations of a category from its archive, and others from the sources.

        A missing archive is a problem only if there is a folder of archives, and no source has annotations.
        """
        archive = voc_xml.read_archive(self.settings.annotations_dir, category.code)
        others = [source.annotations(category) for source in self.sources]
        annotations = dict(ChainMap(archive.annotations, *map(dict, others)))
        is_problem = self.settings.annotations_dir.is_dir() and (archive.annotations or not annotations)
        problem = archive.problem if is_problem else ""
        return ArchiveContent(annotations, problem, is_missing=archive.is_missing)

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterator[UrlRow]:
        """Find the rows of images that are saved but not in a journal, e.g. after a killed run."""
        for source in self.sources:
            yield from source.find_rows(category, image_codes)
        yield from self.table.rows_of(image_codes)

    def counts_saved(self, category: Category) -> bool:
        """Whether a category's `how_many` counts images saved; else it counts URLs tried."""
        return self.settings.fill and category.how_many >= 0
