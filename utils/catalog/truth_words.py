"""True and false as spreadsheets write them, in any language and any case."""

from __future__ import annotations

import csv
import functools
import unicodedata
from importlib import resources

_WITHOUT_MARKS = str.maketrans({"\u0301": "", "\u0307": "", "\u0131": "i"})
"""Capitals have no accent in Greek, and a dot or none in Turkish."""


def parse(text: str) -> bool | None:
    """Return what a word means; None if it is no word for true or false."""
    return _words().get(_fold(text))


@functools.cache
def _words() -> dict[str, bool]:
    lines = (resources.files("utils") / "data" / "truth_words.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {_fold(row[word]): word == "true" for row in rows for word in ("true", "false")}


def _fold(text: str) -> str:
    """Return the same text for all spellings of a word: capitals, composed letters, blanks."""
    letters = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return " ".join(unicodedata.normalize("NFC", letters.translate(_WITHOUT_MARKS)).split())
