"""Members of zips are found by the directory at the end, and read one at a time."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.copies.lookalikes import FISH, TRAINING, class_folders, jpeg, kaggle, kaggle_labels, zip_of
from tests.copies.reading import images, listed, put, reader_of
from utils.copies.registry import open_file
from utils.models.http_defaults import MAX_IMAGE_BYTES

NAME = f"{FISH}/{FISH}_1.JPEG"
LIAR = f"{FISH}/{FISH}_2.JPEG"


def patched(data: bytes, name: str, field: int, kind: str, value: int) -> bytes:
    """Change a field in the directory's entry of a member."""
    start = data.rindex(name.encode()) - 46
    packed = struct.pack(kind, value)
    return data[: start + field] + packed + data[start + field + len(packed) :]


def error_of(path: Path, image_code: str) -> str:
    """Read an image that cannot be read; returns why."""
    (member,) = (one for one in listed(path)[0] if one.image_code == image_code)
    with pytest.raises((OSError, EOFError, ValueError)) as raised:
        reader_of(path).image(member).read()
    return str(raised.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_images(tmp_path: Path, compression: int) -> None:
    """Stored and deflated images are read, whatever else is in the zip."""
    expected = {image_code: data for of_code in TRAINING.values() for image_code, data in of_code.items()}
    others = {"readme.txt": b"x", "train/": b"", f"train/{FISH}/._{FISH}_3.JPEG": b"x"}
    path = put(tmp_path, zip_of({**others, **class_folders()}, compression))
    assert images(path) == expected


def test_streamed(tmp_path: Path) -> None:
    """Sizes that follow the content, as in zips written to a pipe, are taken from the directory."""
    stored = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            return stored.write(data)

    with zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.writestr(NAME, jpeg(1))
    assert images(put(tmp_path, stored.getvalue())) == {f"{FISH}_1": jpeg(1)}


def test_more_than_4_gb(tmp_path: Path) -> None:
    """Offsets beyond 4 GB and a comment at the end are understood; only the directory is read."""
    path = tmp_path / "x.zip"
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{FISH}/{FISH}_1.JPEG", jpeg(1))
        file.seek(5 * 1024**3)  # sparse: takes no space on disk
        archive.start_dir = file.tell()
        archive.writestr(f"{FISH}/{FISH}_2.JPEG", jpeg(2))
        archive.comment = b"PK" * 1000
    assert images(path) == {f"{FISH}_1": jpeg(1), f"{FISH}_2": jpeg(2)}


def test_many_members(tmp_path: Path) -> None:
    """A directory of more members than 16 bits can count, and longer than what is read at once, is listed."""
    names = [f"ILSVRC/Data/CLS-LOC/train/{FISH}/{FISH}_{number}.JPEG" for number in range(70_000)]
    members, problems = listed(put(tmp_path, zip_of(dict.fromkeys(names, b""), zipfile.ZIP_STORED)))
    assert problems == []
    assert [one.name for one in members] == names


def test_encrypted(tmp_path: Path) -> None:
    """An encrypted image cannot be read, and the reason is said."""
    whole = zip_of({NAME: jpeg(1)})
    data = b"PK\x03\x04" + whole[4:6] + b"\x01" + whole[7:]
    assert error_of(put(tmp_path, data), f"{FISH}_1") == "it is encrypted"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(tmp_path: Path, method: int) -> None:
    """An image packed by another method cannot be read, and the method is said."""
    path = put(tmp_path, zip_of({NAME: jpeg(1)}, method))
    assert error_of(path, f"{FISH}_1") == f"it is packed by method {method}, which is not supported"


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_cut(tmp_path: Path, share: float) -> None:
    """A zip without its end has no directory, and is not opened."""
    whole = zip_of(kaggle())
    path = put(tmp_path, whole[: int(len(whole) * share)])
    with pytest.raises((EOFError, ValueError)):
        open_file(path, path.name)


@pytest.mark.parametrize("files", [{}, {"photo.jpg": jpeg(1), "a/b.txt": b"x"}], ids=["empty", "photos"])
def test_other_zip(tmp_path: Path, files: dict[str, bytes]) -> None:
    """A zip without images of ImageNet is not recognised."""
    path = put(tmp_path, zip_of(files))
    assert open_file(path, path.name) is None


def test_archive_in_a_zip(tmp_path: Path) -> None:
    """An archive in a zip, as in older ones of Kaggle, is named with what to do."""
    inner = "imagenet_object_localization_patched2019.tar.gz"
    path = put(tmp_path, zip_of({"LOC_val_solution.csv": kaggle_labels(), inner: b"x"}))
    members, problems = listed(path)
    assert [one.name for one in members] == ["LOC_val_solution.csv"]
    assert problems == [f"x: {inner} is not read as long as it is in the zip; unpack the zip."]


def test_bomb(tmp_path: Path) -> None:
    """Of an image that unpacks to 200 MB, little more is unpacked than an image may have."""
    path = put(tmp_path, zip_of({NAME: bytes(200_000_000)}))
    assert images(path) == {f"{FISH}_1": bytes(MAX_IMAGE_BYTES + 1)}


FIELDS = {"packed size": (20, "<L"), "size": (24, "<L"), "offset": (42, "<L")}


@pytest.mark.parametrize("value", [1, 1000, 2**31, 2**32 - 1])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_false_numbers(tmp_path: Path, compression: int, field: str, value: int) -> None:
    """False sizes and offsets in the directory cost only their member."""
    whole = zip_of({NAME: jpeg(1), LIAR: jpeg(2), f"{FISH}/{FISH}_3.JPEG": jpeg(3)}, compression)
    path = put(tmp_path, patched(whole, LIAR, *FIELDS[field], value))
    members, problems = listed(path)
    assert problems == []
    first, liar, last = members
    reader = reader_of(path)
    assert reader.image(first).read() == jpeg(1)
    assert reader.image(last).read() == jpeg(3)
    with contextlib.suppress(OSError, EOFError, ValueError):  # deflated data has an end of its own
        assert reader.image(liar).read() == jpeg(2)


@pytest.mark.parametrize("numbers", [(2**64 - 1,) * 3, (2**63,) * 3, (2**63,), ()])
def test_false_zip64_numbers(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    """Numbers of 64 bits that no file can have, or none where they should be, cost only their member."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr(NAME, jpeg(1))
        liar = zipfile.ZipInfo(LIAR)
        liar.extra = struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)
        archive.writestr(liar, jpeg(2))
    data = stored.getvalue()
    for field, kind in list(FIELDS.values())[-max(1, len(numbers)) :]:
        data = patched(data, LIAR, field, kind, 2**32 - 1)
    path = put(tmp_path, data)
    assert listed(path)[1] == []
    assert reader_of(path).image(listed(path)[0][0]).read() == jpeg(1)
    assert error_of(path, f"{FISH}_2")


def test_hostile_names(tmp_path: Path) -> None:
    """Only image codes are taken from names, whatever surrounds them."""
    names = [
        f"../../{FISH}_1.JPEG",
        f"/{FISH}_2.JPEG",
        f"{'x' * 300}/{FISH}_3.JPEG",
        f"\x1b[31m/{FISH}_4.JPEG",
        f"a#b/{FISH}_5.JPEG",
        f"é/{FISH}_6.JPEG",
        f"..\\{FISH}_7.JPEG",
        f"{FISH}_8.JPEG\n",
        f"{FISH}_9.JPEG/",
        f"{FISH}_../../9.JPEG",
    ]
    members, problems = listed(put(tmp_path, zip_of({name: jpeg(1) for name in names})))
    assert problems == []
    assert [one.image_code for one in members] == [f"{FISH}_{number}" for number in range(1, 7)]


def test_replaced_file(tmp_path: Path) -> None:
    """An image cannot be read if the file has been replaced or removed."""
    path = put(tmp_path, zip_of({NAME: jpeg(1)}))
    image = reader_of(path).image(listed(path)[0][0])
    for other in (zip_of({"x" * 50: jpeg(5), NAME: jpeg(2)}), b"", bytes(100_000)):
        path.write_bytes(other)
        with pytest.raises((OSError, EOFError, ValueError)):
            image.read()
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        image.read()


def test_random_changes(tmp_path: Path) -> None:
    """A zip with changed bytes gives the images, or errors that are reported."""
    dice = random.Random(7)
    whole = zip_of(class_folders())
    end = len(whole) - whole.rindex(b"PK\x01\x02") + 2000
    for number in range(300):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[len(data) - 1 - dice.randrange(end if number % 2 else len(data))] = dice.randrange(256)
        path = put(tmp_path, bytes(data))
        with contextlib.suppress(OSError, EOFError, ValueError):
            if reader := open_file(path, path.name):
                for member in reader.scan():
                    with contextlib.suppress(OSError, EOFError, ValueError):
                        reader.image(member).read()


def test_info_zip(tmp_path: Path) -> None:
    """A zip made by Info-ZIP has the same images."""
    (tmp_path / FISH).mkdir()
    (tmp_path / NAME).write_bytes(jpeg(1))
    try:
        subprocess.run(["zip", "-q", "-r", "x.zip", FISH], cwd=tmp_path, check=True)
    except FileNotFoundError:
        pytest.skip("zip is not installed")
    assert images(tmp_path / "x.zip") == {f"{FISH}_1": jpeg(1)}
