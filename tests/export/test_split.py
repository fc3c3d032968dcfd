"""The split: near-duplicates stay together, and new images move none."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import pictures
from tests.export.export_project import ExportProject, draw, splits, stored
from utils.export import fingerprints, image_hash, near_duplicates
from utils.export.dataset import Split
from utils.export.split import SplitImage, assign
from utils.images import decoding
from utils.images.validation import validate
from utils.models.images import ImageFormat, Picture

RED, BLUE = "n00000001", "n00000002"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make an empty folder with two categories."""
    return ExportProject(tmp_path, {RED: "red", BLUE: "sky blue"})


def fill(project: ExportProject, numbers: range, code: str = RED) -> None:
    """Add images that all look different."""
    for number in numbers:
        project.add(code, f"{code}_{number}", stored(draw(number, (32, 32)), ImageFormat.JPEG, quality=50))


def assigned(
    classes: dict[str, str], *, recorded: dict[str, Split] | None = None, fraction: float = 0.1, seed: int = 0
) -> dict[str, Split]:
    """Assign images, given as classes by checksums; images whose checksums begin alike form a group."""
    images = [SplitImage(name, name, label) for name, label in classes.items()]
    first: dict[str, str] = {}
    known = [*(recorded or {}), *classes]
    group_of = {name: first.setdefault(name.partition("~")[0], name) for name in known}
    return assign(images, group_of, recorded or {}, val_fraction=fraction, seed=seed)


def validation(sides: dict[str, Split]) -> set[str]:
    """Return the images for validation."""
    return {name for name, side in sides.items() if side is Split.VAL}


def test_fraction() -> None:
    """Each class has the fraction of its images in validation; a larger fraction only adds images."""
    classes = {f"{label}{number}": label for label in "ab" for number in range(100)}
    sides = validation(assigned(classes))
    assert [sum(name[0] == label for name in sides) for label in "ab"] == [10, 10]
    assert validation(assigned(classes, seed=1)) != sides
    assert sides < validation(assigned(classes, fraction=0.2))
    assert validation(assigned(classes, fraction=0.0)) == set()


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_small_classes_are_on_both_sides(size: int, fraction: float) -> None:
    """A class of two images has one on each side, whatever the fraction is."""
    classes = {f"{label}{number}": label for label in "abc" for number in range(size)}
    sides = assigned(classes, fraction=fraction)
    for label in "abc":
        present = {side for name, side in sides.items() if name[0] == label}
        assert len(present) == min(2, size)


def test_smallest_group_changes_sides() -> None:
    """If a class has no images on a side, its smallest group is moved there."""
    groups = {"many": 8, "some": 4, "few": 2}
    classes = {f"{name}~{number}": "a" for name, size in groups.items() for number in range(size)}
    for seed in range(10):
        assert {name[:3] for name in validation(assigned(classes, fraction=0.01, seed=seed))} == {"few"}
        assert {name[:3] for name in validation(assigned(classes, fraction=0.99, seed=seed))} == {
            "man",
            "som",
        }


def test_group_of_two_classes_is_not_taken_from_either() -> None:
    """A group is not moved if another class would have no images on its side."""
    classes = {"both~1": "a", "both~2": "b", "a1": "a", "b1": "b", "b2": "b"}
    for seed in range(20):
        sides = assigned(classes, seed=seed)
        for label in "ab":
            assert {side for name, side in sides.items() if classes[name] == label} == set(Split)


def test_classes_of_boxes_are_on_both_sides() -> None:
    """Of a class with few boxed images among many, some are in validation."""
    for seed in range(10):
        images = [
            SplitImage(f"{number}", "", "a", frozenset(["box"] if number < 4 else []))
            for number in range(100)
        ]
        group_of = {image.sha256: image.sha256 for image in images}
        sides = assign(images, group_of, {}, val_fraction=0.1, seed=seed)
        assert {sides[f"{number}"] for number in range(4)} == set(Split)
        assert 9 <= len(validation(sides)) <= 11


def test_recorded_images_stay() -> None:
    """Images stay where they were, even if a class is on one side only; new images fill the other side."""
    recorded = {f"old{number}": Split.TRAIN for number in range(10)}
    classes = dict.fromkeys(recorded, "a")
    assert assigned(classes, recorded=recorded, fraction=0.5) == recorded
    more = assigned(classes | {"new": "a"}, recorded=recorded, fraction=0.01)
    assert more == recorded | {"new": Split.VAL}
    many = classes | {f"new{number}": "a" for number in range(10)}
    assert len(validation(assigned(many, recorded=recorded, fraction=0.5))) == 5


