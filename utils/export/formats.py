"""The registry of export formats; a new format is a module with a `FORMAT`, and an entry here."""

from __future__ import annotations

from . import coco, imagefolder, voc, webdataset, yolo

FORMATS = {module.FORMAT.name: module.FORMAT for module in (yolo, coco, voc, imagefolder, webdataset)}
