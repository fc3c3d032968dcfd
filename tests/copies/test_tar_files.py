"""Tars of categories, tars of such tars, tars of images, and shards: only headers are read to list images."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.copies.lookalikes import (
    DOG,
    FISH,
    LABELS,
    SHARK,
    TRAINING,
    category_tars,
    class_folders,
    jpeg,
    shard_samples,
    tar,
)
from tests.copies.reading import images, listed, put, reader_of
from tests.tars import claim, with_checksum
from utils import tar_reader
from utils.copies import tar_files
from utils.copies.members import Member
from utils.copies.reader import Reader
from utils.copies.registry import open_file
from utils.copies.tar_files import CategoryTar, ShardReader, TarOfTars, TarReader
from utils.models.http_defaults import MAX_IMAGE_BYTES

END = bytes(1024)
"""The end mark of a tar."""
LAST = tar({f"{FISH}_9.JPEG": b"last"})


def read_all(reader: Reader, members: Iterable[Member]) -> dict[str, bytes]:
    """Read images by their codes."""
    return {one.image_code: reader.image(one).read() for one in members}


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of the reads that list tars."""
    sizes: list[int] = []
    original = tar_reader.FileRange.read

    def read(source: Any, size: int) -> bytes:
        sizes.append(size)
        return original(source, size)

    monkeypatch.setattr(tar_reader.FileRange, "read", read)
    return sizes


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        (f"{FISH}.tar", b"", CategoryTar),
        ("ILSVRC2012_img_train.tar", tar(category_tars()), TarOfTars),
        (
            "winter21_whole.tar",
            tar({f"./a/b/{name}": x for name, x in category_tars().items()}),
            TarOfTars,
        ),
        ("x.tar", tar({"readme.txt": b"", **class_folders()}), TarReader),
        ("imagenet1k-train-0000.tar", tar(shard_samples(named=False)), ShardReader),
        (
            "x.tar",
            tar({"classes.json": b"{}", "labels/a.cls": b"0", **class_folders(), **category_tars()}),
            TarReader,
        ),
        ("no_extension", tar({f"{FISH}_1.cls": b"0", f"{FISH}_1.jpg": b""}), ShardReader),
    ],
)
def test_layouts(tmp_path: Path, name: str, data: bytes, kind: type[Reader]) -> None:
    """A tar's layout is recognised by its name, or by its first members."""
    assert type(reader_of(put(tmp_path, data, name))) is kind


@pytest.mark.parametrize(
    "data",
    [
        b"",
        END,
        b"<!DOCTYPE html><html>Log in</html>" * 100,
        tar({"photo.jpg": b""}),
        tar({"n1.tar": b"", f"{FISH}.tar.gz": b"", f"{FISH}.txt": b""}),
        LAST[:100],
        LAST[:511],
    ],
    ids=["empty", "no members", "HTML", "photos", "other names", "cut", "cut at the end of the header"],
)
def test_other_files(tmp_path: Path, data: bytes) -> None:
    """Other files are not recognised."""
    path = put(tmp_path, data, "x.tar")
    assert open_file(path, path.name) is None


def test_images(tmp_path: Path) -> None:
    """Images are read from their places."""
    expected = {image_code: data for of_code in TRAINING.values() for image_code, data in of_code.items()}
    assert images(put(tmp_path, tar(class_folders()))) == expected


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_formats(tmp_path: Path, tar_format: int) -> None:
    """Long names, links, folders and sizes in extended headers are understood."""
    stored = io.BytesIO()
    headers = {"comment": "x" * 2000} if tar_format == tarfile.PAX_FORMAT else {}
    with tarfile.open(fileobj=stored, mode="w", format=tar_format, pax_headers=headers) as tar:
        for name, data in (("a/" * 45 + f"{FISH}/{FISH}_1.JPEG", b"one"), (f"{FISH}_2.JPEG", b"two" * 500)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"{FISH}_3.JPEG")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    assert images(put(tmp_path, stored.getvalue())) == {f"{FISH}_1": b"one", f"{FISH}_2": b"two" * 500}


