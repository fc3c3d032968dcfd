"""How names of categories are taken apart and compared: synonyms, words, close spellings.

This module alone knows what a word of a name is (letters and digits, whatever their case and accents),
when a plural stands for it, and when two spellings are close.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

CLOSE = 0.75
"""The share of letters in common, from which on one spelling is taken for a slip of another."""

_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'\N{RIGHT SINGLE QUOTATION MARK}")
_PLURALS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""))
# Of whole words and at the end of longer ones: firemen, grandchildren, dormice.
_IRREGULAR_PLURALS = (
    ("children", "child"),
    ("men", "man"),
    ("mice", "mouse"),
    ("lice", "louse"),
    ("geese", "goose"),
    ("teeth", "tooth"),
    ("feet", "foot"),
    ("oxen", "ox"),
    ("cacti", "cactus"),
    ("fungi", "fungus"),
    ("people", "person"),
)
_SHORTEST_PLURAL = 4  # letters: "bus" and "gas" are none; "men" is one, in the table of irregular ones


def synonyms(name: str) -> list[str]:
    """Take a name apart at its commas; the first is what a category is called in short."""
    return [part.strip() for part in name.split(",") if part.strip()] or [name]


def words(text: str) -> list[str]:
    """Take a text apart into its words, in small letters, without accents and apostrophes.

    Examples
    --------
    >>> words("St. Bernard, Cat's-tail")
    ['st', 'bernard', 'cats', 'tail']
    """
    if not text.isascii():
        letters = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _WORD.findall(text.translate(_APOSTROPHES).casefold())


def with_singulars(word: str) -> set[str]:
    """Give a word, and the words that it may be the plural of."""
    plurals = (*_IRREGULAR_PLURALS, *(_PLURALS if len(word) >= _SHORTEST_PLURAL else ()))
    return {word, *(word.removesuffix(end) + instead for end, instead in plurals if word.endswith(end))}


def close_spellings(
    text: str, known: Iterable[str], *, at_most: int = 5, cutoff: float = CLOSE
) -> dict[str, float]:
    """Give the spellings that come closest to a text, the closest first, each with its likeness up to 1."""
    close = difflib.get_close_matches(text, list(known), n=at_most, cutoff=cutoff)
    return {other: difflib.SequenceMatcher(None, other, text).ratio() for other in close}


def shown(text: str) -> str:
    """Spell a text so that it does no more to a terminal than stand there."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
