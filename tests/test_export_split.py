"""The split: near-duplicates stay together, and nothing moves because of what comes later."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.export_project import ExportProject, draw, sides, stored
from utils.export import hash_cache, near_duplicates, pixels
from utils.export.dataset import Split
from utils.export.split import side
from utils.models.images import ImageFormat

RED, BLUE = "n00000001", "n00000002"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Give an empty folder with two categories."""
    return ExportProject(tmp_path, {RED: "red", BLUE: "sky blue"})


def fill(project: ExportProject, numbers: range, code: str = RED) -> None:
    """Let images stand that all look different."""
    for number in numbers:
        project.add(code, f"{code}_{number}", stored(draw(number, (32, 32)), ImageFormat.JPEG, quality=50))


def test_a_tenth_is_for_validation() -> None:
    """Of 1,000 groups about 100 are for validation; of none with fraction 0; other ones with another seed."""
    names = [f"{number:064x}" for number in range(1_000)]
    split = [side(name, val_fraction=0.1, seed=0) for name in names]
    assert 70 <= split.count(Split.VAL) <= 130
    assert [side(name, val_fraction=0.1, seed=1) for name in names] != split
    assert {side(name, val_fraction=0.0, seed=0) for name in names} == {Split.TRAIN}
    more = [side(name, val_fraction=0.2, seed=0) for name in names]
    assert all(after is Split.VAL for before, after in zip(split, more, strict=True) if before is Split.VAL)


def test_images_that_come_later_move_none(project: ExportProject) -> None:
    """Another download, of whatever category, leaves every image on its side."""
    fill(project, range(40))
    before = sides(project.gather(val_fraction=0.5))
    assert {"train", "val"} == set(before.values())
    fill(project, range(40, 80))
    fill(project, range(80, 120), BLUE)
    after = sides(project.gather(val_fraction=0.5))
    assert {code: after[code] for code in before} == before
    assert sides(project.gather(val_fraction=0.5, seed=1)) != after


def test_a_selection_has_the_same_split(project: ExportProject) -> None:
    """An image is on the same side whichever categories are exported: groups know all images ever seen."""
    fill(project, range(20))
    fill(project, range(20, 40), BLUE)
    together = sides(project.gather(val_fraction=0.5))
    (project.path / "partial_imagenet" / "red").rename(project.path / "elsewhere")
    alone = sides(project.gather(val_fraction=0.5))
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
def test_copies_are_on_one_side(project: ExportProject, how: str) -> None:
    """A picture and its copy, under whatever category and name, are never on both sides."""
    kind = ImageFormat.PNG if how == "another format" else ImageFormat.JPEG
    for number in range(20):
        image = draw(number, (400, 300))
        project.add(RED, f"{RED}_{number}", stored(image))
        project.add(BLUE, f"{BLUE}_{number}", COPIES[how](image), kind=kind)
    split = sides(project.gather(val_fraction=0.5))
    assert all(split[f"{RED}_{number}"] == split[f"{BLUE}_{number}"] for number in range(20))
    assert set(split.values()) == {"train", "val"}


def test_flat_pictures_are_like_no_other() -> None:
    """A picture with nothing on it has no hash, so that plain ones of a hundred sorts are no group."""
    for colour in ("white", "black", "#808080"):
        assert pixels.look(stored(Image.new("RGB", (200, 100), colour))).hash is None
    assert pixels.look(stored(draw(0))).hash is not None


def test_what_cannot_be_decoded_is_like_no_other() -> None:
    """Bytes that Pillow makes nothing of cost no more than their hash."""
    assert pixels.look(b"no image").hash is None
    assert pixels.look(stored(draw(0))[:100]).hash is None


def brute_force(hashes: list[int | None]) -> list[int]:
    """Put hashes into groups by comparing each with each."""
    first = list(range(len(hashes)))
    for one, value in enumerate(hashes):
        for other in range(one):
            before = hashes[other]
            if (
                value is not None
                and before is not None
                and (value ^ before).bit_count() <= near_duplicates.REACH
            ):
                low, high = sorted((first[one], first[other]))
                first = [low if place == high else place for place in first]
    return first


@pytest.mark.parametrize("flips", [0, 2, 4, 6, 9])
def test_groups_are_those_of_comparing_each_with_each(flips: int) -> None:
    """Comparing only hashes that share a band finds all groups, chains as well; None is in none."""
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
    """Nothing, and nothing but flat pictures, make no groups."""
    assert near_duplicates.representatives([]) == []
    assert near_duplicates.representatives([None, None]) == [0, 1]


def test_a_heap_of_hashes_takes_no_time() -> None:
    """Thousands of hashes in one great heap are joined without comparing each with each in every band."""
    dice = np.random.default_rng(0)
    hashes = [int(value) for value in dice.integers(0, 2**12, 20_000)]
    assert set(near_duplicates.representatives(hashes)) == {0}


def test_looks_are_remembered(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at once is not decoded again; torn and foreign lines count as nothing."""
    fill(project, range(10))
    before = sides(project.gather(val_fraction=0.5))
    memory = project.path / "partial_imagenet" / ".fingerprints.csv"
    whole = memory.read_bytes()
    memory.write_bytes(whole[:-30])
    assert len(hash_cache.read(memory)) == 9
    assert sides(project.gather(val_fraction=0.5)) == before
    memory.write_bytes(b"\xff\0garbage\n" + whole + b"\n,,\n")
    monkeypatch.setattr(hash_cache, "look", None)  # whoever looked would stumble
    assert sides(project.gather(val_fraction=0.5)) == before
    assert list(hash_cache.read(memory)) == [line[:64].decode() for line in whole.splitlines()[1:]]


def test_memory_with_line_ends_of_windows(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line ends that an editor or a file share has changed make nothing forgotten."""
    fill(project, range(10))
    before = sides(project.gather(val_fraction=0.5))
    memory = project.path / "partial_imagenet" / ".fingerprints.csv"
    memory.write_bytes(memory.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(hash_cache, "look", None)  # whoever looked would stumble
    assert sides(project.gather(val_fraction=0.5)) == before


def test_memory_is_in_the_order_first_seen(project: ExportProject) -> None:
    """A line is never moved or written again: the first image of a group speaks for it for ever."""
    memory = project.path / "partial_imagenet" / ".fingerprints.csv"
    fill(project, range(5, 8), BLUE)
    project.gather()
    first = memory.read_bytes()
    fill(project, range(5))
    project.gather()
    assert memory.read_bytes().startswith(first)
    assert memory.read_bytes().count(b"\n") == 1 + 8
