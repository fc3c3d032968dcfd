"""Tests of `utils.catalog.names`."""

from __future__ import annotations

import pytest

from utils.catalog.names import similar_spellings, synonyms, with_singulars, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Siberian husky", ["siberian", "husky"]),
        ("St. Bernard,  cat's-tail", ["st", "bernard", "cats", "tail"]),
        ("cat\N{RIGHT SINGLE QUOTATION MARK}s tail", ["cats", "tail"]),
        ("Große_Möwe", ["grosse", "mowe"]),
        ("Mo\u0308we", ["mowe"]),
        ("狼 волк", ["狼", "волк"]),
        ("n02110185", ["n02110185"]),
        (" ,;- ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    """Words are letters and digits; case, accents, apostrophes and punctuation are ignored."""
    assert words(text) == expected


def test_synonyms() -> None:
    """The first is the short name; a name of only commas is its own synonym."""
    assert synonyms("kit fox,  Vulpes macrotis,") == ["kit fox", "Vulpes macrotis"]
    assert synonyms(" , ") == [" , "]


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("huskies", "husky"),
        ("dogs", "dog"),
        ("boxes", "box"),
        ("wolves", "wolf"),
        ("knives", "knife"),
        ("leaves", "leaf"),
        ("men", "man"),
        ("women", "woman"),
        ("children", "child"),
        ("dormice", "dormouse"),
        ("geese", "goose"),
        ("teeth", "tooth"),
        ("feet", "foot"),
    ],
)
def test_plurals(plural: str, singular: str) -> None:
    """The word itself is included, because it may be a singular."""
    assert {plural, singular} <= with_singulars(plural)


@pytest.mark.parametrize("word", ["bus", "gas", "dog", "s", ""])
def test_short_words_and_singulars(word: str) -> None:
    """Short words that end with "s" are not plurals."""
    assert with_singulars(word) == {word}


def test_similar_spellings() -> None:
    """The most similar spellings come first, up to the limit."""
    similar = similar_spellings("huskey", ["dog", "whiskey", "husky", "husk"], limit=2)
    assert list(similar) == ["husky", "husk"]
    assert similar["husky"] > similar["husk"] >= 0.75
