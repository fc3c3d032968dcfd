"""The page that a run leaves: what stands in it, what it cannot be made to do, and when it is written."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from demo.answers import Answer
from demo.pictures import jpeg
from demo.web import Web
from tests.project import Project
from tests.result_folder import ResultFolder, with_red_and_blue
from utils.gallery import page_data
from utils.gallery.category_stats import COUNTS, SHARES, SIDES
from utils.gallery.output_writer import AN_INSTANT, OutputWriter
from utils.gallery.page_data import COLOURS, Labels, Pictures
from utils.models.enums import Status
from utils.models.images import Box
from utils.reasons import Reason
from utils.results import reader

RED, BLUE = "n00000001", "n00000002"


class Reader(HTMLParser):
    """Reads a page as a browser does: tags, texts of table cells, the contents of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.policy = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag."""
        self.tags.append(tag)
        self._open = tag
        values = dict(attrs)
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        elif tag in self.inside:
            self.inside[tag].append("")

    def handle_data(self, data: str) -> None:
        """Take note of a text."""
        if self._open in self.inside:
            self.inside[self._open][-1] += data
        elif self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        """Take note of an end."""
        if tag in self.inside:
            self._open = ""


@pytest.fixture
def made(tmp_path: Path) -> ResultFolder:
    """Give an empty result folder."""
    return ResultFolder(tmp_path / "partial_imagenet")


@pytest.fixture
def some(made: ResultFolder) -> ResultFolder:
    """Give a result folder with two categories."""
    return with_red_and_blue(made)


def test_the_script_is_given_every_image(some: ResultFolder) -> None:
    """File, size, URL and boxes of every image, labels by their numbers, edges as they stand in the XML."""
    left = some.leave()
    assert [path.name for path in left.written] == ["index.html", "dataset_card.md"]
    data, bytes_of = some.data(), [image[3] for image in some.images()]
    label = data["labels"].index
    assert [image[:6] for image in some.images()] == [
        [f"{BLUE}_1.jpg", 64, 48, bytes_of[0], "http://a.example/1.jpg", [label("blue"), 0, 0, 63, 47]],
        [
            *(f"{RED}_1.jpg", 64, 48, bytes_of[1], "http://a.example/ü?1"),
            [label("red"), 0, 0, 31, 47, label("blue"), 10, 10, 10, 10],
        ],
        [f"{RED}_2.jpg", 400, 300, bytes_of[2], "http://a.example/1.jpg", []],
    ]
    assert bytes_of == [path.stat().st_size for path in sorted(some.root.glob("*/Images/*"))]
    assert len({image[6] for image in some.images()}) == 3
    assert data["meanings"]["http_404"] == "The server said no: 404 Not Found."


def test_numbers(some: ResultFolder) -> None:
    """URLs, images, failures and distributions of each category, and of all."""
    some.leave()
    blue, red, everything = *some.data()["categories"], some.data()["total"]
    assert (red["urls"], red["saved"], red["annotated"], red["boxes"]) == (7, 2, 1, 2)
    assert red["reasons"] == [["http_404", 3], ["timeout", 2]]
    assert red["histograms"][SIDES.title] == [0, 1, 0, 0, 1, 0, 0, 0, 0]
    assert red["histograms"][COUNTS.title] == [1, 0, 1, 0, 0, 0, 0]
    assert red["histograms"][SHARES.title] == [1, 0, 0, 0, 0, 1, 0]  # one pixel, and exactly a half
    assert blue["histograms"][SHARES.title][-1] == 1
    assert (blue["size"], blue["share"]) == ("64 × 48", "100 %")  # noqa: RUF001
    assert (everything["urls"], everything["saved"], everything["boxes"]) == (8, 3, 3)
    assert everything["histograms"][COUNTS.title] == [1, 1, 1, 0, 0, 0, 0]


def test_scales_have_a_name_for_every_bin() -> None:
    """A histogram has as many bins as names, and each value falls into the one that names it."""
    for scale in (SIDES, COUNTS, SHARES):
        assert len(scale.names) == len(scale.edges) + 1
    assert SIDES.histogram([63, 64, 127, 128, 9999]) == [1, 2, 1, 0, 0, 0, 0, 0, 1]
    assert SIDES.names[:2] == ("under 64", "64 to 127")
    assert COUNTS.histogram([0, 1, 4, 5, 9, 10, 400]) == [1, 1, 0, 0, 1, 2, 2]


def test_the_table_needs_no_script(some: ResultFolder) -> None:
    """The numbers of every category stand in the HTML itself."""
    some.leave()
    rows = [[cell.strip() for cell in row] for row in Reader(some.page).rows]
    red = next(row for row in rows if row[0] == "red")
    assert red[1:5] == ["7", "2", "1", "2"]
    assert red[-2:] == ["5", "http_404 3, timeout 2"]
    assert [row[0] for row in rows] == ["category", "blue", "red", "all"]
    assert "<noscript>" in some.page


HOSTILE = "<script>alert(1)<!--&'\"#%?é ]]>"


def test_no_name_is_markup(made: ResultFolder) -> None:
    """Names, labels and URLs of anybody's add no tag to the page, and no text ends the data."""
    quiet = ResultFolder(made.root.parent / "quiet")
    for folder, name in ((made, HOSTILE.replace("/", "")), (quiet, "quiet")):
        category = folder.category(RED, name, name)
        folder.image(category, f"{RED}_1", Box(name, 1, 2, 3, 4), url=f"javascript:{name}</script>")
        folder.leave()
    assert Reader(made.page).tags == Reader(quiet.page).tags
    assert made.data()["categories"][0]["folder"] == HOSTILE
    assert made.images()[0][4] == f"javascript:{HOSTILE}</script>"
    assert made.data()["categories"][0]["path"].isascii()
    assert not set("<>&'\"#? ") & set(made.data()["categories"][0]["path"])