def test_tar_of_tars(tmp_path: Path, bytes_read: list[int]) -> None:
    """Of a tar of tars with holes of 8 GB, the outer headers and those of the wanted category are read."""
    path = tmp_path / "ILSVRC2012_img_train.tar"
    hole = 4 * 1024**3
    with path.open("wb") as file:  # sparse: takes no space on disk
        for code in (FISH, SHARK, DOG):
            inner = category_tars()[f"{code}.tar"]
            member = tarfile.TarInfo(f"{code}.tar")
            member.size = hole if code == SHARK else len(inner)
            file.write(member.tobuf(tarfile.GNU_FORMAT))
            begin = file.tell()
            file.write(inner)
            file.seek(begin + tar_files.padded(member.size))
        file.write(END)
    reader = reader_of(path)
    bytes_read.clear()
    members = list(reader.members(DOG))
    assert sum(bytes_read) == 512 * (3 + 1 + len(members) + 1)
    assert read_all(reader, members) == TRAINING[DOG]
    assert [one.name for one in members] == [f"{DOG}.tar/{one}.JPEG" for one in TRAINING[DOG]]
    bytes_read.clear()
    assert read_all(reader, reader.members(SHARK)) == TRAINING[SHARK]
    assert sum(bytes_read) == 512 * (len(TRAINING[SHARK]) + 1)
    assert list(reader.members("n00000000")) == []


@pytest.mark.parametrize("missing", [1, 700, 5000])
def test_cut_tar_of_tars(tmp_path: Path, missing: int) -> None:
    """A cut costs what lies behind it: the images before it are read, also those in the tar that is cut."""
    whole = tar(category_tars())
    end = whole.rindex(f"{DOG}.tar".encode()) + 512 + len(category_tars()[f"{DOG}.tar"])
    path = put(tmp_path, whole[: end - 1024 * 9 - missing])
    reader = reader_of(path)
    assert read_all(reader, reader.members(FISH)) == TRAINING[FISH]
    found = list(reader.members(DOG))
    assert found
    assert read_all(reader, found[:-1]) == dict(list(TRAINING[DOG].items())[: len(found) - 1])
    assert any("is cut off after" in one for one in reader.problems)


def test_cut_tar(tmp_path: Path) -> None:
    """The image at the cut is tried, as any damaged one, and those before it are read."""
    whole = tar(class_folders())
    names = list(class_folders())
    cut = whole.rindex(names[-1].encode()) + 600
    path = put(tmp_path, whole[:cut])
    members, problems = listed(path)
    assert [one.name for one in members] == names
    assert problems == [f"x: it is cut off after {cut:,} bytes; the images before that are used."]
    with pytest.raises(EOFError, match="the file ends within it"):
        reader_of(path).image(members[-1]).read()


@pytest.mark.parametrize("size", [10 * 1024**3, 2**62, 2**80])
def test_false_size(tmp_path: Path, size: int) -> None:
    """A member that claims to extend beyond the file cannot be read, and those behind it are not found."""
    path = put(tmp_path, LAST[:1024] + claim(size) + bytes(5000) + LAST)
    members, problems = listed(path)
    assert members[0].image_code == f"{FISH}_9"
    assert len(problems) == 1
    for one in members[1:]:
        with pytest.raises((OSError, EOFError)):
            reader_of(path).image(one).read()


def test_size_into_other_member(tmp_path: Path) -> None:
    """A size that leads into the content of another member is noticed there."""
    inner = tar({f"{FISH}_2.JPEG": b"\x01" * 2000})
    path = put(tmp_path, claim(512, f"{FISH}_1.JPEG") + inner)
    members, problems = listed(path)
    assert [one.image_code for one in members] == [f"{FISH}_1"]
    assert problems == ["x: it is not a tar archive, or damaged."]


