"""`excluded.txt`: its lines, and what they do to runs, --verify, the gallery and exports."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.docs.recipes import run_recipe
from tests.project import Finished, Project
from tests.result_folder import ResultFolder
from utils.errors import InputError
from utils.models.images import Box
from utils.reasons import Reason
from utils.results import exclusions
from utils.results.exclusions import EXCLUDED_NAME
from utils.results.reader import read_categories

RED, BLUE = "n00000001", "n00000002"


def exclude(root: Path, *lines: str) -> None:
    """Write the file."""
    root.mkdir(exist_ok=True)
    (root / EXCLUDED_NAME).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (f"{RED}_7", ""),
        (f"  {RED}_7.jpg  ", ""),
        (f"{RED}_7.JPEG\tblurred, twice.", "blurred, twice."),
        (f"{RED}_7 shows azure/Images/{BLUE}_8.jpg, too", f"shows azure/Images/{BLUE}_8.jpg, too"),
        (f"partial_imagenet/red/Images/{RED}_7.jpg a cat", "a cat"),
        (rf"C:\My Photos\red\Images\{RED.upper()}_7.JPG a cat", "a cat"),
    ],
)
def test_image_code(tmp_path: Path, line: str, note: str) -> None:
    """A line begins with an image code or its file name, with any folder before it, and a note follows."""
    exclude(tmp_path, line)
    found = exclusions.read(tmp_path)
    assert list(found.rejections) == [f"{RED}_7"]
    assert found.own == frozenset()
    rejection = found.rejections[f"{RED}_7"]
    assert rejection.reason is Reason.EXCLUDED
    assert rejection.sentence.removesuffix(".") == (
        f"Listed in excluded.txt: {note.removesuffix('.')}" if note else "Listed in excluded.txt"
    )


@pytest.mark.parametrize(
    ("line", "folder", "name"),
    [
        ("my cat 1.jpg too dark", "", "my cat 1.jpg"),
        ("Größe.PNG", "", "Größe.PNG"),
        ("Gro\u0308ße.PNG", "", "Größe.PNG"),
        ("red/Images/my cat.v2 1.jpeg", "red", "my cat.v2 1.jpeg"),
        (f"photo.dat like {RED}_7", "", "photo.dat"),
        (f"IMG_1.jpg copy of red/{RED}_7.jpg", "", "IMG_1.jpg"),
        (f"{RED}_7_crop.jpg", "", f"{RED}_7_crop.jpg"),
    ],
)
def test_own_file_name(tmp_path: Path, line: str, folder: str, name: str) -> None:
    """Other file names, which may contain blanks, are those of own photos."""
    exclude(tmp_path, line)
    found = exclusions.read(tmp_path)
    assert (dict(found.rejections), found.own) == ({}, {(folder, name)})
    assert found.excludes_own("red", name)
    assert found.excludes_own("azure", name) == (folder == "")
    assert not found.excludes_own("red", f"x{name}")


@pytest.mark.parametrize(
    ("before", "encoding"),
    [(b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (b"", "cp1252")],
)
def test_editors(tmp_path: Path, before: bytes, encoding: str) -> None:
    """A BOM, CRLF, comments, blank lines and a missing last line end are read as editors write them."""
    text = f"# für später: {RED}_9\r\n\r\n{RED}_7 unschön\r\n  # {RED}_10\r\n{RED}_8"
    (tmp_path / EXCLUDED_NAME).write_bytes(before + text.encode(encoding))
    found = exclusions.read(tmp_path)
    assert {code: one.sentence for code, one in found.rejections.items()} == {
        f"{RED}_7": "Listed in excluded.txt: unschön.",
        f"{RED}_8": "Listed in excluded.txt.",
    }


def test_no_file(tmp_path: Path) -> None:
    """Without the file nothing is excluded."""
    assert exclusions.read(tmp_path / "partial_imagenet").rejections == {}


@pytest.mark.parametrize("line", ["zebra", "n0000001_7", f"{RED}_7,", f"{RED}-7 too dark", "=cmd"])
def test_invalid_line(tmp_path: Path, line: str) -> None:
    """A line without a name is an error that names line, text and what to do."""
    exclude(tmp_path, "# mine", f"{RED}_1", line)
    with pytest.raises(InputError, match="line 3: ") as raised:
        exclusions.read(tmp_path)
    assert line in str(raised.value)
    assert "Write e.g. n02391049_7" in str(raised.value)


@pytest.mark.parametrize("content", [None, b"\0\1\2 n00000001_7", b"\xff\xfe\x00"])
def test_not_a_text_file(project: Project, web: Web, content: bytes | None) -> None:
    """A folder of this name, or a file that is no text, ends each kind of run before any download."""
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/1"))
    project.result.mkdir()
    path = project.result / EXCLUDED_NAME
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    for flags in ((), ("--dry_run",), ("--verify",)):
        finished = project.run(*flags)
        assert (finished.code, len(finished.err.splitlines())) == (2, 1)
        assert finished.err.startswith(str(path))
    assert not web.requests
    assert not (project.result / "red").exists()


pytestmark = pytest.mark.alone


@pytest.fixture
def finished(project: Project, web: Web) -> Project:
    """Download six of seven images of a category, two with boxes; the seventh URL is dead."""
    project.category(RED, "red")
    for number in range(7):
        if number != 3:
            web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    project.annotate(f"{RED}_0", (1, 1, 9, 9))
    project.annotate(f"{RED}_1", (1, 1, 9, 9))
    assert project.run().code == 0
    return project


def rows(project: Project, folder: str = "red") -> dict[str, tuple[str, str, str]]:
    """Return status, reason and description by image code."""
    return {
        row["image_code"]: (row["status"], row["reason"], row["description"])
        for row in project.report(folder)
    }


EXCLUDED = ("failed", "excluded", "Listed in excluded.txt.")


@pytest.mark.parametrize("flags", [(), ("--retry_failed", "True"), ("--fill", "True")], ids=str)
def test_run(finished: Project, web: Web, flags: tuple[str, ...]) -> None:
    """Excluded images are removed with their XML, and never requested; the row states the user's note."""
    asked = len(web.requests)
    exclude(finished.result, f"{RED}_0.jpg too dark", f"{RED}_3", f"{RED}_4")
    for removed in ("red: 2 images listed in excluded.txt were removed.", ""):
        done = finished.run(*flags)
        assert done.code == 0, done.err
        assert removed in done.out
        assert ("removed" in done.out) == bool(removed)
        assert "no image" not in done.out
        assert finished.images("red") == {f"{RED}_{number}.jpg" for number in (1, 2, 5, 6)}
        assert finished.xmls("red") == {f"{RED}_1.xml"}
        assert rows(finished)[f"{RED}_0"] == ("failed", "excluded", "Listed in excluded.txt: too dark.")
        assert rows(finished)[f"{RED}_3"] == rows(finished)[f"{RED}_4"] == EXCLUDED
        assert f"{RED}_0" not in (finished.result / "index.html").read_text(encoding="utf-8")
    assert len(web.requests) == asked
    exclude(finished.result, f"{RED}_0 blurred")
    finished.run("--how_many", "0")
    assert rows(finished)[f"{RED}_0"] == ("failed", "excluded", "Listed in excluded.txt: blurred.")


