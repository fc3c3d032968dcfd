"""Runs with `--images`: exactly the listed images, and the comparison with a manifest."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from demo.answers import Answer
from demo.web import Web
from tests.project import ALONE, ROOT, Finished, Project
from tests.tars import packed

RED, BLUE = "n00000001", "n00000002"


def photo(number: int, *, quality: int = 90, size: tuple[int, int] = (200, 150)) -> bytes:
    """Return one of several pictures that do not look alike."""
    file = io.BytesIO()
    coarse = Image.frombytes("RGB", (8, 6), random.Random(number).randbytes(8 * 6 * 3))
    coarse.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=quality)
    return file.getvalue()


def listed(project: Project) -> list[dict[str, str]]:
    """Read the manifest of a result."""
    with (project.result / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(project: Project) -> dict[str, int]:
    """Return how many of the listed images are there."""
    found: dict[str, Any] = json.loads((project.result / "run.json").read_text(encoding="utf-8"))
    counts: dict[str, int] = found["images"]
    return counts


@pytest.fixture
def author(tmp_path: Path, web: Web) -> Project:
    """Make a set of five images, one of another synset, and a URL that is not part of it."""
    project = Project(tmp_path / "author", always=ALONE)
    project.path.mkdir()
    for code, name in {RED: "red", BLUE: "bluish"}.items():
        project.category(code, name, marked=False)
        for number in range(3):
            web.answer(f"/{code}_{number}", Answer.jpeg(photo(number + 3 * (code == BLUE))))
            project.url(f"{code}_{number}", web.url(f"/{code}_{number}"))
            project.annotate(f"{code}_{number}", (1, 2, 90, 80), size=(200, 150))
    (project.path / "list.txt").write_text(
        f"train/{RED}/{RED}_0.JPEG\n{RED}_2\n{BLUE}_0\n{BLUE}_1\n", encoding="utf-8"
    )
    return project


@pytest.fixture
def reader(author: Project, tmp_path: Path) -> Project:
    """Make another project with the manifest of the author's set, and without a result."""
    assert author.run("--images", str(author.path / "list.txt")).code == 0
    project = Project(tmp_path / "reader", author.categories, author.rows, author.annotations, ALONE)
    project.path.mkdir()
    shutil.copy(author.result / "manifest.csv", project.path)
    return project


def follow(project: Project, *flags: str) -> Finished:
    """Run with the manifest."""
    return project.run("--images", str(project.path / "manifest.csv"), *flags)


def test_list_of_codes(author: Project, web: Web) -> None:
    """Exactly the listed images are requested and saved, with their boxes; no mark is needed."""
    finished = author.run("--images", str(author.path / "list.txt"))
    assert finished.code == 0
    assert "4 images of 2 categories, as listed in " in finished.out
    assert "4 of 4 listed images are there." in finished.out
    assert author.images("red") == {f"{RED}_0.jpg", f"{RED}_2.jpg"}
    assert author.xmls("bluish") == {f"{BLUE}_0.xml", f"{BLUE}_1.xml"}
    assert len(web.requests) == 4
    assert [row["image_code"] for row in author.report("red")] == [f"{RED}_0", f"{RED}_2"]
    author.run("--images", str(author.path / "list.txt"))
    assert len(web.requests) == 4


def test_missing_images(author: Project, web: Web) -> None:
    """Images that are dead or that no source has are named, also in the report, and the exit code is 1."""
    web.answer(f"/{RED}_0", Answer(status=404))
    path = author.path / "list.txt"
    path.write_text(path.read_text(encoding="utf-8") + f"{RED}_77\n", encoding="utf-8")
    finished = author.run("--images", str(path))
    assert finished.code == 1
    assert "3 of 5 listed images are there." in finished.out
    assert f"2 images are missing or different; the reports say why: {RED}_0, {RED}_77." in finished.err
    assert "Other sources may have them: --source urls archive, " in finished.err
    assert "temporary failure" not in finished.err
    rows = {row["image_code"]: (row["status"], row["reason"], row["url"]) for row in author.report("red")}
    assert rows[f"{RED}_77"] == ("failed", "not_as_listed", "")
    assert rows[f"{RED}_0"][:2] == ("failed", "http_404")
    before = (author.result / "red" / ".journal.jsonl").read_bytes().count(b"\n")
    again = author.run("--images", str(path))
    assert (again.code, "Nothing new" in again.out) == (1, True)
    assert (author.result / "red" / ".journal.jsonl").read_bytes().count(b"\n") == before + 1
    web.answer("/late", Answer.jpeg(photo(9)))
    author.url(f"{RED}_77", web.url("/late"))
    assert author.run("--images", str(path), "--retry_failed", "True").code == 1
    rows = {(row["image_code"], row["url"] == ""): row["status"] for row in author.report("red")}
    assert rows[f"{RED}_77", False] == "downloaded"
    assert rows[f"{RED}_77", True] == "skipped"


