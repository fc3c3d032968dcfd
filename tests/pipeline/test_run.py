"""The script, run on a real web and real files."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Project

RED, BLUE = "n00000001", "n00000002"
COLUMNS = [
    *("image_code", "url", "status", "reason", "description", "http_status", "attempts", "seconds"),
    *("file", "format", "width", "height", "bytes", "sha256", "boxes"),
]


def jpeg_answer(seed: int, width: int = 64, height: int = 48) -> Answer:
    """Answer with a JPEG that no other seed has."""
    return Answer.jpeg(pictures.jpeg(width, height, seed=seed))


def add_urls(project: Project, web: Web, living: int, dead: int = 0, code: str = RED) -> None:
    """Add working and dead URLs of a category, alternating, the first one dead."""
    fates = [False, True] * min(living, dead) + [True] * (living - dead) + [False] * (dead - living)
    for number, lives in enumerate(fates):
        path = f"/{code}_{number}.jpg"
        if lives:
            web.answer(path, jpeg_answer(number))
        project.url(f"{code}_{number}", web.url(path))


def statuses(project: Project, folder: str) -> Counter[str]:
    """Count the statuses in a report."""
    return Counter(row["status"] for row in project.report(folder))


def test_marked_categories_are_downloaded(project: Project, web: Web) -> None:
    """Working images of marked categories are saved as image code plus the extension of their format."""
    project.category(RED, "red box, crimson box")
    project.category(BLUE, "azure box", marked=False)
    web.answer("/a.png", jpeg_answer(1))
    web.answer("/b", Answer(body=pictures.image("PNG"), content_type="text/html"))
    project.url(f"{RED}_1", web.url("/a.png"))
    project.url(f"{RED}_2", web.url("/b"))
    project.url(f"{RED}_3", web.url("/gone.jpg"))
    project.url(f"{BLUE}_1", web.url("/c"))
    finished = project.run()
    assert finished.code == 0, finished.err
    assert finished.err == ""
    assert project.folders() == {"red_box,_crimson_box"}
    assert project.images("red_box,_crimson_box") == {f"{RED}_1.jpg", f"{RED}_2.png"}
    assert web.count("/c") == 0


@pytest.mark.alone
def test_report_has_a_row_for_every_url(project: Project, web: Web) -> None:
    """The report has the documented columns, and one row for each URL in the table's order."""
    project.category(RED, "red")
    web.answer("/1", jpeg_answer(1))
    urls = {
        f"{RED}_9": web.url("/1"),
        "../../etc/passwd": web.url("/2"),
        f"{RED}_4": "ftp://example.org/x.jpg",
        f"{RED}_3": web.url("/missing"),
    }
    for image_code, url in urls.items():
        project.url(image_code, url, code=RED)
    project.url(f"{RED}_9", web.url("/other"))
    project.run()
    rows = project.report("red")
    assert list(rows[0]) == COLUMNS
    assert [row["image_code"] for row in rows] == [*urls, f"{RED}_9"]
    assert [row["reason"] for row in rows] == [
        "",
        "invalid_image_code",
        "invalid_url",
        "http_404",
        "duplicate_image_code",
    ]
    saved = rows[0]
    assert saved["file"] == f"Images/{RED}_9.jpg"
    assert (saved["format"], saved["width"], saved["height"]) == ("jpg", "64", "48")
    assert (saved["http_status"], saved["attempts"], saved["boxes"]) == ("200", "1", "")
    assert len(saved["sha256"]) == 64
    assert int(saved["bytes"]) == len(pictures.jpeg(seed=1))
    assert not list(project.path.glob("**/passwd*"))


