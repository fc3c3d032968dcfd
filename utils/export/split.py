"""Which images are for training, which for validation: decided by what they look like, never by their place.

Images with the same bytes, or with hashes that are near each other (see `near`), are a group, and a group
stays together. Its side is decided by its representative, the member that was first seen of all (see
`fingerprints`): the sha-256 of the seed and the representative's own is taken for a number from 0 to 1, and
the group is for validation if that is below `val_fraction`. So

* images that come later move none that was there, unless one of them makes one group of two;
* groups are made of all images ever seen, so that an image is on the same side in every export;
* another seed is another split, and a larger fraction takes further groups without giving any back;
* nothing is counted: a class of five images may have none for validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .dataset import Split
from .near_duplicates import representatives
from .pixels import ImageHash


def groups(known: Mapping[str, ImageHash]) -> dict[str, str]:
    """Give for every image the representative of its group, both by sha256.

    Parameters
    ----------
    known
        In the order first seen.
    """
    names = list(known)
    first = representatives([seen.hash for seen in known.values()])
    return {name: names[place] for name, place in zip(names, first, strict=True)}


def side(representative: str, *, val_fraction: float, seed: int) -> Split:
    """Say on which side a group is."""
    digest = hashlib.sha256(f"{seed} {representative}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return Split.VAL if share < val_fraction else Split.TRAIN
