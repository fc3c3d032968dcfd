"""Folders of a copy are searched for class folders, validation images, tables, boxes and archives."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.copies.lookalikes import DOG, FISH, SHARK, TRAINING, class_folders, kaggle, write_files
from utils.copies.folders import FolderReader
from utils.copies.members import Kind
from utils.copies.registry import EXTENSIONS
from utils.models.http_defaults import MAX_IMAGE_BYTES


def reader_of(folder: Path, wanted: Collection[str] = (FISH,)) -> FolderReader:
    """Search a folder."""
    return FolderReader(folder, wanted=wanted, extensions=EXTENSIONS)


def names(folder: Path, code: str = FISH, kind: Kind = Kind.IMAGE) -> list[str]:
    """Return the paths of members in a folder."""
    return [one.name for one in reader_of(folder).members(code) if one.kind is kind]


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5, 6])
def test_levels(tmp_path: Path, level: int) -> None:
    """Class folders are found down to the fifth level."""
    top = "".join(f"{number}/" for number in range(level - 1))
    write_files(tmp_path, {f"{top}{FISH}/{FISH}_1.JPEG": b"x"})
    assert names(tmp_path) == [f"{top}{FISH}/{FISH}_1.JPEG"] * (level <= 5)
    assert reader_of(tmp_path).kinds == ["class folders"] * (level <= 5)


def test_images(tmp_path: Path) -> None:
    """Images are read; only what is named as one is."""
    write_files(tmp_path, class_folders())
    others = ("._n01440764_1.JPEG", "n01440764_1.JPEG.part", "tench.jpg", "Thumbs.db", "x/n01440764_5.JPEG")
    write_files(tmp_path / "train" / FISH, dict.fromkeys(others, b"x"))
    reader = reader_of(tmp_path)
    found = {one.image_code: reader.image(one).read() for one in reader.members(FISH)}
    assert found == TRAINING[FISH]


def test_tiny_imagenet(tmp_path: Path) -> None:
    """Images in the folder `images` of a class folder belong to the class."""
    write_files(
        tmp_path, {f"train/{FISH}/images/{FISH}_1.JPEG": b"x", f"train/{FISH}/{FISH}_boxes.txt": b"x"}
    )
    assert names(tmp_path) == [f"train/{FISH}/images/{FISH}_1.JPEG"]


@pytest.mark.parametrize(
    ("files", "kinds"),
    [
        ([f"{FISH}/x.txt"], ["class folders"]),
        (["a/ILSVRC2012_val_00000001.JPEG"], ["a validation set"]),
        (["val/images/val_0.JPEG", "val/val_annotations.txt"], ["a validation set"]),
        ([f"flat/{SHARK}_1.JPEG"], ["images"]),
        (["val/ILSVRC2012_val_00000001.xml"], ["annotations"]),
        (["LOC_val_solution.csv"], ["labels of a validation set"]),
        (
            [f"train/{FISH}/{FISH}_1.JPEG", "val/ILSVRC2012_val_00000001.JPEG"],
            ["class folders", "a validation set"],
        ),
        (["a.txt", "photo.jpg", "n1/x.jpg"], []),
        ([], []),
    ],
)
def test_kinds(tmp_path: Path, files: list[str], kinds: list[str]) -> None:
    """What a folder holds is recognised without the wanted categories."""
    write_files(tmp_path, dict.fromkeys(files, b"x"))
    assert reader_of(tmp_path).kinds == kinds


def test_images_outside_of_class_folders(tmp_path: Path) -> None:
    """The name of an image tells its category if its folder does not, as that of a class given itself."""
    write_files(tmp_path, class_folders(""))
    write_files(tmp_path / FISH, {f"{DOG}_7.JPEG": b"x"})
    assert names(tmp_path / FISH) == [f"{one}.JPEG" for one in sorted(TRAINING[FISH])]
    assert names(tmp_path)[-1] == f"{FISH}/{DOG}_7.JPEG"


def test_other_files(tmp_path: Path) -> None:
    """Archives in the folder are listed, but not those of annotations."""
    files = (
        "a/b/x.tar",
        "a/x.PARQUET",
        "x.zip",
        f"c/{FISH}.tar",
        f"{FISH}.tar.gz",
        "x.tgz",
        "x.rar",
        "x.tar.gz",
    )
    write_files(tmp_path, dict.fromkeys(files, b"x"))
    assert reader_of(tmp_path).archives == [
        one for one in sorted(files) if one not in (f"{FISH}.tar.gz", "x.rar")
    ]


def test_kaggle(tmp_path: Path) -> None:
    """Of Kaggle's download, training images, boxes, validation images and labels are found."""
    write_files(tmp_path, kaggle())
    reader = reader_of(tmp_path)
    found = [(one.kind, one.name) for code in (FISH, "") for one in reader.members(code)]
    expected = {name for name in kaggle() if "/train/" not in name or FISH in name} - {
        "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG"
    }
    assert {name for _, name in found} == expected
    assert len(found) == len(expected)
    assert {name for kind, name in found if kind is Kind.LABELS} == {"LOC_val_solution.csv"}