@pytest.mark.alone
def test_second_run_downloads_nothing_again(project: Project, web: Web) -> None:
    """A second run requests neither saved images nor URLs that failed permanently."""
    project.category(RED, "red")
    add_urls(project, web, living=4, dead=3)
    assert "all runs" not in project.run().out
    web.answer("/n00000001_0.jpg", Answer(status=503))
    asked = len(web.requests)
    finished = project.run()
    assert len(web.requests) == asked
    assert statuses(project, "red") == {"already_present": 4, "failed": 3}
    assert "4 already there" in finished.out
    assert "in flight" not in finished.out
    assert "Nothing new: 4 already there, 3 failed (http_404 3). " in finished.out
    project.run("--retry_failed", "True", "--retries", "0")
    assert len(web.requests) == asked + 3
    project.url(f"{RED}_99", web.url("/gone"))
    assert "Failures include those of earlier runs." in project.run().out


@pytest.mark.alone
def test_temporary_failures_are_retried(project: Project, web: Web) -> None:
    """A temporary failure is retried `--retries` times within the run, and by the next run."""
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/moody"))
    web.answer("/moody", *[Answer(status=500)] * 3, jpeg_answer(1))
    project.run("--retries", "1")
    assert web.count("/moody") == 2
    assert project.report("red")[0]["reason"] == "http_500"
    assert project.report("red")[0]["attempts"] == "2"
    project.run("--retries", "1")
    assert web.count("/moody") == 4
    assert project.report("red")[0]["status"] == "downloaded"


@pytest.mark.alone
def test_how_many_counts_urls_tried(project: Project, web: Web) -> None:
    """Without --fill, how_many selects the first rows of the table, including invalid ones."""
    project.category(RED, "red", how_many="3.0")
    project.url("nonsense", web.url("/x"), code=RED)
    add_urls(project, web, living=5)
    project.run()
    assert [row["image_code"] for row in project.report("red")] == ["nonsense", f"{RED}_0", f"{RED}_1"]
    assert len(web.requests) == 2


def test_fill_saves_exactly_as_many(project: Project, web: Web) -> None:
    """With --fill, exactly how_many images are saved if there are enough URLs."""
    project.category(RED, "red", how_many=7)
    add_urls(project, web, living=30, dead=30)
    assert project.run("--fill").code == 0
    assert len(project.images("red")) == 7
    counts = statuses(project, "red")
    assert counts["downloaded"] == 7
    assert {row["reason"] for row in project.report("red") if row["status"] == "skipped"} <= {"filled"}
    assert sum(counts.values()) < 60
    project.run("--fill", "True", "--how_many", "9")
    assert len(project.images("red")) == 9
    asked = len(web.requests)
    project.run("--fill", "True", "--how_many", "5")
    assert len(web.requests) == asked
    assert len(project.images("red")) == 9


def test_fill_with_too_few_urls(project: Project, web: Web) -> None:
    """With --fill and too few working URLs, all of them are saved, and every URL has a row."""
    project.category(RED, "red", how_many=50)
    add_urls(project, web, living=6, dead=6)
    assert project.run("--fill", "True").code == 0
    assert statuses(project, "red") == {"downloaded": 6, "failed": 6}


@pytest.mark.alone
def test_fill_reports_a_shortfall(project: Project, web: Web) -> None:
    """Fewer images than wanted are reported, but are no failure."""
    project.category(RED, "red", how_many=50)
    add_urls(project, web, living=3, dead=1)
    finished = project.run("--fill")
    assert finished.code == 0
    assert "red: 3 of 50 images; no more were found." in finished.out


@pytest.mark.alone
def test_smaller_how_many_deletes_nothing(project: Project, web: Web) -> None:
    """The report covers earlier runs, too; a smaller how_many deletes nothing."""
    project.category(RED, "red")
    add_urls(project, web, living=4)
    project.run()
    project.run("--how_many", "1")
    assert statuses(project, "red") == {"already_present": 4}


