"""Runs of the script with `--copy`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.copies import lookalikes
from tests.copies.lookalikes import DOG, FISH, LAYOUTS, SHARK, all_images, boxes, write_files
from tests.project import ALONE, Finished, Project

FOLDERS = {FISH: "tench", SHARK: "shark", DOG: "Chihuahua"}
TRAINED = [f"{FISH}_3", f"{FISH}_12", f"{FISH}_100"]
VALIDATED = ["ILSVRC2012_val_00000002", "ILSVRC2012_val_00000005"]
VARYING = ("url", "seconds")
"""Columns of the report that depend on the layout or on time."""


@pytest.fixture
def copies(project: Project) -> Project:
    """Return a project with two of three categories selected, whose runs start no workers."""
    project.always = ALONE
    for code, folder in FOLDERS.items():
        project.category(code, folder, marked=code != SHARK)
    return project


def make(project: Project, layout: str) -> Path:
    """Write a copy."""
    folder = project.path / "copy"
    LAYOUTS[layout](folder)
    return folder


def run(project: Project, *flags: str, code: int = 0) -> Finished:
    """Run the script; check its exit code, and that it prints no traceback."""
    finished = project.run(*flags)
    assert finished.code == code, finished.err
    assert "Traceback" not in finished.out + finished.err
    return finished


def rows(project: Project, folder: str = "tench") -> list[tuple[str, str, str]]:
    """Return image code, status and reason of the rows of a report."""
    return [(row["image_code"], row["status"], row["reason"]) for row in project.report(folder)]


def saved(project: Project, folder: str = "tench") -> list[str]:
    """Return the image codes of saved images, in the order of the report; check that no others exist."""
    named = [row for row in project.report(folder) if row["status"] in ("downloaded", "already_present")]
    assert {Path(row["file"]).name for row in named} == project.images(folder)
    return [row["image_code"] for row in named]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(copies: Project, layout: str) -> None:
    """All layouts give the same images, boxes and reports; the next run reads no image."""
    folder = make(copies, layout)
    xml = write_files(copies.path / "boxes", boxes())
    flags = ("--copy", str(folder), str(xml))
    finished = run(copies, *flags, "--parallel", "True")
    assert re.search(rf"{folder}: .+, 2 of the 2 selected categories", finished.out)
    for code in (FISH, DOG):
        images = all_images()[code]
        assert saved(copies, FOLDERS[code]) == list(images)
        for row, (image_code, data) in zip(copies.report(FOLDERS[code]), images.items(), strict=True):
            check_row(copies, row, folder, image_code, data)
    assert copies.folders() == {"tench", "Chihuahua"}
    journals = {path: path.read_bytes() for path in copies.result.rglob(".journal.jsonl")}
    run(copies, *flags)
    for path, content in journals.items():
        assert path.read_bytes().startswith(content)
    assert {status for _, status, _ in rows(copies)} == {"already_present"}


def check_row(project: Project, row: dict[str, str], copy: Path, image_code: str, data: bytes) -> None:
    """Compare a row of the report, and its files, with an image of the copy."""
    has_boxes = not image_code.endswith("_100")
    assert (row["image_code"], row["status"], row["reason"]) == (image_code, "downloaded", "")
    assert (row["attempts"], row["http_status"], row["boxes"]) == ("1", "", "1" if has_boxes else "")
    given, _, inside = row["url"].partition("#")
    assert given == str(copy)
    assert image_code in inside
    folder = next(path for path in project.result.iterdir() if (path / row["file"]).exists())
    assert (folder / row["file"]).read_bytes() == data
    assert (folder / "Annotation" / f"{image_code}.xml").exists() == has_boxes
    if has_boxes:
        xml = (folder / "Annotation" / f"{image_code}.xml").read_text()
        assert f"<name>{folder.name}</name>" in xml
        assert "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>".format(
            *lookalikes.BOX
        ) in re.sub(r"\s", "", xml)
