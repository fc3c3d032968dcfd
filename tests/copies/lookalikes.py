"""Small copies of ImageNet in every layout, made from other pictures."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

from PIL import Image, ImageDraw

from tests.project import OBJECT, XML

FISH, SHARK, DOG = "n01440764", "n01484850", "n02085620"
"""Tench, great white shark and Chihuahua: the labels 0, 2 and 151 of ILSVRC."""
LABELS = {FISH: 0, SHARK: 2, DOG: 151}
IDS = {FISH: 449, SHARK: 442, DOG: 173}
SIZE = (96, 72)


def jpeg(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    """Return a picture of its own for each seed."""
    picture = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256))
    draw = ImageDraw.Draw(picture)
    for line in range(12):
        draw.line(
            ((line * 9 + seed * 13) % size[0], 0, (line * 23 + seed * 7) % size[0], size[1]),
            fill=(line * 20, seed * 17 % 256, 255 - line * 20),
            width=2,
        )
    draw.text((5, 20), f"{seed}", fill="white")
    stored = io.BytesIO()
    picture.save(stored, "JPEG", quality=90)
    return stored.getvalue()


TRAINING = {
    code: {f"{code}_{number}": jpeg(1000 * index + number) for number in (12, 3, 100)}
    for index, code in enumerate((FISH, SHARK, DOG))
}
"""Image codes and images of each category; the numbers are not sorted."""
VALIDATION = {f"ILSVRC2012_val_{number:08d}": jpeg(5000 + number) for number in range(1, 7)}
VALIDATION_CODES = dict(zip(VALIDATION, (DOG, FISH, SHARK, DOG, FISH, SHARK), strict=True))
BOX = (10, 8, 60, 50)


def xml(image_code: str, code: str, size: tuple[int, int] = SIZE) -> bytes:
    """Return the boxes of an image."""
    objects = OBJECT.format(*BOX, name=code)
    return XML.format(
        wnid=code, image_code=image_code, width=size[0], height=size[1], objects=objects
    ).encode()


def tar_of(files: dict[str, bytes]) -> bytes:
    """Return a tar."""
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stored.getvalue()


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def class_folders(top: str = "train/") -> dict[str, bytes]:
    """Return the training images in class folders."""
    return {
        f"{top}{code}/{image_code}.JPEG": data
        for code, images in TRAINING.items()
        for image_code, data in images.items()
    }


def category_tars() -> dict[str, bytes]:
    """Return a tar of each category."""
    return {
        f"{code}.tar": tar_of({f"{image_code}.JPEG": data for image_code, data in images.items()})
        for code, images in TRAINING.items()
    }


def kaggle_labels() -> bytes:
    """Return Kaggle's table of the validation images."""
    rows = (f"{image},{code} {' '.join(map(str, BOX))} " for image, code in VALIDATION_CODES.items())
    return "\n".join(["ImageId,PredictionString", *rows, ""]).encode()


def devkit_labels() -> bytes:
    """Return the devkit's ids of the validation images."""
    return "".join(f"{IDS[code]}\n" for code in VALIDATION_CODES.values()).encode()


def flat_validation(top: str = "") -> dict[str, bytes]:
    """Return the validation images."""
    return {f"{top}{image_code}.JPEG": data for image_code, data in VALIDATION.items()}


def kaggle() -> dict[str, bytes]:
    """Return Kaggle's download: class folders, a validation set, boxes and labels."""
    data, boxes = "ILSVRC/Data/CLS-LOC/", "ILSVRC/Annotations/CLS-LOC/"
    trained = {
        f"{boxes}train/{code}/{image_code}.xml": xml(image_code, code)
        for code, images in TRAINING.items()
        for image_code in list(images)[:2]
    }
    validated = {f"{boxes}val/{image}.xml": xml(image, code) for image, code in VALIDATION_CODES.items()}
    return {
        **class_folders(f"{data}train/"),
        **flat_validation(f"{data}val/"),
        **trained,
        **validated,
        "LOC_val_solution.csv": kaggle_labels(),
        f"{data}test/ILSVRC2012_test_00000001.JPEG": jpeg(9999),
    }


def zip_of(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stored.getvalue()


def shard_samples(*, named: bool) -> dict[str, bytes]:
    """Return the members of shards: of ImageNet-22k (`named`: class_name tells the category) or -1k."""
    members: dict[str, bytes] = {}
    labelled = [(one, code) for code, images in TRAINING.items() for one in images]
    pictures = {**VALIDATION, **{one: data for images in TRAINING.values() for one, data in images.items()}}
    for image_code, code in [*labelled, *VALIDATION_CODES.items()]:
        about: dict[str, object] = {"label": LABELS[code], "width": SIZE[0], "height": SIZE[1]}
        if named:
            about["class_name"] = code
        members[f"{image_code}.jpg"] = pictures[image_code]
        members[f"{image_code}.json"] = json.dumps(about).encode()
        members[f"{image_code}.cls"] = str(LABELS[code]).encode()
    return members


def parquet_rows() -> list[dict[str, object]]:
    """Return the Hub's rows, of all categories in turn; in the validation files paths name the category."""
    rows: list[dict[str, object]] = []
    for number in range(3):
        for code, images in TRAINING.items():
            image_code = list(images)[number]
            path = f"{image_code}_{code}.JPEG"
            rows.append({"image": {"bytes": images[image_code], "path": path}, "label": LABELS[code]})
    return rows


def validation_rows() -> list[dict[str, object]]:
    """Return the rows of the Hub's validation files."""
    return [
        {"image": {"bytes": VALIDATION[one], "path": f"{one}_{code}.JPEG"}, "label": LABELS[code]}
        for one, code in VALIDATION_CODES.items()
    ]


def write_parquet(path: Path, rows: list[dict[str, object]], row_group_size: int = 2) -> None:
    """Write a parquet file."""
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=row_group_size)
