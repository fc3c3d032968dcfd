"""COCO exports, read by pycocotools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.export.export_project import ExportProject, files
from tests.readers import truth
from tests.readers.truth import VAL_FRACTION, SeenBox


def seen(coco: COCO) -> dict[str, list[SeenBox]]:
    """Return the boxes in a JSON file, by image code."""
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    found = {}
    for image in coco.loadImgs(coco.getImgIds()):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
        boxes = [(names[one["category_id"]], *one["bbox"]) for one in annotations]
        found[Path(image["file_name"]).stem] = [
            SeenBox(name, x, y, x + width, y + height) for name, x, y, width, height in boxes
        ]
    return found


@pytest.mark.parametrize("labels", ["name", "code"])
def test_same_images_boxes_and_labels(any_project: ExportProject, labels: str) -> None:
    """Both splits together have all images and boxes, and each image has the size in the JSON."""
    folder = any_project.export("coco", val_fraction=VAL_FRACTION, labels=labels)
    read: dict[str, list[SeenBox]] = {}
    for side in ("train", "val"):
        coco = COCO(folder / "annotations" / f"instances_{side}.json")
        for image in coco.loadImgs(coco.getImgIds()):
            with Image.open(folder / side / image["file_name"]) as opened:
                assert opened.size == (image["width"], image["height"])
        assert len(coco.getImgIds()) == len(files(folder / side))
        assert not read.keys() & seen(coco).keys()
        read |= seen(coco)
    truth.assert_same(read, truth.boxes(any_project, labels=labels))


def test_perfect_detections_have_precision_one(project: ExportProject) -> None:
    """Detections equal to the annotations have an average precision of 1."""
    coco = COCO(project.export("coco", val_fraction=0) / "annotations" / "instances_train.json")
    detected = [
        {key: one[key] for key in ("image_id", "category_id", "bbox")} | {"score": 1.0}
        for one in coco.loadAnns(coco.getAnnIds())
    ]
    evaluation = COCOeval(coco, coco.loadRes(detected), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert np.isclose(evaluation.stats[0], 1.0)


def test_masks_are_boxes(project: ExportProject) -> None:
    """The mask of an annotation, which some readers require, is exactly its box."""
    coco = COCO(project.export("coco", val_fraction=0) / "annotations" / "instances_train.json")
    for one in coco.loadAnns(coco.getAnnIds()):
        x, y, width, height = one["bbox"]
        mask = coco.annToMask(one)
        assert mask[y : y + height, x : x + width].all()
        assert mask.sum() == width * height == one["area"]
