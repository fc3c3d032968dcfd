"""Class names: of categories, of boxes of other categories, and of labels that users wrote."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from tests.export.export_project import ExportProject, draw, lines, read_json, splits, stored
from utils.export import fingerprints
from utils.export.class_names import short_names
from utils.export.dataset import Dataset
from utils.export.formats import FORMATS
from utils.models.images import Box
from utils.models.rows import Category

HUSKY, MALAMUTE, DOG, CARTON = "n02110185", "n02110063", "n02084071", "n02971356"
MOUSE, COMPUTER, CRANE, BIRD = "n02330245", "n03793489", "n03126707", "n02012849"
PERSON = "n00007846"


def box_labels(project: ExportProject, **flags: object) -> set[str]:
    """Return the classes of all boxes."""
    return {box.label for item in project.dataset(**flags).items for box in item.boxes}


@pytest.fixture
def dogs(tmp_path: Path) -> ExportProject:
    """Make two kinds of dog of one class, and a carton; each image has a box of its category."""
    names = {HUSKY: "Siberian husky", MALAMUTE: "malamute, malemute", CARTON: "carton"}
    made = ExportProject(tmp_path, names, classes={HUSKY: "sled dog", MALAMUTE: "sled dog"})
    for code in names:
        for number in range(4):
            made.add(code, f"{code}_{number}", None, (1, 1, 9, 9))
    return made


def image_classes(dataset: Dataset) -> dict[str, str]:
    """Return the class of the images of each category."""
    return {item.wnid: item.label for item in dataset.items}


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


@pytest.mark.parametrize(("labels", "carton"), [("name", "carton"), ("short", "carton"), ("code", CARTON)])
def test_class_of_several_categories(dogs: ExportProject, labels: str, carton: str) -> None:
    """Categories with the same class are one class, of images and boxes; the others have their own."""
    dataset = dogs.dataset(labels=labels)
    assert image_classes(dataset) == {HUSKY: "sled dog", MALAMUTE: "sled dog", CARTON: carton}
    assert dataset.labels == dataset.classes == tuple(sorted((carton, "sled dog")))
    assert not dataset.user_labels
    assert not dataset.not_selected


def test_class_names_need_no_second_decoding(dogs: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of classes, images are neither decoded again nor moved to the other split."""
    before = splits(dogs.dataset())
    monkeypatch.setattr(fingerprints, "_hash", None)
    dogs.classes = {HUSKY: "carton"}
    dataset = dogs.dataset()
    assert set(image_classes(dataset).values()) == {"carton", "malamute,_malemute"}
    assert splits(dataset) == before


@pytest.mark.parametrize("name", ["carton", "Carton", CARTON])
@pytest.mark.parametrize("labels", ["name", "short", "code"])
def test_class_with_the_name_of_a_category(dogs: ExportProject, name: str, labels: str) -> None:
    """It is one class with that category, as the class is spelled."""
    dogs.classes[HUSKY] = name
    dataset = dogs.dataset(labels=labels)
    assert image_classes(dataset) == {HUSKY: name, CARTON: name, MALAMUTE: "sled dog"}
    assert set(dataset.labels) == {name, "sled dog"}


def test_class_with_the_name_of_a_category_that_has_another(dogs: ExportProject) -> None:
    """The category keeps its class, and boxes with its label are of its class."""
    dogs.classes = {HUSKY: "carton", CARTON: "box"}
    dataset = dogs.dataset()
    assert image_classes(dataset) == {HUSKY: "carton", CARTON: "box", MALAMUTE: "malamute,_malemute"}
    boxes = {(item.wnid, box.label) for item in dataset.items for box in item.boxes}
    assert (CARTON, "box") in boxes
    assert (HUSKY, "carton") in boxes


def test_class_with_the_name_of_an_ambiguous_category(tmp_path: Path) -> None:
    """Only the name that a category has in the export counts, so that both cranes can have a class."""
    project = ExportProject(tmp_path, {CRANE: "crane", BIRD: "crane"}, classes={CRANE: "crane"})
    for code in project.names:
        project.add(code, f"{code}_1")
    assert image_classes(project.dataset()) == {CRANE: "crane", BIRD: f"crane_{BIRD}"}


@pytest.mark.parametrize("label", ["sled dog", "sled_dog", "Sled Dog"])
def test_label_that_is_a_class(dogs: ExportProject, label: str) -> None:
    """A label that users wrote is the class with this name."""
    dogs.add(CARTON, f"{CARTON}_9", None, (1, 1, 9, 9), label=label)
    dataset = dogs.dataset()
    assert dataset.labels == ("carton", "sled dog")
    assert not dataset.user_labels


def test_label_of_several_categories_of_a_class(tmp_path: Path) -> None:
    """A synonym of two categories of one class is of that class."""
    classes = {CRANE: "crane or bird", BIRD: "crane or bird"}
    project = ExportProject(tmp_path, {CRANE: "crane", BIRD: "crane"}, classes=classes)
    project.add(CRANE, f"{CRANE}_1", None, (1, 1, 9, 9), label="crane")
    assert project.dataset().labels == ("crane or bird",)


