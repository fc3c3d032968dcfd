"""Compressed tars are read once from the front; the members of the selected categories are unpacked."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import random
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.copies.lookalikes import (
    DOG,
    FISH,
    TRAINING,
    VALIDATION,
    category_tars,
    class_folders,
    devkit_labels,
    flat_validation,
    tar,
)
from tests.copies.reading import put, reader_of
from tests.tars import claim
from utils.copies import compressed_tars
from utils.copies.compressed_tars import CompressedTar, StoppedError
from utils.copies.members import DEVKIT_LABELS, Kind
from utils.copies.registry import open_file
from utils.models.http_defaults import MAX_IMAGE_BYTES

WINTER = tar({f"winter21_whole/{name}": data for name, data in category_tars().items()})


def opened(path: Path, wanted: Collection[str] = (FISH,)) -> CompressedTar:
    """Open a compressed tar."""
    reader = reader_of(path)
    assert isinstance(reader, CompressedTar)
    reader.wanted, reader.folder = wanted, path.parent / "unpacked"
    reader.folder.mkdir(exist_ok=True)
    return reader


def unpacked(reader: CompressedTar) -> dict[str, bytes]:
    """Scan it; returns the wanted images."""
    wanted = [one for one in reader.scan() if one.code in reader.wanted and one.kind is Kind.IMAGE]
    return {one.image_code: reader.image(one).read() for one in wanted}


@pytest.mark.parametrize("data", [WINTER, tar(class_folders("./train/"))], ids=["tar of tars", "folders"])
def test_images(tmp_path: Path, data: bytes) -> None:
    """One pass lists all images, and unpacks those of the selected categories."""
    reader = opened(put(tmp_path, gzip.compress(data)))
    members = list(reader.scan())
    assert len(members) == sum(map(len, TRAINING.values()))
    assert {one.image_code: reader.image(one).read() for one in members if one.code == FISH} == TRAINING[FISH]
    sizes = [path.stat().st_size for path in reader.folder.iterdir() if not path.suffix]
    assert sizes == [sum(map(len, TRAINING[FISH].values()))]
    reader.discard()
    assert list(reader.folder.iterdir()) == []


def test_later_run(tmp_path: Path) -> None:
    """What an interrupted run has unpacked is used, unless tar or selection have changed."""
    path = put(tmp_path, gzip.compress(WINTER))
    assert unpacked(opened(path)) == TRAINING[FISH]
    assert opened(path).is_unpacked
    assert not opened(path, (DOG,)).is_unpacked
    os.utime(path, (1, 1))
    assert not opened(path).is_unpacked


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"[[[", b'{"size": "x"}', b'{"size": 1, "places": []}']
)
def test_damaged_places(tmp_path: Path, content: bytes) -> None:
    """If the list of what was unpacked is damaged, the tar is read again."""
    path = put(tmp_path, gzip.compress(WINTER))
    reader = opened(path)
    unpacked(reader)
    reader._places_file.write_bytes(content)
    again = opened(path)
    assert not again.is_unpacked
    assert unpacked(again) == TRAINING[FISH]


def test_members_without_category(tmp_path: Path) -> None:
    """Labels and validation images are unpacked, too."""
    files = {f"data/{DEVKIT_LABELS}": devkit_labels(), **flat_validation("val/")}
    reader = opened(put(tmp_path, gzip.compress(tar(files))))
    labels, *members = reader.scan()
    assert reader.read(labels) == devkit_labels()
    assert {one.image_code: reader.read(one) for one in members} == VALIDATION


def test_read_after_another_run(tmp_path: Path) -> None:
    """Members that an earlier run has listed, but not left unpacked, are unpacked when they are read."""
    path = put(tmp_path, gzip.compress(WINTER))
    reader = opened(path)
    members = [one for one in reader.scan() if one.code == FISH]
    reader.discard()
    again = opened(path)
    assert {one.image_code: again.read(one) for one in members} == TRAINING[FISH]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_cut(tmp_path: Path, share: float) -> None:
    """Of a cut tar, the images before the cut are used, and the damage is reported."""
    whole = gzip.compress(WINTER, 0)
    reader = opened(put(tmp_path, whole[: int(len(whole) * share)]), TRAINING.keys())
    images = unpacked(reader)
    assert images
    assert all(data == TRAINING[one[:9]][one] for one, data in images.items())
    assert any("it is damaged" in one for one in reader.problems)


def test_damaged_inner_tar(tmp_path: Path) -> None:
    """A damaged tar in the tar costs what lies behind the damage in it."""
    tars = category_tars()
    whole = tars[f"{FISH}.tar"]
    tars[f"{FISH}.tar"] = whole[: whole.rindex(FISH.encode())] + b"\xff" * 512 + claim(10**12)
    reader = opened(put(tmp_path, gzip.compress(tar(tars))), TRAINING.keys())
    images = unpacked(reader)
    assert sorted(images) == sorted(
        [*list(TRAINING[FISH])[:2], *(one for code, of in TRAINING.items() if code != FISH for one in of)]
    )
    assert reader.problems == [f"x: {FISH}.tar: it is not a tar archive, or damaged."]


def test_too_large(tmp_path: Path) -> None:
    """Of an image that is too large, the beginning is unpacked; those behind it are read."""
    files = {f"{FISH}_1.JPEG": bytes(3 * MAX_IMAGE_BYTES), f"{FISH}_2.JPEG": b"two"}
    reader = opened(put(tmp_path, gzip.compress(tar(files))))
    assert unpacked(reader) == {f"{FISH}_1": bytes(MAX_IMAGE_BYTES + 1), f"{FISH}_2": b"two"}


def test_wrong_checksum(tmp_path: Path) -> None:
    """A wrong checksum of gzip is reported."""
    whole = gzip.compress(WINTER)
    reader = opened(put(tmp_path, whole[:-8] + b"\xff" * 4 + whole[-4:]))
    assert unpacked(reader) == TRAINING[FISH]
    assert reader.problems
    assert "CRC" in reader.problems[0]


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no damage of the tar: it ends the run, and nothing is left."""

    def fail(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    reader = opened(put(tmp_path, gzip.compress(WINTER)))
    monkeypatch.setattr(compressed_tars, "_copy", fail)
    with pytest.raises(OSError, match="No space"):
        unpacked(reader)
    assert list(reader.folder.iterdir()) == []


def test_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass can be stopped between two members; nothing is left of it."""
    reader = opened(put(tmp_path, gzip.compress(WINTER)))
    original = compressed_tars._copy
    copied: list[object] = []

    def copy(file: compressed_tars.TarFile, target: BinaryIO) -> None:
        copied.append(file)
        original(file, target)
        reader.stopped = True

    monkeypatch.setattr(compressed_tars, "_copy", copy)
    with pytest.raises(StoppedError):
        unpacked(reader)
    assert len(copied) == 1
    assert list(reader.folder.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b",
        gzip.compress(b""),
        gzip.compress(b"<html>"),
        gzip.compress(tar({"x.jpg": b""})),
        gzip.compress(WINTER)[:60],
    ],
    ids=["magic", "empty", "HTML", "photos", "cut"],
)
def test_other_files(tmp_path: Path, data: bytes) -> None:
    """Other compressed files are not recognised."""
    path = put(tmp_path, data)
    assert open_file(path, path.name) is None


def test_bomb(tmp_path: Path) -> None:
    """A file that unpacks to very much is not unpacked to be recognised."""
    path = put(tmp_path, gzip.compress(claim(10**12, "x.bin") + bytes(200_000_000), 1))
    assert open_file(path, path.name) is None


def test_random_changes(tmp_path: Path) -> None:
    """A tar with changed bytes gives images, or errors that are reported."""
    dice = random.Random(4)
    plain, packed = bytearray(WINTER), bytearray(gzip.compress(WINTER, 1))
    for number in range(200):
        data = bytearray(packed if number % 2 else plain)
        for _ in range(dice.randint(1, 3)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path = put(tmp_path, bytes(data) if number % 2 else gzip.compress(data, 0))
        if open_file(path, path.name):
            reader = opened(path, TRAINING.keys())
            for member in reader.scan():
                with contextlib.suppress(OSError, EOFError, ValueError):
                    reader.image(member).read()
            reader.discard()
