"""COCO, Pascal VOC and YOLO exports, read by datumaro."""

from __future__ import annotations

import datumaro
import numpy as np
import pytest
from datumaro.util.image import ImageBackend, ImageColorChannel, decode_image_context

from tests.export.export_project import ExportProject
from tests.readers import truth
from tests.readers.truth import VAL_FRACTION, SeenBox

FORMATS = {"coco": "mmdet_coco", "voc": "voc", "yolo": "yolo"}
"""datumaro's name of each format."""


@pytest.mark.parametrize("name", FORMATS)
def test_detection(any_project: ExportProject, name: str) -> None:
    """Every image has its stored pixels, its boxes and their classes, numbered as elsewhere.

    datumaro does not subtract 1 from Pascal VOC's coordinates of the left and the upper edge.
    """
    folder = any_project.export(name, val_fraction=VAL_FRACTION)
    data = datumaro.Dataset.import_from(str(folder), FORMATS[name])
    names = [one.name for one in data.categories()[datumaro.AnnotationType.label]]
    assert names == list(truth.class_numbers(any_project, of_boxes=True))
    pixels, boxes = {}, {}
    for item in data:
        with decode_image_context(ImageBackend.cv2, ImageColorChannel.COLOR_RGB):
            pixels[item.id] = item.media.data.astype(np.uint8)
        found = [one for one in item.annotations if one.type is datumaro.AnnotationType.bbox]
        corners = [np.array(one.points) - ([1, 1, 0, 0] if name == "voc" else 0) for one in found]
        boxes[item.id] = [
            SeenBox(names[one.label], *edges.tolist()) for one, edges in zip(found, corners, strict=True)
        ]
    truth.assert_same(boxes, truth.boxes(any_project))
    truth.assert_same_pixels(pixels, any_project)
