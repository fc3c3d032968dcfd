"""The choice of images: a number of each class, one of near-duplicates, none like those of other folders."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.export.export_project import ExportProject, draw, files, splits, stored
from tests.project import Project
from utils.errors import DatasetError, InputError
from utils.export import not_like
from utils.export.dataset import Dataset
from utils.export.notes import notes
from utils.models.images import ImageFormat
from utils.results.paths import RESULT_FOLDER

CUP, MUG, CARTON = "n03147509", "n03797390", "n02971356"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make three categories with 30, 5 and 1 different images; every third has a box."""
    made = ExportProject(tmp_path / "project", {CUP: "cup", MUG: "mug", CARTON: "carton"})
    for code, count in ((CUP, 30), (MUG, 5), (CARTON, 1)):
        for number in range(count):
            corners = [(1, 1, 40, 40)] if number % 3 == 0 else []
            made.add(code, f"{code}_{number}", None, *corners)
    return made


def codes(dataset: Dataset) -> set[str]:
    """Return the image codes in formats without boxes."""
    return {item.record.image_code for item in dataset.items}


def test_per_class(project: ExportProject) -> None:
    """Each class has at most so many images, on both sides; a larger number only adds images."""
    everything = splits(project.dataset(val_fraction=0.2))
    before: set[str] = set()
    for number in range(1, 12):
        dataset = project.dataset(val_fraction=0.2, per_class=number)
        assert Counter(item.label for item in dataset.items) == {
            "cup": number,
            "mug": min(number, 5),
            "carton": 1,
        }
        assert before < codes(dataset) or number > 5
        before = codes(dataset)
        assert splits(dataset).items() <= everything.items()
        if number > 1:
            cups = [item for item in dataset.items if item.label == "cup"]
            assert len({item.split for item in cups}) == 2


def test_boxed_images_come_first(project: ExportProject) -> None:
    """Formats about boxes prefer images with boxes; the others do not."""
    dataset = project.dataset(per_class=12, val_fraction=0)
    cups = [item for item in dataset.detection if item.label == "cup"]
    assert (len(cups), sum(bool(item.boxes) for item in cups)) == (12, 10)
    assert sum(bool(item.boxes) for item in dataset.items if item.label == "cup") < 10


def test_one_of_near_duplicates(project: ExportProject) -> None:
    """With `--near_duplicates False` the largest image of a group is exported, one with boxes first."""
    image = draw(1_000, (300, 200))
    large = project.add(CUP, f"{CUP}_100", stored(image.resize((600, 400))))
    project.add(MUG, f"{MUG}_100", stored(image))
    both = {f"{CUP}_100", f"{MUG}_100"}
    assert both <= codes(project.dataset())
    assert codes(project.dataset(near_duplicates=False)) & both == {f"{CUP}_100"}
    project.add(CARTON, f"{CARTON}_100", stored(image, quality=50), (1, 1, 40, 40))
    project.add(MUG, f"{CUP}_100", large.read_bytes())
    kept = project.dataset(near_duplicates=False)
    assert codes(kept) & (both | {f"{CARTON}_100"}) == {f"{CARTON}_100"}
    assert len(kept.items) == 37
    settings = project.settings(export=("imagefolder",))
    assert "Left out: 3 near-duplicates of exported images." in list(notes(kept, settings))


def test_image_in_two_categories_stays_in_both(project: ExportProject) -> None:
    """An image that two categories share is one image, and no near-duplicate of itself."""
    path = project.add(CUP, f"{CUP}_100", stored(draw(1_000)))
    project.add(MUG, f"{CUP}_100", path.read_bytes())
    kept = [item.label for item in project.dataset(near_duplicates=False).items]
    assert Counter(kept) == {"cup": 31, "mug": 6, "carton": 1}


def test_not_like(project: ExportProject, tmp_path: Path) -> None:
    """Images that look like one in another folder are left out, and listed with it."""
    other = tmp_path / "evaluation" / "below"
    other.mkdir(parents=True)
    copied = project.add(CUP, f"{CUP}_100", stored(draw(1_000, (300, 200))))
    (other / "small, gray.PNG").write_bytes(
        stored(draw(1_000, (300, 200)).resize((150, 100)).convert("L"), ImageFormat.PNG)
    )
    (other / "different.jpg").write_bytes(stored(draw(5_000)))
    (other / "broken.jpg").write_bytes(b"no image")
    (other / "._hidden.jpg").write_bytes(copied.read_bytes())
    folder = project.export("imagefolder", not_like=(other.parent,))
    assert not any(name.endswith(f"{CUP}_100.jpg") for name in files(folder))
    assert len(files(folder, ".jpg")) == 36
    (row,) = pd.read_csv(folder / "images_left_out.csv").to_dict("records")
    assert (row["image_code"], row["label"]) == (f"{CUP}_100", "cup")
    assert row["looks_like"] == str(other / "small, gray.PNG")
    assert 0 <= row["distance"] <= 8
    assert any("Flat or not decodable: 1 of them" in line for line in project.messages)
    assert not (project.export("imagefolder") / "images_left_out.csv").exists()


def test_identical_flat_image(project: ExportProject, tmp_path: Path) -> None:
    """Images without structure are compared by their bytes."""
    flat = stored(draw(0).point(lambda _: 128))
    project.add(CUP, f"{CUP}_100", flat)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "flat.jpg").write_bytes(flat)
    dataset = project.dataset(not_like=(tmp_path / "other",))
    assert [(item.record.image_code, one.distance) for item, one in dataset.left_out] == [(f"{CUP}_100", 0)]
    settings = project.settings(export=("imagefolder",))
    left_out = "Left out: 1 image, similar to images in --not_like; see images_left_out.csv."
    assert left_out in list(notes(dataset, settings))


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_folder_without_images(tmp_path: Path, kind: str) -> None:
    """A folder without images ends the command with one sentence."""
    folder = tmp_path / "other"
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.write_text("text")
    with pytest.raises(InputError, match=r"--not_like .*other.* Give a folder"):
        not_like.image_files([folder])