def test_same_set_by_its_manifest(author: Project, reader: Project) -> None:
    """A second machine gets the same set; its manifest is the same, byte for byte."""
    finished = follow(reader)
    assert finished.code == 0
    assert numbers(reader) == {"identical": 4, "same_picture": 0, "different": 0, "missing": 0}
    assert (author.result / "manifest.csv").read_bytes() == (reader.result / "manifest.csv").read_bytes()
    assert [line.split() for line in finished.out.splitlines() if line.startswith("identical")] == [
        ["identical", "4"]
    ]


def test_temporary_failures(reader: Project, web: Web) -> None:
    """Missing images that failed temporarily are counted, as the next run retries them."""
    web.answer(f"/{RED}_0", Answer(status=503))
    web.answer(f"/{BLUE}_0", Answer(status=404))
    finished = follow(reader, "--retries", "0")
    assert (finished.code, numbers(reader)["missing"]) == (1, 2)
    assert "Run it again to retry 1 temporary failure." in finished.err


def test_web_that_changed(reader: Project, web: Web) -> None:
    """What was encoded again is the same picture; another picture or shape is not kept."""
    web.answer(f"/{RED}_0", Answer.jpeg(photo(0, quality=40, size=(160, 120))))
    web.answer(f"/{RED}_2", Answer.jpeg(photo(11)))
    web.answer(f"/{BLUE}_0", Answer.jpeg(photo(3, size=(200, 200))))
    web.answer(f"/{BLUE}_1", Answer(status=404))
    finished = follow(reader)
    assert finished.code == 1
    assert numbers(reader) == {"identical": 0, "same_picture": 1, "different": 2, "missing": 1}
    assert reader.images("red") == {f"{RED}_0.jpg"}
    assert reader.images("bluish") == reader.xmls("bluish") == set()
    assert {row["reason"] for row in reader.report("bluish")} == {"not_as_listed", "http_404"}
    asked = len(web.requests)
    assert follow(reader).code == 1
    assert len(web.requests) == asked, "what is not as listed is not requested again"
    assert numbers(reader) == {"identical": 0, "same_picture": 1, "different": 2, "missing": 1}
    rows = listed(reader)
    path = reader.path / "manifest.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(f"{BLUE}_1,", f"{BLUE}_2,"), encoding="utf-8")
    follow(reader)
    assert len(web.requests) == asked + 3, "a changed list is judged anew"
    assert [row["image_code"] for row in rows] == [f"{RED}_0"]


def test_next_source_has_the_listed_picture(author: Project, reader: Project, web: Web) -> None:
    """An image that is different at its URL is taken from a copy."""
    web.answer(f"/{RED}_2", Answer.jpeg(photo(11)))
    copy = reader.path / "copy" / RED
    copy.mkdir(parents=True)
    shutil.copy(author.result / "red" / "Images" / f"{RED}_2.jpg", copy / f"{RED}_2.JPEG")
    assert follow(reader, "--source", "urls", "copy", "--copy", str(copy.parent)).code == 0
    assert numbers(reader)["identical"] == 4
    statuses = {(row["image_code"], row["reason"]): row["status"] for row in reader.report("red")}
    assert statuses[f"{RED}_2", "not_as_listed"] == "failed"
    assert statuses[f"{RED}_2", ""] == "downloaded"


def test_saved_images_are_compared(reader: Project, web: Web) -> None:
    """An image of an earlier run that is not the listed one is removed, and named."""
    web.answer(f"/{RED}_2", Answer.jpeg(photo(11)))
    assert reader.run("--categories", RED).code == 0
    finished = follow(reader)
    assert f"red/Images/{RED}_2.jpg: It is another picture than the one in the manifest." in finished.out
    assert reader.images("red") == {f"{RED}_0.jpg", f"{RED}_1.jpg"}, "images that are not listed stay"
    assert numbers(reader) == {"identical": 3, "same_picture": 0, "different": 1, "missing": 0}
    assert reader.run("--categories", RED).code == 0
    assert f"{RED}_2.jpg" in reader.images("red"), "without the list it is an image like others"


def test_manifest_without_url_table(reader: Project) -> None:
    """The URLs of a manifest are enough."""
    reader.rows = []
    reader.write()
    assert follow(reader).code == 0
    (reader.path / "imageNetURLs.csv").unlink()
    shutil.rmtree(reader.result)
    finished = follow(reader, "--url_data", str(reader.path / "no.csv"))
    assert (finished.code, numbers(reader)["identical"]) == (0, 4)


def test_image_of_another_synset(author: Project, reader: Project) -> None:
    """An image that the manifest has in another category is saved there."""
    path = reader.path / "manifest.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f"{BLUE}_0,bluish", f"{BLUE}_0,red"), encoding="utf-8")
    assert follow(reader).code == 0
    assert reader.images("red") == {f"{RED}_0.jpg", f"{RED}_2.jpg", f"{BLUE}_0.jpg"}
    assert reader.images("bluish") == {f"{BLUE}_1.jpg"}


