"""ImageNet's XML: understood where it can be, written as ImageNet does, never a danger."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.annotations import voc_xml
from utils.models.images import Annotation, Box

CODE = "n02110185"
IMAGE_CODE = f"{CODE}_14289"


def drawn_object(label: str = CODE, corners: tuple[object, ...] = (2, 35, 320, 374)) -> str:
    """Write the XML of an object."""
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{label}</name><bndbox>{box}</bndbox></object>"


def drawn(*objects: str, size: str = "<width>500</width><height>375</height>") -> bytes:
    """Write the XML of an annotation."""
    inner = "".join(objects or (drawn_object(),))
    return f"<annotation><size>{size}</size>{inner}</annotation>".encode()


def put(folder: Path, **files: bytes) -> Path:
    """Make an archive of XML files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"Annotation/{CODE}/{name}.xml")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    path = folder / f"{CODE}.tar.gz"
    path.write_bytes(packed.getvalue())
    return path


def boxes(data: bytes) -> list[tuple[int, int, int, int]]:
    """Return the corners of the boxes that an XML holds."""
    annotation = voc_xml.read_back(data, IMAGE_CODE)
    return [(box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.boxes] if annotation else []


def test_read(tmp_path: Path) -> None:
    """All annotations of a category come by image code, other synsets' images and labels included."""
    put(tmp_path, n02110185_1=drawn(), n02109961_2=drawn(drawn_object("n02109961"), drawn_object()))
    content = voc_xml.read(tmp_path, CODE)
    assert content.problem == ""
    assert content.annotations["n02110185_1"] == Annotation(
        "n02110185_1", 500, 375, (Box(CODE, 2, 35, 320, 374),)
    )
    assert [box.label for box in content.annotations["n02109961_2"].boxes] == ["n02109961", CODE]


def test_missing(tmp_path: Path) -> None:
    """A missing archive is a sentence that names what was looked for."""
    content = voc_xml.read(tmp_path, CODE)
    assert content.annotations == {}
    assert CODE in content.problem
    assert str(tmp_path) in content.problem


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\x1f\x8bjunk"])
def test_no_archive(tmp_path: Path, data: bytes) -> None:
    """What is no archive costs the boxes, and a sentence names the file."""
    path = tmp_path / f"{CODE}.tar.gz"
    path.write_bytes(data)
    content = voc_xml.read(tmp_path, CODE)
    assert content.annotations == {}
    assert str(path) in content.problem


def test_damaged(tmp_path: Path) -> None:
    """What could be read of a damaged archive is kept, and the sentence says how much."""
    path = put(tmp_path, **{f"n02110185_{number}": drawn() for number in range(30)})
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(plain[: 20 * 1024 + 100])
    content = voc_xml.read(tmp_path, CODE)
    assert len(content.annotations) == 20
    assert "beyond 20 annotations" in content.problem


def test_not_understood(tmp_path: Path) -> None:
    """XML files that say nothing are counted, the others are kept."""
    put(
        tmp_path,
        n02110185_1=drawn(),
        n02110185_2=b"<annotation>",
        n02110185_3=b"",
        n02110185_4=b"<annotation/>",
    )
    content = voc_xml.read(tmp_path, CODE)
    assert list(content.annotations) == ["n02110185_1"]
    assert content.not_understood == 3
    assert "3 XML files" in content.problem


def test_empty_archive(tmp_path: Path) -> None:
    """An archive without annotations is said to be so."""
    put(tmp_path)
    assert "holds no annotations" in voc_xml.read(tmp_path, CODE).problem


def test_boxes_counted(tmp_path: Path) -> None:
    """Boxes without a name or numbers are dropped and counted; reversed ones stay, for `fit` to mend."""
    put(
        tmp_path,
        n02110185_1=drawn(
            drawn_object(),
            drawn_object(label="  "),
            drawn_object(corners=("x", 1, 2, 3)),
            drawn_object(corners=(90, 80, 10, 20)),
            "<object><name>n1</name></object>",
        ),
    )
    content = voc_xml.read(tmp_path, CODE)
    assert [box.xmin for box in content.annotations["n02110185_1"].boxes] == [2, 90]
    assert content.dropped == 3
    assert "3 boxes" in content.problem


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1e9", "", " ", "0x10", "ten"])
def test_no_numbers(value: str) -> None:
    """A coordinate that is no number, or beyond any picture, makes its box unusable."""
    assert boxes(drawn(drawn_object(corners=(value, 1, 20, 30)), drawn_object())) == [(2, 35, 320, 374)]


def test_rounded() -> None:
    """Fractions are rounded, blanks do not matter, and boxes may lie outside until they are fitted."""
    assert boxes(drawn(drawn_object(corners=("1.6", " 2 ", "20.4", "-3")))) == [(2, 2, 20, -3)]


@pytest.mark.parametrize(
    "size",
    [
        "",
        "<width>0</width><height>375</height>",
        "<width>65535</width><height>375</height>",
        "<width>500</width>",
        "<width>wide</width><height>high</height>",
        "<width>-500</width><height>375</height>",
    ],
)
def test_no_size(size: str) -> None:
    """A size that is missing or impossible is stated as 0 by 0, and the boxes are kept."""
    annotation = voc_xml.read_back(drawn(size=size), IMAGE_CODE)
    assert annotation is not None
    assert (annotation.width, annotation.height, len(annotation.boxes)) == (0, 0, 1)


def test_parts_are_no_objects() -> None:
    """The parts of an object, which Pascal VOC knows, do not replace its name or box."""
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
    assert boxes(drawn(drawn_object().replace("</object>", part))) == [(2, 35, 320, 374)]


LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    + "]>"
)


@pytest.mark.parametrize(
    "prologue", [LAUGHS, '<!DOCTYPE a SYSTEM "file:///etc/passwd">', "<!DOCTYPE annotation>"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_document_type(prologue: str, encoding: str) -> None:
    """An XML that declares a document type is refused unread, in every encoding."""
    began = time.process_time()
    text = prologue + drawn(drawn_object(label="&l12;" if prologue is LAUGHS else CODE)).decode()
    assert voc_xml.read_back(text.encode(encoding), IMAGE_CODE) is None
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe<\x00a\x00",
        b'<?xml version="1.0" encoding="no-such"?>' + drawn(),
        b'<?xml version="1.0" encoding="utf-7"?>' + drawn(),
        b"<a>" * 50_000,
        drawn()[:-1],
        drawn().replace(CODE.encode(), b"\xff\xfe"),
        drawn(drawn_object("&nope;")),
    ],
)
def test_malformed(data: bytes) -> None:
    """XML that is not well-formed, or in an encoding nobody knows, is None."""
    assert voc_xml.read_back(data, IMAGE_CODE) is None


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes(noise: bytes, place: int) -> None:
    """No bytes, wherever they stand, lead to an exception, nor to coordinates beyond any picture."""
    data = drawn()
    annotation = voc_xml.read_back(data[:place] + noise + data[place + len(noise) :], IMAGE_CODE)
    assert annotation is None or all(abs(box.xmax) <= 10_000_000 for box in annotation.boxes)
