"""The data of a category for page and card: its images, their labels and statistics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..models.rows import Category
from ..reasons import Status
from ..results.reader import CategoryContents, ImageRecord
from ..results.statistics import Summary
from .category_stats import CategoryStats, GalleryImage


@dataclass(frozen=True)
class CategoryPage:
    """A category with its images; boxes refer to `labels` by index."""

    stats: CategoryStats
    images: list[GalleryImage]
    labels: list[str]

    @classmethod
    def from_folder(cls, contents: CategoryContents) -> CategoryPage:
        """Create the page of a category that was read from its folder."""
        indices: dict[str, int] = {}
        images = [_image(record, indices) for record in contents.images]
        return cls._of(contents.category, contents.summary, images, list(indices))

    @classmethod
    def from_record(cls, category: Category, record: dict[str, Any]) -> CategoryPage:
        """Restore the page of a category from `record`."""
        summary = Summary(category.folder, category.code)
        summary.statuses = Counter({Status(word): count for word, count in record["statuses"].items()})
        summary.reasons = Counter(record["reasons"])
        images = [GalleryImage(*image) for image in record["images"]]
        return cls._of(category, summary, images, record["labels"])

    @classmethod
    def _of(
        cls, category: Category, summary: Summary, images: list[GalleryImage], labels: list[str]
    ) -> CategoryPage:
        return cls(CategoryStats.of(category, summary, images=images, labels=labels), images, labels)

    def record(self) -> dict[str, Any]:
        """Return the data that `from_record` needs, for JSON."""
        summary = self.stats.summary
        return {
            "statuses": summary.statuses,
            "reasons": summary.reasons,
            "labels": self.labels,
            "images": self.images,
        }


def url_quoted(name: str) -> str:
    """Percent-encode the name of a file or folder, which need not be valid UTF-8."""
    return quote(name, safe="", errors="surrogateescape")


def _image(record: ImageRecord, indices: dict[str, int]) -> GalleryImage:
    boxes: list[int] = []
    for box in record.annotation.boxes if record.annotation else ():
        label = indices.setdefault(box.label, len(indices))
        boxes += (label, box.xmin, box.ymin, box.xmax, box.ymax)
    picture = record.picture
    return GalleryImage(
        file=url_quoted(record.path.name),
        width=picture.width,
        height=picture.height,
        bytes=picture.bytes,
        url=record.url,
        boxes=boxes,
        sha256=picture.sha256,
    )