@pytest.mark.alone
def test_xml_is_written_for_saved_images(project: Project, web: Web) -> None:
    """Each saved image with an annotation has an XML with the folder, file and labels of the result."""
    project.category(RED, "red box")
    project.category(BLUE, "azure / box")
    add_urls(project, web, living=3, dead=2)
    project.annotate(f"{RED}_1", (1, 2, 30, 40), name=BLUE)
    project.annotate(f"{RED}_0", (1, 2, 30, 40))  # its URL is dead
    project.run("--categories", RED)
    assert project.xmls("red_box") == {f"{RED}_1.xml"}
    xml = ElementTree.parse(project.result / "red_box" / "Annotation" / f"{RED}_1.xml").getroot()
    assert xml.findtext("folder") == "red_box"
    assert xml.findtext("filename") == f"{RED}_1.jpg"
    assert xml.findtext("object/name") == "azure__box"
    assert [xml.findtext(f"object/bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")] == [
        "1",
        "2",
        "30",
        "40",
    ]
    assert [row["boxes"] for row in project.report("red_box")] == ["", "1", "", "", ""]


@pytest.mark.alone
def test_only_annotated_images(project: Project, web: Web) -> None:
    """--with_annotation saves only annotated images: the category's own, then those of other synsets."""
    project.category(RED, "red")
    project.category(BLUE, "azure", marked=False)
    add_urls(project, web, living=4)
    add_urls(project, web, living=4, code=BLUE)
    project.annotate(f"{RED}_2", (0, 0, 9, 9))
    project.annotate(f"{BLUE}_1", (5, 5, 20, 20), archive=RED)
    finished = project.run("--with_annotation")
    assert finished.code == 0, finished.err
    assert project.images("red") == {f"{RED}_2.jpg", f"{BLUE}_1.jpg"}
    assert project.xmls("red") == {f"{RED}_2.xml", f"{BLUE}_1.xml"}
    assert [row["image_code"] for row in project.report("red")] == [f"{RED}_2", f"{BLUE}_1"]


@pytest.mark.alone
def test_boxes_of_another_shape_do_not_count(project: Project, web: Web) -> None:
    """Boxes of an image of another shape do not fit; those of another scale are scaled."""
    project.category(RED, "red")
    add_urls(project, web, living=2)
    project.annotate(f"{RED}_0", (10, 10, 20, 20), size=(128, 96))
    project.annotate(f"{RED}_1", (10, 10, 20, 20), size=(48, 64))
    project.run("--with_annotation", "yes")
    assert project.images("red") == {f"{RED}_0.jpg"}
    assert [row["reason"] for row in project.report("red")] == ["", "annotation_mismatch"]
    xml = ElementTree.parse(project.result / "red" / "Annotation" / f"{RED}_0.xml").getroot()
    assert (xml.findtext("size/width"), xml.findtext("object/bndbox/xmin")) == ("64", "5")
    project.run()  # the flag that decided has changed
    assert project.images("red") == {f"{RED}_0.jpg", f"{RED}_1.jpg"}


@pytest.mark.alone
def test_archive_added_later(project: Project, web: Web) -> None:
    """Saved images get their XML without being downloaded again."""
    project.category(RED, "red")
    add_urls(project, web, living=2)
    finished = project.run()
    assert "no bounding boxes" in finished.out
    project.annotate(f"{RED}_1", (1, 1, 9, 9))
    asked = len(web.requests)
    project.run()
    assert len(web.requests) == asked
    assert project.xmls("red") == {f"{RED}_1.xml"}
    assert [row["boxes"] for row in project.report("red")] == ["", "1"]


