"""Names are taken apart and compared as people mean them."""

from __future__ import annotations

import pytest

from utils.catalog.names import close_spellings, shown, synonyms, with_singulars, words


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
    """Letters and digits make a word; case, accents, apostrophes and what stands between make none."""
    assert words(text) == expected


def test_synonyms_are_between_commas() -> None:
    """The first is the short name; a name of commas only is itself."""
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
def test_a_plural_may_stand_for_its_word(plural: str, singular: str) -> None:
    """The word itself stays, too, for it may be a singular."""
    assert {plural, singular} <= with_singulars(plural)


@pytest.mark.parametrize("word", ["bus", "gas", "dog", "s", ""])
def test_short_words_and_singulars_are_only_themselves(word: str) -> None:
    """Nobody means "bu" with "bus"."""
    assert with_singulars(word) == {word}


def test_close_spellings_come_with_their_likeness() -> None:
    """The closest first, none that is too far, and no more than asked for."""
    close = close_spellings("huskey", ["dog", "whiskey", "husky", "husk"], at_most=2)
    assert list(close) == ["husky", "husk"]
    assert close["husky"] > close["husk"] >= 0.75


def test_nothing_happens_to_a_terminal() -> None:
    """Letters of any language stay; what would act becomes a question mark."""
    assert shown("Möwe 狼\x1b[2J\x07") == "Möwe 狼?[2J?"
