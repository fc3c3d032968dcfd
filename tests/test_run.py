"""The main job from outside: the script, a real web, real files."""

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


def picture(seed: int, width: int = 64, height: int = 48) -> Answer:
    """Answer with a picture of its own."""
    return Answer.jpeg(pictures.jpeg(width, height, seed=seed))


def fill(project: Project, web: Web, living: int, dead: int = 0, code: str = RED) -> None:
    """Offer so many living and dead URLs of a category, mixed, the first one dead."""
    fates = [False, True] * min(living, dead) + [True] * (living - dead) + [False] * (dead - living)
    for number, lives in enumerate(fates):
        path = f"/{code}_{number}.jpg"
        if lives:
            web.answer(path, picture(number))
        project.url(f"{code}_{number}", web.url(path))


def statuses(project: Project, folder: str) -> Counter[str]:
    """Count the statuses of a report."""
    return Counter(row["status"] for row in project.report(folder))


def test_marked_categories_are_downloaded(project: Project, web: Web) -> None:
    """Living images of marked categories are saved under their code, with the extension of what they are."""
    project.category(RED, "red box, crimson box")
    project.category(BLUE, "blue box", marked=False)
    web.answer("/a.png", picture(1))
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
    """The report has exactly the contract's columns, and one row per URL in the table's order."""
    project.category(RED, "red")
    web.answer("/1", picture(1))
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
def test_second_run_asks_for_nothing_that_is_there(project: Project, web: Web) -> None:
    """A second run asks neither for saved images nor for URLs that are dead for good."""
    project.category(RED, "red")
    fill(project, web, living=4, dead=3)
    assert "all runs" not in project.run().out
    web.answer("/n00000001_0.jpg", Answer(status=503))
    asked = len(web.requests)
    finished = project.run()
    assert len(web.requests) == asked
    assert statuses(project, "red") == {"already_present": 4, "failed": 3}
    assert "4 already there" in finished.out
    assert "What failed is told of all runs so far" in finished.out
    project.run("--retry_failed", "True", "--retries", "0")
    assert len(web.requests) == asked + 3


@pytest.mark.alone
def test_what_failed_in_passing_is_tried_again(project: Project, web: Web) -> None:
    """A passing failure is tried again within the run, as often as --retries says, and by the next run."""
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/moody"))
    web.answer("/moody", *[Answer(status=500)] * 3, picture(1))
    project.run("--retries", "1")
    assert web.count("/moody") == 2
    assert project.report("red")[0]["reason"] == "http_500"
    assert project.report("red")[0]["attempts"] == "2"
    project.run("--retries", "1")
    assert web.count("/moody") == 4
    assert project.report("red")[0]["status"] == "downloaded"


@pytest.mark.alone
def test_how_many_counts_urls_tried(project: Project, web: Web) -> None:
    """Without --fill, how_many takes the first rows of the table, the bad ones included."""
    project.category(RED, "red", how_many="3.0")
    project.url("nonsense", web.url("/x"), code=RED)
    fill(project, web, living=5)
    project.run()
    assert [row["image_code"] for row in project.report("red")] == ["nonsense", f"{RED}_0", f"{RED}_1"]
    assert len(web.requests) == 2


def test_fill_saves_exactly_as_many(project: Project, web: Web) -> None:
    """With --fill, exactly how_many images are saved as long as the URLs suffice."""
    project.category(RED, "red", how_many=7)
    fill(project, web, living=30, dead=30)
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


def test_fill_takes_what_there_is(project: Project, web: Web) -> None:
    """With --fill and too few living URLs, all of them are saved, and every URL has its row."""
    project.category(RED, "red", how_many=50)
    fill(project, web, living=6, dead=6)
    assert project.run("--fill", "True").code == 0
    assert statuses(project, "red") == {"downloaded": 6, "failed": 6}


@pytest.mark.alone
def test_fill_says_when_it_falls_short(project: Project, web: Web) -> None:
    """When fewer images are to be had than were wanted, the screen says how many; that is no failure."""
    project.category(RED, "red", how_many=50)
    fill(project, web, living=3, dead=1)
    finished = project.run("--fill")
    assert finished.code == 0
    assert "red: 3 of the 50 images that were wanted" in finished.out


@pytest.mark.alone
def test_smaller_how_many_deletes_nothing(project: Project, web: Web) -> None:
    """The report covers what earlier runs considered; a smaller how_many deletes nothing."""
    project.category(RED, "red")
    fill(project, web, living=4)
    project.run()
    project.run("--how_many", "1")
    assert statuses(project, "red") == {"already_present": 4}