def test_hidden_files(tmp_path: Path) -> None:
    """What macOS and other programs hide beside the files of a copy is ignored."""
    files = (
        f"._{FISH}.tar",
        "._x.zip",
        ".cache/x.parquet",
        f".trash/{FISH}/{FISH}_1.JPEG",
        "a/.b/val_1.JPEG",
    )
    write_files(tmp_path, dict.fromkeys(files, b"x"))
    reader = reader_of(tmp_path)
    assert (reader.archives, reader.kinds, names(tmp_path)) == ([], [], [])
    assert names(tmp_path / ".trash") == [f"{FISH}/{FISH}_1.JPEG"]


def test_too_deep(tmp_path: Path) -> None:
    """If a copy lies too deep, and nothing but its tables is found, the search says so."""
    write_files(tmp_path, {f"data/{name}": data for name, data in kaggle().items() if "/val/" not in name})
    problem = "data/ILSVRC/Data/CLS-LOC/train is below level 5 and not searched: give a folder nearer to it"
    assert reader_of(tmp_path).faults == [problem]
    assert reader_of(tmp_path / "data").faults == []


def test_class_folders_first(tmp_path: Path) -> None:
    """An image in a class folder comes before one of this name elsewhere, e.g. in an export."""
    write_files(tmp_path, {**class_folders(), f"export/train/tench/{FISH}_3.jpg": b"small"})
    found = [one.name for one in reader_of(tmp_path).members(FISH) if one.image_code == f"{FISH}_3"]
    assert found == [f"train/{FISH}/{FISH}_3.JPEG", f"export/train/tench/{FISH}_3.jpg"]


def test_links(tmp_path: Path) -> None:
    """Links to folders and images are followed, as subsets are often made of them."""
    write_files(tmp_path / "whole", class_folders())
    subset = tmp_path / "subset"
    subset.mkdir()
    (subset / "train").symlink_to(tmp_path / "whole/train")
    assert names(subset) == [f"train/{FISH}/{one}.JPEG" for one in sorted(TRAINING[FISH])]
    linked = write_files(tmp_path / "linked", {f"{FISH}/readme": b""})
    (linked / FISH / f"{FISH}_1.JPEG").symlink_to(subset / "train" / FISH / f"{FISH}_3.JPEG")
    reader = reader_of(linked)
    (member,) = reader.members(FISH)
    assert reader.image(member).read() == TRAINING[FISH][f"{FISH}_3"]


def test_loops(tmp_path: Path) -> None:
    """Links in loops end the search of no folder, and lead to no image twice."""
    write_files(tmp_path, class_folders("a/b/"))
    for place, target in (
        ("a/loop", ".."),
        ("a/b/up", "../.."),
        ("self", "self"),
        (f"a/b/{DOG}/{DOG}_1.JPEG", f"{DOG}_1.JPEG"),
    ):
        (tmp_path / place).symlink_to(target)
    for number in range(20):  # each of them would be searched through each other one
        (tmp_path / f"a/{number}").symlink_to(".")
    reader = reader_of(tmp_path, (FISH, DOG))
    assert len(list(reader.members(FISH))) == len(TRAINING[FISH])
    broken, *_others = (one for one in reader.members(DOG) if one.image_code == f"{DOG}_1")
    with pytest.raises(OSError, match="symbolic links"):
        reader.image(broken).read()


def test_shallower_way(tmp_path: Path) -> None:
    """A folder found through a link at a low level is searched again at its own, higher level."""
    write_files(tmp_path, {f"z/1/2/3/{FISH}/{FISH}_1.JPEG": b"x"})
    (tmp_path / "a").mkdir()
    (tmp_path / "a/z").symlink_to("../z")
    assert names(tmp_path) == [f"z/1/2/3/{FISH}/{FISH}_1.JPEG"]


def test_no_regular_files(tmp_path: Path) -> None:
    """A pipe or a broken link with the name of an image cannot be read; reading never blocks."""
    folder = tmp_path / FISH
    folder.mkdir()
    os.mkfifo(folder / f"{FISH}_1.JPEG")
    (folder / f"{FISH}_2.JPEG").symlink_to("nowhere")
    (folder / f"{FISH}_3.JPEG").mkdir()
    reader = reader_of(tmp_path)
    pipe, broken = reader.members(FISH)
    with pytest.raises(OSError, match="not a file"):
        reader.image(pipe).read()
    with pytest.raises(OSError, match="No such file"):
        reader.image(broken).read()


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be listed costs itself, and is named once."""
    write_files(tmp_path, class_folders())
    (tmp_path / "locked").mkdir()
    original = os.scandir

    def scandir(path: Path) -> object:
        if path.name in ("locked", DOG):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    reader = reader_of(tmp_path, (FISH, DOG))
    assert len(list(reader.members(FISH))) == len(TRAINING[FISH])
    assert list(reader.members(DOG)) == list(reader.members(DOG)) == []
    assert reader.problems == [
        f"{tmp_path}: locked cannot be read (Permission denied).",
        f"{tmp_path}: train/{DOG} cannot be read (Permission denied).",
    ]


def test_too_large(tmp_path: Path) -> None:
    """Of an image that is too large, the beginning is read."""
    write_files(tmp_path, {f"{FISH}/{FISH}_1.JPEG": bytes(MAX_IMAGE_BYTES + 5000)})
    reader = reader_of(tmp_path)
    (member,) = reader.members(FISH)
    assert len(reader.image(member).read()) == MAX_IMAGE_BYTES + 1
