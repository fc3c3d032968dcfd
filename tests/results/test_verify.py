"""`--verify`: saved files are validated again, without downloads."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import GALLERY_FILES, Project

RED = "n00000001"
pytestmark = pytest.mark.alone  # the result of a run does not depend on workers


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
    """Return the path of an image."""
    return project.result / "red" / "Images" / f"{RED}_{number}.jpg"


def test_valid_folder(finished: Project, web: Web) -> None:
    """A valid folder is not changed, nothing is requested, and the exit code is 0."""
    before = {path: path.stat().st_mtime_ns for path in finished.result.rglob("*.[jx]*")}
    asked = len(web.requests)
    verified = finished.run("--verify")
    assert verified.code == 0, verified.out
    assert "Valid: 6 images in 1 folder." in verified.out
    assert len(web.requests) == asked
    changing = {finished.result / name for name in GALLERY_FILES} | {
        finished.result / "red" / ".journal.jsonl"
    }
    after = {path: path.stat().st_mtime_ns for path in finished.result.rglob("*.[jx]*")}
    assert {path for path in before if before[path] != after.get(path)} <= changing


def test_no_flag_removes_saved_images(finished: Project) -> None:
    """Images below --min_side stay with their XML, even if they look changed or are in no journal."""
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


def test_invalid_files_are_removed(finished: Project, web: Web) -> None:
    """Damaged and missing images and XML files that do not fit are found, and the next run restores them."""
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
    for name in (f"{RED}_2.jpg was removed", f"{RED}_3.jpg does not exist", f"{RED}_0.xml was removed"):
        assert name in verified.out
    rows = finished.report("red")
    assert [row["status"] for row in rows].count("already_present") == 4
    asked = len(web.requests)
    finished.run()
    assert {request.path for request in web.requests[asked:]} == {"/2", "/3"}
    assert finished.xmls("red") == {f"{RED}_0.xml", f"{RED}_1.xml"}
    assert finished.run("--verify").code == 0


def change(path: Path, seed: int, *, keep_time: bool = False) -> None:
    """Replace an image by another of the same size in bytes, with its time if wanted."""
    stat, data = path.stat(), pictures.jpeg(seed=seed)
    path.write_bytes(data.ljust(stat.st_size, b"\0"))
    if keep_time:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


CHANGED = "red/Images/{} changed since it was downloaded; it is valid and kept."


def test_changed_images_are_reported_once(finished: Project, web: Web) -> None:
    """A run and --verify name valid images whose content has changed, keep them, and record them."""
    asked = len(web.requests)
    change(image(finished, 0), 50)
    os.utime(image(finished, 1), (0, 0))  # a changed time alone is no change
    run = finished.run()
    assert (run.code, run.out.count("changed since")) == (0, 1)
    assert CHANGED.format(f"{RED}_0.jpg") in run.out.splitlines()
    change(image(finished, 2), 51)
    change(image(finished, 3), 52, keep_time=True)
    dry = finished.run("--verify", "--dry_run")
    verified = finished.run("--verify")
    for done in (dry, verified):
        assert (done.code, done.out.count("changed since")) == (0, 2)
        assert {CHANGED.format(f"{RED}_{number}.jpg") for number in (2, 3)} <= set(done.out.splitlines())
        assert "Nothing is invalid" in done.out
    sums = {row["image_code"]: row["sha256"] for row in finished.report("red")}
    for number in range(6):
        data = image(finished, number).read_bytes()
        assert sums[f"{RED}_{number}"] == hashlib.sha256(data).hexdigest()
    for flags in ((), ("--verify",)):
        assert "changed since" not in finished.run(*flags).out
    assert len(web.requests) == asked


def test_many_changed_images(project: Project, web: Web) -> None:
    """The first five are named, in all categories together; the others are counted."""
    for number in range(8):
        code = f"n0000000{number % 2}"
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{code}_{number}", web.url(f"/{number}"))
    project.category("n00000000", "red")
    project.category("n00000001", "azure")
    project.run()
    for flags in ((), ("--verify",)):
        for number, path in enumerate(sorted(project.result.rglob("*.jpg"))):
            change(path, 60 + number + 10 * len(flags))
        out = project.run(*flags).out
        assert out.count("changed since it was downloaded; it is valid and kept.") == 5
        assert "3 more images changed after the download; valid and kept." in out.splitlines()


def contents(project: Project) -> dict[Path, tuple[int, bytes]]:
    """Return time and content of every file in the result folder."""
    files = (path for path in project.result.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_dry_run(finished: Project) -> None:
    """--verify --dry_run finds what --verify finds, each once, and changes no file."""
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
    before = contents(finished)
    dry = finished.run("--verify", "--dry_run")
    assert contents(finished) == before
    assert not index.exists()
    assert dry.code == 1, dry.err
    assert "Nothing was changed" in dry.out
    found = {line.replace("would be removed", "was removed") for line in dry.out.splitlines()[:-2]}
    real = finished.run("--verify")
    assert found == set(real.out.splitlines()[:-2])
    assert len(found) == len(dry.out.splitlines()) - 2 == 8
    assert dry.out.splitlines()[-2] == real.out.splitlines()[-2] == "Valid: 4 images in 1 folder."


def test_dry_run_with_placeholders(finished: Project) -> None:
    """A placeholder is reported once for its category, and kept."""
    data = pictures.jpeg(seed=77)
    for number in range(3):
        image(finished, number).write_bytes(data)
    dry = finished.run("--verify", "--dry_run")
    assert dry.code == 1
    assert "red: 3 would be removed: placeholder" in dry.out
    assert "Valid: 3 images in 1 folder." in dry.out
    assert all(image(finished, number).read_bytes() == data for number in range(3))


def test_folder_of_another_tool(project: Project) -> None:
    """Without journal and URL table, invalid images and placeholders are removed."""
    project.category(RED, "red", marked=False)
    project.write()
    (project.path / "imageNetURLs.csv").unlink()
    for folder in ("red", "unknown_folder"):
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
    for folder in ("red", "unknown_folder"):
        assert project.images(folder) == {"notes.txt", *(f"{RED}_{number}.JPEG" for number in range(4))}
    assert "Traceback" not in verified.err


def test_placeholders_in_several_categories(project: Project, web: Web) -> None:
    """Equal images of one host in several categories are found together."""
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
def test_broken_folder_affects_its_category_only(finished: Project, in_the_way: str) -> None:
    """A folder that cannot be read is reported, and the others are verified, also in a dry run."""
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
        assert "Valid: 5 images in 1 folder." in verified.out
        assert (verified.err.count("a_broken: Cannot work with"), verified.err.count("\n")) == (1, 1)
    assert not image(finished, 3).exists()
    if in_the_way != "Images":
        assert (broken / "Images" / "n00000009_1.jpg").exists()
    assert finished.run("--verify").code == 1


def test_nothing_to_verify(project: Project) -> None:
    """Without a result folder there is a message and exit code 2."""
    project.category(RED, "red")
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    verified = project.run("--verify")
    assert verified.code == 2
    assert "nothing to verify" in verified.err
