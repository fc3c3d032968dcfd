"""Tests of `utils.catalog.named_sets`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.catalog import categories, named_sets
from utils.errors import InputError

TENCH, GOLDFISH, HUSKY = "n01440764", "n01443537", "n02110185"
SIZES = {
    "ilsvrc2012": 1000,
    "imagenette": 10,
    "imagewoof": 10,
    "imagewang": 20,
    "imagenet100-cmc": 100,
    "tiny-imagenet-200": 200,
    "mini-imagenet": 100,
    "tiered-imagenet": 608,
    "imagenet16-120": 120,
    "imagenet-a": 200,
    "imagenet-21k-p": 10_450,
    "imagenet-21k-fall11-full": 21_841,
}
CMC_SHA256 = "d61d354b64beb3ce2c2c9cf04a874298362dc9fcd589e15ee34c5e4592145746"
FIRST_100 = "imagenet100-first100-podnet-bic-der"


def codes_of(name: str) -> tuple[str, ...]:
    """Return the codes of a set that ships."""
    return named_sets.load()[name].codes


def error(query: str) -> str:
    """Return the message with which a query is refused."""
    with pytest.raises(InputError) as raised:
        named_sets.codes(query)
    return str(raised.value)


def test_shipped_sets() -> None:
    """Every set has different codes of the table that ships, a source and a note."""
    shipped = {synset.code for synset in categories.load_synsets()}
    for one in named_sets.load().values():
        assert len(set(one.codes)) == len(one.codes) > 0, one.name
        assert shipped.issuperset(one.codes), one.name
        assert one.source, one.name
        assert one.note, one.name
    assert {name: len(codes_of(name)) for name in SIZES} == SIZES


def test_relations_of_shipped_sets() -> None:
    """Parts make up the whole, smaller sets are contained in larger ones, and equal names are different."""
    for whole in ("mini-imagenet", "tiered-imagenet"):
        parts = [code for part in ("train", "val", "test") for code in codes_of(f"{whole}-{part}")]
        assert sorted(parts) == list(codes_of(whole))
    assert sorted(codes_of("imagenette") + codes_of("imagewoof")) == list(codes_of("imagewang"))
    assert set(codes_of("imagenet50-scan")) < set(codes_of("imagenet100-scan"))
    assert codes_of(FIRST_100) == codes_of("ilsvrc2012")[:100]
    numbers = [line.split() for line in (ROOT / "utils/data/ilsvrc2012_ids.txt").read_text().splitlines()]
    first = {row[1] for row in numbers if row[0].isdigit() and int(row[0]) <= 120}
    assert set(codes_of("imagenet16-120")) == first
    assert len(set(codes_of("imagenet100-cmc")) & set(codes_of("imagenet100-kaggle-ambityga"))) == 8


def test_order_of_shipped_sets() -> None:
    """Sets are sorted, except those whose order is known from incremental learning."""
    unsorted = {name for name, one in named_sets.load().items() if list(one.codes) != sorted(one.codes)}
    assert unsorted == {"imagenet100-first100-icarl-order", "imagenet100-ucir"}
    order = [codes_of(FIRST_100).index(code) for code in codes_of("imagenet100-first100-icarl-order")]
    assert order[:5] == [68, 56, 78, 8, 23]
    assert sorted(order) == list(range(100))


def test_codes_of_imagenet100_cmc() -> None:
    """The codes are those of the published list, in the order of their numbers."""
    text = "\n".join(codes_of("imagenet100-cmc")).encode()
    assert hashlib.sha256(text).hexdigest() == CMC_SHA256


@pytest.mark.parametrize("query", ["@imagenette", "@Imagenette", "@IMAGE-NETTE"])
def test_spelling(query: str) -> None:
    """Case, hyphens and underscores make no difference."""
    assert named_sets.codes(query) == codes_of("imagenette")


@pytest.mark.parametrize(
    ("query", "choices"),
    [
        ("@imagenet100", ["@imagenet100-cmc (100)", "@imagenet100-ucir (100)", f"@{FIRST_100} (100)"]),
        ("@imagenet-100", ["@imagenet100-cmc (100)", "@imagenet100-scan (100)"]),
        ("@imagenet10", ["@imagenet10-mcm (10)", "@imagenet-10-dac (10)"]),
        ("@imagenet-21k", ["@imagenet-21k-p (10,450)", "@imagenet-21k-fall11-full (21,841)"]),
    ],
)
def test_family(query: str, choices: list[str]) -> None:
    """A name that several sets share is refused with all of them."""
    message = error(query)
    assert "there are several of this name" in message
    assert all(choice in message for choice in choices)
    assert "--find @" in message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("imagenette", ["imagenette"]),
        ("MINIIMAGENET", [f"mini-imagenet{part}" for part in ("", "-train", "-val", "-test")]),
        ("tiny_imagenet", ["tiny-imagenet-200"]),
        ("tinyimagenet200", ["tiny-imagenet-200"]),
        ("imagenet10", ["imagenet-10-dac"]),
        ("no such set", []),
    ],
)
def test_find(text: str, found: list[str]) -> None:
    """Hyphens make no difference, but no text goes on from one word into the middle of the next."""
    names = [one.name for one in named_sets.find(text)]
    assert [name for name in names if not name.startswith("imagenet10")] == found


def test_family_of_a_number() -> None:
    """A number is whole: @imagenet10 is no beginning of @imagenet100-cmc."""
    assert "100" not in error("@imagenet10")


@pytest.mark.parametrize(
    ("query", "suggested"),
    [
        ("@imagenete", "@imagenette"),
        ("@imagenet100-cmcc", "@imagenet100-cmc"),
        ("@tiny-imagenet", "@tiny-imagenet-200"),
        ("@imagenet-1k", "@ilsvrc2012"),
        ("@imagenet22k", "@imagenet-21k-fall11-full"),
    ],
)
def test_suggestion(query: str, suggested: str) -> None:
    """Misspelled names, beginnings and other names of a set are answered with the set."""
    assert f"did you mean {suggested}" in error(query)


@pytest.mark.parametrize("query", ["@", "@ ", "@xyzzy"])
def test_unknown(query: str) -> None:
    """Other names are refused, with the flag that lists all sets."""
    assert error(query).endswith("--find @ lists all sets.")


@pytest.mark.parametrize(
    "data",
    [
        f"{TENCH}\n{HUSKY}\n".encode(),
        f"# my list\n\n  {TENCH} # a fish\r\n{HUSKY}".encode(),
        f"\ufeff{TENCH}\n{HUSKY}\n{TENCH}\n".encode(),
        f"{TENCH} tench, Tinca tinca\n{HUSKY},Siberian husky\n".encode(),
        f"{TENCH}\n{HUSKY}\n".encode("utf-16"),
        f"{TENCH.upper()} {HUSKY}".encode(),
    ],
)
def test_file(tmp_path: Path, data: bytes) -> None:
    """A file has a code in each line; comments, names behind codes and encodings of editors are accepted."""
    path = tmp_path / "codes.txt"
    path.write_bytes(data)
    assert named_sets.codes(f"@{path}") == (TENCH, HUSKY)


def test_file_with_the_name_of_a_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set is meant, and the file with a folder before its name."""
    monkeypatch.chdir(tmp_path)
    Path("imagenette").write_text(f"{HUSKY}\n")
    Path("mine").write_text(f"{TENCH}\n")
    assert named_sets.codes("@imagenette") == codes_of("imagenette")
    assert named_sets.codes("@./imagenette") == (HUSKY,)
    assert named_sets.codes("@mine") == (TENCH,)


def test_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is expanded, as the shell leaves it alone behind the @."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "codes.txt").write_text(f"{HUSKY}\n")
    assert named_sets.codes("@~/codes.txt") == (HUSKY,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"n02110185\nhusky\n", "line 2: 'husky' is not allowed; write one code a line"),
        (b"n02110185_12\n", "line 1: 'n02110185_12' is not allowed"),
        (b"n021101859\n", "line 1: 'n021101859' is not allowed"),
        (b"# nothing\n", "has no codes"),
        (b"", "has no codes"),
        (b"\xff\xfe\x00", "is not a text file"),
    ],
)
def test_invalid_file(tmp_path: Path, data: bytes, message: str) -> None:
    """The error names the file, the line and the text."""
    path = tmp_path / "codes.txt"
    path.write_bytes(data)
    assert message in error(f"@{path}")
    assert str(path) in error(f"@{path}")


def test_unreadable_file(tmp_path: Path) -> None:
    """A path that is missing or a folder is reported as such."""
    assert "cannot be read (No such file or directory)" in error(f"@{tmp_path}/none.txt")
    assert "cannot be read (No such file or directory)" in error("@none.txt")
    assert "it is a folder" in error(f"@{tmp_path}")
