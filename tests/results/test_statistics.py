"""Summaries of categories, as a line, as sentences and as a table."""

from __future__ import annotations

import dataclasses

import pytest

from utils.models.images import BoxCounts, ImageFormat, Picture
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.statistics import MOST_CATEGORIES, WIDEST_NAME, Summary, table

ROW = UrlRow(0, "n00000001_1", "http://host/1.jpg")
PICTURE = Picture(ImageFormat.JPEG, 100, 100, 1_500_000, "ab" * 32)
SAVED = Outcome(ROW, Status.DOWNLOADED, picture=PICTURE)
BOXED = dataclasses.replace(SAVED, boxes=3)
THERE = dataclasses.replace(SAVED, status=Status.ALREADY_PRESENT)
DEAD = Outcome(ROW, Status.FAILED, Reason.HTTP_STATUS, http_status=404)
SMALL = Outcome(ROW, Status.FAILED, Reason.TOO_SMALL, picture=PICTURE)
SKIPPED = Outcome(ROW, Status.SKIPPED, Reason.FILLED)
UNTRIED = Outcome(ROW, Status.NOT_ATTEMPTED, Reason.INTERRUPTED)


def summed(name: str, *outcomes: Outcome) -> Summary:
    """Return the summary of outcomes."""
    summary = Summary(name)
    assert list(summary.counting(outcomes)) == list(outcomes)
    return summary


def test_counting() -> None:
    """Bytes and boxes are those of saved images; an image without XML is not annotated."""
    summary = summed("thing", SAVED, BOXED, THERE, DEAD, SMALL, SKIPPED, UNTRIED)
    assert (summary.images, summary.annotated, summary.bytes) == (3, 1, 4_500_000)
    assert summary.reasons == {"http_404": 1, "too_small": 1}


@pytest.mark.parametrize(
    ("outcomes", "line"),
    [
        ([], "thing: 0 saved"),
        ([SAVED, BOXED], "thing: 2 saved, 1 with boxes"),
        ([THERE, DEAD], "thing: 0 saved, 1 already there, 1 failed (http_404 1)"),
        ([SAVED, SKIPPED, UNTRIED], "thing: 1 saved, 1 not needed, 1 not attempted"),
    ],
)
def test_line(outcomes: list[Outcome], line: str) -> None:
    """The line has no zeros but that of saved images."""
    assert summed("thing", *outcomes).line() == line


def test_failure_reasons() -> None:
    """The four most frequent reasons are named, and the others added up."""
    failures = [
        dataclasses.replace(DEAD, http_status=status)
        for status, count in {404: 9, 410: 5, 403: 4, 500: 3, 401: 2, 503: 1}.items()
        for _ in range(count)
    ]
    expected = "http_404 9, http_410 5, http_403 4, http_500 3, other 3"
    assert summed("thing", *failures).failure_reasons == expected
    assert summed("thing", SAVED).failure_reasons == ""


def test_table() -> None:
    """Numbers are aligned right, with totals; optional columns without numbers are left out."""
    text = table([summed("hen", BOXED, DEAD), summed("a_longer_name", *[SAVED] * 100, THERE)])
    assert text.split("\n") == [
        "category       saved  already there  with boxes  failed  MB there  failed because of",
        "hen                1              0           1       1       1.5  http_404 1",
        "a_longer_name    100              1           0       0     151.5",
        "all              101              1           1       1     153.0  http_404 1",
    ]


def test_table_of_many_categories() -> None:
    """It has those with the most failures, then those with images; the empty ones are left out first."""
    empty = [summed(f"empty_{number}") for number in range(MOST_CATEGORIES)]
    lines = table([*empty, summed("hen", SAVED), summed("cock", DEAD)]).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["cock", "hen", "empty_0"]
    assert len(lines) == MOST_CATEGORIES + 2


def test_table_without_total() -> None:
    """One category has no total; without categories there is only the header."""
    assert len(table([summed("hen", SAVED)]).splitlines()) == 2
    assert table([]).splitlines()[0].startswith("category  saved")


def test_optional_columns() -> None:
    """An optional column appears if one category has a number in it."""
    heading = table([summed("hen", SKIPPED), summed("cock", UNTRIED)]).splitlines()[0]
    assert "not needed  not attempted" in heading


def test_long_name() -> None:
    """The middle of a long name is left out."""
    line = table([summed("x" * 50 + "y" * 50, SAVED)]).splitlines()[1]
    assert line.split()[0] == "x" * 20 + "\u2026" + "y" * (WIDEST_NAME - 21)


@pytest.mark.parametrize("width", [50, 60, 80, 100])
def test_table_fits_terminal(width: int) -> None:
    """Reasons are cut first, then names in their middle; numbers are whole."""
    failures = [dataclasses.replace(DEAD, http_status=status) for status in range(400, 420)]
    names = ["airplane_aeroplane_plane_1", "airplane_aeroplane_plane_2"]
    lines = table([summed(name, BOXED, THERE, *failures) for name in names], width).splitlines()
    assert all(len(line) < width for line in lines)
    assert [line.split()[1:6] for line in lines[1:3]] == [["1", "1", "1", "20", "3.0"]] * 2
    assert [line.split()[0][-2:] for line in lines[1:3]] == ["_1", "_2"]
    assert ("http_4" in lines[1]) is (width == 100)


def test_line_fits_terminal() -> None:
    """Reasons are left out first, then the middle of the name."""
    summary = summed("a_category_with_a_very_long_name_that_ends", SAVED, DEAD)
    whole = "a_category_with_a_very_long_name_that_ends: 1 saved, 1 failed"
    assert summary.line(200) == f"{whole} (http_404 1)" == summary.line()
    assert summary.line(70) == whole
    assert summary.line(40) == "a_category\u2026that_ends: 1 saved, 1 failed"


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (BoxCounts(kept=366, scaled=36, dropped=12), "402 boxes kept (36 rescaled), 12 left out."),
        (BoxCounts(kept=2, mended=1), "3 boxes kept (1 clipped or reordered)."),
        (BoxCounts(kept=1), "1 box kept."),
    ],
)
def test_details_of_boxes(counts: BoxCounts, sentence: str) -> None:
    """The sentence on boxes adds up all that were kept."""
    assert summed("thing", dataclasses.replace(BOXED, fitted=counts)).details() == [sentence]


@pytest.mark.parametrize(
    ("number", "sentences"),
    [
        (
            1,
            [
                "Rejected images: 1 too_small.",
                "0 boxes kept, 1 left out.",
                "1 image of another shape than the annotated one; saved without boxes.",
                "1 image is listed under other categories but shows this one.",
            ],
        ),
        (
            2,
            [
                "Rejected images: 2 too_small.",
                "0 boxes kept, 2 left out.",
                "2 images of another shape than the annotated one; saved without boxes.",
                "2 images are listed under other categories but show this one.",
            ],
        ),
    ],
)
def test_details_of_images(number: int, sentences: list[str]) -> None:
    """Each kind of image has its sentence, in singular or plural."""
    summary = Summary("thing", "n00000002")
    for _ in range(number):
        summary.add(dataclasses.replace(SAVED, fitted=BoxCounts(dropped=1)))
        summary.add(SMALL)
    assert summary.details() == sentences
