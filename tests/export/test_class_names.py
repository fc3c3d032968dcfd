"""Class names: of categories, of boxes of other categories, and of labels that users wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.export_project import ExportProject
from utils.export.class_names import short_names
from utils.models.rows import Category

MOUSE, COMPUTER, CRANE, BIRD = "n02330245", "n03793489", "n03126707", "n02012849"
PERSON = "n00007846"


def box_labels(project: ExportProject, **flags: object) -> set[str]:
    """Return the classes of all boxes."""
    return {box.label for item in project.dataset(**flags).items for box in item.boxes}


def test_short_names() -> None:
    """The first synonym is the name; equal ones get the second synonym, or their codes."""
    names = {
        PERSON: "person, individual, someone, somebody, mortal, soul",
        MOUSE: "mouse",
        COMPUTER: "mouse, computer mouse",
        CRANE: "crane",
        BIRD: "Crane",
        "n00000001": "Siberian husky",
        "n00000002": "head, caput",
        "n00000003": "head, caput",
    }
    assert short_names([Category(code, name, "") for code, name in names.items()]) == {
        PERSON: "person",
        MOUSE: "mouse",
        COMPUTER: "mouse,_computer_mouse",
        CRANE: f"crane_{CRANE}",
        BIRD: f"Crane_{BIRD}",
        "n00000001": "Siberian_husky",
        "n00000002": "head,_caput_n00000002",
        "n00000003": "head,_caput_n00000003",
    }


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [("name", "person,_individual"), ("short", "person"), ("code", PERSON)],
)
def test_labels(tmp_path: Path, labels: str, wanted: str) -> None:
    """Images and boxes of a category have the same class name, of each kind."""
    project = ExportProject(tmp_path, {PERSON: "person, individual"})
    project.add(PERSON, f"{PERSON}_1", None, (1, 1, 9, 9))
    dataset = project.dataset(labels=labels)
    assert (dataset.classes, dataset.labels) == ((wanted,), (wanted,))
    assert box_labels(project, labels=labels) == {wanted}


@pytest.mark.parametrize(
    "label",
    [COMPUTER, "mouse,_computer_mouse", "mouse, computer mouse", "computer mouse", "Computer_Mouse", "mouse"],
)
def test_label_of_a_selected_category(tmp_path: Path, label: str) -> None:
    """A label that is a code, name or synonym of a selected category is of its class."""
    project = ExportProject(tmp_path, {COMPUTER: "mouse, computer mouse"}, {MOUSE: "mouse"})
    project.add(COMPUTER, f"{COMPUTER}_1", None, (1, 1, 9, 9), label=label)
    dataset = project.dataset()
    assert dataset.labels == ("mouse,_computer_mouse",)
    assert not dataset.user_labels
    assert not dataset.not_selected


def test_ambiguous_label(tmp_path: Path) -> None:
    """A synonym of two selected categories is a class of its own."""
    project = ExportProject(tmp_path, {CRANE: "crane", BIRD: "crane"})
    project.add(CRANE, f"{CRANE}_1", None, (1, 1, 9, 9), label="crane")
    assert project.dataset().user_labels == ("crane",)
    assert box_labels(project) == {"crane"}


def test_categories_that_are_not_selected(tmp_path: Path) -> None:
    """Their boxes are left out, unless `--other_classes True` keeps them; labels of users always stay."""
    project = ExportProject(tmp_path, {COMPUTER: "mouse, computer mouse"}, {"n09436708": "sky, heavens"})
    for number, label in enumerate(("sky,_heavens", "n09436708", "n12345678", "wheel", "")):
        project.add(COMPUTER, f"{COMPUTER}_{number}", None, (1, 1, 9, 9), label=label)
    assert box_labels(project) == {"wheel", "mouse,_computer_mouse"}
    assert project.dataset().not_selected == {"sky,_heavens": 1, "n09436708": 1, "n12345678": 1}
    assert project.dataset().user_labels == ("wheel",)
    others = box_labels(project, other_classes=True, labels="short")
    assert others == {"wheel", "mouse", "sky", "n12345678"}


def test_sorted_classes(tmp_path: Path) -> None:
    """Classes are numbered in sorted order; without boxes, classes that have no image come last."""
    project = ExportProject(tmp_path, {CRANE: "crane", MOUSE: "mouse"})
    project.add(CRANE, f"{CRANE}_1", None, (1, 1, 9, 9), label="an apple")
    project.add(MOUSE, f"{MOUSE}_1")
    dataset = project.dataset()
    assert dataset.class_numbers == {"an apple": 0, "crane": 1, "mouse": 2}
    assert dataset.image_class_numbers == {"crane": 0, "mouse": 1, "an apple": 2}