def test_new_image_joins_the_side_of_its_group() -> None:
    """An image that looks like a recorded one is on its side; if it joins both sides, all are validation."""
    recorded = {"train~0": Split.TRAIN, "val~0": Split.VAL}
    for fraction in (0.01, 0.99):
        classes = {"train~1": "a", "val~1": "a", "train~0": "a"}  # the other is not exported this time
        sides = assigned(classes, recorded=recorded, fraction=fraction)
        assert validation(sides) == {"val~1"}
    joined = {"one~0": Split.TRAIN, "one~1": Split.VAL}
    sides = assigned(dict.fromkeys([*joined, "one~2", "b"], "a"), recorded=joined, fraction=0.01)
    assert validation(sides) == {"one~0", "one~1", "one~2"}


def test_official_validation_images() -> None:
    """They and their near-duplicates are validation, and count towards the fraction."""
    official = [SplitImage(f"o{number}", f"ILSVRC2012_val_{number:08}", "a") for number in range(15)]
    others = [SplitImage(f"t{number}", f"n00000001_{number}", "a") for number in range(85)]
    group_of = {image.sha256: image.sha256 for image in (*official, *others)} | {"t0": "o0"}
    recorded = {"o1": Split.TRAIN}
    sides = assign([*official, *others], group_of, recorded, val_fraction=0.2, seed=0)
    found = validation(sides)
    assert {image.sha256 for image in official} | {"t0"} <= found
    assert len(found) in (20, 21)
    assert validation(assign([*official, *others], group_of, {}, val_fraction=0.0, seed=0)) == set()


@pytest.mark.parametrize(
    ("url", "is_validation"),
    [
        ("/data/imagenette2#val/n00000001/n00000001_1.JPEG", True),
        ("/data/21k#imagenet21k_resized/imagenet21k_val/n00000001/n00000001_1.JPEG", True),
        ("hub#data/validation-00000-of-00014.parquet/n00000001_1_n00000001.JPEG", True),
        ("timm#imagenet1k-validation-03.tar/n00000001_1.jpg", True),
        ("/data/val#train/n00000001/n00000001_1.JPEG", False),
        ("/data/imagenet#valley/n00000001/n00000001_1.JPEG", False),
        ("/data/imagenet#interval/n00000001/n00000001_1.JPEG", False),
        ("http://host.example/a#val/n00000001/n00000001_1.JPEG", False),
        ("", False),
    ],
)
def test_validation_images_of_copies(url: str, is_validation: bool) -> None:
    """An image in a copy's folder or file of validation images is for validation, whatever its code."""
    images = [
        SplitImage("one", "n00000001_1", "a", url=url),
        *(SplitImage(f"t{n}", f"x{n}", "a") for n in range(9)),
    ]
    group_of = {image.sha256: image.sha256 for image in images}
    recorded = {f"t{number}": Split.TRAIN for number in range(8)} | {"t8": Split.VAL}
    sides = assign(images, group_of, recorded, val_fraction=0.1, seed=0)
    assert (sides["one"] is Split.VAL) is is_validation


def test_record(project: ExportProject) -> None:
    """The record keeps each image's side for each seed, and survives damaged lines and other fractions."""
    fill(project, range(40))
    first = splits(project.dataset(val_fraction=0.5))
    other_seed = splits(project.dataset(val_fraction=0.5, seed=1))
    assert first != other_seed
    path = project.path / "partial_imagenet" / ".splits.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\xffgarbage\n0,1234")
    assert splits(project.dataset(val_fraction=0.1)) == first
    assert splits(project.dataset(val_fraction=0.1, seed=1)) == other_seed
    assert set(splits(project.dataset(val_fraction=0)).values()) == {"train"}
    assert splits(project.dataset(val_fraction=0.5)) == first
    fill(project, range(40, 60))
    after = splits(project.dataset(val_fraction=0.1))
    assert {code: after[code] for code in first} == first
    assert sum(side == "val" for code, side in after.items() if code not in first) == 2


def test_exports_of_the_first_version_are_a_record(project: ExportProject) -> None:
    """Without a record the existing exports with the same seed state the sides."""
    fill(project, range(40))
    folder = project.export("webdataset", val_fraction=0.5)
    first = splits(project.dataset(val_fraction=0.5))
    path = project.path / "partial_imagenet" / ".splits.csv"
    path.unlink()
    assert splits(project.dataset(val_fraction=0.1)) == first
    path.unlink()
    assert splits(project.dataset(val_fraction=0.5, seed=1)) != first
    path.unlink()
    (folder / "images.csv").write_bytes(b"\xff")
    assert splits(project.dataset(val_fraction=0.1)) != first


