"""Categories are found by words of their names, the best fit first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from utils.catalog import categories
from utils.catalog.names import words
from utils.catalog.search import Finder, Fit, Match
from utils.models.rows import Category

PROJECT = Path(__file__).resolve().parents[1]
NAMES = {
    "n00000001": "sled dog, sledge dog",
    "n00000002": "dogsled, dog sled, dog sleigh",
    "n00000003": "doggy, sledding partner",
    "n00000004": "Siberian husky",
    "n00000005": "Eskimo dog, husky",
    "n00000006": "husk",
    "n00000007": "goldfish, Carassius auratus",
    "n00000008": "Große Möwe",
    "n00000009": "cat's-tail, bullrush",
    "n00000010": "dog, domestic dog",
    "n00000011": "frank, hotdog, dog",
    "n00000012": "hunting dog",
    "n00000013": "hunting dog",
}
IMAGES = {"n00000012": 5, "n00000013": 50}


@pytest.fixture(scope="module")
def finder() -> Finder:
    """Look through a small table."""
    return Finder(Category(code, name, folder=code) for code, name in NAMES.items())


@pytest.fixture(scope="module")
def everything() -> Finder:
    """Look through the table of the project."""
    return Finder(categories.read(PROJECT / "ncodes.csv"))


def find(finder: Finder, text: str) -> list[Match]:
    """Find by a text as users type it."""
    return finder.find(words(text), lambda code: IMAGES.get(code, 0))


def found(finder: Finder, text: str) -> dict[str, str]:
    """Give the last digits of what was found, in order, with how it fits."""
    return {match.category.code[-2:].lstrip("0"): match.fit.value for match in find(finder, text)}


def test_kinds_go_before_other_names_go_before_beginnings(finder: Finder) -> None:
    """What ends with the words is the best fit, then what has them anywhere, then what only begins so."""
    assert found(finder, "sled dog") == {"1": "kind", "2": "all_words", "3": "beginnings"}
    assert found(finder, "dog sled") == {"2": "kind", "1": "all_words", "3": "beginnings"}
    assert found(finder, "sledge") == {"1": "side_by_side"}
    assert found(finder, "dog sleigh") == {"2": "kind"}
    assert found(finder, "dogs") == dict.fromkeys(["10", "11", "13", "12", "1"], "kind") | {
        "5": "kind",
        "2": "side_by_side",
    }


def test_all_words_must_be_there(finder: Finder) -> None:
    """In any of the synonyms, but all of them."""
    assert found(finder, "eskimo husky") == {"5": "all_words"}
    assert found(finder, "siberian dog") == {}


def test_whole_names_go_before_parts_of_names(finder: Finder) -> None:
    """Of those that fit alike: fewer further words, then the short name, then more images."""
    assert list(found(finder, "dog")) == ["10", "11", "13", "12", "1", "5", "2", "3"]


def test_close_spellings_only_where_nothing_else_fits(finder: Finder) -> None:
    """The closest first; "husk" is not offered to who finds huskies."""
    assert found(finder, "huskey") == {"5": "spelling", "4": "spelling", "6": "spelling"}
    assert found(finder, "husky") == {"5": "kind", "4": "kind"}
    assert found(finder, "sibirian husky") == {"4": "spelling"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("HUSKIES", "5"),
        ("grosse mowe", "8"),
        ("GROẞE MÖWE", "8"),
        ("große möwe", "8"),
        ("Cats tail", "9"),
        ("cat's tail", "9"),
        ("gold fish", "7"),
        ("carassius-auratus", "7"),
        ("n00000007", "7"),
        ("N00000007", "7"),
    ],
)
def test_what_people_type_is_understood(finder: Finder, text: str, code: str) -> None:
    """Case, accents, apostrophes, plurals, words written in one, and codes."""
    fits = [at for at, fit in found(finder, text).items() if fit != Fit.SPELLING.value]
    assert code in fits


def test_a_begun_code_finds_its_codes(finder: Finder) -> None:
    """As a beginning, like that of a word."""
    assert found(finder, "n0000001") == dict.fromkeys(["13", "12", "10", "11"], "beginnings")


def test_nothing_is_nothing(finder: Finder) -> None:
    """A word that nothing comes close to finds nothing."""
    assert find(finder, "xyzzyqq") == []
    assert finder.nearest(["xyzzyqq"]) == []


def test_what_comes_nearest_is_offered(finder: Finder) -> None:
    """Those with most of the words; of those the shortest names first, and not too many."""
    assert [one.name for one in finder.nearest(words("siberian husky puppy"))] == ["Siberian husky"]
    assert [one.name for one in finder.nearest(words("dogs that pull sleds"))] == [
        "sled dog, sledge dog",
        "dogsled, dog sled, dog sleigh",
    ]


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("sled dog", "sled dog, sledge dog"),
        ("dog", "dog, domestic dog, Canis familiaris"),
        ("kangeroo", "kangaroo"),
        ("siberian huskys", "Siberian husky"),
        ("german shepherds", "German shepherd, German shepherd dog, German police dog, alsatian"),
        ("gold fish", "goldfish, Carassius auratus"),
        ("St. Bernard", "Saint Bernard, St Bernard"),
        ("tabel lamp", "table lamp"),
    ],
)
def test_the_real_table_gives_what_is_meant(everything: Finder, text: str, best: str) -> None:
    """Of 21,845 categories the one that was meant comes first."""
    assert find(everything, text)[0].category.name == best


def test_searching_takes_no_time() -> None:
    """Even one that ends with close spellings: a third of a second of computing, and never one."""
    table = categories.read(PROJECT / "ncodes.csv")
    begun = time.process_time()
    assert find(Finder(table), "sibirian huskey")
    assert time.process_time() - begun < 1
