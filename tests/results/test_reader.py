"""Reading saved images: images from journals, boxes from XML files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from demo.answers import Answer
from demo.pictures import jpeg
from demo.web import Web
from tests.project import Project
from tests.result_folder import ResultFolder, with_red_and_blue
from utils.catalog import categories
from utils.export.build_dataset import build_dataset
from utils.models.images import Box
from utils.models.rows import Category
from utils.results.reader import CategoryContents, read_categories

RED, BLUE = "n00000001", "n00000002"


def read_all(root: Path, everything: Sequence[Category]) -> list[CategoryContents]:
    """Read all categories."""
    return list(read_categories(root, everything, {category.code for category in everything}))


def test_saved_images_are_read(project: Project, web: Web) -> None:
    """Saved images are read with their boxes, by category; failures and deleted images are only counted."""
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
    red, blue = read_all(project.result, everything)

    assert [(one.category.code, one.category.folder) for one in (red, blue)] == [
        (RED, "red"),
        (BLUE, "sky_blue"),
    ]
    assert [image.image_code for image in red.images] == [f"{RED}_0", f"{RED}_1"]
    boxed, bare = red.images
    assert boxed.annotation
    assert boxed.annotation.boxes == (Box("red", 1, 2, 9, 8), Box("red", 0, 0, 63, 47))
    assert bare.annotation is None
    assert boxed.path.read_bytes() == jpeg(seed=0)
    assert (boxed.picture.width, boxed.picture.height, boxed.url) == (64, 48, web.url("/0"))
    assert blue.summary.reasons == {"http_404": 1}


def test_damaged_xml(project: Project, web: Web) -> None:
    """An XML file that was removed or damaged costs its boxes, not the image."""
    project.category(RED, "red")
    for number in range(2):
        web.answer(f"/{number}", Answer.jpeg(jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        project.annotate(f"{RED}_{number}", (1, 2, 9, 8))
    assert project.run("--parallel", "False").code == 0
    folder: Path = project.result / "red" / "Annotation"
    (folder / f"{RED}_0.xml").unlink()
    (folder / f"{RED}_1.xml").write_bytes(b"<annotation>")

    (red,) = read_all(project.result, categories.read(project.path / "ncodes.csv"))

    assert [image.annotation for image in red.images] == [None, None]


def test_unreadable_folder_affects_its_category_only(tmp_path: Path) -> None:
    """A folder that cannot be read is reported; the others are read and exported."""
    made = with_red_and_blue(ResultFolder(tmp_path / "partial_imagenet"))
    green = made.category("n00000003", "green")
    made.image(green, "n00000003_1", Box("green", 0, 0, 63, 47))
    shutil.rmtree(green.annotations)
    green.annotations.write_text("I am a file")
    journal = made.root / "blue" / ".journal.jsonl"
    journal.unlink()
    journal.mkdir()

    blue, broken, red = read_all(made.root, made.categories)

    assert [len(one.images) for one in (blue, broken, red)] == [0, 0, 2]
    assert blue.fault.startswith(f"blue: Cannot work with {journal}: ")
    assert broken.fault.startswith(f"green: Cannot work with {green.annotations}: ")
    assert red.fault == ""

    messages: list[str] = []
    dataset = build_dataset(
        [blue, broken, red],
        made.categories,
        made.categories,
        made.settings(),
        folder=made.root,
        print_line=messages.append,
    )
    assert [item.record.folder for item in dataset.items] == ["red", "red"]
    assert [message.split(":")[0] for message in messages] == ["blue", "green"]