@pytest.mark.parametrize(("missing", "problems"), [(10_000, 0), (2_000_000, 1)])
def test_filled_with_zeros(tmp_path: Path, missing: int, problems: int) -> None:
    """A tar that ends long before its file does, as of an incomplete torrent, is damaged; padding is not."""
    data = tar(class_folders())
    members, damage = listed(put(tmp_path, data + bytes(missing)))
    assert len(members) == len(class_folders())
    assert len(damage) == problems
    assert all(f" of {len(data) + missing:,} bytes" in one for one in damage)


def test_recognition_reads_little(tmp_path: Path, bytes_read: list[int]) -> None:
    """The layout of a shard, one of thousands, is recognised by its first sample."""
    reader_of(put(tmp_path, tar(shard_samples(named=True)), "imagenet22k-train-0000.tar"))
    assert sum(bytes_read) <= 2 * 4 * 512


def test_negative_size(tmp_path: Path) -> None:
    """A negative size, which could lead backwards, is refused."""
    block = bytearray(claim(0))
    block[124:136] = b"\xff" * 12
    members, problems = listed(put(tmp_path, LAST[:1024] + with_checksum(block) + END))
    assert [one.image_code for one in members] == [f"{FISH}_9"]
    assert problems == ["x: it is not a tar archive, or damaged."]


def test_too_large(tmp_path: Path) -> None:
    """Of an image that is too large, the beginning is returned."""
    path = put(tmp_path, tar({f"{FISH}_1.JPEG": bytes(MAX_IMAGE_BYTES + 5000)}))
    assert images(path) == {f"{FISH}_1": bytes(MAX_IMAGE_BYTES + 1)}


def test_category_of_a_tar(tmp_path: Path) -> None:
    """In the tar of a category all images are of this category, and keep their own codes."""
    names = (f"{FISH}_1.JPEG", f"{SHARK}_2.JPEG", f"x/{DOG}/ILSVRC2012_val_00000003.JPEG", "4.JPEG")
    path = put(tmp_path, tar(dict.fromkeys(names, b"x")), f"{FISH}.tar")
    found = [(one.code, one.image_code) for one in reader_of(path).members(FISH)]
    assert found == [(FISH, f"{FISH}_1"), (FISH, f"{SHARK}_2"), (FISH, "ILSVRC2012_val_00000003")]
    assert list(reader_of(path).members(SHARK)) == []


@pytest.mark.parametrize("data", [b"", b"<html>", END[:300]], ids=["empty", "HTML", "zeros"])
def test_damaged_tar_of_a_category(tmp_path: Path, data: bytes) -> None:
    """A file that has the name of a tar only is reported when its category is wanted."""
    reader = reader_of(put(tmp_path, data, f"{FISH}.tar"))
    assert list(reader.members(FISH)) == []
    assert len(reader.problems) == 1


def sample(
    key: str, about: object = None, cls: bytes | None = None, extension: str = "jpg"
) -> dict[str, bytes]:
    """Return the members of a sample."""
    members = {f"{key}.{extension}": b"x"}
    if about is not None:
        members[f"{key}.json"] = about if isinstance(about, bytes) else json.dumps(about).encode()
    if cls is not None:
        members[f"{key}.cls"] = cls
    return members


