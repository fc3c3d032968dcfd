"""The download report can be read by spreadsheets and by pandas."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pandas
import pytest

from utils.models.images import ImageFormat, Picture
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.report import COLUMNS, write

PICTURE = Picture(ImageFormat.PNG, 500, 375, 123_456, "ab" * 32)
SAVED = Outcome(
    UrlRow(0, "n00000001_1", "http://host/1.jpg"),
    Status.DOWNLOADED,
    http_status=200,
    attempts=2,
    seconds=1.23456,
    file="Images/n00000001_1.png",
    picture=PICTURE,
    boxes=0,
)
FAILED = Outcome(
    UrlRow(60, "n00000001_2", "http://host/2.jpg"),
    Status.FAILED,
    Reason.HTTP_STATUS,
    "The server answered 404.",
    http_status=404,
    attempts=1,
)


def rows(path: Path) -> list[dict[str, str]]:
    """Read a report with the csv module."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def with_url(url: str) -> Outcome:
    """Return a failure of this URL."""
    return dataclasses.replace(FAILED, row=UrlRow(0, "n00000001_3", url), reason=Reason.INVALID_URL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the report."""
    return tmp_path / "thing_download_report.csv"


def test_columns(path: Path) -> None:
    """The columns are in order, also without any row."""
    write(path, [])
    assert path.read_text() == (
        "image_code,url,status,reason,description,http_status,attempts,seconds,"
        "file,format,width,height,bytes,sha256,boxes\n"
    )
    assert len(COLUMNS) == 15


def test_rows(path: Path) -> None:
    """A saved image has the numbers of its picture, a failure its reason; other cells are empty."""
    write(path, [SAVED, FAILED])
    saved, failed = rows(path)
    assert list(saved.values()) == [
        *("n00000001_1", "http://host/1.jpg", "downloaded", "", "", "200", "2", "1.235"),
        *("Images/n00000001_1.png", "png", "500", "375", "123456", "ab" * 32, "0"),
    ]
    assert list(failed.values()) == [
        *("n00000001_2", "http://host/2.jpg", "failed", "http_404", "The server answered 404."),
        *("404", "1", "0.000", "", "", "", "", "", "", ""),
    ]


def test_integers(path: Path) -> None:
    """No cell says 500.0, though other rows have no number in that column."""
    write(path, [SAVED, FAILED, SAVED])
    assert [row["width"] for row in rows(path)] == ["500", "", "500"]
    assert [row["http_status"] for row in rows(path)] == ["200", "404", "200"]
    assert pandas.read_csv(path, dtype=str)["bytes"].tolist()[0] == "123456"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "|", "\uff1d", " =", "\uff20"])
def test_formulas(path: Path, start: str) -> None:
    """A text that a spreadsheet would take for a formula is preceded by an apostrophe."""
    text = f"{start}1+1"
    write(path, [dataclasses.replace(with_url(text), description=text, file=text)])
    (row,) = rows(path)
    assert {row[column] for column in ("url", "description", "file")} == {f"'{text}"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_formula_with_any_separator(path: Path, separator: str) -> None:
    """A spreadsheet of any country, which may separate cells by semicolons or tabs, finds no formula."""
    starts = ["=1+1", "+1", "-1", "@A1", "|x", "\uff1d1", "\ufe631", " =1", "'=1", '"=1', '""=1""', ' " =1']
    inner = [
        f"http://h/{between}{start};" for start in starts for between in (";", "\t", "\n", "\r\n", ";\u200b")
    ]
    write(
        path,
        [
            dataclasses.replace(with_url(text), row=UrlRow(0, text, text), description=text, file=text)
            for text in [*starts, *inner]
        ],
    )
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file, delimiter=separator) for cell in row]
    assert len(cells) > len(starts + inner)
    assert [cell for cell in cells if cell.strip()[:1] in "=+-@|\uff1d\ufe63\t\r\n" and cell.strip()] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://host/a,b;c",
        'http://host/"quoted"',
        "http://host/a\nb",
        "http://host/a\r\nb",
        "http://host/a\rb",
        "http://host/\u00e4\u732b\U0001f408",
        "http://host/'",
        "http://host/a b\tc",
        "http://host/\u2028\x85\x0b\x1c",
        "http://host/\x00",
        "",
    ],
)
def test_any_url(path: Path, url: str) -> None:
    """Any URL makes one row of fifteen cells; control characters in it are percent-encoded."""
    write(path, [FAILED, with_url(url), SAVED])
    found = rows(path)
    assert [row["image_code"] for row in found] == ["n00000001_2", "n00000001_3", "n00000001_1"]
    hidden = "\r\n\t\x00\x0b\x1c\x85\u2028"
    assert found[1]["url"] == "".join(quote(letter) if letter in hidden else letter for letter in url)
    assert not any(None in row or None in row.values() for row in found)
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    assert frame["image_code"].tolist() == ["n00000001_2", "n00000001_3", "n00000001_1"]


def test_surrogate(path: Path) -> None:
    """Half a surrogate pair, which UTF-8 cannot encode, is percent-encoded."""
    write(path, [with_url("http://host/\ud800"), SAVED])
    assert [row["url"] for row in rows(path)] == ["http://host/%ED%A0%80", "http://host/1.jpg"]


def test_long_report(path: Path) -> None:
    """A long report is written from an iterator, in order and with one header."""
    write(path, (dataclasses.replace(FAILED, attempts=number) for number in range(12_000)))
    assert [row["attempts"] for row in rows(path)] == [str(number) for number in range(12_000)]


def test_failed_write(path: Path) -> None:
    """A report that cannot be written leaves the old one, and no partial file."""

    def breaking() -> Iterator[Outcome]:
        yield from [FAILED] * 6000
        raise OSError(28, "No space left on device")

    write(path, [SAVED])
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        write(path, breaking())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