def test_recorded_once(finished: Project) -> None:
    """An image that stays excluded has one line in the journal, however often a run reads it."""
    exclude(finished.result, f"{RED}_2")
    finished.run()
    journal = finished.result / "red" / ".journal.jsonl"
    lines = [one for one in journal.read_bytes().splitlines() if b'"run"' not in one]
    finished.run()
    assert [one for one in journal.read_bytes().splitlines() if b'"run"' not in one] == lines


def test_line_taken_out(finished: Project, web: Web) -> None:
    """The next run decides anew on images that are not listed any more, also on those that never existed."""
    exclude(finished.result, f"{RED}_0", f"{RED}_3")
    finished.run()
    exclude(finished.result)
    asked = len(web.requests)
    assert finished.run().code == 0
    assert finished.images("red") == {f"{RED}_{number}.jpg" for number in (0, 1, 2, 4, 5, 6)}
    assert finished.xmls("red") == {f"{RED}_0.xml", f"{RED}_1.xml"}
    assert rows(finished)[f"{RED}_0"] == ("downloaded", "", "")
    assert rows(finished)[f"{RED}_3"][1] == "http_404"
    assert {request.path for request in web.requests[asked:]} == {"/0", "/3"}


def test_not_tried_before(project: Project, web: Web) -> None:
    """An image that is excluded before its first download is in the report, and counts as tried."""
    project.category(RED, "red", how_many=3)
    for number in range(5):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    exclude(project.result, f"{RED}_1")
    assert project.run().code == 0
    assert project.images("red") == {f"{RED}_0.jpg", f"{RED}_2.jpg"}
    assert list(rows(project)) == [f"{RED}_{number}" for number in range(3)]
    assert rows(project)[f"{RED}_1"] == EXCLUDED
    assert web.count("/1") == 0


