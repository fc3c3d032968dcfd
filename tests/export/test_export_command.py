"""`--export` and its flags: exports after a run, messages and exit codes."""

from __future__ import annotations

import json
import signal
import time

import pytest

from demo.answers import Answer
from demo.web import Web
from tests.export.export_project import draw, files, lines, stored
from tests.project import Project
from utils.cli import extract_flags
from utils.export.class_names import NAMES_OF
from utils.export.formats import FORMATS

RED, BLUE = "n00000001", "n00000002"
pytestmark = pytest.mark.alone


def add_images(project: Project, web: Web, images: int) -> None:
    """Add images of one category, with boxes for every second one, and a dead URL of another."""
    project.category(RED, "red")
    project.category(BLUE, "azure")
    for number in range(images):
        web.answer(f"/{number}", Answer.jpeg(stored(draw(number))))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        if number % 2:
            project.annotate(f"{RED}_{number}", (0, 0, 95, 71), size=(96, 72))
    project.url(f"{BLUE}_0", web.url("/dead"))


def test_export_after_a_run(project: Project, web: Web) -> None:
    """Saved images are exported even if a category has none; the exit code is that of the run.

    A dry run lists the folders, and a folder in the way stops a run before it downloads anything.
    """
    add_images(project, web, 20)
    flags = ("--parallel", "False", "--export", "yolo", "coco", "--val_fraction", "0.3")
    dry = project.run(*flags, "--dry_run")
    assert dry.code == 0
    assert "the 0 images saved before" in dry.out
    assert not project.result.exists()

    done = project.run(*flags)
    assert done.code == 1
    assert "There is no image of azure" in done.err
    assert "Left out of yolo, coco: 10 images without boxes." in done.out
    assert "Traceback" not in done.err
    yolo = project.path / "partial_imagenet_yolo"
    assert len(files(yolo, ".jpg")) == 10
    assert {line.split(",")[1] for line in lines(yolo / "images.csv")} == {"split", "train", "val"}
    images = [
        json.loads((project.path / "partial_imagenet_coco" / "annotations" / name).read_text())["images"]
        for name in ("instances_train.json", "instances_val.json")
    ]
    assert sum(map(len, images)) == 10

    (yolo / ".part_of_imagenet_export.json").unlink()
    refused = project.run(*flags, "--categories", "red")
    assert refused.code == 2
    assert "was not made by an export" in refused.err
    assert "saved" not in refused.out


def test_export_without_downloads(project: Project, web: Web) -> None:
    """With --how_many 0 nothing is requested, and the saved images are exported."""
    add_images(project, web, 4)
    web.answer("/0", Answer(status=503))
    project.run("--retries", "0")
    asked = len(web.requests)
    assert project.run("--how_many", "0", "--export", "imagefolder").code == 0
    assert len(web.requests) == asked
    assert len(files(project.path / "partial_imagenet_imagefolder", ".jpg")) == 3


def test_format_without_images(project: Project, web: Web) -> None:
    """A format that takes none of the images is no obstacle to the others; the exit code is 1."""
    add_images(project, web, 1)
    done = project.run("--export", "yolo", "imagefolder", "coco", "--retries", "0")
    assert done.code == 1
    assert "Nothing was exported as yolo, coco: none of the images has boxes." in done.err
    assert "Exported as imagefolder" in done.out
    assert len(files(project.path / "partial_imagenet_imagefolder", ".jpg")) == 1
    assert "No training images in yolo" not in done.out
    assert not (project.path / "partial_imagenet_yolo").exists()


def test_interrupted_run_exports_nothing(project: Project, web: Web) -> None:
    """Ctrl-C during downloads ends the run without an export, and a message says so."""
    add_images(project, web, 4)
    web.answer("/slow", Answer(body=stored(draw(99)), delay=60))
    project.url(f"{RED}_99", web.url("/slow"))
    with project.start("--parallel", "False", "--export", "yolo", "--timeout", "60") as process:
        try:
            give_up = time.monotonic() + 20
            while not web.count("/slow") and time.monotonic() < give_up:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Nothing was exported" in err
    assert not (project.path / "partial_imagenet_yolo").exists()


def test_export_flag() -> None:
    """The flag takes the names of the registry in any case, each once."""
    for name in FORMATS:
        assert extract_flags.settings(["--export", name.upper()]).export == (name,)
    assert set(NAMES_OF) == set(extract_flags.LABELS)
    settings = extract_flags.settings(["--export", "YOLO", "coco", "yolo"])
    assert settings.export == ("yolo", "coco")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--val_fraction", "0.2"], "add --export"),
        (["--labels", "code"], "add --export"),
        (["--seed", "1"], "add --export"),
        (["--export_unannotated", "True"], "add --export"),
        (["--other_classes", "True"], "add --export"),
        (["--export", "yolo", "--find", "cup"], "leave --find"),
        (["--export", "yolo", "--categories", "cup", "--mark"], "--mark"),
        (["--export", "yolo", "--categories", "cup", "--unmark"], "--unmark"),
        (["--export", "yolo", "--verify"], "leave --verify out"),
        (["--export", "tfrecord"], "none of yolo, coco, voc, imagefolder, webdataset"),
        (["--export", "yolo", "--val_fraction", "1"], "less than 1"),
        (["--export", "yolo", "--val_fraction", "-0.1"], "from 0 to less than 1"),
        (["--export", "yolo", "--val_fraction", "half"], "not a number from 0"),
        (["--export", "yolo", "--labels", "both"], "none of name, short, code"),
    ],
)
def test_invalid_flags(flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong value, or a flag without effect, ends the run with a message and exit code 2."""
    with pytest.raises(SystemExit) as ended:
        extract_flags.settings(flags)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
