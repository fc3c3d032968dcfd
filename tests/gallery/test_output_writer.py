"""When page, card and state file are written, and what happens if one of them is damaged or in the way."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from demo.answers import Answer
from demo.pictures import jpeg
from demo.web import Web
from tests.project import Project
from tests.result_folder import ResultFolder, with_red_and_blue
from utils.cli import gallery_command
from utils.cli.console import Console
from utils.export import image_hash
from utils.gallery import page, state
from utils.gallery.output_writer import MARK, QUICK, OutputWriter
from utils.models.images import Box
from utils.reasons import Reason
from utils.results.paths import CategoryFolder

RED, BLUE = "n00000001", "n00000002"
STATE = ".gallery.jsonl"


@pytest.fixture
def some(tmp_path: Path) -> ResultFolder:
    """Make a result folder with two categories."""
    return with_red_and_blue(ResultFolder(tmp_path / "partial_imagenet"))


def edit_unseen(path: Path) -> None:
    """Overwrite a file in a way that its folder's stamp does not show."""
    stat = path.stat()
    path.write_bytes(b"unreadable")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_files(some: ResultFolder) -> None:
    """Page and card are written, and named; the state file is hidden."""
    writer = some.write()
    assert [path.name for path in writer.written] == ["index.html", "dataset_card.md"]
    assert {path.name for path in some.root.iterdir()} == {
        "index.html",
        "dataset_card.md",
        "manifest.csv",
        "croissant.json",
        ".fingerprints.csv",
        STATE,
        "red",
        "blue",
    }
    assert MARK in some.page
    assert MARK in some.card


@pytest.mark.parametrize("gallery", [True, False])
def test_unchanged_categories_are_not_read_again(some: ResultFolder, gallery: bool) -> None:
    """A category whose files have not changed is taken from the state file, with or without a page."""
    some.write()
    before = some.data()
    some.write(gallery=gallery)
    edit_unseen(some.root / "red" / "Annotation" / f"{RED}_1.xml")
    some.write()
    assert some.data() == before
    some.fail(CategoryFolder(some.root / "red"), Reason.TIMEOUT)
    some.write()
    assert some.data()["categories"][1]["annotated"] == 0
    assert some.data()["labels"] == ["blue"]


def test_changed_classes_are_shown(some: ResultFolder) -> None:
    """A category taken from the state file has its present class, not that of the last run."""
    for name in ("a colour", "paint", ""):
        some.categories = tuple(replace(category, class_name=name) for category in some.categories)
        some.write()
        edit_unseen(some.root / "red" / "Annotation" / f"{RED}_1.xml")
        assert {one["class"] for one in some.data()["categories"]} == {name}
        assert some.data()["categories"][1]["annotated"] == 1
        assert list(some.data()["classes"]) == [name] * bool(name)
        assert ("| a colour |" in some.card) == (name == "a colour")


