"""Gathers what is exported: images that stand, on their sides, with boxes that fit and labels as wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..annotations import geometry
from ..models.images import Box
from ..models.settings import Settings
from ..results.reader import Collected, ImageRecord
from . import hash_cache, split
from .dataset import Dataset, Item, Split
from .pixels import ImageHash

CODE = "code"
"""The word of `--labels` for wnids."""


@dataclass(frozen=True)
class _Gatherer:
    """Makes items of samples: what is known of all images, and of all categories by their folders."""

    settings: Settings
    codes: Mapping[str, str]
    known: Mapping[str, ImageHash]
    groups: Mapping[str, str]

    def item(self, sample: ImageRecord) -> Item:
        sha256 = sample.picture.sha256
        return Item(
            sample=sample,
            wnid=self.codes.get(sample.folder, sample.folder),
            label=self._label(sample.folder),
            side=self._side(self.groups[sha256]),
            boxes=self._boxes(sample),
            is_turned=self.known[sha256].is_turned,
        )

    def _side(self, representative: str) -> Split:
        settings = self.settings
        return split.side(representative, val_fraction=settings.val_fraction, seed=settings.seed)

    def _boxes(self, sample: ImageRecord) -> tuple[Box, ...]:
        """Fit the boxes once more: an XML may have been edited since."""
        if sample.annotation is None:
            return ()
        fitted = geometry.fit(sample.annotation, sample.picture).annotation
        return tuple(replace(box, label=self._label(box.label)) for box in fitted.boxes) if fitted else ()

    def _label(self, folder: str) -> str:
        return self.codes.get(folder, folder) if self.settings.labels == CODE else folder


def gather(
    collected: Iterable[Collected],
    codes: Mapping[str, str],
    settings: Settings,
    *,
    memory: Path,
    tell: Callable[[str], None],
) -> Dataset:
    """Gather what is exported.

    Parameters
    ----------
    codes
        The wnid of every category, by its folder.
    memory
        Where fingerprints are remembered.
    tell
        Told why categories are left out, and what takes long.

    Raises
    ------
    DiskError, FolderError
        If an image cannot be read, or nothing can be remembered.
    """
    samples = list(_samples(collected, tell))
    paths = {sample.picture.sha256: sample.path for sample in reversed(samples)}
    known = hash_cache.complete(memory, dict(reversed(paths.items())), tell)
    groups = split.groups(known)
    gatherer = _Gatherer(settings, codes, known, groups)
    items = tuple(gatherer.item(sample) for sample in samples)
    sizes = Counter(groups[sample.picture.sha256] for sample in samples)
    return Dataset(
        items=items,
        detection=_for_detection(items, unannotated=settings.export_unannotated),
        labels=_labels(items),
        largest_group=max(sizes.values(), default=0),
    )


def _samples(collected: Iterable[Collected], tell: Callable[[str], None]) -> Iterator[ImageRecord]:
    for one in collected:
        if one.fault:
            tell(f"{one.fault} It is left out of the export.")
        yield from one.samples


def _for_detection(items: Iterable[Item], *, unannotated: bool) -> tuple[Item, ...]:
    """Let an image that several categories have stand once: what only one of them boxed is in all of them.

    Copies of a picture under other image codes stay: each has been annotated by itself.
    """
    merged: dict[tuple[str, str], Item] = {}
    for item in items:
        key = item.sample.image_code, item.sample.picture.sha256
        before = merged.get(key)
        both = dict.fromkeys([*(before.boxes if before else ()), *item.boxes])
        merged[key] = replace(before or item, boxes=tuple(both))
    return tuple(item for item in merged.values() if item.boxes or unannotated)


def _labels(items: Iterable[Item]) -> tuple[str, ...]:
    classes = sorted({item.label for item in items})
    others = {box.label for item in items for box in item.boxes} - set(classes)
    return (*classes, *sorted(others))
