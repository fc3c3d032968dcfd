"""Annotations are written as ImageNet does, and can be read back."""

from __future__ import annotations

import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.annotations import voc_xml
from utils.models.enums import ImageFormat
from utils.models.images import Annotation, Box, Picture

IMAGE_CODE = "n02110185_14289"
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "annotation"
PICTURE = Picture(ImageFormat.JPEG, 500, 375, 1, "")


def test_layout() -> None:
    """The XML is ImageNet's, to the tab, with the folder, file name and size of what lies on disk."""
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
def test_round_trip(folder: str, label: str, sides: tuple[int, int, int, int]) -> None:
    """What is written is read back as it was, whatever signs its names hold, and is ASCII."""
    left, right = sorted(sides[:2])
    top, bottom = sorted(sides[2:])
    annotation = Annotation(IMAGE_CODE, 500, 375, (Box(label, left, top, right, bottom),))
    written = voc_xml.to_xml(annotation, folder=folder, filename=f"{folder}.jpg", picture=PICTURE)
    assert written.isascii()
    assert voc_xml.read_back(written, IMAGE_CODE) == annotation
    root = ElementTree.fromstring(written)
    assert (root.findtext("folder"), root.findtext("filename")) == (folder, f"{folder}.jpg")


@given(st.text())
def test_any_name_is_well_formed(name: str) -> None:
    """A name of any signs, control characters and half surrogates too, gives well-formed XML."""
    annotation = Annotation(IMAGE_CODE, 500, 375, (Box(name, 1, 2, 3, 4, name),))
    written = voc_xml.to_xml(annotation, folder=name, filename=name, picture=PICTURE)
    assert ElementTree.fromstring(written).tag == "annotation"


@pytest.mark.parametrize("code", ["n02110185", "n03931044", "n09436708", "n02129991"])
def test_real_archives(code: str) -> None:
    """Every XML of real archives is understood, and what is written of it is ImageNet's, byte for byte."""
    if not (REAL_DATA / f"{code}.tar.gz").is_file():
        pytest.skip(f"the real archive {code}.tar.gz is not there")
    content = voc_xml.read(REAL_DATA, code)
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
