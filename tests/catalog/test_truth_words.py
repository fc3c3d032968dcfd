"""Tests of `utils.catalog.truth_words`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.catalog import categories, marking, truth_words
from utils.errors import InputError

FOX, HUSKY, CRANE = "n02119789", "n02110185", "n02012849"
CODE_PAGES = [
    *(f"cp{number}" for number in range(1250, 1259)),
    "mac_roman",
    "mac_latin2",
    "mac_cyrillic",
    "mac_greek",
]
EXCEL = {
    "bg": "ВЯРНО НЕВЯРНО",
    "ca": "CERT FALS",
    "cs": "PRAVDA NEPRAVDA",
    "da": "SAND FALSK",
    "de": "WAHR FALSCH",
    "el": "ΑΛΗΘΕΣ ΨΕΥΔΕΣ",
    "es": "VERDADERO FALSO",
    "et": "TÕENE VÄÄR",
    "fi": "TOSI EPÄTOSI",
    "fr": "VRAI FAUX",
    "hu": "IGAZ HAMIS",
    "it": "VERO FALSO",
    "kk": "АҚИҚАТ ЖАЛҒАН",
    "lt": "TEISINGAI NETEISINGAI",
    "lv": "PATIESS APLAMS",
    "nb": "SANN USANN",
    "nl": "WAAR ONWAAR",
    "pl": "PRAWDA FAŁSZ",
    "pt": "VERDADEIRO FALSO",
    "ro": "ADEVĂRAT FALS",
    "ru": "ИСТИНА ЛОЖЬ",
    "sk": "PRAVDA NEPRAVDA",
    "sv": "SANT FALSKT",
    "tr": "DOĞRU YANLIŞ",
    "uk": "ІСТИНА ХИБНІСТЬ",
}
"""The words for true and false."""


def shipped() -> list[dict[str, str]]:
    """Read the table of words."""
    text = (ROOT / "utils" / "data" / "truth_words.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def marks(folder: Path, text: str, encoding: str) -> dict[str, bool]:
    """Write an `ncodes.csv` and return which codes are marked."""
    (folder / "ncodes.csv").write_bytes(text.encode(encoding))
    return {one.code: one.selected for one in categories.read(folder / "ncodes.csv")}


@pytest.mark.parametrize("language", EXCEL)
def test_words_of_excel(tmp_path: Path, language: str) -> None:
    """True and false as Excel writes them are read in capitals and in any other case, composed or not."""
    true, false = EXCEL[language].split()
    for change in (str, str.lower, str.title, str.swapcase):
        rows = f"{FOX};fox;{change(true)};\r\n{HUSKY};husky;{change(false)};\r\n"
        text = f"code;name;to_download;how_many\r\n{rows}"
        assert marks(tmp_path, text, "utf-8-sig") == {FOX: True, HUSKY: False}


def test_no_word_means_both() -> None:
    """No word is true in one language and false in another, whatever its case and accents."""
    meanings: dict[str, set[bool]] = {}
    for row in shipped():
        for word, meaning in ((row["true"], True), (row["false"], False)):
            for spelling in (word, word.upper(), word.lower(), word.title(), word.casefold()):
                meanings.setdefault(truth_words._fold(spelling), set()).add(meaning)
                assert truth_words.parse(spelling) is meaning, (word, spelling)
    for word in (*categories._TRUE, *categories._FALSE):
        meanings.setdefault(word, set()).add(word in categories._TRUE)
    assert [word for word, both in meanings.items() if len(both) > 1] == []
    assert len(shipped()) > 140


def test_turkish_capitals() -> None:
    """The Turkish letters of i are one letter, since Python's lower case is not that of Turkish."""
    for word in ("YANLIŞ", "yanl\u0131ş", "yanliş", "YANLİŞ", "Yanl\u0131ş"):
        assert truth_words.parse(word) is False


@pytest.mark.parametrize("word", ["", "maybe", "truee", "истин", "ɛɛ", "r", "?", "#NAME?"])
def test_other_words(word: str) -> None:
    """Other words are neither."""
    assert truth_words.parse(word) is None


@pytest.mark.parametrize("page", CODE_PAGES)
def test_code_pages(tmp_path: Path, page: str) -> None:
    """A table in the code page of its language is recognised by its words for true and false."""
    checked = 0
    for row in shipped():
        true, false = row["true"].upper(), row["false"].upper()
        text = (
            f"code;name;to_download;how_many;class\r\n{FOX};Fuchs;{true};;{true}1\r\n{HUSKY};Husky;{false};;\r\n"
            f'{CRANE};"Kranich; Vogel";{false};;\r\n'
        )
        try:
            text.encode(page)
        except UnicodeEncodeError:
            continue
        assert marks(tmp_path, text, page) == {FOX: True, HUSKY: False, CRANE: False}, (row, page)
        checked += 1
    assert checked > 10


def test_mark_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    """Marking keeps the line of the separator, the code page, and cells that mean the same already."""
    path = tmp_path / "ncodes.csv"
    rows = [f"{FOX};лиса;ИСТИНА;30,0", f"{HUSKY};хаски;ЛОЖЬ;", f"{CRANE};журавль;ЛОЖЬ;"]
    text = "\r\n".join(["sep=;", "code;name;to_download;how_many", *rows, ""])
    path.write_bytes(text.encode("cp1251"))
    assert marking.mark(path, [FOX, HUSKY], how_many=30).changed == 1
    expected = text.replace("хаски;ЛОЖЬ;", "хаски;True;30")
    assert path.read_bytes() == expected.encode("cp1251")
    marking.unmark(path, [FOX])
    assert path.read_bytes() == expected.replace("ИСТИНА;30,0", "False;-1").encode("cp1251")


def test_mark_that_makes_the_code_page_unknown(tmp_path: Path) -> None:
    """A change that would turn names into other letters is refused."""
    path = tmp_path / "ncodes.csv"
    data = f"code;name;to_download;how_many\r\n{FOX};лиса;ЛОЖЬ;\r\n".encode("cp1251")
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"was not changed.*Edit it by hand"):
        marking.mark(path, [FOX], how_many=None)
    assert path.read_bytes() == data
