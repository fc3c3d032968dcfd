"""Small copies of ImageNet in every layout, made from other pictures."""

from __future__ import annotations

import functools
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

from demo.input_files import tar
from tests.project import OBJECT, XML
from utils.copies.members import DEVKIT_LABELS

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
        f"{code}.tar": tar({f"{image_code}.JPEG": data for image_code, data in images.items()})
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


def all_images() -> dict[str, dict[str, bytes]]:
    """Return the images of each category, training images first."""
    validation = {
        code: {one: VALIDATION[one] for one, of in VALIDATION_CODES.items() if of == code} for code in LABELS
    }
    return {
        code: dict(sorted(TRAINING[code].items(), key=lambda one: int(one[0].rpartition("_")[2])))
        | validation[code]
        for code in LABELS
    }


def boxes(top: str = "") -> dict[str, bytes]:
    """Return Kaggle's boxes only."""
    return {top + name: data for name, data in kaggle().items() if name.endswith(".xml")}


def _tars(folder: Path) -> None:
    write_files(folder, category_tars())
    write_files(folder, {"ILSVRC2012_img_val.tar": tar(flat_validation())})


def _tar_of_tars(folder: Path) -> None:
    files = {
        "ILSVRC2012_img_train.tar": tar(category_tars()),
        "ILSVRC2012_img_val.tar": tar(flat_validation()),
        "ILSVRC2012_devkit_t12.tar.gz": gzip.compress(
            tar({f"ILSVRC2012_devkit_t12/data/{DEVKIT_LABELS}": devkit_labels()})
        ),
    }
    write_files(folder, files)


def _compressed_tar_of_tars(folder: Path) -> None:
    tars = {f"winter21_whole/{name}": data for name, data in category_tars().items()}
    write_files(folder, {"winter21_whole.tar.gz": gzip.compress(tar(tars))})
    write_files(folder, {"ILSVRC2012_img_val.tar.gz": gzip.compress(tar(flat_validation()))})


def _class_folders(folder: Path) -> None:
    write_files(folder, class_folders())
    write_files(folder, {f"val/{code}/{one}.JPEG": VALIDATION[one] for one, code in VALIDATION_CODES.items()})


def _tar_of_class_folders(folder: Path) -> None:
    write_files(folder, {"imagenet.tar": tar({**class_folders("./train/"), **flat_validation("./val/")})})


def _kaggle(folder: Path) -> None:
    write_files(folder, kaggle())


def _kaggle_zip(folder: Path) -> None:
    write_files(folder, {"imagenet-object-localization-challenge.zip": zip_of(kaggle())})


def _shards(folder: Path, *, named: bool) -> None:
    members = list(shard_samples(named=named).items())
    for number in range(3):  # samples of three members, in turn
        chosen = [one for place, one in enumerate(members) if place // 3 % 3 == number]
        write_files(folder, {f"imagenet-train-{number:04d}.tar": tar(dict(chosen))})


def _parquet(folder: Path) -> None:
    rows = parquet_rows()
    write_parquet(folder / "data/train-00000-of-00002.parquet", rows[:5])
    write_parquet(folder / "data/train-00001-of-00002.parquet", rows[5:])
    write_parquet(folder / "data/validation-00000-of-00001.parquet", validation_rows())


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "tars": _tars,
    "tar of tars": _tar_of_tars,
    "compressed tar of tars": _compressed_tar_of_tars,
    "class folders": _class_folders,
    "tar of class folders": _tar_of_class_folders,
    "Kaggle": _kaggle,
    "Kaggle's zip": _kaggle_zip,
    "shards with class names": functools.partial(_shards, named=True),
    "shards with labels": functools.partial(_shards, named=False),
    "parquet": _parquet,
}
"""Functions that write all images, training and validation, into a folder."""
