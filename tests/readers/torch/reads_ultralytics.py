"""YOLO exports, read and trained on by Ultralytics."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ultralytics import YOLO
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset, load_dataset_cache_file
from ultralytics.utils.patches import imread

from tests.export.export_project import ExportProject
from tests.readers import truth
from tests.readers.snippets import PAGE
from tests.readers.truth import VAL_FRACTION, SeenBox


def test_labels(any_project: ExportProject) -> None:
    """No image or label is corrupt, repaired or changed; all boxes, numbers and pixels are right."""
    folder = any_project.export("yolo", val_fraction=VAL_FRACTION)
    data = check_det_dataset(folder / "data.yaml", autodownload=False)
    numbers = truth.class_numbers(any_project, of_boxes=True)
    assert {name: number for number, name in data["names"].items()} == numbers == truth.ids(folder)
    pixels, boxes = {}, {}
    for side in ("train", "val"):
        labels = YOLODataset(data[side], data=data, task="detect", augment=False).labels
        cache = load_dataset_cache_file(folder / "labels" / f"{side}.cache")
        empty = sum(not len(one["cls"]) for one in labels)
        assert cache["results"] == (len(labels), 0, empty, 0, len(labels))
        assert not cache["msgs"]
        for one in labels:
            code = Path(one["im_file"]).stem
            pixels[code] = imread(one["im_file"])[..., ::-1]
            assert one["shape"] == pixels[code].shape[:2]
            scale = np.array(one["shape"][::-1] * 2)
            boxes[code] = [
                SeenBox(data["names"][int(number)], *_corners(box * scale))
                for number, box in zip(one["cls"][:, 0], one["bboxes"], strict=True)
            ]
    truth.assert_same(boxes, truth.boxes(any_project))
    truth.assert_same_pixels(pixels, any_project)


def _corners(box: np.ndarray) -> list[float]:
    x, y, width, height = box.tolist()
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def test_train(project: ExportProject, tmp_path: Path) -> None:
    """The command in docs/exports.md trains a small network, and validates it on all boxes.

    Its weights are not downloaded, and there is one epoch, with small images.
    """
    flags = {"val_fraction": VAL_FRACTION, "export_unannotated": False}
    folder = project.export("yolo", **flags)
    command = re.search(r"^yolo detect train (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    options = dict(word.split("=") for word in command[1].split())
    data = options["data"].replace("$PWD", str(folder.parent))
    metrics = YOLO(Path(options["model"]).with_suffix(".yaml")).train(
        data=data, epochs=1, imgsz=64, workers=0, device="cpu", plots=False, project=tmp_path
    )
    validated = [item for item in project.dataset(**flags).detection if item.split.value == "val"]
    assert sum(metrics.nt_per_class) == sum(len(item.boxes) for item in validated) > 0
