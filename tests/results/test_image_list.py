"""Lists of images: codes in the ways in which lists of ImageNet write them, and manifests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from utils.errors import InputError
from utils.models.rows import Category
from utils.results import image_list
from utils.results.image_list import ListedImage
from utils.results.manifest import COLUMNS, ManifestRow, write

CODE, VALIDATION = "n01440764_10026", "ILSVRC2012_val_00000001"


def read(tmp_path: Path, data: bytes) -> image_list.ImageList:
    """Read a list."""
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    return image_list.read(path)


def images_or_error(tmp_path: Path, data: bytes) -> tuple[ListedImage, ...] | str:
    """Read a list; returns its images, or the message of the error."""
    try:
        return read(tmp_path, data).images
    except InputError as error:
        return str(error)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("n01440764_10026", CODE),
        ("n01440764_10026.JPEG", CODE),
        ("train/n01440764/n01440764_10026.JPEG 0", CODE),
        ("my folder\\Siberian husky\\n01440764_10026.jpg", CODE),
        ("n01440764/n01440764_10026 1", CODE),
        ("n01440764_10026,n01440764 13 20 400 300", CODE),
        ("n01440764_10026;0", CODE),
        ('"n01440764_10026"', CODE),
        ("n01440764_10026_n01440764.JPEG", CODE),
        ("ILSVRC2012_val_00000001", VALIDATION),
        ("val/ILSVRC2012_val_00000001.JPEG 490", VALIDATION),
        ("ILSVRC2012_val_00000001_n01751748.JPEG", VALIDATION),
    ],
)
def test_codes(tmp_path: Path, line: str, expected: str) -> None:
    """An image is found by its code, in the notation of ILSVRC, Kaggle and the Hub."""
    (image,) = read(tmp_path, f"# comment\n\n  {line}\r\n".encode()).images
    assert image.image_code == expected
    assert image.category == ("n01751748" if "n01751748" in line else "")


@pytest.mark.parametrize("header", ["ImageId,PredictionString", "image_code", "image codes", "Images"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_header_and_encoding(tmp_path: Path, header: str, encoding: str) -> None:
    """A header is no image, and the list may have been saved by any editor."""
    listed = read(tmp_path, f"{header}\n{CODE}\n".encode(encoding))
    assert (listed.images, listed.is_manifest) == ((ListedImage(CODE),), False)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"n01440764_10026\nn01440764\n", "line 2: 'n01440764' begins with no image code"),
        (b"n01440764_10026\nhello world\n", "line 2: 'hello world' begins with no image code"),
        (b"# nothing\n", "lists no image"),
        (b"image_code,sha256\n", "lists no image"),
        (b"\0\1\2", "is not a text file"),
        (b"image_code,sha256\nn01440764_1,xyz\n", "line 2: 'xyz' is not a SHA-256"),
        (b"image_code,sha256\nn01440764_1,\n", "line 2: '' is not a SHA-256"),
        (b"image_code,phash\nn01440764_1,1.2E+15\n", r"line 2: '1.2E\+15' is not a hash of 16 hexadecimal"),
        (b"image_code,phash\nn01440764_1,123456789012345\n", "line 2: '1\\d+5' is not a hash of 16 hexa"),
        (b"image_code,width\nn01440764_1,wide\n", "line 2: 'wide' is not a number of pixels"),
        (b"image_code,sha256\nhorse,\n", "line 2: 'horse' is not an image code"),
        (
            b"image_code,sha256\nn01440764_1," + b"a" * 64 + b"\nn01440764_1," + b"b" * 64,
            "line 3: n01440764_1 is listed before, with other",
        ),
    ],
)
def test_invalid(tmp_path: Path, data: bytes, message: str) -> None:
    """An error names file and line, and says what to do."""
    with pytest.raises(InputError, match=message):
        read(tmp_path, data)


def test_unreadable(tmp_path: Path) -> None:
    """A file that does not exist, or is a folder, is an error."""
    for path in (tmp_path, tmp_path / "no"):
        with pytest.raises(InputError, match="cannot be read"):
            image_list.read(path)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_manifest(tmp_path: Path, separator: str) -> None:
    """A manifest is read as it was written, also with another separator, fewer columns or more."""
    url = "http://a.example/1.jpg"
    row = ManifestRow(CODE, "-tench", url, "ab" * 32, "00ff" * 4, "jpg", 500, 375, 1000, None)
    copied = ManifestRow(VALIDATION, "tench", "", "cd" * 32, "", "jpg", 64, 48, 1000, 2)
    path = tmp_path / "manifest.csv"
    write(path, [row, copied])
    text = path.read_text(encoding="utf-8").replace(",", separator)
    listed = read(tmp_path, ("\ufeff" + text.replace("\n", f"{separator}\r\n")).encode())
    assert listed.is_manifest
    assert listed.images == (
        ListedImage(VALIDATION, "tench", "", "cd" * 32, None, 64, 48),
        ListedImage(CODE, "'-tench", url, "ab" * 32, 0x00FF00FF00FF00FF, 500, 375),
    )
    few = read(tmp_path, f"{COLUMNS[0]},category\n{CODE},tench\n".encode())
    assert few.images == (ListedImage(CODE, "tench"),)


def test_no_comparison_without_checksums(tmp_path: Path) -> None:
    """A table is a manifest if it has checksums, in capitals or not."""
    assert not read(tmp_path, f"image_code,url\n{CODE},http://a.example/1\n".encode()).is_manifest
    listed = read(tmp_path, f"image_code,sha256\n{CODE},{'AB' * 32}\n".encode())
    assert listed.is_manifest
    assert listed.images == (ListedImage(CODE, sha256="ab" * 32),)


def test_manifest_that_was_cut_off(tmp_path: Path) -> None:
    """Wherever the file ends, an image is listed with all its values, or an error names the line.

    Only the end of its last number, the bytes, may be lost, and the number of boxes.
    """
    path = tmp_path / "manifest.csv"
    rows = [
        ManifestRow(
            f"{CODE}{n}", "tench", "http://a.example/1", "ab" * 32, "0f" * 8, "jpg", 50, 37, 999, boxes
        )
        for n, boxes in enumerate([1, None])
    ]
    write(path, rows)
    data = path.read_bytes()
    whole = image_list.read(path).images
    for end in range(data.index(b"\n") + 2, len(data)):
        found = images_or_error(tmp_path, data[:end])
        if isinstance(found, str):
            assert re.search(r"line [23]: .*(cells|image code)", found)
        else:
            assert found == whole[: len(found)]


def test_only_urls_can_be_downloaded(tmp_path: Path) -> None:
    """Files, paths and members of tars in the column `url` are no URLs; a URL may have a fragment."""
    for url in ("file:///etc/passwd", "/etc/passwd", "http://a.example/n01440764.tar#n01440764_1.JPEG"):
        (image,) = read(tmp_path, f"image_code,url\n{CODE},{url}\n".encode()).images
        assert image.url == ""
    (image,) = read(tmp_path, f"image_code,url\n{CODE},http://a.example/1.jpg#top\n".encode()).images
    assert image.url == "http://a.example/1.jpg#top"


def test_categories() -> None:
    """The category is that of the folder in the manifest, of the wnid, or of the label, in this order."""
    everything = [Category("n01440764", "tench", "tench"), Category("n01751748", "-s", "-s")]
    images = [
        ListedImage(CODE),
        ListedImage("n01440764_2", "'-s"),
        ListedImage("n01751748_3", "another name"),
        ListedImage("ILSVRC2012_val_00000004", "n01751748"),
        ListedImage("ILSVRC2012_val_00000005"),
        ListedImage("ILSVRC2012_val_00000006"),
        ListedImage("n00000001_7"),
    ]
    groups, unknown = image_list.by_category(images, everything, {"ILSVRC2012_val_00000005": "n01440764"})
    assert {code: list(found) for code, found in groups.items()} == {
        "n01440764": [CODE, "ILSVRC2012_val_00000005"],
        "n01751748": ["n01440764_2", "n01751748_3", "ILSVRC2012_val_00000004"],
    }
    assert [one.image_code for one in unknown] == ["ILSVRC2012_val_00000006", "n00000001_7"]
