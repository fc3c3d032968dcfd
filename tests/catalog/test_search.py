"""Tests of `utils.catalog.search`."""

from __future__ import annotations

import re

import pytest

from tests.project import ROOT
from utils.catalog import categories
from utils.catalog.names import words
from utils.catalog.search import Fit, Match, SearchIndex, find_named
from utils.errors import InputError
from utils.models.rows import Category

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
LIKELY = re.compile(
    "dog|husky|retriever|sled|carton|kangaroo|shepherd|fish|bernard|lamp|table", re.IGNORECASE
)
IMAGES = {"n00000012": 5, "n00000013": 50}


@pytest.fixture(scope="module")
def index() -> SearchIndex:
    """Return an index of a small table."""
    return SearchIndex(Category(code, name, folder=code) for code, name in NAMES.items())


@pytest.fixture(scope="module")
def many_categories() -> list[Category]:
    """Return the categories of ImageNet with similar names, and a tenth of the others."""
    table = categories.read(ROOT / "ncodes.csv")
    return [one for number, one in enumerate(table) if number % 10 == 0 or LIKELY.search(one.name)]


@pytest.fixture(scope="module")
def large_index(many_categories: list[Category]) -> SearchIndex:
    """Return an index of many categories."""
    return SearchIndex(many_categories)


def find(index: SearchIndex, text: str) -> list[Match]:
    """Search for a text as users type it."""
    return index.search(words(text), lambda code: IMAGES.get(code, 0))


def found(index: SearchIndex, text: str) -> dict[str, str]:
    """Return the last digits of the codes found, in order, with the value of `Fit`."""
    return {match.category.code[-2:].lstrip("0"): match.fit.value for match in find(index, text)}


def test_order_of_fits(index: SearchIndex) -> None:
    """Names that end with the words, then names that have them, then names with words that begin so."""
    assert found(index, "sled dog") == {"1": "kind", "2": "all_words", "3": "beginnings"}
    assert found(index, "dog sled") == {"2": "kind", "1": "all_words", "3": "beginnings"}
    assert found(index, "sledge") == {"1": "side_by_side"}
    assert found(index, "dog sleigh") == {"2": "kind"}
    assert found(index, "dogs") == dict.fromkeys(["10", "11", "13", "12", "1"], "kind") | {
        "5": "kind",
        "2": "side_by_side",
    }


def test_all_words_must_match(index: SearchIndex) -> None:
    """The words may be spread over several synonyms."""
    assert found(index, "eskimo husky") == {"5": "all_words"}
    assert found(index, "siberian dog") == {}


def test_order_of_equal_fits(index: SearchIndex) -> None:
    """Fewer extra words first, then matches in the short name, then more images."""
    assert list(found(index, "dog")) == ["10", "11", "13", "12", "1", "5", "2", "3"]


def test_similar_spellings_only_without_other_matches(index: SearchIndex) -> None:
    """The most similar spelling comes first; "husk" is not a match of "husky"."""
    assert found(index, "huskey") == {"5": "spelling", "4": "spelling", "6": "spelling"}
    assert found(index, "husky") == {"5": "kind", "4": "kind"}
    assert found(index, "sibirian husky") == {"4": "spelling"}


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
def test_spelling_variants(index: SearchIndex, text: str, code: str) -> None:
    """Case, accents, apostrophes, plurals, compound words and codes."""
    fits = [at for at, fit in found(index, text).items() if fit != Fit.SPELLING.value]
    assert code in fits


def test_beginning_of_a_code(index: SearchIndex) -> None:
    """It matches like the beginning of a word."""
    assert found(index, "n0000001") == dict.fromkeys(["13", "12", "10", "11"], "beginnings")


def test_no_match(index: SearchIndex) -> None:
    """Without any similar word, there is neither a match nor a suggestion."""
    assert find(index, "xyzzyqq") == []
    assert index.suggest(["xyzzyqq"]) == []


