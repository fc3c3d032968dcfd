"""--verify judges a result folder again, and downloads nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Project

RED = "n00000001"
pytestmark = pytest.mark.alone  # what is judged again is what a run has left, whoever did its work


@pytest.fixture
def finished(project: Project, web: Web) -> Project:
    """Download six images, two with boxes."""
    project.category(RED, "red")
    for number in range(6):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    project.annotate(f"{RED}_0", (1, 1, 9, 9))
    project.annotate(f"{RED}_1", (1, 1, 9, 9))
    assert project.run().code == 0
    return project


def image(project: Project, number: int) -> Path:
    """Say where an image lies."""
    return project.result / "red" / "Images" / f"{RED}_{number}.jpg"


def test_sound_folder_is_left_alone(finished: Project, web: Web) -> None:
    """A folder in which everything holds stays as it is, and verifying it is exit code 0."""
    before = {path: path.stat().st_mtime_ns for path in finished.result.rglob("*.[jx]*")}
    asked = len(web.requests)
    verified = finished.run("--verify")
    assert verified.code == 0, verified.out
    assert "6 images in 1 folder are whole" in verified.out
    assert len(web.requests) == asked
    journal = finished.result / "red" / ".journal.jsonl"
    after = {path: path.stat().st_mtime_ns for path in finished.result.rglob("*.[jx]*")}
    assert {path for path in before if before[path] != after.get(path)} <= {journal}


def test_no_flag_removes_what_was_saved(finished: Project) -> None:
    """Images under --min_side stay with their XML, also those that look changed, or are in no journal."""
    xmls, images = finished.xmls("red"), finished.images("red")
    os.utime(image(finished, 0), (0, 0))
    journal = finished.result / "red" / ".journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if f"{RED}_1" not in line))
    for flags in (("--min_side", "200"), ("--verify", "--min_side", "200")):
        done = finished.run(*flags)
        assert done.code == 0, done.out
        assert (finished.images("red"), finished.xmls("red")) == (images, xmls)
    assert [row["status"] for row in finished.report("red")] == ["already_present"] * 6


def test_what_does_not_hold_is_taken_back(finished: Project, web: Web) -> None:
    """Hidden damage, lost images, XML that does not fit: all is found, and the next run mends it."""
    hole = image(finished, 2)
    stat = hole.stat()
    data = bytearray(hole.read_bytes())
    data[200:400] = bytes(200)
    hole.write_bytes(data)
    os.utime(hole, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    image(finished, 3).unlink()
    xml = finished.result / "red" / "Annotation" / f"{RED}_0.xml"
    xml.write_text(xml.read_text().replace("<width>64", "<width>65"))
    verified = finished.run("--verify")
    assert verified.code == 1
    for name in (f"{RED}_2.jpg was removed", f"{RED}_3.jpg is not there", f"{RED}_0.xml was removed"):
        assert name in verified.out
    rows = finished.report("red")
    assert [row["status"] for row in rows].count("already_present") == 4
    asked = len(web.requests)
    finished.run()
    assert {request.path for request in web.requests[asked:]} == {"/2", "/3"}
    assert finished.xmls("red") == {f"{RED}_0.xml", f"{RED}_1.xml"}
    assert finished.run("--verify").code == 0


def everything(project: Project) -> dict[Path, tuple[int, bytes]]:
    """Give all that lies in the result folder, with its time and content."""
    files = (path for path in project.result.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_dry_judgement_changes_nothing(finished: Project) -> None:
    """--verify --dry_run finds all that --verify takes back, each once, and leaves every byte as it is."""
    assert finished.run("--verify", "--dry_run").code == 0
    image(finished, 0).write_text("<html>gone</html>")
    image(finished, 1).unlink()
    image(finished, 2).rename(image(finished, 2).with_suffix(".png"))
    (finished.result / "red" / "Images" / f"{RED}_77.jpg").write_text("a stray")
    for number in range(80, 83):
        (finished.result / "red" / "Images" / f"{RED}_{number}.jpg").write_bytes(pictures.jpeg(seed=99))
    (finished.result / "red" / "Images" / ".part-1.tmp").write_text("half")
    index = finished.path / "imageNetURLs.csv.index"
    index.unlink()
    before = everything(finished)
    dry = finished.run("--verify", "--dry_run")
    assert everything(finished) == before
    assert not index.exists()
    assert dry.code == 1, dry.err
    assert "Nothing was changed" in dry.out
    found = {line.replace("would be removed", "was removed") for line in dry.out.splitlines()[:-2]}
    real = finished.run("--verify")
    assert found == set(real.out.splitlines()[:-2])
    assert len(found) == len(dry.out.splitlines()) - 2 == 8
    assert dry.out.splitlines()[-2].split(";")[0].rstrip(".") == real.out.splitlines()[-2].split(";")[0]


def test_placeholders_are_told_by_a_dry_judgement(finished: Project) -> None:
    """A picture that stands for many is told once for its category, and stays."""
    data = pictures.jpeg(seed=77)
    for number in range(3):
        image(finished, number).write_bytes(data)
    dry = finished.run("--verify", "--dry_run")
    assert dry.code == 1
    assert "red: 3 would be removed: placeholder" in dry.out
    assert "3 images in 1 folder are whole" in dry.out
    assert all(image(finished, number).read_bytes() == data for number in range(3))


def test_folder_of_another_tool(project: Project) -> None:
    """Without journal and URL table, junk, cut images and one picture under many names are taken back."""
    project.category(RED, "red", marked=False)
    project.write()
    (project.path / "imageNetURLs.csv").unlink()
    for folder in ("red", "nobody_knows"):
        images = project.result / folder / "Images"
        images.mkdir(parents=True)
        for number in range(4):
            (images / f"{RED}_{number}.JPEG").write_bytes(pictures.jpeg(seed=number + len(folder)))
        for number in range(10, 13):
            (images / f"{RED}_{number}.jpg").write_bytes(pictures.jpeg(seed=99))
        (images / f"{RED}_20.jpg").write_bytes(pictures.jpeg(seed=20)[:-40])
        (images / f"{RED}_21.jpg").write_text("<html>gone</html>")
        (images / "notes.txt").write_text("mine")
    project.write = lambda: None  # type: ignore[method-assign]  # leave the folder as it is
    verified = project.run("--verify")
    assert verified.code == 1, verified.err
    for folder in ("red", "nobody_knows"):
        assert project.images(folder) == {"notes.txt", *(f"{RED}_{number}.JPEG" for number in range(4))}
    assert "Traceback" not in verified.err


def test_placeholders_over_all_categories(project: Project, web: Web) -> None:
    """One picture of one host that is spread over three categories is found by looking at all of them."""
    for number in range(3):
        project.category(f"n0000000{number}", f"colour {number}")
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"n0000000{number}_1", web.url(f"/{number}"))
    for number in range(3):
        assert project.run("--categories", f"n0000000{number}").code == 0
    for number in range(3):
        web.answer(f"/again{number}", Answer.jpeg(pictures.jpeg(seed=77)))
        project.url(f"n0000000{number}_2", web.url(f"/again{number}"))
        project.run("--categories", f"n0000000{number}")
    assert len(list(project.result.rglob("*.jpg"))) == 6
    assert project.run("--verify").code == 1
    assert len(list(project.result.rglob("*.jpg"))) == 3


@pytest.mark.parametrize("in_the_way", ["Annotation", "Images", ".journal.jsonl"])
def test_one_broken_folder_costs_only_its_category(finished: Project, in_the_way: str) -> None:
    """It is named, and the others are judged: what does not hold there is found; also by a dry judgement."""
    broken = finished.result / "a_broken"
    (broken / "Images").mkdir(parents=True)
    (broken / "Images" / "n00000009_1.jpg").write_bytes(pictures.jpeg(seed=9))
    if in_the_way == ".journal.jsonl":
        (broken / in_the_way).mkdir()
    else:
        if in_the_way == "Images":
            shutil.rmtree(broken / "Images")
        (broken / in_the_way).write_text("I am a file")
    image(finished, 3).write_text("<html>gone</html>")
    for flags in (["--dry_run"], []):
        verified = finished.run("--verify", *flags)
        assert verified.code == 1
        assert f"{RED}_3.jpg w" in verified.out  # would be, or was removed
        assert "5 images in 1 folder are whole" in verified.out
        assert (verified.err.count("a_broken: Cannot work with"), verified.err.count("\n")) == (1, 1)
    assert not image(finished, 3).exists()
    if in_the_way != "Images":
        assert (broken / "Images" / "n00000009_1.jpg").exists()
    assert finished.run("--verify").code == 1


def test_nothing_to_verify(project: Project) -> None:
    """Without a result folder there is nothing to verify: exit code 2, and a sentence."""
    project.category(RED, "red")
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    verified = project.run("--verify")
    assert verified.code == 2
    assert "nothing to verify" in verified.err
