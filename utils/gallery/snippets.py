"""How the result folder and its exports are loaded, in a few lines each.

The lines are run from the folder in which `partial_imagenet/` lies.
"""

from __future__ import annotations

from ..results.paths import RESULT_FOLDER

RAW = f"""\
from pathlib import Path
from xml.etree import ElementTree
from PIL import Image

SIDES = ("xmin", "ymin", "xmax", "ymax")
for path in sorted(Path("{RESULT_FOLDER}").glob("*/Images/*")):
    image, label = Image.open(path).convert("RGB"), path.parents[1].name
    xml = path.parents[1] / "Annotation" / f"{{path.stem}}.xml"
    drawn = ElementTree.parse(xml).iter("object") if xml.exists() else ()
    boxes = [(o.findtext("name"), [int(o.findtext(f"bndbox/{{side}}")) for side in SIDES]) for o in drawn]"""

YOLO = """\
from ultralytics import YOLO

YOLO("yolo11n.pt").train(data="partial_imagenet_yolo/data.yaml", epochs=50)"""

COCO = """\
from pycocotools.coco import COCO

coco = COCO("partial_imagenet_coco/annotations/instances_train.json")
for image in coco.loadImgs(coco.getImgIds()):
    path = f"partial_imagenet_coco/train/{image['file_name']}"
    boxes = [one["bbox"] for one in coco.loadAnns(coco.getAnnIds(image["id"]))]"""

VOC = """\
from torchvision.datasets import VOCDetection

for image, target in VOCDetection("partial_imagenet_voc", year="2012", image_set="train"):
    boxes = [one["bndbox"] for one in target["annotation"].get("object", [])]  # counted from 1"""

IMAGEFOLDER = """\
from datasets import load_dataset

data = load_dataset("partial_imagenet_imagefolder").class_encode_column("label")
print(data, data["train"][0])"""

WEBDATASET = """\
from pathlib import Path
import webdataset

shards = sorted(map(str, Path("partial_imagenet_webdataset").glob("train-*.tar")))
for sample in webdataset.WebDataset(shards, shardshuffle=False).decode("pil"):
    print(sample["__key__"], sample["json"])"""

EXPORTS = {"yolo": YOLO, "coco": COCO, "voc": VOC, "imagefolder": IMAGEFOLDER, "webdataset": WEBDATASET}
"""By the word of `--export`."""
