"""Our own XML is read by a short cut; it must see in every file what the parser sees."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from utils.annotations import voc_xml
from utils.models.enums import ImageFormat
from utils.models.images import Annotation, Box, Picture

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


@settings(max_examples=400, deadline=None)
@given(
    xml=XMLS, at=st.floats(0, 1), change=st.sampled_from([b"", b"<", b">", b"&", b" ", b"\n", b"9", b"\xe9"])
)
def test_the_short_cut_sees_what_the_parser_sees(xml: bytes, at: float, change: bytes) -> None:
    """What the short cut reads, the parser reads alike, also in files with a letter changed."""
    place = int(at * len(xml))
    for data in (xml, xml[:place] + change + xml[place + 1 :]):
        seen = voc_xml._of_ours(data, "n1_2")
        assert seen is None or seen == voc_xml._parse_any(data, "n1_2").annotation
        assert voc_xml.read_back(data, "n1_2") == voc_xml._parse_any(data, "n1_2").annotation


def test_the_short_cut_is_taken() -> None:
    """What a run writes for plain names is read that way, with all boxes."""
    boxes = (Box("cup_n03147509", 0, 1, 22, 33, "Left", 1, 0), Box("sky", 5, 6, 7, 8, difficult=1))
    picture = Picture(ImageFormat.JPEG, 500, 375, 1, "")
    annotation = Annotation("n1_2", 500, 375, boxes)
    xml = voc_xml.to_xml(annotation, folder="mouse,_computer_mouse", filename="n1_2.jpg", picture=picture)
    assert voc_xml._of_ours(xml, "n1_2") == annotation
