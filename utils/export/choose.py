"""Chooses which images an export contains: one of near-duplicates, and a number of each class."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from .dataset import Item, Split


def one_of_each_group(items: Sequence[Item], group_of: Mapping[str, str]) -> list[Item]:
    """Keep one image of each group of near-duplicates: the largest of those with boxes, if any has some.

    An image in the folders of several categories keeps all its items.

    Parameters
    ----------
    group_of
        The group of each image by its checksum.
    """

    def rank(item: Item) -> tuple[bool, int, int]:
        picture = item.record.picture
        return bool(item.boxes), picture.width * picture.height, picture.bytes

    best: dict[str, Item] = {}
    for item in items:
        group = group_of[item.picture.sha256]
        if group not in best or rank(item) > rank(best[group]):
            best[group] = item
    chosen = {one.image_key for one in best.values()}
    return [item for item in items if item.image_key in chosen]


def per_class(items: Sequence[Item], number: int, *, boxed_first: bool) -> list[Item]:
    """Choose at most `number` images of each class, evenly from its categories.

    The choice depends only on the content of the images. The choice for a number contains that for a smaller
    one, and from 2 on it has images of both splits, if the class has.
    """
    by_class: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_class[item.label].append(item)
    chosen = {
        id(item)
        for of_class in by_class.values()
        for item in list(_in_order(of_class, boxed_first=boxed_first))[:number]
    }
    return [item for item in items if id(item) in chosen]


def _in_order(items: Sequence[Item], *, boxed_first: bool) -> Iterator[Item]:
    """Yield the images of a class in the order in which they are chosen."""
    with_boxes = [item for item in items if item.boxes or not boxed_first]
    without_boxes = [item for item in items if not (item.boxes or not boxed_first)]
    ordered = [*_alternate_categories(with_boxes), *_alternate_categories(without_boxes)]
    first = [next((item for item in ordered if item.split is split), None) for split in Split]
    yield from filter(None, first)
    yield from (item for item in ordered if not any(item is one for one in first))


def _alternate_categories(items: Iterable[Item]) -> Iterator[Item]:
    """Yield an image of each category in turn; those of a category in the order of digests."""
    by_category: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_category[item.wnid].append(item)
    columns = (sorted(by_category[wnid], key=_digest) for wnid in sorted(by_category))
    return filter(None, chain.from_iterable(zip_longest(*columns)))


def _digest(item: Item) -> bytes:
    # Not the digest of the split, so that the choice does not favour a side.
    return hashlib.sha256(f"per_class {item.picture.sha256}".encode()).digest()
