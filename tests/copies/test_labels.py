"""Tables of labels tell the categories of validation images."""

from __future__ import annotations

import pytest

from tests.copies.lookalikes import IDS, LABELS, VALIDATION_CODES, devkit_labels, kaggle_labels
from utils.copies import ilsvrc, labels
from utils.copies.members import DEVKIT_LABELS, KAGGLE_LABELS, TINY_LABELS

FISH, DOG = "n01440764", "n02085620"
FIRST = "ILSVRC2012_val_00000001"


@pytest.mark.parametrize(
    ("name", "data"), [(f"a/b/{KAGGLE_LABELS}", kaggle_labels()), (DEVKIT_LABELS, devkit_labels())]
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_tables(name: str, data: bytes, line_end: bytes) -> None:
    """The tables of Kaggle and of the devkit say the same."""
    assert labels.parse(name, data.replace(b"\n", line_end)) == VALIDATION_CODES


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        (KAGGLE_LABELS, f"{FIRST},{FISH} 1 2 3 4 {DOG} 1 2 3 4", {FIRST: FISH}),
        (KAGGLE_LABELS, f"{FIRST},{FISH}", {FIRST: FISH}),
        (KAGGLE_LABELS, f"{FIRST},", {}),
        (KAGGLE_LABELS, f"{FIRST},../../x 1", {}),
        (KAGGLE_LABELS, "ImageId,PredictionString", {}),
        (DEVKIT_LABELS, "449", {FIRST: FISH}),
        (DEVKIT_LABELS, " 449 ", {FIRST: FISH}),
        (DEVKIT_LABELS, "0", {}),
        (DEVKIT_LABELS, "1001", {}),
        (DEVKIT_LABELS, "-1", {}),
        (DEVKIT_LABELS, "x", {}),
        (TINY_LABELS, f"val_0.JPEG\t{FISH}\t0\t32\t44\t62", {"ILSVRC2012_val_0": FISH}),
        (TINY_LABELS, f"val_0.JPEG\t{FISH}", {"ILSVRC2012_val_0": FISH}),
        (TINY_LABELS, "val_0.JPEG", {}),
        (TINY_LABELS, "\t\t", {}),
        (TINY_LABELS, "\xff\x00", {}),
    ],
)
def test_lines(name: str, line: str, expected: dict[str, str]) -> None:
    """Lines that say nothing are skipped."""
    assert {key: code for key, code in labels.parse(name, line.encode("latin-1")).items() if key} == expected


def test_bytes() -> None:
    """A table of other bytes has no labels."""
    for name in (KAGGLE_LABELS, DEVKIT_LABELS, TINY_LABELS):
        assert labels.parse(name, bytes(range(256)) * 10) == {}


def test_numbers() -> None:
    """Ids of the devkit are no positions among the sorted wnids, which labels are."""
    assert {code: ilsvrc.code_of_id(str(number)) for code, number in IDS.items()} == {
        code: code for code in IDS
    }
    assert {code: ilsvrc.code_of_label(number) for code, number in LABELS.items()} == {
        code: code for code in LABELS
    }
    assert len({ilsvrc.code_of_id(str(number)) for number in range(1, 1001)}) == 1000
    assert len({ilsvrc.code_of_label(number) for number in range(1000)}) == 1000
    for number in (-1, 1000, None, True, 1.5, "x", ""):
        assert ilsvrc.code_of_label(number) == ""
