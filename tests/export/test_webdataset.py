"""Shards of WebDataset exports; `tests/readers` loads them with `webdataset` and `datasets`."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from tests.export.export_project import ExportProject, files, lines, read_json
from utils.export import webdataset
from utils.models.images import ImageFormat

CUP, CARTON = "n03147509", "n02971356"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make two categories: an image with boxes, one without, and a PNG with a box."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton, it's"})
    made.add(CUP, f"{CUP}_1", None, (0, 0, 95, 71), (10, 20, 29, 59))
    made.add(CUP, f"{CUP}_2")
    made.add(CARTON, f"{CARTON}_1", None, (1, 2, 3, 4), kind=ImageFormat.PNG)
    return made


def members(shard: Path) -> list[tuple[str, bytes]]:
    """Read all members of a tar."""
    with tarfile.open(shard) as tar:
        return [(one.name, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]


def lengths(folder: Path, split: str = "train") -> list[int]:
    """Return the number of samples of each shard."""
    return [len(members(path)) // 3 for path in sorted(folder.glob(f"{split}-*.tar"))]


def many(path: Path, images: int) -> ExportProject:
    """Make a category with so many images; only the last ones have boxes."""
    made = ExportProject(path, {CUP: "cup"})
    for number in range(images):
        made.add(CUP, f"{CUP}_{number}", None, *[(1, 2, 3, 4)] * (number > images - 3))
    return made


def test_samples(project: ExportProject) -> None:
    """Each sample has its three parts in sequence, and equal images give equal shards."""
    folder = project.export("webdataset", val_fraction=0)
    shards = sorted(folder.glob("*.tar"))
    for shard in shards:
        with tarfile.open(shard) as tar:
            assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
    contents = dict(member for shard in shards for member in members(shard))
    assert [Path(name).suffix for name in contents] == [".jpg", ".cls", ".json"] * 3
    assert contents[f"{CUP}_1.cls"] == b"1"
    assert lines(folder / "classes.txt") == ["carton,_it's", "cup"]
    described = json.loads(contents[f"{CARTON}_1.json"])
    assert described["boxes"] == [{"label": "carton,_it's", "bbox": [1, 2, 3, 3]}]
    with Image.open(io.BytesIO(contents[f"{CARTON}_1.jpg"])) as image:
        assert image.format == "PNG"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = project.export("webdataset", val_fraction=0)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == before


@pytest.mark.parametrize(
    ("images", "expected"), [(1, [1]), (7, [1] * 7), (8, [1] * 8), (9, [1] * 7 + [2]), (20, [2, 3] * 4)]
)
def test_shards_for_several_processes(tmp_path: Path, images: int, expected: list[int]) -> None:
    """A split has eight shards, or one for each of fewer images, and they differ by one sample at most."""
    assert lengths(many(tmp_path, images).export("webdataset", val_fraction=0)) == expected


def test_limits_of_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are more shards if they would exceed a number of samples or of bytes."""
    project = many(tmp_path, 20)
    monkeypatch.setattr(webdataset, "MAX_SAMPLES", 2)
    assert lengths(project.export("webdataset", val_fraction=0)) == [2] * 10
    sizes = sorted(item.record.picture.bytes for item in project.dataset().items)
    monkeypatch.setattr(webdataset, "MAX_BYTES", sizes[-1])
    assert lengths(project.export("webdataset", val_fraction=0)) == [1] * 20


def test_info(tmp_path: Path) -> None:
    """_info.json lists the shards of each split with their samples, as timm reads it."""
    folder = many(tmp_path, 20).export("webdataset", val_fraction=0.4)
    info = read_json(folder / "_info.json")["splits"]
    assert list(info) == ["train", "val"]
    for name, split in info.items():
        assert split["name"] == name
        assert split["filenames"] == [path for path in files(folder, ".tar") if path.startswith(name)]
        assert split["shard_lengths"] == lengths(folder, name)
        assert split["num_samples"] == sum(lengths(folder, name))


def test_first_sample_has_boxes(tmp_path: Path) -> None:
    """The first sample of a split has boxes if any has, so that readers can infer their type."""
    folder = many(tmp_path, 40).export("webdataset", val_fraction=0)
    first = dict(members(folder / "train-000000.tar")[:3])
    described = json.loads(next(data for name, data in first.items() if name.endswith(".json")))
    assert described["boxes"] == [{"label": "cup", "bbox": [1, 2, 3, 3]}]


def test_only_classes_of_images(project: ExportProject) -> None:
    """classes.txt has no labels that only boxes have, even if they sort before the classes."""
    project.add(CUP, f"{CUP}_3", None, (1, 1, 9, 9), label="bird")
    assert lines(project.export("webdataset") / "classes.txt") == ["carton,_it's", "cup"]