@pytest.mark.alone
def test_annotations_are_paired(project: Project, web: Web) -> None:
    """Each saved image with an annotation gets its XML, with file, folder and labels as they are on disk."""
    project.category(RED, "red box")
    project.category(BLUE, "blue / box")
    fill(project, web, living=3, dead=2)
    project.annotate(f"{RED}_1", (1, 2, 30, 40), name=BLUE)
    project.annotate(f"{RED}_0", (1, 2, 30, 40))  # its URL is dead
    project.run("--categories", RED)
    assert project.xmls("red_box") == {f"{RED}_1.xml"}
    xml = ElementTree.parse(project.result / "red_box" / "Annotation" / f"{RED}_1.xml").getroot()
    assert xml.findtext("folder") == "red_box"
    assert xml.findtext("filename") == f"{RED}_1.jpg"
    assert xml.findtext("object/name") == "blue__box"
    assert [xml.findtext(f"object/bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")] == [
        "1",
        "2",
        "30",
        "40",
    ]
    assert [row["boxes"] for row in project.report("red_box")] == ["", "1", "", "", ""]


@pytest.mark.alone
def test_only_annotated_images(project: Project, web: Web) -> None:
    """--with_annotation takes annotated images only: the category's own, then those of other synsets."""
    project.category(RED, "red")
    project.category(BLUE, "blue", marked=False)
    fill(project, web, living=4)
    fill(project, web, living=4, code=BLUE)
    project.annotate(f"{RED}_2", (0, 0, 9, 9))
    project.annotate(f"{BLUE}_1", (5, 5, 20, 20), archive=RED)
    finished = project.run("--with_annotation")
    assert finished.code == 0, finished.err
    assert project.images("red") == {f"{RED}_2.jpg", f"{BLUE}_1.jpg"}
    assert project.xmls("red") == {f"{RED}_2.xml", f"{BLUE}_1.xml"}
    assert [row["image_code"] for row in project.report("red")] == [f"{RED}_2", f"{BLUE}_1"]


@pytest.mark.alone
def test_boxes_of_another_shape_do_not_count(project: Project, web: Web) -> None:
    """An image of another shape than its boxes were drawn on has no annotation; at another scale it has."""
    project.category(RED, "red")
    fill(project, web, living=2)
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
def test_annotations_that_come_later_are_paired_without_fetching(project: Project, web: Web) -> None:
    """Images that stand get their XML when the archive is there at last; nothing is fetched for it."""
    project.category(RED, "red")
    fill(project, web, living=2)
    finished = project.run()
    assert "no bounding boxes" in finished.out
    project.annotate(f"{RED}_1", (1, 1, 9, 9))
    asked = len(web.requests)
    project.run()
    assert len(web.requests) == asked
    assert project.xmls("red") == {f"{RED}_1.xml"}
    assert [row["boxes"] for row in project.report("red")] == ["", "1"]


def test_batch_size_bounds_what_is_in_flight(project: Project, make_web: Callable[[], Web]) -> None:
    """No more images are in flight over all workers than the batch size says, and as many as it says."""
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
def test_not_parallel_is_one_after_another(project: Project, web: Web) -> None:
    """--parallel False has one image in flight, and starts no process."""
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
    project.category(BLUE, "blue", marked=False)
    fill(project, web, living=1)
    fill(project, web, living=1, code=BLUE)
    assert project.run("--categories", "BLUE").code == 0
    assert project.folders() == {"blue"}
    assert project.run("--categories", "Crimson Box", BLUE).code == 0
    assert project.images("red_box,_crimson_box")
    unknown = project.run("--categories", "blu")
    assert unknown.code == 2
    assert "blue" in unknown.err


def test_nothing_marked(project: Project) -> None:
    """Nothing marked ends with exit code 2 and says what to do; nothing is made."""
    project.category(RED, "red", marked=False)
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    finished = project.run()
    assert finished.code == 2
    assert "to_download" in finished.err
    assert not project.result.exists()


@pytest.mark.alone
def test_no_image_at_all(project: Project, web: Web) -> None:
    """A selected category that ends with no image is exit code 1, and the message names its report."""
    project.category(RED, "red")
    project.category(BLUE, "blue", how_many=0)
    fill(project, web, living=0, dead=2)
    finished = project.run()
    assert finished.code == 1
    assert "red_download_report.csv" in finished.err
    assert "blue" not in finished.err
    assert "Traceback" not in finished.err