def test_batch_size_bounds_what_is_in_flight(project: Project, make_web: Callable[[], Web]) -> None:
    """All workers together have up to --batch_size requests in flight, and no more."""
    webs = [make_web() for _ in range(4)]
    project.category(RED, "red")
    for number in range(40):
        web = webs[number % 4]
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.15))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    finished = project.run("--batch_size", "6")
    assert "Up to 6 images in flight: as --batch_size says." in finished.out
    times = sorted(request.at for web in webs for request in web.requests)
    at_once = max(sum(0 <= other - time < 0.14 for other in times) for time in times)
    assert 4 <= at_once <= 6
    assert len(project.images("red")) == 40


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_parallel_false(project: Project, web: Web) -> None:
    """--parallel False has one request in flight, and starts no process."""
    project.category(RED, "red")
    for number in range(5):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.05))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    with project.start("--parallel", "False") as process:
        children = set()
        while process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                children |= set(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
            time.sleep(0.01)
        process.communicate()
    assert web.most_at_once == 1
    assert not children
    assert len(project.images("red")) == 5


@pytest.mark.alone
def test_categories_by_name(project: Project, web: Web) -> None:
    """--categories takes codes, names and synonyms in any case, instead of the marked rows."""
    project.category(RED, "red box, crimson box")
    project.category(BLUE, "azure", marked=False)
    add_urls(project, web, living=1)
    add_urls(project, web, living=1, code=BLUE)
    assert project.run("--categories", "AZURE").code == 0
    assert project.folders() == {"azure"}
    assert project.run("--categories", "Crimson Box", BLUE).code == 0
    assert project.images("red_box,_crimson_box")
    unknown = project.run("--categories", "azur")
    assert unknown.code == 2
    assert "azure" in unknown.err


@pytest.mark.alone
def test_nothing_new_is_one_line(project: Project, web: Web) -> None:
    """A run that finds nothing new says so in one line, with the numbers of all categories."""
    web.answer("/1", Answer.jpeg(pictures.jpeg(seed=1)))
    for code, name in {"n00000001": "red", "n00000002": "azure"}.items():
        project.category(code, name)
        project.url(f"{code}_1", web.url("/1"))
        project.url(f"{code}_2", web.url("/gone"))
    assert "Nothing new" not in project.run().out
    lines = project.run().out.splitlines()
    (new,) = [line for line in lines if "already there" in line]
    assert new.startswith(
        "Nothing new: 2 already there, 2 failed (http_404 2). Images, annotations and reports"
    )
    assert not [line for line in lines if line.startswith(("red: 0", "all", "category"))]
    (project.result / "red/Images/IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    assert "1 own file is no image and is left out: red/Images/IMG_1.HEIC (" in project.run().out


@pytest.mark.alone
def test_many_categories_take_few_lines(project: Project, web: Web) -> None:
    """Selection and missing archives of boxes are one line each; the table has the 20 worst and all."""
    web.answer("/1", Answer.jpeg(pictures.jpeg(seed=1)))
    for number in range(25):
        code = f"n000000{number:02}"
        project.category(code, f"thing {number}")
        project.url(f"{code}_1", web.url("/1"))
        for dead in range(number):
            project.url(f"{code}_9{dead}", web.url("/gone"))
    project.annotate("n00000003_1", (1, 2, 9, 8))
    names = "thing_0, thing_1, thing_2, thing_4, thing_5 and 19 more"
    planned = project.run("--dry_run").out.splitlines()
    assert f"24 categories without bounding boxes: {names}." in planned
    assert len(planned) == 29
    finished = project.run("--verbose", "False")
    lines = finished.out.splitlines()
    assert lines[0] == "25 categories: thing_0, thing_1, thing_2, thing_3, thing_4 and 20 more; all images"
    assert f"24 categories without bounding boxes: {names}." in lines
    table = lines[next(number for number, line in enumerate(lines) if line.startswith("category")) :]
    assert [line.split()[0] for line in table[1:22]] == [*(f"thing_{n}" for n in range(24, 4, -1)), "all"]
    assert len(lines) < 35
    web.answer("/1", Answer(status=404))
    shutil.rmtree(project.result)
    dead = project.run("--verbose", "False")
    assert (dead.code, len(dead.err.splitlines())) == (1, 21)
    assert dead.err.endswith("The same goes for 5 more categories; see run.json.\n")
    assert table[21].split()[:4] == ["all", "25", "1", "300"]


def test_categories_without_urls_are_one_line(project: Project) -> None:
    """Categories without images for the same reason are one sentence, however many there are."""
    for number in range(25):
        project.category(f"n000000{number:02}", f"thing {number}")
    finished = project.run("--verbose", "False")
    (line,) = finished.err.splitlines()
    assert finished.code == 1
    assert line.startswith("There is no image of thing_0 (n00000000), thing_1 (n00000001), ")
    assert line.endswith(f" and 20 more. No URL was found in {project.path / 'imageNetURLs.csv'}.")


def test_nothing_marked(project: Project) -> None:
    """If nothing is marked, the run ends with exit code 2, says what to do, and creates nothing."""
    project.category(RED, "red", marked=False)
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    finished = project.run()
    assert finished.code == 2
    assert "to_download" in finished.err
    assert not project.result.exists()


@pytest.mark.alone
def test_category_without_images(project: Project, web: Web) -> None:
    """A category without any image means exit code 1, and the message names its report."""
    project.category(RED, "red")
    project.category(BLUE, "azure", how_many=0)
    add_urls(project, web, living=0, dead=2)
    finished = project.run()
    assert finished.code == 1
    assert "red_download_report.csv" in finished.err
    assert "azure" not in finished.err
    assert "Traceback" not in finished.err


@pytest.mark.alone
def test_dry_run_changes_nothing(project: Project, web: Web) -> None:
    """--dry_run counts; it requests nothing and writes nothing."""
    project.category(RED, "red")
    add_urls(project, web, living=3, dead=1)
    project.annotate(f"{RED}_1", (0, 0, 5, 5))
    project.write()
    before = set(project.path.rglob("*"))
    finished = project.run("--dry_run", "--with_annotation")
    assert finished.code == 0
    assert "1 of 4 URLs with boxes, 1 to try" in finished.out
    assert not web.requests
    assert set(project.path.rglob("*")) == before
    project.run()
    assert "4 URLs, 0 to try, 3 already there, 1 failed permanently" in project.run("--dry_run").out
    assert "4 URLs, 1 to try, 3 already there" in project.run("--dry_run", "--retry_failed").out


@pytest.mark.alone
def test_dry_run_with_how_many(project: Project, web: Web) -> None:
    """The counts are of the first how_many URLs; none are needed if --fill has enough images."""
    project.category(RED, "red")
    add_urls(project, web, living=4, dead=2)
    project.run()
    first = project.run("--dry_run", "--how_many", "3").out
    assert (
        "the first 3 of 6 URLs, 0 to try, 1 already there, 2 failed permanently, 3 more images there" in first
    )
    filled = project.run("--dry_run", "--how_many", "4", "--fill", "--retry_failed").out
    assert "6 URLs, 0 to try, 4 already there, 2 not needed" in filled
    boxed = project.run("--dry_run", "--with_annotation").out
    assert "0 of 6 URLs with boxes, 4 images there\n" in boxed
    assert "has no archive of n00000001" in boxed


@pytest.mark.alone
def test_dry_run_checks_the_disk(project: Project, web: Web) -> None:
    """Deleted images are to be tried again, and images without a journal are counted."""
    project.category(RED, "red")
    add_urls(project, web, living=5, dead=1)
    project.run()
    folder = project.result / "red"
    for path in sorted((folder / "Images").iterdir())[:2]:
        path.unlink()
    assert "6 URLs, 2 to try, 3 already there, 1 failed permanently" in project.run("--dry_run").out
    (folder / ".journal.jsonl").unlink()
    before = {path: path.stat().st_mtime_ns for path in project.path.rglob("*")}
    dry = project.run("--dry_run", "--export", "yolo").out
    assert "6 URLs, 3 to try, 3 already there" in dry
    assert "the 3 images saved before" in dry
    assert {path: path.stat().st_mtime_ns for path in project.path.rglob("*")} == before
    asked = len(web.requests)
    project.run()
    assert len({request.path for request in web.requests[asked:]}) == 3
    assert statuses(project, "red") == {"downloaded": 5, "failed": 1}
    shutil.rmtree(folder / "Images")
    assert "6 URLs, 5 to try, 1 failed permanently" in project.run("--dry_run").out


@pytest.mark.alone
def test_only_images_without_boxes(project: Project, web: Web) -> None:
    """With --with_annotation, existing images without boxes are mentioned, and what to do."""
    project.category(RED, "red")
    add_urls(project, web, living=2)
    project.run()
    finished = project.run("--with_annotation")
    assert finished.code == 1
    assert "no image with boxes of red (n00000001); 2 images without boxes kept. " in finished.err
    assert "try without --with_annotation" in finished.err


@pytest.mark.alone
def test_missing_annotations_dir(project: Project, web: Web, tmp_path: Path) -> None:
    """The message says what to do; with --with_annotation nothing is created."""
    project.category(RED, "red")
    add_urls(project, web, living=1)
    gone, file = tmp_path / "gone", tmp_path / "file"
    file.write_text("")
    for place, words in ((gone, "does not exist"), (file, "is not a folder")):
        finished = project.run("--annotations_dir", str(place), "--with_annotation")
        assert finished.code == 2
        assert words in finished.err
        assert "download_imagenet_prerequisites.py" in finished.err
        assert not project.result.exists()
    assert "does not exist. Run `python download" in project.run("--annotations_dir", str(gone)).out


@pytest.mark.alone
def test_fill_fetches_deleted_images_first(project: Project, web: Web) -> None:
    """An image that was deleted is downloaded before URLs that were never tried."""
    project.category(RED, "red")
    add_urls(project, web, living=20)
    project.run("--how_many", "4", "--fill")
    lost = sorted(project.images("red"))[-1]
    (project.result / "red" / "Images" / lost).unlink()
    asked = len(web.requests)
    project.run("--how_many", "4", "--fill")
    assert [request.path for request in web.requests[asked:]] == [f"/{lost}"]
    assert lost in project.images("red")


@pytest.mark.alone
def test_placeholders_are_removed(project: Project, web: Web, make_web: Callable[[], Web]) -> None:
    """If a host answers different URLs with the same picture, these images are removed."""
    project.category(RED, "red")
    parked = make_web()
    parked.otherwise(jpeg_answer(99))
    add_urls(project, web, living=3)
    for number in range(10, 14):
        project.url(f"{RED}_{number}", parked.url(f"/{number}.jpg"))
        project.annotate(f"{RED}_{number}", (1, 1, 9, 9))
    project.run()
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in range(3)}
    assert project.xmls("red") == set()
    assert [row["reason"] for row in project.report("red")] == [""] * 3 + ["placeholder"] * 4
    asked = len(parked.requests)
    project.run()
    assert len(parked.requests) == asked


def test_fill_goes_on_after_placeholders(project: Project, web: Web, make_web: Callable[[], Web]) -> None:
    """--fill replaces removed placeholders by further URLs."""
    project.category(RED, "red", how_many=5)
    parked = make_web()
    parked.otherwise(jpeg_answer(99))
    for number in range(4):
        project.url(f"{RED}_{number + 100}", parked.url(f"/{number}.jpg"))
    for number in range(12):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.4))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    project.run("--fill")
    assert len(project.images("red")) == 5
    assert not {f"{RED}_{number + 100}.jpg" for number in range(4)} & project.images("red")


