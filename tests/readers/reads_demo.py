"""The YOLO export of the demo, read by supervision."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import supervision
import yaml

ROOT = Path(__file__).resolve().parents[2]
BOXED_IMAGES = 24


def test_export_of_the_demo() -> None:
    """The demo runs, and supervision reads its YOLO export."""
    finished = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    folder = ROOT / "demo" / "result" / "partial_imagenet_yolo"
    described = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    sides = {Path(described[side]).name for side in ("train", "val")}
    found = [
        (path, [dataset.classes[number] for number in detections.class_id])
        for side in sides
        for dataset in [
            supervision.DetectionDataset.from_yolo(
                str(folder / "images" / side), str(folder / "labels" / side), str(folder / "data.yaml")
            )
        ]
        for path, _, detections in dataset
    ]
    assert len({path for path, _ in found}) == len(found) == BOXED_IMAGES
    assert all(labels for _, labels in found)
    assert {"sky", "cup_n03147509"} <= {label for _, labels in found for label in labels}
