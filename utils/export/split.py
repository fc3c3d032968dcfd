"""The split into training and validation images.

Near-duplicates (images with the same bytes, or similar hashes) form a group, and a group is never divided.
These rules apply in this order:

1. With fraction 0 all images are for training.
2. Official validation images of ILSVRC are for validation, and with them all images that look like them.
3. A group stays on the side of its images in earlier exports with the same seed. If a new image joins groups
   of both sides, they are for validation.
4. Of the other groups of each class, those with the lowest digests of seed and group are for validation, up
   to the fraction of its images.
5. A class with several groups, but none on a side, moves its smallest group there, if that is new.

Classes of images and classes of boxes count separately, so the classes of a detector are on both sides, too.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ..urls import VALIDATION_PREFIX
from .dataset import Split
from .fingerprints import ImageHash
from .near_duplicates import representatives

_IN_VALIDATION = re.compile(r"(?!https?:)[^#]*#(?:.*[/_-])?val(?:idation)?[/_-].*", re.IGNORECASE | re.DOTALL)
"""Images in a copy's folder or file of validation images, e.g. `imagenette2#val/n01440764/...`."""


@dataclass(frozen=True)
class SplitImage:
    """An image to assign.

    Attributes
    ----------
    sha256
        Checksum of its bytes.
    image_code
        ImageNet's name of the image.
    label
        Its class.
    box_labels
        The classes of its boxes.
    url
        As in the report.
    """

    sha256: str
    image_code: str
    label: str
    box_labels: frozenset[str] = frozenset()
    url: str = ""


def groups(hashes: Mapping[str, ImageHash]) -> dict[str, str]:
    """Find the representative of each image's group, which is the image that was seen first.

    Parameters
    ----------
    hashes
        By checksum, in the order first seen.

    Returns
    -------
    dict of str to str
        Checksum of the representative, by the checksum of each image.
    """
    checksums = list(hashes)
    first = representatives([one.hash for one in hashes.values()])
    return {checksum: checksums[index] for checksum, index in zip(checksums, first, strict=True)}


def assign(
    images: Iterable[SplitImage],
    group_of: Mapping[str, str],
    recorded: Mapping[str, Split],
    *,
    val_fraction: float,
    seed: int,
) -> dict[str, Split]:
    """Assign the images to the sides of a split.

    Parameters
    ----------
    group_of
        The result of `groups`, for these and other images.
    recorded
        The sides of images in earlier exports, by checksum.

    Returns
    -------
    dict of str to Split
        The side of each image, by its checksum.
    """
    members: dict[str, list[SplitImage]] = defaultdict(list)
    for image in images:
        members[group_of[image.sha256]].append(image)
    if val_fraction:
        sides = _fixed_sides(members, group_of, recorded)
        free = sorted(members.keys() - sides.keys(), key=lambda group: _digest(group, seed))
        sides |= _by_fraction(members, sides, free, recorded, val_fraction)
        _put_classes_on_both_sides(sides, free, members)
    else:
        sides = dict.fromkeys(members, Split.TRAIN)
    return {image.sha256: sides[group] for group, of_group in members.items() for image in of_group}


def _digest(group: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {group}".encode()).digest()


def _is_official(image: SplitImage) -> bool:
    return image.image_code.startswith(VALIDATION_PREFIX) or bool(_IN_VALIDATION.fullmatch(image.url))


def _fixed_sides(
    members: Mapping[str, Sequence[SplitImage]], group_of: Mapping[str, str], recorded: Mapping[str, Split]
) -> dict[str, Split]:
    """Return the sides of groups with images that are recorded, whether exported now or not, or official."""
    known = [(group_of[checksum], side) for checksum, side in recorded.items() if checksum in group_of]
    known += [(group, Split.VAL) for group, images in members.items() if any(map(_is_official, images))]
    for_validation = {group for group, side in known if side is Split.VAL}
    return {
        group: Split.VAL if group in for_validation else Split.TRAIN
        for group in {group for group, _ in known} & members.keys()
    }


def _by_fraction(
    members: Mapping[str, Sequence[SplitImage]],
    fixed: Mapping[str, Split],
    free: Sequence[str],
    recorded: Mapping[str, Split],
    val_fraction: float,
) -> dict[str, Split]:
    """Divide the free groups of each class, so that the fraction of its new images is for validation.

    Images with and without boxes are divided separately. New images in fixed groups count, too.
    """
    total, for_validation = Counter[tuple[str, bool]](), Counter[tuple[str, bool]]()
    strata = {group: _stratum(images) for group, images in members.items()}
    for group, images in members.items():
        new = sum(image.sha256 not in recorded for image in images)
        total[strata[group]] += new
        for_validation[strata[group]] += new if fixed.get(group) is Split.VAL else 0
    sides = {}
    for group in free:
        stratum, size = strata[group], len(members[group])
        fits = for_validation[stratum] + size / 2 <= val_fraction * total[stratum]
        for_validation[stratum] += size if fits else 0
        sides[group] = Split.VAL if fits else Split.TRAIN
    return sides


def _stratum(images: Sequence[SplitImage]) -> tuple[str, bool]:
    """Return the most frequent class of a group, and whether most of its images have boxes."""
    counts = Counter((image.label, bool(image.box_labels)) for image in images)
    return min(counts, key=lambda one: (-counts[one], one))


def _put_classes_on_both_sides(
    sides: dict[str, Split], free: Sequence[str], members: Mapping[str, Sequence[SplitImage]]
) -> None:
    """Move a new group of each class that is on one side only, unless another class would leave a side."""
    classes: dict[tuple[str, str], list[str]] = defaultdict(list)
    counts = Counter[tuple[tuple[str, str], Split]]()
    for group, side in sides.items():
        for one in _classes(members[group]):
            classes[one].append(group)
            counts[one, side] += 1
    rank = {group: (len(members[group]), place) for place, group in enumerate(free)}

    def is_movable(group: str) -> bool:
        others = _classes(members[group])
        return group in rank and all(
            counts[one, sides[group]] > 1 or len(classes[one]) == 1 for one in others
        )

    ordered = sorted(classes, key=lambda one: (len(classes[one]), one))
    for one, side in product(ordered, Split):
        if len(classes[one]) > 1 and not counts[one, side]:
            smallest = min(filter(is_movable, classes[one]), key=rank.__getitem__, default=None)
            if smallest is not None:
                for moved in _classes(members[smallest]):
                    counts[moved, sides[smallest]] -= 1
                    counts[moved, side] += 1
                sides[smallest] = side


def _classes(images: Iterable[SplitImage]) -> set[tuple[str, str]]:
    """Return the classes of images and of their boxes, each with its kind."""
    found = {("image", image.label) for image in images}
    return found | {("box", label) for image in images for label in image.box_labels}
