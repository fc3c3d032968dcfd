"""Category names: synonyms, words, plurals, similar spellings."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

SIMILAR = 0.75
"""The least similarity (`difflib` ratio, 0 to 1) of a word and a misspelling of it."""

_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'\N{RIGHT SINGLE QUOTATION MARK}")
_PLURALS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""))
# Whole words and ends of longer words: firemen, grandchildren, dormice.
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
_MIN_PLURAL = 4  # letters of a regular plural; "bus" and "gas" are singulars


def synonyms(name: str) -> list[str]:
    """Split a name at its commas; the first synonym is the short name of the category."""
    return [part.strip() for part in name.split(",") if part.strip()] or [name]


def words(text: str) -> list[str]:
    """Split a text into words, in lower case, without accents and apostrophes.

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
    """Return a word and the words that it can be the plural of."""
    plurals = (*_IRREGULAR_PLURALS, *(_PLURALS if len(word) >= _MIN_PLURAL else ()))
    return {word, *(word.removesuffix(end) + singular for end, singular in plurals if word.endswith(end))}


def similar_spellings(
    text: str, known: Iterable[str], *, limit: int = 5, cutoff: float = SIMILAR
) -> dict[str, float]:
    """Return the known spellings most similar to a text with their similarity, the most similar first."""
    matches = difflib.get_close_matches(text, list(known), n=limit, cutoff=cutoff)
    return {match: difflib.SequenceMatcher(None, match, text).ratio() for match in matches}