def test_recipe(reader: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command in the documentation, run beside the manifest, gives the same set."""
    monkeypatch.chdir(reader.path)
    for page in ("README.md", "docs/report.md"):
        (flags,) = re.findall(
            r"^python \S+ (--images .*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE
        )
        assert reader.run(*flags.split()).code == 0
        assert numbers(reader)["identical"] == 4


def test_archive(author: Project) -> None:
    """Of a tar, only the listed members are saved; what it does not have is missing."""
    tars = author.path / "tars"
    tars.mkdir()
    for code in (RED, BLUE):
        members = {f"{code}_{number}": photo(number) for number in range(3) if code == RED or number}
        (tars / f"{code}.tar").write_bytes(packed(members))
    archive = ("--source", "archive", "--accept_imagenet_terms", "True", "--archive_url", str(tars))
    assert author.run("--images", str(author.path / "list.txt"), *archive).code == 1
    assert author.images("red") == {f"{RED}_0.jpg", f"{RED}_2.jpg"}
    assert author.images("bluish") == {f"{BLUE}_1.jpg"}
    assert numbers(author) == {"identical": 3, "same_picture": 0, "different": 0, "missing": 1}


def test_excluded_images(reader: Project) -> None:
    """A listed image that the user excludes is missing."""
    reader.result.mkdir()
    (reader.result / "excluded.txt").write_text(f"{RED}_0 shows nothing\n", encoding="utf-8")
    assert follow(reader).code == 1
    assert numbers(reader) == {"identical": 3, "same_picture": 0, "different": 0, "missing": 1}
    assert [row["reason"] for row in reader.report("red")] == ["excluded", ""]


def test_validation_images(author: Project) -> None:
    """The categories of validation images are those of the copy."""
    tench = "n01440764"
    author.category(tench, "tench", marked=False)
    copy = author.path / "copy" / "val" / tench
    copy.mkdir(parents=True)
    (copy / "ILSVRC2012_val_00000003.JPEG").write_bytes(photo(5))
    path = author.path / "list.txt"
    path.write_text("ILSVRC2012_val_00000003\nILSVRC2012_val_00000004\n", encoding="utf-8")
    refused = author.run("--images", str(path))
    assert (refused.code, "whose categories copies tell. Add --copy PATH." in refused.err) == (2, True)
    (author.path / "other.txt").write_text("ILSVRC2012_val_00000009\n", encoding="utf-8")
    refused = author.run("--images", str(author.path / "other.txt"), "--copy", str(author.path / "copy"))
    assert (refused.code, "whose categories the copies do not tell." in refused.err) == (2, True)
    finished = author.run("--images", str(path), "--copy", str(author.path / "copy"))
    assert finished.code == 1
    assert author.images("tench") == {"ILSVRC2012_val_00000003.jpg"}
    assert "The category of 1 validation image is not known." in finished.err
    assert numbers(author) == {"identical": 1, "same_picture": 0, "different": 0, "missing": 1}


def test_dry_run(reader: Project, web: Web) -> None:
    """A dry run counts what would be tried, and changes nothing."""
    asked = len(web.requests)
    finished = follow(reader, "--dry_run")
    assert (finished.code, len(web.requests)) == (0, asked)
    assert f"red ({RED}): 2 listed images, 2 to try" in finished.out
    assert "4 URLs to try at most." in finished.out


@pytest.mark.parametrize("flags", ["--categories red", "--how_many 3", "--fill True", "--verify"])
def test_contradictions(author: Project, flags: str) -> None:
    """Flags that select otherwise are refused."""
    finished = author.run("--images", str(author.path / "list.txt"), *flags.split())
    assert finished.code == 2
    assert finished.err.startswith("--images ")


def test_lists_that_cannot_be_used(reader: Project) -> None:
    """The manifest of the result itself would be replaced; categories must be in ncodes.csv."""
    follow(reader)
    finished = reader.run("--images", str(reader.result / "manifest.csv"))
    assert (finished.code, "is replaced by this run" in finished.err) == (2, True)
    (reader.path / "list.txt").write_text("n99999999_1\n", encoding="utf-8")
    finished = reader.run("--images", str(reader.path / "list.txt"))
    assert finished.code == 2
    assert "lists images of n99999999, which are neither in ImageNet nor in " in finished.err


def test_category_without_a_row(author: Project, web: Web) -> None:
    """Categories of ImageNet need no row in `ncodes.csv`, also if a manifest gives only their folders."""
    web.answer("/zebra", Answer.jpeg(photo(7)))
    path = author.path / "list.csv"
    for zebra, text in (("n02391049_1", ""), (f"{RED}_9", "zebra")):
        path.write_text(f"image_code,category,url\n{zebra},{text},{web.url('/zebra')}\n", encoding="utf-8")
        assert author.run("--images", str(path)).code == 0
        assert f"{zebra}.jpg" in author.images("zebra")
