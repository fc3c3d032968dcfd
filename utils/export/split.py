"""The split into training and validation images, which depends only on the content of images.

Near-duplicates (images with the same bytes, or similar hashes) form a group, and a group is never divided.
The representative of a group is the image that was first seen of all its members (see `image_hash`). The
SHA-256 of the seed and the representative's checksum is scaled to a number from 0 to 1; the group is for
validation if the number is below `val_fraction`. So:

* New images never move existing ones to the other split, except if they join two groups.
* Groups include all images ever seen, so an image is in the same split in every export.
* Another seed gives another split, and a larger fraction only adds groups to the validation split.
* Nothing is counted: a class of five images may have none for validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .dataset import Split
from .image_hash import ImageHash
from .near_duplicates import representatives


def groups(hashes: Mapping[str, ImageHash]) -> dict[str, str]:
    """Find the representative of each image's group.

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


def assign(representative: str, *, val_fraction: float, seed: int) -> Split:
    """Choose the split of a group."""
    digest = hashlib.sha256(f"{seed} {representative}".encode()).digest()
    return Split.VAL if int.from_bytes(digest[:8], "big") / 2**64 < val_fraction else Split.TRAIN
