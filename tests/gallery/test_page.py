"""The gallery page: its data, its table, and its safety against hostile names."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.result_folder import ResultFolder, with_red_and_blue
from utils.gallery import page
from utils.gallery.category_stats import BOX_COUNT, BOX_SHARE, LONGEST_SIDE
from utils.gallery.page import COLOURS
from utils.models.images import Box
from utils.reasons import Status

RED, BLUE = "n00000001", "n00000002"


class Reader(HTMLParser):
    """Parses a page: tags, texts of table cells, contents of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.policy = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
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
        """Record a text."""
        if self._open in self.inside:
            self.inside[self._open][-1] += data
        elif self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        """Record the end of a script or style."""
        if tag in self.inside:
            self._open = ""


@pytest.fixture
def made(tmp_path: Path) -> ResultFolder:
    """Make an empty result folder."""
    return ResultFolder(tmp_path / "partial_imagenet")


@pytest.fixture
def some(made: ResultFolder) -> ResultFolder:
    """Make a result folder with two categories."""
    return with_red_and_blue(made)


def test_images_for_the_script(some: ResultFolder) -> None:
    """The JSON holds file, size, URL and boxes of every image; boxes refer to labels by number."""
    some.write()
    data, bytes_of = some.data(), [image[3] for image in some.images()]
    label = data["labels"].index
    assert some.images() == [
        [f"{BLUE}_1.jpg", 64, 48, bytes_of[0], "http://a.example/1.jpg", [label("blue"), 0, 0, 63, 47]],
        [
            *(f"{RED}_1.jpg", 64, 48, bytes_of[1], "http://a.example/ü?1"),
            [label("red"), 0, 0, 31, 47, label("blue"), 10, 10, 10, 10],
        ],
        [f"{RED}_2.jpg", 400, 300, bytes_of[2], "http://a.example/1.jpg", []],
    ]
    assert bytes_of == [path.stat().st_size for path in sorted(some.root.glob("*/Images/*"))]
    assert data["meanings"]["http_404"] == "The server answered 404 Not Found."


def test_numbers(some: ResultFolder) -> None:
    """The JSON holds counts and histograms of each category and of all."""
    some.write()
    blue, red, everything = *some.data()["categories"], some.data()["total"]
    assert (red["urls"], red["saved"], red["annotated"], red["boxes"]) == (7, 2, 1, 2)
    assert red["reasons"] == [["http_404", 3], ["timeout", 2]]
    assert red["histograms"][LONGEST_SIDE.title] == [0, 1, 0, 0, 1, 0, 0, 0, 0]
    assert red["histograms"][BOX_COUNT.title] == [1, 0, 1, 0, 0, 0, 0]
    assert red["histograms"][BOX_SHARE.title] == [1, 0, 0, 0, 0, 1, 0]  # one pixel, and exactly a half
    assert blue["histograms"][BOX_SHARE.title][-1] == 1
    assert (blue["size"], blue["share"]) == ("64 × 48", "100 %")  # noqa: RUF001
    assert everything["statuses"] == {Status.DOWNLOADED.value: 3, Status.FAILED.value: 5}
    assert (everything["urls"], everything["saved"], everything["boxes"]) == (8, 3, 3)
    assert everything["histograms"][BOX_COUNT.title] == [1, 1, 1, 0, 0, 0, 0]


def test_bins() -> None:
    """Every bin has a name, and each value is counted in the bin that names it."""
    for bins in (LONGEST_SIDE, BOX_COUNT, BOX_SHARE):
        assert len(bins.names) == len(bins.edges) + 1
    assert LONGEST_SIDE.histogram([63, 64, 127, 128, 9999]) == [1, 2, 1, 0, 0, 0, 0, 0, 1]
    assert LONGEST_SIDE.names[:2] == ("under 64", "64 to 127")
    assert BOX_COUNT.histogram([0, 1, 4, 5, 9, 10, 400]) == [1, 1, 0, 0, 1, 2, 2]


def test_table_needs_no_script(some: ResultFolder) -> None:
    """The HTML itself has a table with the numbers of every category."""
    some.write()
    rows = [[cell.strip() for cell in row] for row in Reader(some.page).rows]
    red = next(row for row in rows if row[0] == "red")
    assert red[1:5] == ["7", "2", "1", "2"]
    assert red[-2:] == ["5", "http_404 3, timeout 2"]
    assert [row[0] for row in rows] == ["category", "blue", "red", "all"]
    assert "<noscript>" in some.page