def test_fill(project: Project, web: Web) -> None:
    """With --fill another image takes the place; an image that is listed no more is not needed then."""
    project.category(RED, "red", how_many=3)
    for number in range(5):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    project.always = (*project.always, "--fill", "True")
    exclude(project.result, f"{RED}_1")
    assert project.run().code == 0
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in (0, 2, 3)}
    exclude(project.result, f"{RED}_1", f"{RED}_2")
    assert project.run().code == 0
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in (0, 3, 4)}
    exclude(project.result, f"{RED}_2")
    assert project.run().code == 0
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in (0, 3, 4)}
    statuses = {code: row[:2] for code, row in rows(project).items()}
    assert statuses[f"{RED}_1"][0] == "skipped"
    assert statuses[f"{RED}_2"] == EXCLUDED[:2]
    exclude(project.result, f"{RED}_0")
    assert project.run().code == 0
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in (2, 3, 4)}, "it was saved before"


def test_several_categories(project: Project, web: Web) -> None:
    """An image in the folders of several categories is excluded from all of them."""
    project.category(RED, "red")
    project.category(BLUE, "azure")
    web.answer("/1", Answer.jpeg(pictures.jpeg(seed=1)))
    project.url(f"{RED}_1", web.url("/1"))
    project.annotate(f"{RED}_1", (1, 1, 9, 9))
    project.annotate(f"{RED}_1", (1, 1, 9, 9), archive=BLUE)
    project.always = (*project.always, "--with_annotation", "True")
    assert project.run().code == 0
    assert project.images("red") == project.images("azure") == {f"{RED}_1.jpg"}
    exclude(project.result, f"azure/Images/{RED}_1.jpg")
    assert project.run().code == 1, "there is no image left"
    for folder in ("red", "azure"):
        assert project.images(folder) == project.xmls(folder) == set()
        assert rows(project, folder) == {f"{RED}_1": EXCLUDED}


def test_duplicate_rows(project: Project, web: Web) -> None:
    """All rows of an excluded image are `excluded`, in every run; afterwards they are what they were."""
    project.category(RED, "red")
    web.answer("/0", Answer.jpeg(pictures.jpeg(seed=0)))
    web.answer("/1", Answer.jpeg(pictures.jpeg(seed=1)))
    project.url(f"{RED}_0", web.url("/0"))
    for url in (web.url("/1"), web.url("/2"), "ftp://example.org"):
        project.url(f"{RED}_1", url)
    exclude(project.result, f"{RED}_1")
    for _ in range(2):
        project.run()
        assert [row["reason"] for row in project.report("red")] == ["", "excluded", "excluded", "excluded"]
    exclude(project.result)
    project.run()
    reasons = [row["reason"] for row in project.report("red")]
    assert reasons == ["", "", "duplicate_image_code", "invalid_url"]


def test_file_without_journal_line(finished: Project, web: Web) -> None:
    """An excluded file that is in no journal is removed, too, and not recorded as saved."""
    journal = finished.result / "red" / ".journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if f"{RED}_1" not in line))
    exclude(finished.result, f"{RED}_1")
    assert finished.run().code == 0
    assert f"{RED}_1.jpg" not in finished.images("red")
    assert finished.xmls("red") == {f"{RED}_0.xml"}
    assert rows(finished)[f"{RED}_1"] == EXCLUDED


