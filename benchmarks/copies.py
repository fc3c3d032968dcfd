"""Take half of the images from a copy of ImageNet, in five layouts, compared with decoding alone."""

from __future__ import annotations

import io
import json
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from . import decoding, input_files, pictures, process_cost, tables
from .bench import Bench, opened
from .downloaders import Job, our_command_for_existing_files
from .errors import BenchmarkError
from .input_files import IMAGES_EACH, wnid
from .targets import Target
from .tools import Tools

CATEGORIES, WANTED = 8, 4
ROUNDS = 2
ROW_GROUP, SHARDS = 100, 8
GOAL = 1.1
Writer = Callable[[Path, Mapping[str, bytes]], None]


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table."""
    rows = [["layout", "wall s", "decoding alone s", "ratio", "again s", "CPU ms/image"]]
    ratios = {}
    with opened(tools, CATEGORIES * IMAGES_EACH, folder) as bench:
        print(
            f"{bench.machine()}; {WANTED * IMAGES_EACH:,} of {CATEGORIES * IMAGES_EACH:,} images", flush=True
        )
        for layout, write in LAYOUTS.items():
            copy = bench.folder / "copy"
            copy.mkdir()
            write(copy, _images(bench.pictures))
            walls, again, floors, processor = [], [], [], []
            for _round in range(ROUNDS):
                floors.append(decoding.seconds(bench.pictures, WANTED * IMAGES_EACH))
                first, second = _measure(bench, copy)
                walls.append(first.wall)
                processor.append(first.processor)
                again.append(second.wall)
            shutil.rmtree(copy)
            ratios[layout] = min(walls) / min(floors)
            numbers = (min(walls), min(floors), ratios[layout], min(again))
            per_image = min(processor) / (WANTED * IMAGES_EACH) * 1000
            rows.append([layout, *(f"{number:.2f}" for number in numbers), f"{per_image:.2f}"])
    print(f"\n{tables.aligned(rows)}\n")
    for layout, ratio in ratios.items():
        print(Target(f"{layout}: wall time / reading and decoding alone", GOAL, ratio).line())
    return 0


def _measure(bench: Bench, copy: Path) -> tuple[process_cost.Cost, process_cost.Cost]:
    """Take the images into a new folder, and again into the same."""
    job = Job(bench.folder / "job", ())
    job.output.mkdir(parents=True)
    codes = {wnid(number): f"thing {number}" for number in range(CATEGORIES)}
    input_files.write_categories(job.folder / "ncodes.csv", codes, list(codes)[:WANTED])
    command = [*our_command_for_existing_files(job), "--copy", copy]
    environment = {**bench.tools.environment(), "XDG_CACHE_HOME": str(job.folder / "cache")}
    log = job.folder / "screen.log"
    try:
        first, second = (
            process_cost.run(command, environment=environment, folder=job.folder, log=log)
            for _run in range(2)
        )
        saved = sum(1 for _ in job.output.glob("partial_imagenet/*/Images/*"))
        if saved != WANTED * IMAGES_EACH:
            raise BenchmarkError(f"{saved:,} images were saved: {log.read_text(encoding='utf-8')[-500:]}")
    finally:
        shutil.rmtree(job.folder)
    return first, second


def _images(folder: Path) -> dict[str, bytes]:
    """Return the images by image code; those of a category have consecutive numbers."""
    numbers = range(CATEGORIES * IMAGES_EACH)
    return {
        f"{wnid(number // IMAGES_EACH)}_{number}": pictures.picture_file(folder, number).read_bytes()
        for number in numbers
    }


def _class_folders(copy: Path, images: Mapping[str, bytes]) -> None:
    for code, data in images.items():
        path = copy / "train" / code[:9] / f"{code}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _tar_of_tars(copy: Path, images: Mapping[str, bytes]) -> None:
    codes = sorted({code[:9] for code in images})
    with (copy / "ILSVRC2012_img_train.tar").open("wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for wnid_ in codes:
            of_category = ((f"{code}.JPEG", data) for code, data in images.items() if code[:9] == wnid_)
            inner = io.BytesIO()
            _write_tar(inner, of_category)
            _add(tar, f"{wnid_}.tar", inner.getvalue())


def _zip(copy: Path, images: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(copy / "kaggle.zip", "w", zipfile.ZIP_STORED) as archive:
        for code, data in images.items():
            archive.writestr(f"ILSVRC/Data/CLS-LOC/train/{code[:9]}/{code}.JPEG", data)


def _shards(copy: Path, images: Mapping[str, bytes]) -> None:
    shuffled = _shuffled(images)
    for shard in range(SHARDS):
        with (copy / f"imagenet22k-train-{shard:04}.tar").open("wb") as file:
            _write_tar(
                file,
                (
                    member
                    for code in shuffled[shard::SHARDS]
                    for member in (
                        (f"{code}.jpg", images[code]),
                        (f"{code}.json", json.dumps({"class_name": code[:9]}).encode()),
                    )
                ),
            )


def _parquet(copy: Path, images: Mapping[str, bytes]) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [
        {"image": {"bytes": images[code], "path": f"{code}_{code[:9]}.JPEG"}, "label": int(code[1:9])}
        for code in _shuffled(images)
    ]
    file = copy / "train-00000-of-00001.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=ROW_GROUP)


LAYOUTS: dict[str, Writer] = {
    "class folders": _class_folders,
    "tar of tars": _tar_of_tars,
    "zip": _zip,
    "WebDataset shards": _shards,
    "parquet": _parquet,
}


def _shuffled(images: Mapping[str, bytes]) -> list[str]:
    codes = list(images)
    random.Random(1).shuffle(codes)
    return codes


def _write_tar(file: io.BufferedIOBase, members: Iterable[tuple[str, bytes]]) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in members:
            _add(tar, name, data)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
