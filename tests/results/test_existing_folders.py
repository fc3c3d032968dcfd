"""Tests of `utils.results.existing_folders`, and of runs that use existing folders on."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Project
from utils.models.rows import Category
from utils.results import existing_folders

CRANE, LIFTING_DEVICE, HUSKY = "n02012849", "n03126707", "n02110185"
CATEGORIES = [
    Category(CRANE, "crane", f"crane_{CRANE}"),
    Category(LIFTING_DEVICE, "crane", f"crane_{LIFTING_DEVICE}"),
    Category(HUSKY, "Siberian husky", "Siberian_husky"),
]


def make(root: Path, folder: str, *image_codes: str) -> Path:
    """Create the folder of a category with a journal."""
    (root / folder).mkdir(parents=True)
    lines = [
        f'{{"position": 1, "image_code": "{code}", "url": "", "status": "failed"}}' for code in image_codes
    ]
    (root / folder / ".journal.jsonl").write_text("\n".join(['{"run": "2026-01-01"}', *lines, ""]))
    return root / folder


def test_folder_of_another_name(tmp_path: Path) -> None:
    """A folder with images of one category is found; validation images and invalid codes do not count."""
    make(tmp_path, "crane", f"{CRANE}_1", "ILSVRC2012_val_00000001", "nonsense", f"{CRANE}_2")
    assert existing_folders.find(tmp_path, CATEGORIES) == {CRANE: "crane"}


def test_folder_of_several_categories(tmp_path: Path) -> None:
    """It is not used: the images would be mixed."""
    make(tmp_path, "crane", f"{CRANE}_1", f"{LIFTING_DEVICE}_1")
    assert existing_folders.find(tmp_path, CATEGORIES) == {}


def test_folder_of_the_own_name_counts_first(tmp_path: Path) -> None:
    """Neither a folder that another category is to have, nor one beside a folder of the own name is used."""
    make(tmp_path, "crane", f"{CRANE}_1")
    make(tmp_path, f"crane_{CRANE}", f"{CRANE}_1")
    make(tmp_path, f"crane_{LIFTING_DEVICE}", f"{HUSKY}_1")
    assert existing_folders.find(tmp_path, CATEGORIES) == {}


def test_unusable_folders(tmp_path: Path) -> None:
    """Links, files and folders without a journal are left alone, and the result folder may be missing."""
    make(tmp_path / "elsewhere", "crane", f"{CRANE}_1")
    root = tmp_path / "root"
    (root / "empty").mkdir(parents=True)
    (root / "crane").symlink_to(tmp_path / "elsewhere" / "crane")
    (root / "file").write_text("")
    (root / "odd" / ".journal.jsonl").mkdir(parents=True)
    assert existing_folders.find(root, CATEGORIES) == {}
    assert existing_folders.find(tmp_path / "none", CATEGORIES) == {}


@pytest.mark.alone
def test_run_in_a_renamed_folder(project: Project, web: Web) -> None:
    """Its images are not downloaded again; new ones, XML, report and verification use its name."""
    for number in range(3):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number)))
        project.url(f"{CRANE}_{number}", web.url(f"/{number}"))
        project.annotate(f"{CRANE}_{number}", (1, 1, 9, 9))
    project.category(CRANE, "crane")
    assert project.run("--how_many", "2").code == 0
    assert project.folders() >= {f"crane_{CRANE}"}
    (project.result / f"crane_{CRANE}").rename(project.result / "my cranes")
    finished = project.run("--how_many", "3")
    assert finished.code == 0
    assert f"only: my cranes for {CRANE}." in finished.out
    assert not (project.result / f"crane_{CRANE}").exists()
    assert len(project.images("my cranes")) == 3
    statuses = [row["status"] for row in project.report("my cranes")]
    assert statuses == ["already_present", "already_present", "downloaded"]
    xml = (project.result / "my cranes" / "Annotation" / f"{CRANE}_2.xml").read_text()
    assert "<folder>my cranes</folder>" in xml
    assert "3 images in 1 folder" in project.run("--verify").out


@pytest.mark.alone
def test_folder_name_does_not_depend_on_the_table(project: Project, web: Web) -> None:
    """A table with one of two categories of the same name gives it the same folder as a table with both."""
    web.answer("/1", Answer(body=pictures.jpeg(seed=1)))
    project.url(f"{CRANE}_1", web.url("/1"))
    project.category(CRANE, "crane")
    assert project.run().code == 0
    assert (project.result / f"crane_{CRANE}" / "Images" / f"{CRANE}_1.jpg").exists()