def test_only_our_script_may_run(some: ResultFolder) -> None:
    """The policy names script and style by their checksums, and lets nothing be fetched from a network."""
    some.leave()
    reader = Reader(some.page)
    rules = dict(rule.strip().split(" ", 1) for rule in reader.policy.split(";"))
    for tag, text in (("script", reader.inside["script"][-1]), ("style", reader.inside["style"][0])):
        checksum = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{checksum}'"
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "'self' file:"
    assert len(reader.inside["script"]) == 2
    assert not re.search(r"\son\w+=|\ssrc=|\sstyle=", re.sub(r"(?s)<script.*?</script>", "", some.page))


def test_a_name_that_is_no_text(made: ResultFolder) -> None:
    """A folder whose name is no UTF-8 is shown, and its images are found."""
    name = os.fsdecode(b"caf\xe9")
    try:
        category = made.category(RED, name)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    made.image(category, f"{RED}_1")
    assert made.leave().unwritten == []
    assert made.data()["categories"][0]["path"] == "caf%E9"


def test_frequent_labels_have_the_first_colours(made: ResultFolder) -> None:
    """Colours are given by frequency, then by name; each label has its own as long as they last."""
    red = made.category(RED, "red")
    names = [f"label {number:02}" for number in range(2 * COLOURS)]
    boxes = [Box(name, 1, 1, 9, 9) for name in (*names, names[-1], names[-1], names[5])]
    made.image(red, f"{RED}_1", *boxes)
    made.leave()
    data = made.data()
    colour_of = dict(zip(data["labels"], data["colours"], strict=True))
    assert [colour_of[name] for name in (names[-1], names[5], names[0])] == [0, 1, 2]
    assert sorted(data["colours"]) == sorted([*range(COLOURS)] * 2)


def test_the_usual_size_is_one_that_an_image_has(made: ResultFolder) -> None:
    """The most frequent one, and of several the largest; none without images."""
    red = made.category(RED, "red")
    for number, size in enumerate([(50, 40), (50, 40), (40, 60), (40, 60), (90, 90)]):
        made.image(red, f"{RED}_{number}", size=size)
    made.category(BLUE, "blue")
    made.leave()
    assert [one["size"] for one in made.data()["categories"]] == ["", "40 × 60"]  # noqa: RUF001


def test_a_page_has_an_end(some: ResultFolder) -> None:
    """Images beyond the most that a browser bears are only counted, and not taken from such a page again."""
    labels = Labels()
    spelled = Pictures(labels, most=2)
    albums = [
        page_data.album(reader.read(category, folder), labels, [1, 2])
        for category, folder in reader.places(some.root, some.categories)
    ]
    first, second = [spelled.category(album) for album in albums]
    assert (first.count(".jpg"), second.count("_1.jpg"), second.count("_2.jpg")) == (2, 1, 0)
    assert first.startswith('{"stamp":[1,2],')
    assert second.startswith('{"stamp":[],')
    assert '"left_out":1' in "".join(spelled.end(albums[0].figures))