def test_state_is_limited(some: ResultFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Categories above the limit are not kept, but read again."""
    monkeypatch.setattr(state, "MAX_IMAGES", 2)
    some.write()
    edit_unseen(some.root / "red" / "Annotation" / f"{RED}_1.xml")
    edit_unseen(some.root / "blue" / "Annotation" / f"{BLUE}_1.xml")
    some.write()
    assert [one["annotated"] for one in some.data()["categories"]] == [1, 0]


@pytest.mark.parametrize("place", [0, 0.1, 0.5, 0.9, 1])
@pytest.mark.parametrize("damage", [b"", b"9", b"\n", b"\xff"])
def test_damaged_state_is_ignored(some: ResultFolder, place: float, damage: bytes) -> None:
    """If any byte of it has changed, all is read from the folders, and the history from the card."""
    some.write(command=("first",))
    before, path = some.page, some.root / STATE
    edit_unseen(some.root / "red" / "Annotation" / f"{RED}_1.xml")
    content = path.read_bytes()
    at = int(place * (len(content) - 1))
    damage = b"8" if damage == content[at : at + 1] else damage
    path.write_bytes(content[:at] + damage + content[at + 1 :])
    assert some.write(command=("second",)).unwritten == []
    assert some.data()["categories"][1]["annotated"] == 0
    assert before != some.page
    assert " first  # saved" in some.card
    assert " second  # saved" in some.card


def test_forged_state_cannot_inject_a_script(some: ResultFolder) -> None:
    """A state file with a valid checksum and hostile names adds no tag to the page."""
    some.write()
    scripts, path = some.page.count("<script"), some.root / STATE
    hostile = "</script><script>alert(1)</script>"
    content = b"".join(path.read_bytes().splitlines(keepends=True)[:-1])
    for text in (f"{RED}_1.jpg", "http://a.example/1.jpg", "timeout"):
        content = content.replace(json.dumps(text).encode(), json.dumps(hostile).encode())
    path.write_bytes(content + state._checksum([content]))
    some.write()
    assert hostile in json.dumps(some.data())
    assert some.page.count("<script") == scripts


def test_impossible_size_in_the_journal(some: ResultFolder) -> None:
    """An image with an impossible size in a damaged journal is left out; page and card are written."""
    journal = some.root / "red" / ".journal.jsonl"
    text = journal.read_text(encoding="utf-8")
    journal.write_text(text.replace('"width":400', f'"width":{10**12}'), encoding="utf-8")
    assert len(some.write().written) == 2
    assert [image[0] for image in some.images()] == [f"{BLUE}_1.jpg", f"{RED}_1.jpg"]


def test_files_without_our_mark_are_kept(some: ResultFolder) -> None:
    """A page or card that the user made, or took the mark from, is not replaced."""
    (some.root / "index.html").write_text("my own", encoding="utf-8")
    writer = some.write()
    assert (some.page, [path.name for path in writer.kept]) == ("my own", ["index.html"])
    mine = some.card.replace("# Written anew", "# Written by hand, not")
    (some.root / "dataset_card.md").write_text(mine, encoding="utf-8")
    (some.root / "index.html").unlink()
    some.write()
    assert some.card == mine
    assert some.images()


@pytest.mark.parametrize("gallery", [True, False])
def test_partial_files_of_a_killed_run_are_removed(some: ResultFolder, gallery: bool) -> None:
    """The next run removes them, whether it writes a page or not."""
    parts = [
        some.root / f".{name}.part"
        for name in ("index.html", "dataset_card.md", "manifest.csv", "croissant.json", STATE)
    ]
    for part in parts:
        part.write_bytes(b"half")
    some.write(gallery=gallery)
    assert not any(part.exists() for part in parts)


@pytest.mark.parametrize("name", ["index.html", "dataset_card.md", "manifest.csv", "croissant.json", STATE])
def test_folder_in_the_way(some: ResultFolder, name: str) -> None:
    """A folder with the name of a file costs that file and a message; the others are written."""
    (some.root / name).mkdir()
    writer = some.write()
    assert [path.name for path in writer.written] == [
        one for one in ("index.html", "dataset_card.md") if one != name
    ]
    (message,) = writer.unwritten
    assert message.startswith(f"{some.root / name} could not be written: Is a directory.")
    assert not list(some.root.glob(".*.part"))


def test_unreadable_journal(some: ResultFolder) -> None:
    """If a journal cannot be read, nothing is written, since the numbers would be wrong."""
    some.write()
    before = some.page, some.card
    journal = some.root / "red" / ".journal.jsonl"
    journal.unlink()
    journal.mkdir()
    writer = some.write()
    assert (writer.written, len(writer.unwritten)) == ([], 1)
    assert writer.unwritten[0].startswith(
        "index.html, dataset_card.md and manifest.csv were not written. Cannot "
    )
    assert (some.page, some.card) == before


def test_no_gallery(some: ResultFolder) -> None:
    """Without a gallery the card is written with the same numbers."""
    some.write(gallery=False)
    assert not (some.root / "index.html").exists()
    assert "| red | n00000001 | 7 | 2 | 1 | 2 |" in some.card


@pytest.mark.parametrize(("failures", "is_written"), [(1, True), (QUICK // 100, False)])
def test_interrupted_run_writes_only_what_is_quick(
    some: ResultFolder, failures: int, is_written: bool
) -> None:
    """An interrupted run writes page and card only if the journals are small."""
    some.fail(CategoryFolder(some.root / "red"), Reason.TIMEOUT, times=failures)
    writer = OutputWriter(some.root, some.categories, some.settings(), stopped=lambda: True)
    writer.write()
    assert bool(writer.written) is is_written
    assert (some.root / "index.html").exists() is is_written
    assert writer.unwritten == []


def test_interrupted_while_writing(some: ResultFolder) -> None:
    """A run that is interrupted while it writes a large page leaves the old page as it was."""
    some.write()
    before = some.page
    some.fail(CategoryFolder(some.root / "red"), Reason.TIMEOUT, times=QUICK // 100)
    calls: list[bool] = []
    writer = OutputWriter(
        some.root, some.categories, some.settings(), stopped=lambda: bool(calls.append(True) or calls[1:])
    )
    writer.write()
    assert (writer.written, some.page) == ([], before)
    assert not list(some.root.glob(".*.part"))


def manifest_rows(some: ResultFolder) -> list[dict[str, str]]:
    """Read the manifest."""
    with (some.root / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_manifest(some: ResultFolder) -> None:
    """It has a row for each image with its true values, sorted; only a URL tells where it came from."""
    blue = CategoryFolder(some.root / "blue")
    some.image(blue, f"{RED}_1", url="copy.tar#n00000001/n00000001_1.JPEG")  # also in another category
    (blue.images / "my own.jpg").write_bytes(jpeg(seed=9))
    some.write()
    rows = manifest_rows(some)
    assert [(row["image_code"], row["category"], row["url"], row["boxes"]) for row in rows] == [
        (f"{RED}_1", "blue", "", ""),
        (f"{RED}_1", "red", "http://a.example/ü?1", "2"),
        (f"{RED}_2", "red", "http://a.example/1.jpg", ""),
        (f"{BLUE}_1", "blue", "http://a.example/1.jpg", "1"),
    ]
    for row in rows:
        data = (some.root / row["category"] / "Images" / f"{row['image_code']}.{row['format']}").read_bytes()
        assert (row["sha256"], row["bytes"]) == (hashlib.sha256(data).hexdigest(), str(len(data)))
        expected = image_hash.compute(data).hash
        assert row["phash"] == ("" if expected is None else f"{expected:016x}")
    assert [(row["width"], row["height"]) for row in rows] == [
        ("64", "48"),
        *[("64", "48"), ("400", "300")],
        ("64", "48"),
    ]


def test_equal_folders_have_equal_manifests(tmp_path: Path) -> None:
    """Order of downloads, number of runs, place, commands and failures make no difference."""
    images = [(RED, f"{RED}_1"), (RED, f"{RED}_20"), (BLUE, f"{BLUE}_3"), (BLUE, f"{RED}_1")]
    manifests = []
    for name, order in {"one": 1, "other": -1}.items():
        made = ResultFolder(tmp_path / name)
        folders = {code: made.category(code, code) for code in (RED, BLUE)[::order]}
        for code, image_code in images[::order]:
            data = jpeg(64, 48, seed=int(image_code[-1]))
            made.image(folders[code], image_code, Box("red", 0, 0, 31, 47), data=data)
            made.fail(folders[code], Reason.TIMEOUT, times=order + 1)
            made.write(command=(name,))
        manifests.append((made.root / "manifest.csv").read_bytes())
    assert manifests[0] == manifests[1]
    assert manifests[0].count(b"\n") == 5


def test_images_are_hashed_once(some: ResultFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only images without a recorded hash are decoded, so those of the first version once."""
    some.write()
    before = manifest_rows(some)
    monkeypatch.setattr(image_hash, "compute", None)  # fails if called
    (some.root / "manifest.csv").unlink()
    some.write()
    assert manifest_rows(some) == before
    (some.root / ".fingerprints.csv").unlink()
    with pytest.raises(TypeError):
        some.write()


def test_interrupted_run_keeps_the_manifest(some: ResultFolder) -> None:
    """A run that is interrupted before new images are hashed leaves the old manifest; the next writes it."""
    some.write()
    before = manifest_rows(some)
    some.image(CategoryFolder(some.root / "red"), f"{RED}_3")
    OutputWriter(some.root, some.categories, some.settings(), stopped=lambda: True).write()
    assert manifest_rows(some) == before
    some.write()
    assert len(manifest_rows(some)) == len(before) + 1


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_image_that_cannot_be_read(some: ResultFolder) -> None:
    """An image that cannot be hashed costs the manifest, with a message, and not the page."""
    (some.root / "red" / "Images" / f"{RED}_1.jpg").chmod(0)
    writer = some.write()
    assert not (some.root / "manifest.csv").exists()
    assert [path.name for path in writer.written] == ["index.html", "dataset_card.md"]
    assert writer.unwritten[0].startswith("manifest.csv was not written. Cannot work with ")


def test_unexpected_error_does_not_stop_the_run(
    some: ResultFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any error costs page, card and a message."""
    some.write()
    before = some.page
    for name in ("page.html", "gallery.js", "gallery.css"):
        (tmp_path / name).write_text("cut off", encoding="utf-8")
    monkeypatch.setattr(page, "ASSETS", tmp_path)  # a broken installation
    assert gallery_command.write(some.root, some.categories, some.settings(), Console()) is None
    assert "Gallery, card and manifest were not written (ValueError " in capsys.readouterr().err
    assert some.page == before


def test_run_and_verify_write_both(project: Project, web: Web) -> None:
    """Every run writes page and card, and reports what it could not write; --verify writes them anew."""
    project.category(RED, "red")
    for number in range(2):
        web.answer(f"/{number}", Answer.jpeg(jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        project.annotate(f"{RED}_{number}", (1, 2, 9, 8))
    index, card = project.result / "index.html", project.result / "dataset_card.md"
    index.mkdir(parents=True)
    finished = project.run("--parallel", "False", "--archive_url", "x", "--source", "urls")
    assert finished.code == 2
    finished = project.run("--parallel", "False")
    assert finished.code == 0
    assert finished.err.startswith(f"{index} could not be written: Is a directory.")
    index.rmdir()
    (project.result / "red" / "Images" / f"{RED}_0.jpg").write_bytes(b"spoilt")
    finished = project.run("--verify")
    assert finished.code == 1
    assert index.read_text(encoding="utf-8").count(f'"{RED}_1.jpg"') == 1
    assert f'"{RED}_0.jpg"' not in index.read_text(encoding="utf-8")
    assert "--verify" in card.read_text(encoding="utf-8")
