"""The split: near-duplicates stay together, and new images move none."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.export.export_project import ExportProject, draw, splits, stored
from utils.export import image_hash, near_duplicates
from utils.export.dataset import Split
from utils.export.split import assign
from utils.models.images import ImageFormat

RED, BLUE = "n00000001", "n00000002"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make an empty folder with two categories."""
    return ExportProject(tmp_path, {RED: "red", BLUE: "sky blue"})


def fill(project: ExportProject, numbers: range, code: str = RED) -> None:
    """Add images that all look different."""
    for number in numbers:
        project.add(code, f"{code}_{number}", stored(draw(number, (32, 32)), ImageFormat.JPEG, quality=50))


def test_fraction() -> None:
    """With fraction 0.1 about 100 of 1,000 groups are for validation; a larger fraction only adds groups."""
    names = [f"{number:064x}" for number in range(1_000)]
    split = [assign(name, val_fraction=0.1, seed=0) for name in names]
    assert 70 <= split.count(Split.VAL) <= 130
    assert [assign(name, val_fraction=0.1, seed=1) for name in names] != split
    assert {assign(name, val_fraction=0.0, seed=0) for name in names} == {Split.TRAIN}
    more = [assign(name, val_fraction=0.2, seed=0) for name in names]
    assert all(after is Split.VAL for before, after in zip(split, more, strict=True) if before is Split.VAL)


def test_new_images_never_move_existing_ones(project: ExportProject) -> None:
    """After another download, of any category, every image is in the same split."""
    fill(project, range(40))
    before = splits(project.dataset(val_fraction=0.5))
    assert {"train", "val"} == set(before.values())
    fill(project, range(40, 80))
    fill(project, range(80, 120), BLUE)
    after = splits(project.dataset(val_fraction=0.5))
    assert {code: after[code] for code in before} == before
    assert splits(project.dataset(val_fraction=0.5, seed=1)) != after


def test_split_does_not_depend_on_the_selection(project: ExportProject) -> None:
    """An image is in the same split whichever categories are exported."""
    fill(project, range(20))
    fill(project, range(20, 40), BLUE)
    together = splits(project.dataset(val_fraction=0.5))
    (project.path / "partial_imagenet" / "red").rename(project.path / "elsewhere")
    alone = splits(project.dataset(val_fraction=0.5))
    assert alone == {code: place for code, place in together.items() if code in alone}


COPIES = {
    "the same bytes": lambda image: stored(image),
    "half the size": lambda image: stored(image.resize((image.width // 2, image.height // 2))),
    "recompressed": lambda image: stored(image, quality=30),
    "another format": lambda image: stored(image, ImageFormat.PNG),
    "one percent cut off": lambda image: stored(
        image.crop((4, 3, image.width - 4, image.height - 3)), quality=80
    ),
}


@pytest.mark.parametrize("how", COPIES)
def test_near_duplicates_are_in_one_split(project: ExportProject, how: str) -> None:
    """An image and its copy are in the same split, under any category and name."""
    kind = ImageFormat.PNG if how == "another format" else ImageFormat.JPEG
    for number in range(20):
        image = draw(number, (400, 300))
        project.add(RED, f"{RED}_{number}", stored(image))
        project.add(BLUE, f"{BLUE}_{number}", COPIES[how](image), kind=kind)
    split = splits(project.dataset(val_fraction=0.5))
    assert all(split[f"{RED}_{number}"] == split[f"{BLUE}_{number}"] for number in range(20))
    assert set(split.values()) == {"train", "val"}


def test_flat_images_have_no_hash() -> None:
    """Images of one colour are near-duplicates of none."""
    for colour in ("white", "black", "#808080"):
        assert image_hash.compute(stored(Image.new("RGB", (200, 100), colour))).hash is None
    assert image_hash.compute(stored(draw(0))).hash is not None


def test_invalid_images_have_no_hash() -> None:
    """Bytes that Pillow cannot decode have no hash, and raise nothing."""
    assert image_hash.compute(b"no image").hash is None
    assert image_hash.compute(stored(draw(0))[:100]).hash is None


def brute_force(hashes: list[int | None]) -> list[int]:
    """Group hashes by comparing each with each."""
    first = list(range(len(hashes)))
    for one, value in enumerate(hashes):
        for other in range(one):
            before = hashes[other]
            if (
                value is not None
                and before is not None
                and (value ^ before).bit_count() <= near_duplicates.MAX_DISTANCE
            ):
                low, high = sorted((first[one], first[other]))
                first = [low if place == high else place for place in first]
    return first


@pytest.mark.parametrize("flips", [0, 2, 4, 6, 9])
def test_groups_equal_those_of_brute_force(flips: int) -> None:
    """Comparing only hashes that are equal in a band finds all groups, including chains."""
    dice = random.Random(flips)
    centres = [dice.getrandbits(63) for _ in range(30)]
    hashes: list[int | None] = []
    for _ in range(300):
        value = dice.choice(centres)
        for _ in range(flips):
            value ^= 1 << dice.randrange(63)
        hashes.append(dice.choice([value] * 9 + [None]))
    assert near_duplicates.representatives(hashes) == brute_force(hashes)


def test_no_hashes() -> None:
    """Without hashes there are no groups."""
    assert near_duplicates.representatives([]) == []
    assert near_duplicates.representatives([None, None]) == [0, 1]


def test_one_large_group() -> None:
    """Twenty thousand similar hashes form one group."""
    dice = np.random.default_rng(0)
    hashes = [int(value) for value in dice.integers(0, 2**12, 20_000)]
    assert set(near_duplicates.representatives(hashes)) == {0}


def test_cache(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image is hashed once; incomplete and foreign lines of the cache are ignored."""
    fill(project, range(10))
    before = splits(project.dataset(val_fraction=0.5))
    cache = project.path / "partial_imagenet" / ".fingerprints.csv"
    whole = cache.read_bytes()
    cache.write_bytes(whole[:-30])
    assert len(image_hash.read(cache)) == 9
    assert splits(project.dataset(val_fraction=0.5)) == before
    cache.write_bytes(b"\xff\0garbage\n" + whole + b"\n,,\n")
    monkeypatch.setattr(image_hash, "compute", None)  # fails if called
    assert splits(project.dataset(val_fraction=0.5)) == before
    assert list(image_hash.read(cache)) == [line[:64].decode() for line in whole.splitlines()[1:]]


def test_cache_with_windows_line_ends(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache with changed line ends is still valid."""
    fill(project, range(10))
    before = splits(project.dataset(val_fraction=0.5))
    cache = project.path / "partial_imagenet" / ".fingerprints.csv"
    cache.write_bytes(cache.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(image_hash, "compute", None)  # fails if called
    assert splits(project.dataset(val_fraction=0.5)) == before


def test_cache_is_only_appended_to(project: ExportProject) -> None:
    """Lines are never moved or rewritten, so the representative of a group never changes."""
    cache = project.path / "partial_imagenet" / ".fingerprints.csv"
    fill(project, range(5, 8), BLUE)
    project.dataset()
    first = cache.read_bytes()
    fill(project, range(5))
    project.dataset()
    assert cache.read_bytes().startswith(first)
    assert cache.read_bytes().count(b"\n") == 1 + 8