@pytest.mark.alone
def test_opt_out(project: Project, web: Web) -> None:
    """`X-Robots-Tag: noai` is respected unless --honour_opt_out is False."""
    project.category(RED, "red")
    web.answer("/1", Answer(body=pictures.jpeg(), headers=("X-Robots-Tag: noai",)))
    project.url(f"{RED}_1", web.url("/1"))
    assert project.run().code == 1
    assert project.report("red")[0]["reason"] == "opted_out"
    assert project.run("--honour_opt_out", "False").code == 0
    assert project.images("red") == {f"{RED}_1.jpg"}


@pytest.mark.alone
def test_min_side(project: Project, web: Web) -> None:
    """Images smaller than --min_side are rejected, and judged again if the flag changes."""
    project.category(RED, "red")
    web.answer("/1", jpeg_answer(1, width=40, height=12))
    project.url(f"{RED}_1", web.url("/1"))
    project.run()
    assert project.report("red")[0]["reason"] == "too_small"
    project.run()
    assert web.count("/1") == 1
    project.run("--min_side", "10")
    assert project.report("red")[0]["status"] == "downloaded"


@pytest.mark.parametrize(
    "flags",
    [
        ["--batch_size", "0"],
        ["--timeout", "-1"],
        ["--parallel", "maybe"],
        ["--how_many", "-2"],
        ["--no_such_flag"],
        ["--retries", "x"],
        ["--archive_url", "/tars"],
    ],
)
def test_wrong_flags(project: Project, flags: list[str]) -> None:
    """A wrong flag means exit code 2 and a sentence that names it."""
    finished = project.run(*flags)
    assert finished.code == 2
    assert flags[0] in finished.err
    assert "Traceback" not in finished.err