def test_suggestions(index: SearchIndex) -> None:
    """Categories with most of the words, shortest names first."""
    assert [one.name for one in index.suggest(words("siberian husky puppy"))] == ["Siberian husky"]
    assert [one.name for one in index.suggest(words("dogs that pull sleds"))] == [
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
def test_best_match_of_many_categories(large_index: SearchIndex, text: str, best: str) -> None:
    """The category that users mean comes first."""
    assert find(large_index, text)[0].category.name == best


# --- find_named ---


FOX, HUSKY, CRANE, LIFTING_DEVICE = "n02119789", "n02110185", "n02012849", "n03126707"
TABLE = [
    Category(FOX, "kit fox, Vulpes macrotis", "kit_fox,_Vulpes_macrotis"),
    Category(HUSKY, "Siberian husky, husky", "Siberian_husky,_husky", selected=True, how_many=7),
    Category(CRANE, "crane", f"crane_{CRANE}", how_many=3),
    Category(LIFTING_DEVICE, "lifting device, Crane", "lifting_device,_Crane"),
]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (FOX, FOX),
        (FOX.upper(), FOX),
        ("kit fox, Vulpes macrotis", FOX),
        ("KIT  FOX ,vulpes macrotis", FOX),
        ("vulpes  Macrotis ", FOX),
        ("kit_fox,_Vulpes_macrotis", FOX),
        ("husky", HUSKY),
        ("lifting device", LIFTING_DEVICE),
    ],
)
def test_named_by_code_name_synonym_or_folder(query: str, code: str) -> None:
    """Case and spaces make no difference."""
    (found,) = find_named(TABLE, [query])
    assert found.code == code
    assert found.selected


def test_named_in_the_order_of_the_queries() -> None:
    """Each category is returned once, with its `how_many` from the table."""
    found = find_named(TABLE, ["husky", FOX, "Siberian husky", HUSKY])
    assert [(category.code, category.how_many) for category in found] == [(HUSKY, 7), (FOX, -1)]


def test_ambiguous_name() -> None:
    """The error lists codes, names and paths to choose from."""
    with pytest.raises(
        InputError,
        match=rf"'crane' matches 2.*\n  {CRANE} \(crane\): below organism > … > aquatic bird > wading bird\n"
        rf"  {LIFTING_DEVICE} \(lifting device, Crane\): below artifact > device > lifting device$",
    ):
        find_named(TABLE, ["crane"])


def test_misspelled_name() -> None:
    """The error suggests a similar name."""
    with pytest.raises(
        InputError, match=rf"'siberian huskey' is not a code.*did you mean {HUSKY} \(Siberian husky"
    ):
        find_named(TABLE, [FOX, "siberian huskey"])


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("huskey", "n02109961 (Eskimo dog, husky)"),
        ("cartoon", "n02971356 (carton)"),
        ("siberian husky dog", "n02110185 (Siberian husky)"),
        ("Sibirian husky", "n02110185 (Siberian husky)"),
        ("sibirian", "n02110185 (Siberian husky)"),
        ("retreiver dog", "n02099029 (retriever)"),
        ("sled dogs", "n02109811 (sled dog, sledge dog)"),
        ("n0211018", "n02110185 (Siberian husky)"),
        ("02110185", "n02110185 (Siberian husky)"),
        ("N021101855", "n02110185 (Siberian husky)"),
    ],
)
def test_suggestion_for_a_misspelled_name(many_categories: list[Category], query: str, meant: str) -> None:
    """The intended category comes first, for misspelled names, parts of names and wrong codes."""
    with pytest.raises(InputError, match=f"did you mean {re.escape(meant)}"):
        find_named(many_categories, [query])


def test_no_suggestion_for_an_unknown_code() -> None:
    """All codes are somewhat similar; the error refers to --find and ncodes.csv instead."""
    with pytest.raises(InputError, match=r"'n99999999' is not a code.*--find.*ncodes\.csv"):
        find_named(TABLE, ["n99999999"])


@pytest.mark.parametrize("query", ["zzzzzzzzzz", "", " , "])
def test_no_suggestion_for_an_unknown_name(query: str) -> None:
    """The error refers to ncodes.csv."""
    with pytest.raises(InputError, match=f"{re.escape(repr(query))} is not a code.*ncodes.csv"):
        find_named(TABLE, [query])


def test_name_without_quotation_marks() -> None:
    """If successive words are one name, the error says how to write it."""
    advice = "Put a name of several words in quotation marks: --categories 'Siberian husky'$"
    with pytest.raises(InputError, match=advice):
        find_named(TABLE, [FOX, "Siberian", "husky", "crane"])


@pytest.mark.parametrize("query", ["imagenette", "ImageNet100", "tiny-imagenet"])
def test_set_without_its_prefix(query: str) -> None:
    """The error tells that names of sets begin with @."""
    with pytest.raises(InputError, match=f"names of sets begin with @, and --find @{query} lists them"):
        find_named(TABLE, [query])
