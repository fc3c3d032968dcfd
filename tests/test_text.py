"""Counted nouns, shortened texts and tables."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from utils import text

ROWS = [("name", "count"), ("hen", "1"), ("狼" * 10, "1000")]


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "image", "0 images"),
        (1, "box", "1 box"),
        (2, "box", "2 boxes"),
        (1, "category", "1 category"),
        (12_345, "category", "12,345 categories"),
        (7, "malformed line", "7 malformed lines"),
    ],
)
def test_pluralize(number: int, noun: str, expected: str) -> None:
    """One is singular; large numbers have separators."""
    assert text.pluralize(number, noun) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more")],
)
def test_join_names(names: list[str], expected: str) -> None:
    """A long list is cut, with the number of names left out."""
    assert text.join_names(names, 2) == expected


@pytest.mark.parametrize(("word", "width"), [("abc", 3), ("狼狼", 4), ("e\u0301", 1), ("", 0)])
def test_display_width(word: str, width: int) -> None:
    """East Asian letters take two columns of a terminal, combining ones none."""
    assert text.display_width(word) == width


@pytest.mark.parametrize("width", range(1, 12))
@pytest.mark.parametrize("word", ["abcdefghij", "狼狼狼狼狼", "a狼b狼c狼d"])
def test_truncated_text_fits(word: str, width: int) -> None:
    """A text that fits stays as it is; one that does not is cut to the width."""
    for truncate in (text.truncate, text.truncate_middle):
        cut = truncate(word, width)
        assert text.display_width(cut) <= width
        assert (cut == word) is (text.display_width(word) <= width)


def test_truncate() -> None:
    """Blanks and commas before the cut are removed; `truncate_middle` keeps both ends."""
    assert text.truncate("sled dog, sledge dog", 11) == "sled dog…"
    assert text.truncate_middle("sled dog, sledge dog", 9) == "sled… dog"


def test_format_table() -> None:
    """Text is aligned left, numbers right; wide letters count as two columns."""
    assert text.format_table(ROWS) == [
        "name                  count",
        "hen                       1",
        "狼狼狼狼狼狼狼狼狼狼   1000",
    ]


@pytest.mark.parametrize("width", [13, 20, 26, 27, 100])
def test_format_table_fits_width(width: int) -> None:
    """The first column is cut to fit the terminal; numbers stay whole."""
    lines = text.format_table(ROWS, width=width)
    widths = {text.display_width(line) for line in lines}
    assert widths == {min(width, 27)}
    assert [line.split()[-1] for line in lines] == ["count", "1", "1000"]


def test_format_table_with_text_columns() -> None:
    """Several columns can contain text."""
    rows = [("a", "one two"), ("bb", "x")]
    assert text.format_table(rows, text_columns=2) == ["a   one two", "bb  x      "]


def test_invisible_letters() -> None:
    """All control and format characters of Unicode are found, and no letter, sign or blank."""
    found = {
        chr(code): unicodedata.category(chr(code))
        for code in range(sys.maxunicode + 1)
        if text.INVISIBLE.match(chr(code))
    }
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    expected = {chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in kinds}
    assert expected <= found.keys()
    visible = {letter for letter, kind in found.items() if kind not in {*kinds, "Cn"}}
    assert all(
        0xFE00 <= ord(letter) < 0xFE10
        or ord(letter) >= 0xE0000
        or "FILLER" in unicodedata.name(letter)
        or unicodedata.name(letter).startswith(
            ("COMBINING GRAPHEME", "KHMER VOWEL INHERENT", "MONGOLIAN FREE")
        )
        for letter in visible
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Möwe 狼\x1b[2J\x07", "Möwe 狼?[2J?"),
        ("\x9b31m\x7f", "?31m?"),
        ("a\nb\tc\rd", "a?b?c?d"),
        ("cat\u202egod\u2066\u200b\ufeff", "cat?god???"),
        ("\ud800 \u3164", "? ?"),
        ("a\u00a0b\u3000c", "a\u00a0b\u3000c"),
    ],
)
def test_printable(before: str, after: str) -> None:
    """Letters of all languages and blanks are kept; each invisible one becomes a question mark."""
    assert text.printable(before) == after


def test_names_and_cells_are_printable() -> None:
    """No name in a list or table starts a new line or controls the terminal."""
    assert text.join_names(["a\nb", "\x1b[2J", "c"], 2) == "a?b, ?[2J and 1 more"
    assert text.format_table([("name", "1"), ("a\nb", "2")]) == ["name  1", "a?b   2"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("plain; text", "plain; text"),
        ("http://host/a;b=c", "http://host/a;b=c"),
        ("=1", "'=1"),
        ("\t=1", "%09=1"),
        ("a;=1", "a%3B=1"),
        ('a; "+1', 'a%3B "+1'),
        ("a\nb\u202e", "a%0Ab%E2%80%AE"),
        ("=" * 40_000, "'" + "=" * 31_999),
        ("\n" * 32_000, "%0A" * 10_666 + "%0"),
    ],
)
def test_spreadsheet_cell(before: str, after: str) -> None:
    """Formulas are escaped, invisible letters are percent-encoded, and long texts are cut."""
    assert text.spreadsheet_cell(before) == after
