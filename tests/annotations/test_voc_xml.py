"""Annotations are read from XML and written in the layout of ImageNet."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tars import tar
from utils.annotations import voc_xml
from utils.models.images import Annotation, Box, ImageFormat, Picture

CODE = "n02110185"
IMAGE_CODE = f"{CODE}_14289"
PICTURE = Picture(ImageFormat.JPEG, 500, 375, 1, "")
REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "annotation"


def object_xml(label: str = CODE, corners: tuple[object, ...] = (2, 35, 320, 374)) -> str:
    """Return the XML of an object."""
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{label}</name><bndbox>{box}</bndbox></object>"


def annotation_xml(*objects: str, size: str = "<width>500</width><height>375</height>") -> bytes:
    """Return the XML of an annotation."""
    inner = "".join(objects or (object_xml(),))
    return f"<annotation><size>{size}</size>{inner}</annotation>".encode()


def put(folder: Path, **files: bytes) -> Path:
    """Write an archive of XML files."""
    path = folder / f"{CODE}.tar.gz"
    members = ((f"Annotation/{CODE}/{name}.xml", data) for name, data in files.items())
    path.write_bytes(gzip.compress(tar(*members)))
    return path


def boxes(data: bytes) -> list[tuple[int, int, int, int]]:
    """Return the corners of the boxes in an XML."""
    annotation = voc_xml.parse(data, IMAGE_CODE)
    return [(box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.boxes] if annotation else []


def test_read_archive(tmp_path: Path) -> None:
    """All annotations of an archive are returned, including images and labels of other synsets."""
    put(
        tmp_path,
        n02110185_1=annotation_xml(),
        n02109961_2=annotation_xml(object_xml("n02109961"), object_xml()),
    )
    content = voc_xml.read_archive(tmp_path, CODE)
    assert content.problem == ""
    assert content.annotations["n02110185_1"] == Annotation(
        "n02110185_1", 500, 375, (Box(CODE, 2, 35, 320, 374),)
    )
    assert [box.label for box in content.annotations["n02109961_2"].boxes] == ["n02109961", CODE]


def test_missing_archive(tmp_path: Path) -> None:
    """The problem of a missing archive names category and folder."""
    content = voc_xml.read_archive(tmp_path, CODE)
    assert content.annotations == {}
    assert CODE in content.problem
    assert str(tmp_path) in content.problem


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\x1f\x8bjunk"])
def test_invalid_archive(tmp_path: Path, data: bytes) -> None:
    """The problem of an invalid archive names the file."""
    path = tmp_path / f"{CODE}.tar.gz"
    path.write_bytes(data)
    content = voc_xml.read_archive(tmp_path, CODE)
    assert content.annotations == {}
    assert str(path) in content.problem


def test_truncated_archive(tmp_path: Path) -> None:
    """All readable annotations of a truncated archive are returned, and the problem states their number."""
    path = put(tmp_path, **{f"n02110185_{number}": annotation_xml() for number in range(30)})
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(plain[: 20 * 1024 + 100])
    content = voc_xml.read_archive(tmp_path, CODE)
    assert len(content.annotations) == 20
    assert "only 20 annotations could be read" in content.problem


def test_invalid_files(tmp_path: Path) -> None:
    """Invalid XML files are left out and counted."""
    put(
        tmp_path,
        n02110185_1=annotation_xml(),
        n02110185_2=b"<annotation>",
        n02110185_3=b"",
        n02110185_4=b"<annotation/>",
    )
    content = voc_xml.read_archive(tmp_path, CODE)
    assert list(content.annotations) == ["n02110185_1"]
    assert "3 invalid XML files left out" in content.problem


def test_empty_archive(tmp_path: Path) -> None:
    """An archive without annotations has a problem."""
    put(tmp_path)
    assert "contains no annotations" in voc_xml.read_archive(tmp_path, CODE).problem


def test_invalid_boxes(tmp_path: Path) -> None:
    """Boxes without name or numbers are left out and counted; reversed boxes are kept."""
    put(
        tmp_path,
        n02110185_1=annotation_xml(
            object_xml(),
            object_xml(label="  "),
            object_xml(corners=("x", 1, 2, 3)),
            object_xml(corners=(90, 80, 10, 20)),
            "<object><name>n1</name></object>",
        ),
    )
    content = voc_xml.read_archive(tmp_path, CODE)
    assert [box.xmin for box in content.annotations["n02110185_1"].boxes] == [2, 90]
    assert "3 boxes without name or numbers left out" in content.problem


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1e9", "", " ", "0x10", "ten"])
def test_invalid_coordinate(value: str) -> None:
    """A box with a coordinate that is not a number, or too large, is left out."""
    assert boxes(annotation_xml(object_xml(corners=(value, 1, 20, 30)), object_xml())) == [(2, 35, 320, 374)]


def test_fractions() -> None:
    """Fractions are rounded, spaces are ignored, and boxes may extend beyond the image."""
    assert boxes(annotation_xml(object_xml(corners=("1.6", " 2 ", "20.4", "-3")))) == [(2, 2, 20, -3)]


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
def test_invalid_size(size: str) -> None:
    """A missing or invalid size is read as 0 by 0, and the boxes are kept."""
    annotation = voc_xml.parse(annotation_xml(size=size), IMAGE_CODE)
    assert annotation is not None
    assert (annotation.width, annotation.height, len(annotation.boxes)) == (0, 0, 1)


def test_parts_of_objects() -> None:
    """Parts of an object, as in Pascal VOC, do not replace its name and box."""
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
    assert boxes(annotation_xml(object_xml().replace("</object>", part))) == [(2, 35, 320, 374)]


BILLION_LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    + "]>"
)


@pytest.mark.parametrize(
    "prologue", [BILLION_LAUGHS, '<!DOCTYPE a SYSTEM "file:///etc/passwd">', "<!DOCTYPE annotation>"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_document_type(prologue: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An XML with a document type declaration is rejected without parsing, in any encoding."""
    monkeypatch.setattr("utils.annotations.voc_xml.ElementTree.fromstring", pytest.fail)
    text = (
        prologue + annotation_xml(object_xml(label="&l12;" if prologue is BILLION_LAUGHS else CODE)).decode()
    )
    assert voc_xml.parse(text.encode(encoding), IMAGE_CODE) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe<\x00a\x00",
        b'<?xml version="1.0" encoding="no-such"?>' + annotation_xml(),
        b'<?xml version="1.0" encoding="utf-7"?>' + annotation_xml(),
        b"<a>" * 50_000,
        annotation_xml()[:-1],
        annotation_xml().replace(CODE.encode(), b"\xff\xfe"),
        annotation_xml(object_xml("&nope;")),
    ],
)
def test_malformed(data: bytes) -> None:
    """XML that is not well-formed, or in an unknown encoding, is rejected."""
    assert voc_xml.parse(data, IMAGE_CODE) is None


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes(noise: bytes, offset: int) -> None:
    """Arbitrary bytes raise no exception, and give no coordinates beyond the limit."""
    data = annotation_xml()
    annotation = voc_xml.parse(data[:offset] + noise + data[offset + len(noise) :], IMAGE_CODE)
    assert annotation is None or all(abs(box.xmax) <= 10_000_000 for box in annotation.boxes)


