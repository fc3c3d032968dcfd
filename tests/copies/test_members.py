"""The path of a file tells its kind, its image and its category."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.copies.members import Kind, classify, image_order
from utils.urls import IMAGE_CODE

FISH, DOG = "n01440764", "n02085620"
VAL = "ILSVRC2012_val_00000007"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"{FISH}/{FISH}_1.JPEG", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"{FISH}_1.JPEG", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"{FISH}_1.jpg", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"{FISH}_1.png", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"{FISH}_1_{FISH}.JPEG", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"{DOG}/{FISH}_1.JPEG", (Kind.IMAGE, DOG, f"{FISH}_1")),
        (f"a/{FISH}/images/{FISH}_1.JPEG", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"{DOG}/a/b/{FISH}_1.JPEG", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"{DOG}/{FISH}/{FISH}_1.JPEG", (Kind.IMAGE, FISH, f"{FISH}_1")),
        (f"val/{VAL}.JPEG", (Kind.IMAGE, "", VAL)),
        (f"val/{FISH}/{VAL}.JPEG", (Kind.IMAGE, FISH, VAL)),
        (f"{VAL}_{FISH}.JPEG", (Kind.IMAGE, FISH, VAL)),
        ("val/images/val_12.JPEG", (Kind.IMAGE, "", "ILSVRC2012_val_12")),
        (f"val/{VAL}.xml", (Kind.BOXES, "", VAL)),
        (f"{FISH}/{FISH}_1.XML", (Kind.BOXES, FISH, f"{FISH}_1")),
        ("a/LOC_val_solution.csv", (Kind.LABELS, "", "")),
        ("val/val_annotations.txt", (Kind.LABELS, "", "")),
    ],
)
def test_kinds(path: str, expected: tuple[Kind, str, str]) -> None:
    """The folder decides about the category; without one the name does."""
    member = classify(path, (1, 2, 3))
    assert member is not None
    assert (member.kind, member.code, member.image_code) == expected
    assert (member.name, member.place) == (path, (1, 2, 3))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        f"{FISH}",
        f"{FISH}/",
        f"{FISH}/tench.jpg",
        f"{FISH}_1",
        f"{FISH}_1.txt",
        f"{FISH}_1.JPEG.part",
        f"{FISH}_1.JPEG\n",
        f"{FISH}_1.JPEG\0",
        f"._{FISH}_1.JPEG",
        f"{FISH}_.JPEG",
        f"{FISH}_-1.JPEG",
        f"{FISH}_\u0661.JPEG",
        f"{FISH}_1234567890123.JPEG",
        f"{FISH}_1_x.JPEG",
        "N01440764_1.JPEG",
        "n1_1.JPEG",
        "ILSVRC2012_test_00000001.JPEG",
        "ILSVRC2012_val_123456789.JPEG",
        "ILSVRC2012_val_.JPEG",
        "loc_val_solution.csv",
    ],
)
def test_other_names(path: str) -> None:
    """Other files are of no use."""
    assert classify(path) is None


@given(st.text())
def test_any_name(text: str) -> None:
    """An image code never has characters that mean something in a path."""
    for path in (text, f"{text}.JPEG", f"{FISH}/{text}.JPEG", f"{text}/{FISH}_1.JPEG", f"{FISH}_{text}.JPEG"):
        if (member := classify(path)) and member.kind is not Kind.LABELS:
            assert IMAGE_CODE.fullmatch(member.image_code)


def test_order() -> None:
    """Training images come before validation images, each by number."""
    codes = [VAL, f"{FISH}_10", f"{FISH}_9", "ILSVRC2012_val_00000001", f"{FISH}_123456789012"]
    assert sorted(codes, key=image_order) == [codes[2], codes[1], codes[4], codes[3], codes[0]]