@pytest.mark.alone
def test_dry_run_does_nothing(project: Project, web: Web) -> None:
    """--dry_run counts, and neither asks anyone nor writes anything."""
    project.category(RED, "red")
    fill(project, web, living=3, dead=1)
    project.annotate(f"{RED}_1", (0, 0, 5, 5))
    project.write()
    before = set(project.path.rglob("*"))
    finished = project.run("--dry_run", "--with_annotation")
    assert finished.code == 0
    assert "1 of 4 URLs with boxes, 1 to try" in finished.out
    assert not web.requests
    assert set(project.path.rglob("*")) == before
    project.run()
    assert "4 URLs, 0 to try, 3 already there, 1 dead for good" in project.run("--dry_run").out
    assert "4 URLs, 1 to try, 3 already there" in project.run("--dry_run", "--retry_failed").out


@pytest.mark.alone
def test_a_dry_run_adds_up(project: Project, web: Web) -> None:
    """What is told is of the first how_many; what is reached by --fill needs no more tries."""
    project.category(RED, "red")
    fill(project, web, living=4, dead=2)
    project.run()
    first = project.run("--dry_run", "--how_many", "3").out
    assert "the first 3 of 6 URLs, 0 to try, 1 already there, 2 dead for good, 3 more images there" in first
    filled = project.run("--dry_run", "--how_many", "4", "--fill", "--retry_failed").out
    assert "6 URLs, 0 to try, 4 already there, 2 not needed" in filled
    boxed = project.run("--dry_run", "--with_annotation").out
    (line,) = (line for line in boxed.splitlines()[2:] if "red" in line)
    assert "0 of 6 URLs with boxes, 4 images there; no bounding boxes" in line


@pytest.mark.alone
def test_a_dry_run_looks_at_the_disk(project: Project, web: Web) -> None:
    """It counts what a run finds: what is gone is tried again, what lies there without a journal is taken."""
    project.category(RED, "red")
    fill(project, web, living=5, dead=1)
    project.run()
    folder = project.result / "red"
    for path in sorted((folder / "Images").iterdir())[:2]:
        path.unlink()
    assert "6 URLs, 2 to try, 3 already there, 1 dead for good" in project.run("--dry_run").out
    (folder / ".journal.jsonl").unlink()
    before = {path: path.stat().st_mtime_ns for path in project.path.rglob("*")}
    dry = project.run("--dry_run", "--export", "yolo").out
    assert "6 URLs, 3 to try, 3 already there" in dry
    assert "the 3 images that are there already" in dry
    assert {path: path.stat().st_mtime_ns for path in project.path.rglob("*")} == before
    asked = len(web.requests)
    project.run()
    assert len({request.path for request in web.requests[asked:]}) == 3
    assert statuses(project, "red") == {"downloaded": 5, "failed": 1}
    shutil.rmtree(folder / "Images")
    assert "6 URLs, 5 to try, 1 dead for good" in project.run("--dry_run").out


@pytest.mark.alone
def test_images_without_boxes_are_not_denied(project: Project, web: Web) -> None:
    """A category whose images have no boxes is said to have none with boxes, and why."""
    project.category(RED, "red")
    fill(project, web, living=2)
    project.run()
    finished = project.run("--with_annotation")
    assert finished.code == 1
    assert "no image with boxes of red (n00000001); its 2 images without stay. None of its" in finished.err
    assert "try without --with_annotation" in finished.err


@pytest.mark.alone
def test_no_folder_of_boxes(project: Project, web: Web, tmp_path: Path) -> None:
    """It is said with what to do; who wants boxes only is stopped before anything is made."""
    project.category(RED, "red")
    fill(project, web, living=1)
    gone, file = tmp_path / "gone", tmp_path / "file"
    file.write_text("")
    for place, words in ((gone, "is not there"), (file, "is no folder")):
        finished = project.run("--annotations_dir", str(place), "--with_annotation")
        assert finished.code == 2
        assert words in finished.err
        assert "download_imagenet_prerequisites.py" in finished.err
        assert not project.result.exists()
    assert "is not there. Get them" in project.run("--annotations_dir", str(gone)).out


@pytest.mark.alone
def test_fill_tries_first_what_was_good(project: Project, web: Web) -> None:
    """An image that was deleted is fetched again before URLs that nobody has tried."""
    project.category(RED, "red")
    fill(project, web, living=20)
    project.run("--how_many", "4", "--fill")
    lost = sorted(project.images("red"))[-1]
    (project.result / "red" / "Images" / lost).unlink()
    asked = len(web.requests)
    project.run("--how_many", "4", "--fill")
    assert [request.path for request in web.requests[asked:]] == [f"/{lost}"]
    assert lost in project.images("red")