def test_layout() -> None:
    """The XML has the layout of ImageNet, with folder, file name and size of the saved image."""
    annotation = Annotation(IMAGE_CODE, 500, 375, (Box("husky", 2, 35, 320, 374, "Left", 1, 0),))
    written = voc_xml.to_xml(annotation, folder="husky", filename="n1_2.jpg", picture=PICTURE)
    assert written.decode().split("\n") == [
        "<annotation>",
        "\t<folder>husky</folder>",
        "\t<filename>n1_2.jpg</filename>",
        "\t<source>",
        "\t\t<database>ImageNet database</database>",
        "\t</source>",
        "\t<size>",
        "\t\t<width>500</width>",
        "\t\t<height>375</height>",
        "\t\t<depth>3</depth>",
        "\t</size>",
        "\t<segmented>0</segmented>",
        "\t<object>",
        "\t\t<name>husky</name>",
        "\t\t<pose>Left</pose>",
        "\t\t<truncated>1</truncated>",
        "\t\t<difficult>0</difficult>",
        "\t\t<bndbox>",
        "\t\t\t<xmin>2</xmin>",
        "\t\t\t<ymin>35</ymin>",
        "\t\t\t<xmax>320</xmax>",
        "\t\t\t<ymax>374</ymax>",
        "\t\t</bndbox>",
        "\t</object>",
        "</annotation>",
    ]


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1).filter(
    lambda name: name == name.strip()
)


