"""The commands of recipes in docs/ do what the page says."""

from __future__ import annotations

import re
import shlex

import pandas as pd
import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.docs.test_docs import section
from tests.export.export_project import draw, stored
from tests.project import Finished, Project

CODES = ("n02109811", "n02110063", "n02110185", "n03218198")
"""Of sled dogs, two kinds of them, and dogsleds."""


def commands(page: str, title: str) -> list[list[str]]:
    """Return the flags of the commands in a section."""
    lines = re.findall(r"^python extract_images_as_per_tags\.py (.*)$", section(page, title), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def run(project: Project, flags: list[str]) -> Finished:
    """Run a command, which must succeed."""
    finished = project.run(*flags)
    assert (finished.code, finished.err) == (0, "")
    return finished


@pytest.mark.alone
def test_one_class_out_of_several_categories(
    project: Project, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three kinds of dog are one class in both exports; another class needs no download."""
    names = ("sled dog, sledge dog", "malamute, malemute", "Siberian husky", "dogsled, dog sled")
    for number, (code, name) in enumerate(zip(CODES, names, strict=True)):
        project.category(code, name, marked=False)
        for image in range(4):
            path = f"/{code}_{image}.jpg"
            web.answer(path, Answer.jpeg(pictures.jpeg(seed=10 * number + image)))
            project.url(f"{code}_{image}", web.url(path))
            project.annotate(f"{code}_{image}", (1, 1, 30, 30))
    project.write()
    monkeypatch.setattr(project, "write", lambda: None)  # the commands change ncodes.csv
    mark, download, again = commands("exports.md", "One class out of several categories")

    assert "class 'sled dog'" in run(project, mark).out
    run(project, download)
    assert '0: "sled dog"' in (project.path / "partial_imagenet_yolo" / "data.yaml").read_text()
    for name in ("yolo", "imagefolder"):
        images = pd.read_csv(project.path / f"partial_imagenet_{name}" / "images.csv")
        assert dict(images.groupby("wnid")["label"].unique().str.join(",")) == dict.fromkeys(
            CODES[:3], "sled dog"
        )
    folders = {path.name for path in (project.path / "partial_imagenet_imagefolder").glob("*/*/")}
    assert "sled_dog" in folders

    requested = len(web.requests)
    table = project.path / "ncodes.csv"
    table.write_text(table.read_text().replace(",sled dog\n", ",dog\n"))
    run(project, again)
    assert set(pd.read_csv(project.path / "partial_imagenet_yolo" / "images.csv")["label"]) == {"dog"}
    assert len(web.requests) == requested


@pytest.mark.alone
def test_choosing_images(project: Project, web: Web) -> None:
    """The export has no image like those of the test set, and only images of the requested size."""
    code = CODES[1]
    project.category(code, "malamute")
    for image in range(6):
        web.answer(f"/{image}", Answer.jpeg(stored(draw(image, (800, 600)))))
        project.url(f"{code}_{image}", web.url(f"/{image}"))
        project.annotate(f"{code}_{image}", (1, 1, 300, 300), size=(800, 600))
    (project.path / "my_test_set").mkdir()
    (project.path / "my_test_set" / "one.jpg").write_bytes(stored(draw(2, (400, 300))))
    (flags,) = commands("exports.md", "Choosing images")
    run(project, [str(project.path / flag) if flag in ("my_test_set", "small") else flag for flag in flags])
    images = pd.read_csv(project.path / "small" / "yolo" / "images.csv")
    assert set(zip(images["width"], images["height"], strict=True)) == {(640, 480)}
    assert len(images) == 5
    left_out = pd.read_csv(project.path / "small" / "yolo" / "images_left_out.csv")
    assert list(left_out["image_code"]) == [f"{code}_2"]