def test_images_that_move_are_counted(project: ExportProject) -> None:
    """An image that joins groups of both sides moves all of them to validation, and they are counted."""
    image = draw(1, (400, 300))
    project.add(RED, f"{RED}_1", stored(image))
    path = project.path / "partial_imagenet" / ".splits.csv"
    fill(project, range(2, 30))
    before = splits(project.dataset(val_fraction=0.1))
    assert project.dataset(val_fraction=0.1).moved == 0
    sides = path.read_text().splitlines()
    copy = project.add(BLUE, f"{BLUE}_1", stored(image, quality=30))
    checksum = hashlib.sha256(copy.read_bytes()).hexdigest()
    path.write_text("\n".join([*sides, f"0,{checksum},val"]) + "\n")
    moved = project.dataset(val_fraction=0.1)
    assert splits(moved)[f"{RED}_1"] == "val"
    assert moved.moved == (before[f"{RED}_1"] == "train")
    assert {code: side for code, side in splits(moved).items() if "_1" not in code[-2:]} == {
        code: side for code, side in before.items() if "_1" not in code[-2:]
    }


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


def test_near_duplicates_with_unreadable_metadata(project: ExportProject) -> None:
    """An image and its copy are in the same split, even if the EXIF data of the copy cannot be read."""
    for number in range(20):
        image = draw(number, (400, 300))
        copy = stored(image.resize((200, 150)), dpi=(72, 72))
        broken = b"\xff\xe1\0\x11Exif\0\0no header"
        project.add(RED, f"{RED}_{number}", stored(image))
        project.add(BLUE, f"{BLUE}_{number}", copy[:2] + broken + copy[2:])
    split = splits(project.dataset(val_fraction=0.5))
    assert all(split[f"{RED}_{number}"] == split[f"{BLUE}_{number}"] for number in range(20))
    assert set(split.values()) == {"train", "val"}


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


def test_large_webp_has_no_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A WebP that validation does not decode, as it takes too much memory, is not decoded for its hash."""
    file = io.BytesIO()
    draw(0).save(file, "WEBP")
    assert image_hash.compute(file.getvalue()).hash is not None
    monkeypatch.setattr(decoding, "QUICK_PIXELS", 100)
    assert image_hash.compute(file.getvalue()).hash is None


def brute_force(hashes: list[int | None]) -> list[int]:
    """Group hashes by comparing each with each."""
    first = list(range(len(hashes)))
    for one, value in enumerate(hashes):
        for other in range(one):
            before = hashes[other]
            if (
                value is not None
                and before is not None
                and (value ^ before).bit_count() <= fingerprints.MAX_DISTANCE
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
    assert len(fingerprints.read(cache)) == 9
    assert splits(project.dataset(val_fraction=0.5)) == before
    cache.write_bytes(b"\xff\0garbage\n" + whole + b"\n,,\n")
    monkeypatch.setattr(image_hash, "compute", None)  # fails if called
    assert splits(project.dataset(val_fraction=0.5)) == before
    assert list(fingerprints.read(cache)) == [line[:64].decode() for line in whole.splitlines()[1:]]


def old_lines(cache: Path) -> list[str]:
    """Rewrite a cache as the first version wrote it, and return its lines."""
    lines = [f"{line.rpartition(',')[0]},0" for line in cache.read_text().splitlines()[1:]]
    cache.write_text("".join(f"{line}\n" for line in ["sha256,hash,turned", *lines]))
    return lines


def test_cache_of_the_first_version(project: ExportProject) -> None:
    """Images in it are hashed once more, keep their place in the order, and stay in their split."""
    cache = project.path / "partial_imagenet" / ".fingerprints.csv"
    fill(project, range(10))
    fill(project, range(10, 20), BLUE)
    before = splits(project.dataset(val_fraction=0.5))
    lines = old_lines(cache)
    checksums = [line[:64] for line in lines]
    # An image that only the old version saw, between the others, and one for which it found no hash.
    absent = f"{'ab' * 32},0123456789abcdef,1"
    lines = [lines[0][:65] + ",0", *lines[1:5], absent, *lines[5:]]
    cache.write_text("".join(f"{line}\n" for line in ["sha256,hash,turned", *lines]))
    old = cache.read_bytes()
    assert splits(project.dataset(val_fraction=0.5)) == before
    assert cache.read_bytes().startswith(old)
    hashes = fingerprints.read(cache)
    assert list(hashes) == [*checksums[:5], "ab" * 32, *checksums[5:]]
    assert hashes.pop("ab" * 32) == fingerprints.ImageHash(0x0123456789ABCDEF, is_outdated=True)
    assert all(one.hash is not None and one.needs_rewrite is False for one in hashes.values())
    first = cache.read_bytes()
    project.dataset()
    assert cache.read_bytes() == first


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


@pytest.mark.parametrize("size", [(500, 375), (333, 500), (120, 90), (40, 33)])
def test_hash_of_validation_is_that_of_exports(size: tuple[int, int]) -> None:
    """Validation, which decodes a JPEG anyway, computes the same hash as later readings of the file."""
    data = pictures.encode("JPEG", pictures.paint(*size))
    picture = validate(data, min_side=1, length_known=True)
    assert isinstance(picture, Picture)
    assert picture.phash
    assert picture.phash == image_hash.compute(data).hash