def test_what_has_not_changed_is_not_read_again(some: ResultFolder) -> None:
    """A category whose files look as they did is taken from the earlier page, with all its numbers."""
    some.leave()
    before = some.data()
    xml = some.root / "red" / "Annotation" / f"{RED}_1.xml"
    stat = xml.stat()
    xml.write_bytes(b"unreadable")  # where it stands: nobody sees it, and so it is known that nobody looked
    os.utime(xml, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    some.leave()
    assert some.data() == before
    some.fail(some_folder(some, "red"), Reason.TIMEOUT)
    some.leave()
    assert some.data()["categories"][1]["annotated"] == 0
    assert some.data()["labels"] == ["blue", ""]  # one that no box has any more is not offered


def some_folder(made: ResultFolder, name: str) -> reader.CategoryFolder:
    """Give the folder of a category."""
    return reader.CategoryFolder(made.root / name)


def test_files_of_others_are_left_alone(some: ResultFolder) -> None:
    """A page or a card that somebody made, or took our mark from, stays as it is; nothing is in its place."""
    (some.root / "index.html").write_text("my own", encoding="utf-8")
    left = some.leave()
    assert (some.page, [path.name for path in left.kept]) == ("my own", ["index.html"])
    mine = some.card.replace("# Written anew", "# Written by hand, not")
    (some.root / "dataset_card.md").write_text(mine, encoding="utf-8")
    (some.root / "index.html").unlink()
    some.leave()
    assert some.card == mine
    assert some.images()


@pytest.mark.parametrize("gallery", [True, False])
def test_what_a_killed_run_left_is_removed(some: ResultFolder, gallery: bool) -> None:
    """No half page or card lies about after the next run, whether it writes a page or not."""
    parts = [some.root / ".index.html.part", some.root / ".dataset_card.md.part"]
    for part in parts:
        part.write_bytes(b"half")
    some.leave(gallery=gallery)
    assert not any(part.exists() for part in parts)


def test_what_stands_in_the_way_is_told(some: ResultFolder) -> None:
    """A folder of the page's name costs the page and a sentence, not the card; nothing half is left."""
    (some.root / "index.html").mkdir()
    left = some.leave()
    assert [path.name for path in left.written] == ["dataset_card.md"]
    (sentence,) = left.unwritten
    assert sentence.startswith(f"{some.root / 'index.html'} could not be written: Is a directory.")
    assert not list(some.root.glob(".*.part"))


def test_a_journal_that_cannot_be_read_is_told(some: ResultFolder) -> None:
    """Then the numbers would be wrong: neither is written, and what was there stays."""
    some.leave()
    before = some.page, some.card
    journal = some.root / "red" / ".journal.jsonl"
    journal.unlink()
    journal.mkdir()
    left = some.leave()
    assert (left.written, len(left.unwritten)) == ([], 1)
    assert left.unwritten[0].startswith("index.html and dataset_card.md were not written. Cannot ")
    assert (some.page, some.card) == before


def test_no_page_for_those_who_want_none(some: ResultFolder) -> None:
    """Without the gallery the card is written all the same, with the same numbers."""
    some.leave(gallery=False)
    assert not (some.root / "index.html").exists()
    assert "| red | n00000001 | 7 | 2 | 1 | 2 |" in some.card


@pytest.mark.parametrize(("failures", "is_written"), [(1, True), (AN_INSTANT // 100, False)])
def test_who_wants_to_go_need_not_wait(some: ResultFolder, failures: int, is_written: bool) -> None:
    """An interrupted run leaves a small page, which costs an instant; a large one is the next run's."""
    some.fail(some_folder(some, "red"), Reason.TIMEOUT, times=failures)
    left = OutputWriter(some.root, some.categories, some.settings(), stopped=lambda: True)
    left.write()
    assert bool(left.written) is is_written
    assert (some.root / "index.html").exists() is is_written
    assert left.unwritten == []


def test_who_goes_later_need_not_wait_either(some: ResultFolder) -> None:
    """Interrupted while a large page is written, a run leaves the old one whole, and nothing half."""
    some.leave()
    before = some.page
    some.fail(some_folder(some, "red"), Reason.TIMEOUT, times=AN_INSTANT // 100)
    asked: list[bool] = []
    left = OutputWriter(
        some.root, some.categories, some.settings(), stopped=lambda: bool(asked.append(True) or asked[1:])
    )
    left.write()
    assert (left.written, some.page) == ([], before)
    assert not list(some.root.glob(".*.part"))


def test_statuses_survive(some: ResultFolder) -> None:
    """The data that the next page starts from has what became of the URLs."""
    some.leave()
    assert some.data()["total"]["statuses"] == {Status.DOWNLOADED.value: 3, Status.FAILED.value: 5}


def test_a_run_leaves_both(project: Project, web: Web) -> None:
    """Page and card come with every run and say where to look; --verify makes them anew."""
    project.category(RED, "red")
    for number in range(2):
        web.answer(f"/{number}", Answer.jpeg(jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        project.annotate(f"{RED}_{number}", (1, 2, 9, 8))
    page, card = project.result / "index.html", project.result / "dataset_card.md"
    (project.path / "partial_imagenet" / "index.html").mkdir(parents=True)
    finished = project.run("--parallel", "False", "--archive_url", "x", "--source", "urls")
    assert finished.code == 2
    finished = project.run("--parallel", "False")
    assert finished.code == 0
    assert finished.err.startswith(f"{page} could not be written: Is a directory.")
    page.rmdir()
    (project.result / "red" / "Images" / f"{RED}_0.jpg").write_bytes(b"spoilt")
    finished = project.run("--verify")
    assert finished.code == 1
    assert page.read_text(encoding="utf-8").count(f'"{RED}_1.jpg"') == 1
    assert f'"{RED}_0.jpg"' not in page.read_text(encoding="utf-8")
    assert "--verify" in card.read_text(encoding="utf-8")