def test_closed_output(project: Project, web: Web) -> None:
    """If the output is closed (`| head`), the run goes on silently."""
    project.category(RED, "red")
    add_urls(project, web, living=3)
    with project.start() as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert process.returncode == 0
    assert errors == ""
    assert len(project.images("red")) == 3


@pytest.mark.alone
def test_equal_names(project: Project, web: Web) -> None:
    """Categories of the same name have folders with their codes, even if only one is selected."""
    project.category(RED, "crane")
    project.category(BLUE, "Crane", marked=False)
    add_urls(project, web, living=1)
    project.run()
    assert project.folders() == {f"crane_{RED}"}


def test_output(project: Project, web: Web) -> None:
    """The output states selection, concurrency, each category, totals and the folder."""
    project.category(RED, "red")
    add_urls(project, web, living=3, dead=1)
    out = project.run().out
    assert re.search(r"red \(n00000001\): 4 URLs, all images", out)
    assert re.search(r"Up to \d+ images in flight, 8 to 32 from one host: ", out)
    assert "red: 3 saved, 1 failed (http_404 1)" in out
    assert str(project.result) in out
    assert "\r" not in out
    assert "red: 3 saved" not in project.run("--verbose", "False", "--retry_failed").out


@pytest.mark.alone
def test_non_ascii_and_blanks_in_urls(project: Project, web: Web) -> None:
    """URLs are requested percent-encoded, and reported as in the table."""
    project.category(RED, "red")
    web.answer("/caf%C3%A9%20au%20lait%20100%25.jpg", jpeg_answer(1))
    url = web.url("/café au lait 100%25.jpg")
    project.url(f"{RED}_1", url)
    assert project.run().code == 0
    assert project.report("red")[0]["url"] == url


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_no_process_is_left(project: Project, web: Web) -> None:
    """The workers end with the script."""
    project.category(RED, "red")
    add_urls(project, web, living=2)
    with project.start() as process:
        process.communicate()
    time.sleep(0.5)
    left = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            left += [path.parent.name] if int(group) == process.pid and state != "Z" else []
    assert not left


def test_fill_tries_skipped_urls(project: Project, web: Web, make_web: Callable[[], Web]) -> None:
    """URLs that were skipped are tried if saved placeholders are removed."""
    project.category(RED, "red", how_many=3)
    parked = make_web()
    parked.otherwise(jpeg_answer(99))
    for number in range(3):
        project.url(f"{RED}_{number + 100}", parked.url(f"/{number}.jpg"))
    for number in range(4):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=1.0))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    assert project.run("--fill").code == 0
    assert len(project.images("red")) == 3
    assert sum(row["status"] == "downloaded" for row in project.report("red")) == 3