def test_classes_of_categories_that_are_not_selected(tmp_path: Path) -> None:
    """Their boxes are left out like all of such categories, and kept as boxes of the class with a flag."""
    project = ExportProject(
        tmp_path, {HUSKY: "husky"}, {DOG: "dog"}, classes={HUSKY: "any dog", DOG: "any dog"}
    )
    project.add(HUSKY, f"{HUSKY}_1", None, (1, 1, 9, 9), label="dog")
    assert (project.dataset().labels, project.dataset().not_selected) == (("any dog",), {"dog": 1})
    assert box_labels(project) == set()
    assert box_labels(project, other_classes=True) == {"any dog"}


def test_label_of_another_category_that_is_a_class(tmp_path: Path) -> None:
    """A class counts before a category that is not selected, as the name of a selected category does."""
    project = ExportProject(tmp_path, {HUSKY: "husky"}, {DOG: "dog"}, classes={HUSKY: "dog"})
    project.add(HUSKY, f"{HUSKY}_1", None, (1, 1, 9, 9), label="dog")
    assert box_labels(project) == {"dog"}
    assert not project.dataset().not_selected


def test_boxes_of_one_class(dogs: ExportProject) -> None:
    """Boxes of two categories of one class that overlap stay two boxes."""
    path = dogs.add(HUSKY, f"{HUSKY}_9", None, (1, 1, 40, 40), (10, 10, 50, 50))
    xml = path.parents[1] / "Annotation" / f"{HUSKY}_9.xml"
    text = xml.read_text(encoding="utf-8")
    place = text.rindex("Siberian_husky")
    xml.write_text(text[:place] + "malamute,_malemute" + text[place + len("Siberian_husky") :])
    for items in (dogs.dataset().items, dogs.dataset().detection):
        (item,) = (one for one in items if one.record.image_code == f"{HUSKY}_9")
        assert item.boxes == (Box("sled dog", 1, 1, 40, 40), Box("sled dog", 10, 10, 50, 50))


@pytest.mark.parametrize("format_name", FORMATS)
def test_image_in_two_categories_of_a_class(dogs: ExportProject, format_name: str) -> None:
    """It is exported once, with the boxes of both; in categories of two classes, once for each class."""
    data = stored(draw(7))
    dogs.add(HUSKY, f"{HUSKY}_9", data, (1, 1, 9, 9))
    dogs.add(MALAMUTE, f"{HUSKY}_9", data, (1, 1, 9, 9), (20, 20, 30, 30))
    table = pd.read_csv(dogs.export(format_name) / "images.csv")
    (row,) = table[table["sha256"] == hashlib.sha256(data).hexdigest()].to_dict("records")
    assert (row["label"], row["boxes"]) == ("sled dog", 2)
    dogs.classes = {}
    table = pd.read_csv(dogs.export(format_name) / "images.csv")
    times = 1 if FORMATS[format_name].has_boxes else 2
    assert list(table["sha256"]).count(hashlib.sha256(data).hexdigest()) == times


@pytest.mark.parametrize("format_name", FORMATS)
def test_tables_of_classes(dogs: ExportProject, format_name: str) -> None:
    """images.csv has the class as label, and the wnid; labels.csv counts and numbers classes."""
    folder = dogs.export(format_name)
    images = pd.read_csv(folder / "images.csv")
    assert set(zip(images["wnid"], images["label"], strict=True)) == {
        (HUSKY, "sled dog"),
        (MALAMUTE, "sled dog"),
        (CARTON, "carton"),
    }
    labels = pd.read_csv(folder / "labels.csv", index_col="label")
    assert list(labels.index) == ["carton", "sled dog"]
    assert labels.filter(like="images").sum(axis="columns").tolist() == [4, 8]
    assert labels.filter(like="boxes").sum(axis="columns").tolist() == [4, 8]


def test_numbers_of_classes_are_the_same_everywhere(dogs: ExportProject) -> None:
    """Sorted class names have the same numbers in every format, whatever characters they contain."""
    dogs.classes = {HUSKY: "sled1", MALAMUTE: 'a: "b" # c', CARTON: "=1+1"}
    folder = dogs.export("yolo")
    pairs = [line.split(": ", 1) for line in lines(folder / "data.yaml") if line.startswith("  ")]
    names = {int(number): json.loads(name) for number, name in pairs}
    assert names == {0: "=1+1", 1: 'a: "b" # c', 2: "sled1"}
    coco = read_json(dogs.export("coco") / "annotations" / "instances_train.json")
    assert {one["id"] - 1: one["name"] for one in coco["categories"]} == names
    assert dict(enumerate(lines(dogs.export("webdataset") / "classes.txt"))) == names
    xml = next((dogs.export("voc") / "VOCdevkit" / "VOC2012" / "Annotations").glob(f"{MALAMUTE}_*"))
    assert ElementTree.parse(xml).findtext("object/name") == names[1]


def test_labels_of_own_photos(tmp_path: Path) -> None:
    """The label of an own photo is a class, even if a category that is not selected has this name."""
    project = ExportProject(tmp_path, {COMPUTER: "mouse, computer mouse"}, {"n09436708": "sky"})
    project.add(COMPUTER, f"{COMPUTER}_1", None, (1, 1, 9, 9), label="sky")
    assert box_labels(project) == set()
    path = project.add(COMPUTER, f"{COMPUTER}_2", None, (1, 1, 9, 9), label="sky")
    xml = path.parents[1] / "Annotation" / f"{COMPUTER}_2.xml"
    xml.rename(xml.with_name("my photo.xml"))
    path.rename(path.with_name("my photo.jpg"))
    dataset = project.dataset()
    assert dataset.user_labels == ("sky",)
    assert box_labels(project) == {"sky"}