def test_verify(finished: Project, web: Web) -> None:
    """--verify removes excluded images or says so in a dry run; the folder counts as valid in both cases."""
    asked = len(web.requests)
    exclude(finished.result, f"{RED}_0", f"{RED}_4")
    before = finished.images("red"), finished.xmls("red"), finished.report("red")
    dry = finished.run("--verify", "--dry_run")
    assert (dry.code, dry.err) == (0, "")
    assert "red: 2 images listed in excluded.txt would be removed." in dry.out
    assert "Valid: 4 images in 1 folder." in dry.out
    assert "Nothing is invalid." in dry.out
    assert (finished.images("red"), finished.xmls("red"), finished.report("red")) == before
    done = finished.run("--verify")
    assert (done.code, done.err) == (0, "")
    assert "red: 2 images listed in excluded.txt were removed." in done.out
    assert "Valid: 4 images in 1 folder." in done.out
    assert finished.images("red") == {f"{RED}_{number}.jpg" for number in (1, 2, 5, 6)}
    assert finished.xmls("red") == {f"{RED}_1.xml"}
    assert rows(finished)[f"{RED}_0"] == EXCLUDED
    assert f"{RED}_0" not in (finished.result / "index.html").read_text(encoding="utf-8")
    assert len(web.requests) == asked


def test_dry_run(finished: Project) -> None:
    """--dry_run counts excluded images, says how many would be removed, and changes nothing."""
    exclude(finished.result, f"{RED}_0", f"{RED}_3")
    journal = finished.result / "red" / ".journal.jsonl"
    before = journal.read_bytes(), finished.images("red")
    done = finished.run("--dry_run")
    assert done.code == 0, done.err
    assert "red (n00000001): 7 URLs, 0 to try, 5 already there, 2 excluded\n" in done.out
    assert "red: 1 image listed in excluded.txt would be removed." in done.out
    assert (journal.read_bytes(), finished.images("red")) == before


def unused(finished: Finished) -> list[str]:
    """Return the lines on the screen about lines without an image."""
    return [line for line in finished.out.splitlines() if "no image of the selected" in line]


def test_unknown_images(finished: Project) -> None:
    """Lines that name no image of the selected categories are counted once, and are no error."""
    exclude(finished.result, f"{RED}_0", f"{RED}_99", f"{BLUE}_1")
    done = finished.run()
    assert (done.code, done.err) == (0, "")
    assert unused(done) == ["excluded.txt: 2 lines name no image of the selected categories."]
    exclude(finished.result, f"{RED}_5")
    assert unused(finished.run("--how_many", "2", "--fill", "True")) == []


def test_reader(tmp_path: Path) -> None:
    """Exports and gallery leave out images of categories that no run has visited since, and count them."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    for number in range(3):
        made.image(red, f"{RED}_{number}", Box("red", 0, 0, 9, 9))
    made.write()
    assert len(made.images()) == 3
    exclude(made.root, f"{RED}_1 a cat")
    (contents,) = read_categories(made.root, made.categories, {RED})
    assert [image.image_code for image in contents.images] == [f"{RED}_0", f"{RED}_2"]
    assert contents.summary.reasons == {"excluded": 1}
    made.write()
    assert [image[0] for image in made.images()] == [f"{RED}_0.jpg", f"{RED}_2.jpg"]
    exclude(made.root)
    made.write()
    assert len(made.images()) == 3


def test_export(finished: Project) -> None:
    """Excluded images are in no export."""
    exclude(finished.result, f"{RED}_0")
    assert finished.run("--export", "imagefolder", "coco").code == 0
    for name in ("imagefolder", "coco"):
        exported = (finished.path / f"partial_imagenet_{name}" / "images.csv").read_text(encoding="utf-8")
        assert f"{RED}_1.jpg" in exported
        assert f"{RED}_0" not in exported


def test_recipe(project: Project, web: Web) -> None:
    """The commands in docs/report.md replace an image by another one."""
    project.category("n02971356", "carton")
    for number in range(409, 412):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"n02971356_{number}", web.url(f"/{number}"))
    assert project.run("--how_many", "2").code == 0
    run_recipe(project, "report.md", "Excluding images")
    assert project.images("carton") == {"n02971356_409.jpg", "n02971356_411.jpg"}
    why = "Listed in excluded.txt: shows only the inside."
    assert rows(project, "carton")["n02971356_410"] == ("failed", "excluded", why)