@pytest.mark.alone
def test_one_picture_for_all_is_taken_back(project: Project, web: Web, make_web: Callable[[], Web]) -> None:
    """A host that answers different URLs with one picture holds placeholders; its images are taken back."""
    project.category(RED, "red")
    parked = make_web()
    parked.otherwise(picture(99))
    fill(project, web, living=3)
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
    """When placeholders are taken back, --fill fills their places with further URLs."""
    project.category(RED, "red", how_many=5)
    parked = make_web()
    parked.otherwise(picture(99))
    for number in range(4):
        project.url(f"{RED}_{number + 100}", parked.url(f"/{number}.jpg"))
    for number in range(12):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.4))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    project.run("--fill")
    assert len(project.images("red")) == 5
    assert not {f"{RED}_{number + 100}.jpg" for number in range(4)} & project.images("red")


@pytest.mark.alone
def test_opt_outs_are_honoured(project: Project, web: Web) -> None:
    """An X-Robots-Tag that says noai is honoured, until the flag says otherwise."""
    project.category(RED, "red")
    web.answer("/1", Answer(body=pictures.jpeg(), headers=("X-Robots-Tag: noai",)))
    project.url(f"{RED}_1", web.url("/1"))
    assert project.run().code == 1
    assert project.report("red")[0]["reason"] == "opted_out"
    assert project.run("--honour_opt_out", "False").code == 0
    assert project.images("red") == {f"{RED}_1.jpg"}


@pytest.mark.alone
def test_smaller_than_min_side(project: Project, web: Web) -> None:
    """Images under --min_side are refused, and judged anew when the flag changes."""
    project.category(RED, "red")
    web.answer("/1", picture(1, width=40, height=12))
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
    """A wrong flag is exit code 2, with a sentence that names it."""
    finished = project.run(*flags)
    assert finished.code == 2
    assert flags[0] in finished.err
    assert "Traceback" not in finished.err


def test_nobody_reads_the_output(project: Project, web: Web) -> None:
    """When the reader of the output goes away (`| head`), the run goes on to its end in silence."""
    project.category(RED, "red")
    fill(project, web, living=3)
    with project.start() as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert process.returncode == 0
    assert errors == ""
    assert len(project.images("red")) == 3


@pytest.mark.alone
def test_colliding_names_have_folders_of_their_own(project: Project, web: Web) -> None:
    """Two categories of one name get folders with their codes, whichever of them is selected."""
    project.category(RED, "crane")
    project.category(BLUE, "Crane", marked=False)
    fill(project, web, living=1)
    project.run()
    assert project.folders() == {f"crane_{RED}"}


def test_the_screen_says_what_lies_where(project: Project, web: Web) -> None:
    """Plain lines tell selection, images in flight, each category, totals and the place."""
    project.category(RED, "red")
    fill(project, web, living=3, dead=1)
    out = project.run().out
    assert re.search(r"red \(n00000001\): 4 URLs, all images", out)
    assert re.search(r"Up to \d+ images in flight, 8 to 32 from one host: ", out)
    assert "red: 3 saved, 1 failed (http_404 1)" in out
    assert str(project.result) in out
    assert "\r" not in out
    assert "red: 3 saved" not in project.run("--verbose", "False", "--retry_failed").out


@pytest.mark.alone
def test_non_ascii_and_blanks_in_urls(project: Project, web: Web) -> None:
    """URLs with blanks and letters beyond ASCII are asked for percent-encoded, and reported as they were."""
    project.category(RED, "red")
    web.answer("/caf%C3%A9%20au%20lait%20100%25.jpg", picture(1))
    url = web.url("/café au lait 100%25.jpg")
    project.url(f"{RED}_1", url)
    assert project.run().code == 0
    assert project.report("red")[0]["url"] == url


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_no_process_is_left(project: Project, web: Web) -> None:
    """When the script has ended, so have its workers."""
    project.category(RED, "red")
    fill(project, web, living=2)
    with project.start() as process:
        process.communicate()
    time.sleep(0.5)
    left = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            left += [path.parent.name] if int(group) == process.pid and state != "Z" else []
    assert not left


def test_fill_tries_what_it_had_skipped(project: Project, web: Web, make_web: Callable[[], Web]) -> None:
    """URLs that were skipped because placeholders came first are tried when those are taken back."""
    project.category(RED, "red", how_many=3)
    parked = make_web()
    parked.otherwise(picture(99))
    for number in range(3):
        project.url(f"{RED}_{number + 100}", parked.url(f"/{number}.jpg"))
    for number in range(4):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=1.0))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    assert project.run("--fill").code == 0
    assert len(project.images("red")) == 3
    assert sum(row["status"] == "downloaded" for row in project.report("red")) == 3
