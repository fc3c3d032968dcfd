"""What was damaged in a result folder, and what it costs its page and card: as little as can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.result_folder import ResultFolder, with_red_and_blue
from utils.cli import gallery_command
from utils.cli.console import Console
from utils.gallery import page

RED, BLUE = "n00000001", "n00000002"


@pytest.fixture
def some(tmp_path: Path) -> ResultFolder:
    """Give a result folder with two categories."""
    return with_red_and_blue(ResultFolder(tmp_path / "partial_imagenet"))


def label_names(data: dict[str, list[str]], image: list[object]) -> list[object]:
    """Spell an image with the names of its labels."""
    *rest, boxes, checksum = image
    assert isinstance(boxes, list)
    return [*rest, checksum, *(data["labels"][one] if at % 5 == 0 else one for at, one in enumerate(boxes))]


DAMAGES = {
    "no labels": ('"labels":["blue","red"]', '"labels":[]'),
    "labels of another name": ('"labels":', '"libels":'),
    "a status that there is not": ('"statuses":{', '"statuses":{"lost":1,'),
    "a side that is a text": (f'"{RED}_1.jpg",64', f'"{RED}_1.jpg","64"'),
    "a side of nothing": (f'"{RED}_1.jpg",64', f'"{RED}_1.jpg",0'),
    "a number too many": (f'["{RED}_1.jpg",64', f'["{RED}_1.jpg",64,64'),
    "a text that is not closed": ('"images":', '"images'),
    "what is no UTF-8": ('"folder":"red"', '"folder":"\udce9"'),
    "a side beyond 32 bits": (f'"{RED}_1.jpg",64', f'"{RED}_1.jpg",99999999999'),
    "a side that is infinite": (f'"{RED}_1.jpg",64', f'"{RED}_1.jpg",1e999'),
    "a side that is true": (f'"{RED}_1.jpg",64', f'"{RED}_1.jpg",true'),
    "a box beyond all": ("0,0,31,47", f"0,0,31,{'9' * 80}"),
    "a box beyond 32 bits": ("0,0,31,47", f"0,0,31,-{2**31}"),
    "a box without a label": ("0,0,31,47,0,", "0,0,31,47,-1,"),
    "a count that is infinite": ('"statuses":{"downloaded":2', '"statuses":{"downloaded":-Infinity'),
    "a count that is a fraction": ('"statuses":{"downloaded":2', '"statuses":{"downloaded":1.5'),
    "counts that are a list": ('"statuses":{"downloaded":2,"failed":5}', '"statuses":[]'),
    "a reason that is a number": ('["timeout",2]', "[5,2]"),
    "a file that is a number": (f'["{RED}_1.jpg"', "[5"),
    "a file that is nothing": (f'["{RED}_1.jpg"', "[null"),
    "a file of another folder": (f'["{RED}_1.jpg"', '["../x.jpg'),
    "a URL that is nothing": ('"http://a.example/\\u00fc?1"', "null"),
    "images that are deep": ('"images":[', f'"images":{"[" * 200_000}'),
    "labels that are a text": ('"labels":["blue","red"]', '"labels":"blue"'),
    "labels that are numbers": ('"labels":["blue","red"]', '"labels":[1,2]'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_damaged_is_carried_over(some: ResultFolder, damage: str) -> None:
    """What is not of the form that we write is read anew from the folder, and the next page is right."""
    some.leave()
    whole, (text, instead) = some.data(), DAMAGES[damage]
    assert text in some.page
    (some.root / "index.html").write_text(some.page.replace(text, instead), "utf-8", "surrogateescape")
    assert some.leave().unwritten == []
    data = some.data()
    assert data["total"] == whole["total"]
    assert [label_names(data, image) for image in some.images()] == [
        label_names(whole, image)
        for image in [image for one in whole["categories"] for image in one["images"]]
    ]


def test_an_impossible_size_costs_only_its_image(some: ResultFolder) -> None:
    """A journal that somebody damaged does not take page and card from the rest."""
    journal = some.root / "red" / ".journal.jsonl"
    text = journal.read_text(encoding="utf-8")
    journal.write_text(text.replace('"width":400', f'"width":{10**12}'), encoding="utf-8")
    assert len(some.leave().written) == 2
    assert [image[0] for image in some.images()] == [f"{BLUE}_1.jpg", f"{RED}_1.jpg"]


def test_nothing_of_it_ends_a_run(
    some: ResultFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever goes wrong, the run goes on: it costs the page, the card, and a sentence."""
    some.leave()
    before = some.page
    for name in ("page.html", "gallery.js", "gallery.css"):
        (tmp_path / name).write_text("cut off", encoding="utf-8")
    monkeypatch.setattr(page, "ASSETS", tmp_path)  # a program that was installed badly
    assert gallery_command.leave(some.root, some.categories, some.settings(), Console()) is None
    assert "Gallery and dataset card were not written (ValueError " in capsys.readouterr().err
    assert some.page == before
