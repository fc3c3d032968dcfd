"""Image folders, read by Keras."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from tests.export.export_project import ExportProject
from tests.readers import truth
from tests.readers.truth import VAL_FRACTION

SIZE = (72, 96)


def test_folder(any_project: ExportProject) -> None:
    """Both sides number all classes alike, and every image has its class and its stored pixels."""
    folder = any_project.export("imagefolder", val_fraction=VAL_FRACTION)
    numbers = truth.class_numbers(any_project, of_boxes=False)
    true, classes = truth.pictures(any_project), {}
    for side in ("train", "val"):
        data = keras.utils.image_dataset_from_directory(
            folder / side, image_size=SIZE, batch_size=None, shuffle=False, format="grain"
        )
        assert data.class_names == list(numbers)
        for path, (image, number) in zip(data.file_paths, data, strict=True):
            code = Path(path).stem
            classes[code] = data.class_names[int(number)]
            if true[code].size == SIZE[::-1]:
                assert np.abs(np.asarray(image) - np.asarray(true[code])).mean() < 1.5
    assert classes == truth.classes(any_project)