def test_classes(made: ResultFolder) -> None:
    """The JSON holds the class of each category and the numbers of each class; the table names it, too."""
    classes = {"red": "a <colour>", "blue": "a <colour>", "cup": ""}
    for code, (folder, name) in zip((RED, BLUE, "n00000003"), classes.items(), strict=True):
        made.image(made.category(code, folder, class_name=name), f"{code}_1", Box("red", 0, 0, 31, 47))
    made.write()
    data = made.data()
    assert {one["folder"]: one["class"] for one in data["categories"]} == classes
    assert {name: (one["saved"], one["boxes"]) for name, one in data["classes"].items()} == {
        "a <colour>": (2, 2)
    }
    names = [row[0].strip() for row in Reader(made.page).rows]
    assert names == ["category", "blue · a <colour>", "cup", "red · a <colour>", "all"]


def test_no_classes(some: ResultFolder) -> None:
    """Without classes the page lists none."""
    some.write()
    assert some.data()["classes"] == {}


HOSTILE = "<script>alert(1)<!--&'\"#%?é ]]>"


def test_names_are_escaped(made: ResultFolder) -> None:
    """No name, label or URL adds a tag to the page or ends its JSON."""
    quiet = ResultFolder(made.root.parent / "quiet")
    for folder, name in ((made, HOSTILE.replace("/", "")), (quiet, "quiet")):
        category = folder.category(RED, name, name)
        folder.image(category, f"{RED}_1", Box(name, 1, 2, 3, 4), url=f"javascript:{name}</script>")
        folder.write()
    assert Reader(made.page).tags == Reader(quiet.page).tags
    assert made.data()["categories"][0]["folder"] == HOSTILE
    assert made.images()[0][4] == f"javascript:{HOSTILE}</script>"
    assert made.data()["categories"][0]["path"].isascii()
    assert not set("<>&'\"#? ") & set(made.data()["categories"][0]["path"])


def test_security_policy(some: ResultFolder) -> None:
    """The policy allows our script and style by checksum, and nothing from a network."""
    some.write()
    reader = Reader(some.page)
    rules = dict(rule.strip().split(" ", 1) for rule in reader.policy.split(";"))
    for tag, text in (("script", reader.inside["script"][-1]), ("style", reader.inside["style"][0])):
        checksum = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{checksum}'"
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "'self' file:"
    assert len(reader.inside["script"]) == 2
    assert not re.search(r"\son\w+=|\ssrc=|\sstyle=", re.sub(r"(?s)<script.*?</script>", "", some.page))


def test_folder_name_that_is_not_utf8(made: ResultFolder) -> None:
    """The path of such a folder is percent-encoded, so that its images are found."""
    name = os.fsdecode(b"caf\xe9")
    try:
        category = made.category(RED, name)
    except OSError:
        pytest.skip("this file system accepts only UTF-8")
    made.image(category, f"{RED}_1")
    assert made.write().unwritten == []
    assert made.data()["categories"][0]["path"] == "caf%E9"


def test_frequent_labels_get_the_first_colours(made: ResultFolder) -> None:
    """Colours are assigned by frequency, then by name."""
    red = made.category(RED, "red")
    names = [f"label {number:02}" for number in range(2 * COLOURS)]
    boxes = [Box(name, 1, 1, 9, 9) for name in (*names, names[-1], names[-1], names[5])]
    made.image(red, f"{RED}_1", *boxes)
    made.write()
    data = made.data()
    colour_of = dict(zip(data["labels"], data["colours"], strict=True))
    assert [colour_of[name] for name in (names[-1], names[5], names[0])] == [0, 1, 2]
    assert sorted(data["colours"]) == sorted([*range(COLOURS)] * 2)


def test_most_frequent_size(made: ResultFolder) -> None:
    """Of several sizes that are equally frequent, the largest counts; without images there is none."""
    red = made.category(RED, "red")
    for number, size in enumerate([(50, 40), (50, 40), (40, 60), (40, 60), (90, 90)]):
        made.image(red, f"{RED}_{number}", size=size)
    made.category(BLUE, "blue")
    made.write()
    assert [one["size"] for one in made.data()["categories"]] == ["", "40 × 60"]  # noqa: RUF001


def test_number_of_images_is_limited(some: ResultFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images above the limit are only counted."""
    monkeypatch.setattr(page, "MAX_IMAGES", 2)
    some.write()
    assert [image[0] for image in some.images()] == [f"{BLUE}_1.jpg", f"{RED}_1.jpg"]
    assert (some.data()["left_out"], some.data()["total"]["saved"]) == (1, 3)
