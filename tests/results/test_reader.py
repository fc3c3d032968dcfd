"""What stands in a result folder is read as it lies there: images of journals, boxes of XML files."""

from __future__ import annotations

import shutil
from pathlib import Path

from demo.answers import Answer
from demo.pictures import jpeg
from demo.web import Web
from tests.project import Project
from tests.result_folder import ResultFolder, with_red_and_blue
from utils.catalog import categories
from utils.export import build_dataset
from utils.models.images import Box
from utils.results.paths import FINGERPRINTS_NAME
from utils.results.reader import collect

RED, BLUE = "n00000001", "n00000002"


def test_what_stands_is_collected(project: Project, web: Web) -> None:
    """Images with their boxes, category by category; failures and what was deleted are only counted."""
    project.category(RED, "red")
    project.category(BLUE, "sky blue")
    for number in range(4):
        web.answer(f"/{number}", Answer.jpeg(jpeg(seed=number)))
    web.answer("/4", Answer(status=404))
    for number, code in enumerate([RED, RED, RED, BLUE, BLUE]):
        project.url(f"{code}_{number}", web.url(f"/{number}"))
    project.annotate(f"{RED}_0", (1, 2, 9, 8), (0, 0, 63, 47))
    assert project.run("--parallel", "False").code == 0
    (project.result / "red" / "Images" / f"{RED}_2.jpg").unlink()
    (project.result / "by hand").mkdir()

    everything = categories.read(project.path / "ncodes.csv")
    red, blue = collect(project.result, everything)

    assert [(one.category.code, one.category.folder) for one in (red, blue)] == [
        (RED, "red"),
        (BLUE, "sky_blue"),
    ]
    assert [sample.image_code for sample in red.samples] == [f"{RED}_0", f"{RED}_1"]
    boxed, bare = red.samples
    assert boxed.annotation
    assert boxed.annotation.boxes == (Box("red", 1, 2, 9, 8), Box("red", 0, 0, 63, 47))
    assert bare.annotation is None
    assert boxed.path.read_bytes() == jpeg(seed=0)
    assert (boxed.picture.width, boxed.picture.height, boxed.url) == (64, 48, web.url("/0"))
    assert blue.summary.reasons == {"http_404": 1}


def test_spoilt_xml_brings_no_boxes(project: Project, web: Web) -> None:
    """An XML that was removed or spoilt since costs its boxes, not the image."""
    project.category(RED, "red")
    for number in range(2):
        web.answer(f"/{number}", Answer.jpeg(jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        project.annotate(f"{RED}_{number}", (1, 2, 9, 8))
    assert project.run("--parallel", "False").code == 0
    folder: Path = project.result / "red" / "Annotation"
    (folder / f"{RED}_0.xml").unlink()
    (folder / f"{RED}_1.xml").write_bytes(b"<annotation>")

    (red,) = collect(project.result, categories.read(project.path / "ncodes.csv"))

    assert [sample.annotation for sample in red.samples] == [None, None]


def test_one_broken_folder_costs_only_its_category(tmp_path: Path) -> None:
    """What cannot be read is named, with a sentence; the others are read, and exported."""
    made = with_red_and_blue(ResultFolder(tmp_path / "partial_imagenet"))
    green = made.category("n00000003", "green")
    made.image(green, "n00000003_1", Box("green", 0, 0, 63, 47))
    shutil.rmtree(green.annotations)
    green.annotations.write_text("I am a file")
    journal = made.root / "blue" / ".journal.jsonl"
    journal.unlink()
    journal.mkdir()

    blue, broken, red = collect(made.root, made.categories)

    assert (len(blue.samples), len(broken.samples), len(red.samples)) == (0, 0, 2)
    assert blue.fault.startswith(f"blue: Cannot work with {journal}: ")
    assert broken.fault.startswith(f"green: Cannot work with {green.annotations}: ")
    assert red.fault == ""

    said: list[str] = []
    memory = made.root / FINGERPRINTS_NAME
    collected = collect(made.root, made.categories)
    dataset = build_dataset.gather(collected, {}, made.settings(), memory=memory, tell=said.append)
    assert [item.sample.folder for item in dataset.items] == ["red", "red"]
    assert [sentence.split(":")[0] for sentence in said] == ["blue", "green"]