def test_links_and_pipes(tmp_path: Path) -> None:
    """Linked folders are read once, even in a loop; pipes and broken links are no images."""
    folder, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    for path in (folder / "below" / "a.jpg", elsewhere / "b.jpg"):
        path.parent.mkdir(parents=True)
        path.touch()
    (folder / "below" / "loop").symlink_to(folder)
    (folder / "linked").symlink_to(elsewhere)
    (folder / "broken.jpg").symlink_to(tmp_path / "missing.jpg")
    os.mkfifo(folder / "pipe.jpg")
    assert not_like.image_files([folder]) == [folder / "below" / "a.jpg", folder / "linked" / "b.jpg"]


def test_all_images_are_like_others(project: ExportProject) -> None:
    """If all images are left out, the message names the reason."""
    with pytest.raises(DatasetError, match="all images of the selected categories look like images in --not"):
        project.export("imagefolder", not_like=(project.path / RESULT_FOLDER,))


def test_export_in_another_export(project: ExportProject) -> None:
    """No export is written into another one, which the next export would remove with it."""
    outer = project.export("yolo")
    for inner in (outer, outer / "images" / "small"):
        with pytest.raises(InputError, match=r"is in another export, .*_yolo. Name another folder"):
            project.export("coco", export_dir=inner)


def test_export_dir(project: ExportProject, tmp_path: Path) -> None:
    """Exports go to their own folder, so that two sets stand side by side, with one split."""
    small = project.export("yolo", export_dir=tmp_path / "a" / "small", per_class=3)
    whole = project.export("yolo")
    assert small == tmp_path / "a" / "small" / "yolo"
    assert whole == project.path / "partial_imagenet_yolo"
    images = set(files(small / "images"))
    assert images < set(files(whole / "images"))
    assert len(images) == 7


def test_bad_export_folders(project: ExportProject, tmp_path: Path) -> None:
    """A file, or a folder in the result folder, is refused before anything is downloaded."""
    run = Project(tmp_path)
    run.category(CUP, "cup")
    run.url(f"{CUP}_1", "http://127.0.0.1:9/1")
    (tmp_path / "file").write_text("text")
    cases = {
        tmp_path / "file": "is a file",
        tmp_path / "file" / "below": "is a file",
        run.result / "exports": "is in the result folder",
    }
    for place, why in cases.items():
        done = run.run("--parallel", "False", "--export", "yolo", "--export_dir", str(place))
        assert (done.code, done.out) == (2, "")
        assert why in done.err
        assert "Traceback" not in done.err
    assert not run.result.exists()


@pytest.mark.parametrize("format_name", ["coco", "voc", "yolo", "imagefolder", "webdataset"])
def test_max_side(tmp_path: Path, format_name: str) -> None:
    """Larger images are reduced with their boxes; smaller ones are linked, and the split does not change."""
    project = ExportProject(tmp_path, {CUP: "cup"})
    image = draw(1, (400, 200))
    image.paste((255, 0, 0), (100, 40, 200, 120))
    for number, kind in enumerate((ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.GIF, ImageFormat.WEBP)):
        project.add(CUP, f"{CUP}_{number}", stored(image, kind), (100, 40, 199, 119), kind=kind)
    small = project.add(CUP, f"{CUP}_9", stored(draw(2, (90, 60))), (1, 1, 9, 9))
    whole = project.dataset(val_fraction=0)
    dataset = project.dataset(val_fraction=0, max_side=100)
    assert splits(dataset) == splits(whole)
    for item in dataset.items[:4]:
        assert (item.picture.width, item.picture.height) == (100, 50)
        (box,) = item.boxes
        assert (box.xmin, box.ymin, box.xmax, box.ymax) == (25, 10, 49, 29)
    folder = project.export(format_name, val_fraction=0, max_side=100)
    table = pd.read_csv(folder / "images.csv")
    assert sorted(zip(table["width"], table["height"], strict=True)) == [(90, 60)] + [(100, 50)] * 4
    for path in folder.rglob("*.[jp][pn]g"):
        with Image.open(path) as exported:
            if path.stem == f"{CUP}_9":
                assert path.samefile(small)
                continue
            assert exported.size == (100, 50)
            pixels = exported.convert("RGB")
            assert all(abs(a - b) < 60 for a, b in zip(pixels.getpixel((37, 20)), (255, 0, 0), strict=True))


def test_tiny_boxes_stay(tmp_path: Path) -> None:
    """A box that would be smaller than a pixel keeps two; the smallest image has one pixel."""
    project = ExportProject(tmp_path, {CUP: "cup"})
    project.add(CUP, f"{CUP}_1", stored(draw(1, (400, 200))), (0, 0, 1, 1), (397, 197, 399, 199))
    (item,) = project.dataset(max_side=20).items
    assert [(box.xmin, box.ymin, box.xmax, box.ymax) for box in item.boxes] == [(0, 0, 1, 1), (18, 8, 19, 9)]
    project.add(CUP, f"{CUP}_2", stored(draw(2, (400, 20))), (0, 0, 300, 19))
    item = project.dataset(max_side=10).items[1]
    assert (item.picture.width, item.picture.height, item.boxes) == (10, 1, ())
