"""A copy is described by what lies at its path, and its damage costs what is damaged."""

from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import pytest

from tests.copies.lookalikes import (
    DOG,
    FISH,
    LAYOUTS,
    VALIDATION_CODES,
    all_images,
    boxes,
    class_folders,
    flat_validation,
    kaggle_labels,
    tar,
    write_files,
)
from utils.copies import parquet_files
from utils.copies.copy import MAX_NAMED, MAX_PROBLEMS, Copies, Copy
from utils.errors import InputError

DESCRIPTIONS = {
    "tars": "a tar of images, 3 tars of categories",
    "tar of tars": "a compressed tar, a tar of tars, a tar of images",
    "compressed tar of tars": "2 compressed tars",
    "class folders": "class folders",
    "tar of class folders": "a tar of images",
    "Kaggle": "class folders, a validation set",
    "Kaggle's zip": "a zip of images",
    "shards with class names": "3 WebDataset shards",
    "shards with labels": "3 WebDataset shards",
    "parquet": "3 parquet files",
}


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def opened(*folders: Path) -> Copies:
    """Open copies with two selected categories."""
    unpacked = folders[0].parent / "unpacked"
    unpacked.mkdir(exist_ok=True)
    return Copies([Copy(str(one), wanted=(FISH, DOG), folder=unpacked) for one in folders], print)


def read(copies: Copies, code: str) -> dict[str, bytes]:
    """Read the images of a category."""
    return {one.member.image_code: one.image.read() for one in copies.images(code)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_descriptions(tmp_path: Path, layout: str) -> None:
    """A copy is described in a line."""
    folder = tmp_path / "copy"
    LAYOUTS[layout](folder)
    copies = opened(folder)
    line = f"{folder}: {DESCRIPTIONS[layout]}, 2 of the 2 selected categories"
    assert copies.describe((FISH, DOG)) == [line]
    assert copies.copies[0].new_problems() == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_file_itself(tmp_path: Path, layout: str) -> None:
    """An archive can be given itself; the URL of an image then has the path inside it only."""
    folder = tmp_path / "copy"
    LAYOUTS[layout](folder)
    files = [
        one
        for one in folder.rglob("*")
        if one.is_file() and (one.suffix in (".tar", ".zip", ".parquet", ".gz"))
    ]
    if not files:
        pytest.skip("this layout has no archives")
    for path in files:
        copies = opened(path)
        for one in copies.images(FISH):
            assert one.url == f"{path}#{one.member.name}"
            assert one.image.read() == all_images()[FISH][one.member.image_code]


def test_all_layouts_together(tmp_path: Path) -> None:
    """All layouts below one path are one copy, in which each image is found once."""
    for number, make in enumerate(LAYOUTS.values()):
        make(tmp_path / "copy" / str(number))
    copies = opened(tmp_path / "copy")
    assert read(copies, FISH) == all_images()[FISH]
    assert list(read(copies, FISH)) == list(all_images()[FISH])
    assert set(copies.annotations(FISH)) == {one for one in all_images()[FISH] if not one.endswith("_100")}


def test_same_copy_twice(tmp_path: Path) -> None:
    """A copy that is given twice, also one with an index, gives each image once."""
    folder = tmp_path / "copy"
    LAYOUTS["Kaggle's zip"](folder)
    copies = opened(folder, folder, next(folder.iterdir()))
    assert read(copies, FISH) == all_images()[FISH]
    assert {one.url.partition("#")[0] for one in copies.images(FISH)} == {str(folder)}


def test_many_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Many shards, given by a pattern of the shell, are described together, and have one index."""
    LAYOUTS["shards with labels"](tmp_path / "copy")
    shards = sorted((tmp_path / "copy").iterdir())
    for number in range(MAX_NAMED):
        shards.append(shutil.copy(shards[0], tmp_path / f"copy/again-{number}.tar"))
    copies = opened(*shards)
    assert read(copies, FISH) == all_images()[FISH]
    assert copies.describe((FISH, "n09999999")) == [
        f"{shards[0]} and 22 more: 23 WebDataset shards, 1 of the 2 selected categories"
    ]
    assert capsys.readouterr().out == f"{shards[0]} and 22 more: listing the files in 23 archives.\n"
    assert len(list((tmp_path / "cache").rglob("*.sqlite"))) == 1
    opened(tmp_path / "copy")
    assert capsys.readouterr().out == ""


def test_same_file_in_folder_and_by_itself(tmp_path: Path) -> None:
    """What is damaged in an archive is named as it was given, whichever run has listed it."""
    folder = write_files(tmp_path / "copy", {"x.tar": tar(class_folders())[:20_000]})
    for given, named in ((folder, "x.tar: "), (folder / "x.tar", "")):
        (problem,) = opened(given).copies[0].new_problems()
        assert problem.startswith(f"{named}it is cut off after")


def test_conflicting_labels(tmp_path: Path) -> None:
    """The first copy's labels count, and those of tables before those of boxes."""
    val = write_files(tmp_path / "val", {**flat_validation(), **boxes()})
    swapped = (
        kaggle_labels()
        .replace(DOG.encode(), b"x")
        .replace(FISH.encode(), DOG.encode())
        .replace(b"x", FISH.encode())
    )
    other = write_files(tmp_path / "labels", {"LOC_val_solution.csv": swapped})
    first = write_files(tmp_path / "first", {"LOC_val_solution.csv": kaggle_labels()})
    dogs = {one for one, code in VALIDATION_CODES.items() if code == DOG}
    assert set(read(opened(val), DOG)) == dogs
    assert set(read(opened(val, first, other), DOG)) == dogs
    fish = {one for one, code in VALIDATION_CODES.items() if code == FISH}
    assert set(read(opened(val, other, first), DOG)) == fish


def test_many_problems(tmp_path: Path) -> None:
    """The first damaged files are named, the others counted."""
    folder = write_files(tmp_path / "copy", class_folders())
    write_files(
        folder, {f"{number}.tar": b"<html>" for number in range(30)} | {f"{DOG}.tar": b"<html>" * 100}
    )
    copies = opened(folder)
    (copy,) = copies.copies
    problems = copy.new_problems()
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == "25 more problems."
    assert copy.new_problems() == []
    copies.images(DOG)
    assert copy.new_problems() == [f"{DOG}.tar: it is not a tar archive, or damaged."]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_random_changes(tmp_path: Path, layout: str) -> None:
    """Whatever is damaged, the images that can be read are found, and nothing else is raised."""
    dice = random.Random(layout)
    LAYOUTS[layout](tmp_path / "whole")
    for number in range(6):
        work = tmp_path / str(number) / "copy"
        shutil.copytree(tmp_path / "whole", work)
        files = sorted(path for path in work.rglob("*") if path.is_file())
        for path in dice.sample(files, min(len(files), 2)):
            data = bytearray(path.read_bytes())
            for _ in range(4):
                data[-1 - dice.randrange(min(len(data), 700 if number % 2 else len(data)))] = dice.randrange(
                    256
                )
            path.write_bytes(data[: dice.randrange(len(data))] if number % 3 == 2 else data)
        parquet_files._row_groups.cache_clear()
        with contextlib.suppress(InputError):
            copies = opened(work)
            for code in (FISH, DOG):
                copies.annotations(code)
                for one in copies.images(code):
                    with contextlib.suppress(OSError, EOFError, ValueError):
                        one.image.read()
