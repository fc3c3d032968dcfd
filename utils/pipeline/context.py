"""What all categories of a run share."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.rows import Category, UrlRow
from ..models.settings import Settings
from ..results.paths import CategoryFolder
from ..sources.tar_source import rows_at_hand
from ..sources.url_table import UrlTable

if TYPE_CHECKING:
    from ..sources.tar_download_queue import TarDownloadQueue


@dataclass(frozen=True)
class RunContext:
    """What all categories of a run share.

    Attributes
    ----------
    folder
        The result folder.
    labels
        The folder name of every wnid, which is its label in an XML, too.
    feeds
        Where tars of whole categories come from, if they are wanted.
    numbers
        Where tasks get their numbers from.
    """

    settings: Settings
    folder: Path
    table: UrlTable
    labels: Mapping[str, str]
    feeds: TarDownloadQueue | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def category(self, category: Category) -> CategoryFolder:
        """Say where a category's images go."""
        return CategoryFolder(self.folder / category.folder)

    def rows_of(self, category: Category, image_codes: Collection[str]) -> Iterator[UrlRow]:
        """Find the rows of images, first in as much of the category's tar as lies here, if that is wanted.

        A killed run may have saved images of it that are in no journal.
        """
        wanted = frozenset(image_codes)
        if self.feeds:
            tar, address = self.feeds.at_hand(category.code), self.feeds.address(category.code)
            yield from (row for row in rows_at_hand(tar, address) if row.image_code in wanted)
        yield from self.table.rows_of(wanted)


def counts_saved(category: Category, settings: Settings) -> bool:
    """Whether a category's `how_many` counts images saved; else it counts URLs tried."""
    return settings.fill and category.how_many >= 0
