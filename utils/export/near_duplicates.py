"""Groups of near-duplicates: images with similar perceptual hashes.

Two hashes that differ in at most 8 of their 63 bits are equal in at least one of 9 bands of 7 bits. So only
hashes that are equal in a band are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .fingerprints import MAX_DISTANCE

BANDS, BAND_BITS = MAX_DISTANCE + 1, 7
CHUNK = 1 << 20
"""Pairs compared at once; they fit into the cache of a processor."""

_Hashes = NDArray[np.uint64]
_Indices = NDArray[np.intp]


def representatives(hashes: Sequence[int | None]) -> list[int]:
    """Group hashes that are similar, directly or through other hashes between them.

    Parameters
    ----------
    hashes
        None is similar to no hash.

    Returns
    -------
    list of int
        For each hash the index of the first hash of its group.
    """
    present = [(index, one) for index, one in enumerate(hashes) if one is not None]
    known = np.array([index for index, _ in present], dtype=np.intp)
    values = np.array([one for _, one in present], dtype=np.uint64)
    result = np.arange(len(hashes), dtype=np.intp)
    if len(values):
        unique, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        order = np.argsort(first)  # by first appearance, so that the smallest index of a group is its first
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        root = _group_roots(unique[order])
        result[known] = known[first[order][root[rank[inverse]]]]
    return [int(index) for index in result]


def nearest(hashes: Sequence[int], references: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Find the most similar reference of each hash that is similar to one.

    Returns
    -------
    dict of int to tuple
        By the index of the hash: the index of the reference, and the bits in which they differ.
    """
    ours, theirs = np.array(hashes, dtype=np.uint64), np.array(references, dtype=np.uint64)
    found: dict[int, tuple[int, int]] = {}
    rows = max(1, CHUNK // max(1, len(theirs)))
    for start in range(0, len(ours) if len(theirs) else 0, rows):
        distances = np.bitwise_count(ours[start : start + rows, None] ^ theirs[None])
        closest = distances.argmin(axis=1)
        bits = distances[np.arange(len(closest)), closest]
        for row in np.flatnonzero(bits <= MAX_DISTANCE):
            found[start + int(row)] = int(closest[row]), int(bits[row])
    return found


def _group_roots(unique: _Hashes) -> _Indices:
    """Find for each of several different hashes the index of the first of its group."""
    root = np.arange(len(unique), dtype=np.intp)
    for band in range(BANDS):
        for bucket in _buckets(unique, band):
            _join_similar(root, unique, bucket)
    return root


def _buckets(unique: _Hashes, band: int) -> Iterator[_Indices]:
    """Yield the indices of hashes that are equal in a band."""
    keys = (unique >> np.uint64(band * BAND_BITS)) & np.uint64((1 << BAND_BITS) - 1)
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    yield from np.split(order, edges)


def _join_similar(root: _Indices, unique: _Hashes, bucket: _Indices) -> None:
    start = 0
    while start < len(bucket) - 1:
        rest = bucket[start:]
        if (root[rest] == root[rest[0]]).all():  # all are in one group already
            return
        rows = rest[: max(1, CHUNK // len(rest))]
        similar = np.bitwise_count(unique[rows, None] ^ unique[None, rest]) <= MAX_DISTANCE
        if np.count_nonzero(similar) > len(rows):  # each is similar to itself
            similar &= root[rows, None] != root[None, rest]
            first, second = np.nonzero(similar)
            _join(root, rows[first], rest[second])
        start += len(rows)


def _join(root: _Indices, first: _Indices, second: _Indices) -> None:
    """Merge the groups of each pair in `root`, which contains the first index of each group."""
    while (apart := root[first] != root[second]).any():
        low, high = np.sort([root[first][apart], root[second][apart]], axis=0)
        np.minimum.at(root, high, low)
        while (root[root] != root).any():
            root[:] = root[root]
