"""What stands in a result folder is read as it lies there: images of journals, boxes of XML files."""

from __future__ import annotations

from pathlib import Path

from demo.answers import Answer
from demo.pictures import jpeg
from demo.web import Web
from tests.project import Project
from utils.models.pictures import Box
from utils.results.collection import collect
from utils.tables import categories

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