@given(NAMES, NAMES, st.tuples(*(st.integers(0, 374) for _ in range(4))))
def test_round_trip(folder: str, label: str, corners: tuple[int, int, int, int]) -> None:
    """Writing and parsing return the same annotation for any names, and the XML is ASCII."""
    left, right = sorted(corners[:2])
    top, bottom = sorted(corners[2:])
    annotation = Annotation(IMAGE_CODE, 500, 375, (Box(label, left, top, right, bottom),))
    written = voc_xml.to_xml(annotation, folder=folder, filename=f"{folder}.jpg", picture=PICTURE)
    assert written.isascii()
    assert voc_xml.parse(written, IMAGE_CODE) == annotation
    root = ElementTree.fromstring(written)
    assert (root.findtext("folder"), root.findtext("filename")) == (folder, f"{folder}.jpg")


@given(st.text())
def test_any_name_is_well_formed(name: str) -> None:
    """Names of any characters give well-formed XML, control characters and lone surrogates included."""
    annotation = Annotation(IMAGE_CODE, 500, 375, (Box(name, 1, 2, 3, 4, name),))
    written = voc_xml.to_xml(annotation, folder=name, filename=name, picture=PICTURE)
    assert ElementTree.fromstring(written).tag == "annotation"


@pytest.mark.parametrize("code", ["n02110185", "n03931044", "n09436708", "n02129991"])
def test_real_archives(code: str) -> None:
    """Every XML of real archives can be parsed, and is written back byte for byte."""
    if not (REAL_DATA / f"{code}.tar.gz").is_file():
        pytest.skip(f"the real archive {code}.tar.gz is missing")
    content = voc_xml.read_archive(REAL_DATA, code)
    assert content.problem == ""
    assert content.annotations
    with tarfile.open(REAL_DATA / f"{code}.tar.gz") as archive:
        files = [member for member in archive if member.isreg()]
        assert len(files) == len(content.annotations)
        for member in files[:50]:
            original = archive.extractfile(member)
            assert original is not None
            with original:
                data = original.read()
            annotation = content.annotations[Path(member.name).stem]
            folder = ElementTree.fromstring(data).findtext("folder", "")
            size = Picture(ImageFormat.JPEG, annotation.width, annotation.height, 1, "")
            assert (
                voc_xml.to_xml(annotation, folder=folder, filename=annotation.image_code, picture=size)
                == data
            )


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.sampled_from(
    ["cup", "a b", " cup", "cup ", "&", "<b>", "]]>", "é", "\t", "a\x00b", "Unspecified"]
)
NUMBERS = st.integers(0, 99) | st.integers(-200_000, 200_000)
BOXES = st.builds(Box, TEXTS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, TEXTS, st.integers(0, 1), st.integers(0, 1))
XMLS = st.builds(
    lambda boxes, width, height, name: voc_xml.to_xml(
        Annotation("n1_2", 0, 0, tuple(boxes)),
        folder=name,
        filename=name,
        picture=Picture(ImageFormat.JPEG, width, height, 1, ""),
    ),
    st.lists(BOXES, max_size=3),
    st.integers(0, 70_000),
    st.integers(0, 70_000),
    TEXTS,
)


@settings(max_examples=100, deadline=None)
@given(
    xml=XMLS,
    position=st.floats(0, 1),
    change=st.sampled_from([b"", b"<", b">", b"&", b" ", b"\n", b"9", b"\xe9"]),
)
def test_layout_parser_agrees_with_xml_parser(xml: bytes, position: float, change: bytes) -> None:
    """Both parsers give the same annotation, also for files with a changed byte."""
    offset = int(position * len(xml))
    for data in (xml, xml[:offset] + change + xml[offset + 1 :]):
        expected, _ = voc_xml._parse_xml(data, "n1_2")
        assert voc_xml._parse_layout(data, "n1_2") in (None, expected)
        assert voc_xml.parse(data, "n1_2") == expected


def test_layout_parser_is_used() -> None:
    """The layout parser reads what `to_xml` writes for plain names, with all boxes."""
    boxes = (Box("cup_n03147509", 0, 1, 22, 33, "Left", 1, 0), Box("sky", 5, 6, 7, 8, difficult=1))
    picture = Picture(ImageFormat.JPEG, 500, 375, 1, "")
    annotation = Annotation("n1_2", 500, 375, boxes)
    xml = voc_xml.to_xml(annotation, folder="mouse,_computer_mouse", filename="n1_2.jpg", picture=picture)
    assert voc_xml._parse_layout(xml, "n1_2") == annotation