VAL = "ILSVRC2012_val_00000001"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (sample(f"{FISH}_1", {"label": 2}, b"2"), (FISH, f"{FISH}_1")),
        (sample(f"{FISH}_1", {"class_name": DOG}), (DOG, f"{FISH}_1")),
        (sample(f"{FISH}_1", {"class_name": "tench"}), (FISH, f"{FISH}_1")),
        (sample(f"{FISH}_1", {"class_name": 7}), (FISH, f"{FISH}_1")),
        (sample(f"a/b/{FISH}_1", {}), (FISH, f"{FISH}_1")),
        (sample(f"{FISH}_1_{DOG}", {}), (FISH, f"{FISH}_1")),
        (sample(VAL, {"label": 2}), (SHARK, VAL)),
        (sample(VAL, {"label": "2"}), (SHARK, VAL)),
        (sample(VAL, None, b" 151\n"), (DOG, VAL)),
        (sample(VAL, {"label": 2}, b"151"), (DOG, VAL)),
        (sample(VAL, {"label": 2, "class_name": FISH}, b"151"), (FISH, VAL)),
        (sample(VAL, b"{", b"151"), (DOG, VAL)),
        (sample(VAL, b"[1]", b"151"), (DOG, VAL)),
        (sample(VAL, b"[" * 60_000, b"151"), (DOG, VAL)),
        (sample(VAL, b"\xff\xfe", b"151"), (DOG, VAL)),
        (sample("000000012", {"filename": f"train/{FISH}_7.JPEG", "label": 0}), (FISH, f"{FISH}_7")),
        (sample("000000012", {"filename": f"{VAL}.JPEG", "label": 0}), (FISH, VAL)),
        (sample(f"{FISH}_1", {}, extension="JPEG"), (FISH, f"{FISH}_1")),
        (sample(f"{FISH}_1", {}, extension="webp"), (FISH, f"{FISH}_1")),
        (sample("000000012", {"label": 0}, b"0"), None),
        (sample("000000012", {"filename": 5}, b"0"), None),
        (sample(VAL, {"label": -1}, b"-1"), None),
        (sample(VAL, {"label": 1000}), None),
        (sample(VAL, {"label": None}, b"x" * 100_000), None),
        (sample(f"{FISH}_1", {}, extension="txt"), None),
        ({f"{FISH}_1.json": b"{}"}, None),
    ],
)
def test_samples(tmp_path: Path, members: dict[str, bytes], expected: tuple[str, str] | None) -> None:
    """The category is class_name, else that of the key, else that of the label; other samples are counted."""
    shard = put(tmp_path, tar({**sample(f"{FISH}_9", {}), **members}), "x.tar")
    found, problems = listed(shard)
    assert [(one.code, one.image_code) for one in found[1:]] == ([expected] if expected else [])
    counted = "x.tar: left out: 1 sample without image code or category."
    assert problems == ([] if expected else [counted])


def test_order_in_samples(tmp_path: Path) -> None:
    """Members of a sample may have any order; the image is read from its place."""
    members = shard_samples(named=False)
    for reverse in (False, True):
        ordered = {name: members[name] for name in sorted(members, reverse=reverse)}
        found = images(put(tmp_path, tar(ordered), "x.tar"))
        assert {one: data for one, data in found.items() if one.startswith(FISH)} == TRAINING[FISH]


def test_labels_of_shards(tmp_path: Path) -> None:
    """Labels of validation images in shards are positions among the sorted wnids of ILSVRC 2012."""
    members: dict[str, bytes] = {}
    for number, label in enumerate(LABELS.values()):
        members |= sample(f"ILSVRC2012_val_{number:08d}", {"label": label}, str(label).encode())
    found, _problems = listed(put(tmp_path, tar(members), "x.tar"))
    assert [one.code for one in found] == list(LABELS)


def test_hostile_names(tmp_path: Path) -> None:
    """Only image codes are taken from names, whatever surrounds them."""
    names = [
        f"../../{FISH}_1.JPEG",
        f"/{FISH}_2.JPEG",
        f"{'x' * 300}/{FISH}_3.JPEG",
        f"\x1b[31m/{FISH}_4.JPEG",
        f"a#b\n/{FISH}_5.JPEG",
        f"{FISH}_6.JPEG/",
        f"..\\{FISH}_7.JPEG",
        f"{FISH}_8.JPEG\n",
        f"{FISH}_\u0663.JPEG",
        f"{FISH}_1234567890123.JPEG",
    ]
    members, problems = listed(put(tmp_path, tar({name: jpeg(1) for name in names})))
    assert problems == []
    assert {one.image_code for one in members} <= {f"{FISH}_{number}" for number in range(1, 7)}
    assert len(members) >= 5
