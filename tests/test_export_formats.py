"""What each format holds, down to its files and numbers; `tests/readers` has them read by their tools."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.export_project import ExportProject, draw, files, lines, read_json, stored
from utils.annotations import voc_xml
from utils.export import link_image, webdataset
from utils.export.formats import FORMATS
from utils.models.images import ImageFormat

CUP, CARTON = "n03147509", "n02971356"
DETECTION = ["yolo", "coco", "voc"]


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Give a folder with two categories: an image with boxes, one without, and another kind of each."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton, it's"})
    made.add(CUP, f"{CUP}_1", None, (0, 0, 95, 71), (10, 20, 29, 59))
    made.add(CUP, f"{CUP}_2")
    made.add(CARTON, f"{CARTON}_1", None, (1, 2, 3, 4), kind=ImageFormat.PNG)
    return made


def stems(folder: Path) -> list[str]:
    """Name the images below a folder, without extensions."""
    return sorted(Path(name).stem for name in files(folder, ".jpg", ".png", ".webp"))


def members(shard: Path) -> list[tuple[str, bytes]]:
    """Read all that is in a tar."""
    with tarfile.open(shard) as tar:
        return [(one.name, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]


def test_yolo(project: ExportProject) -> None:
    """Boxes reach from the first pixel's edge to the last one's; an image without has an empty file."""
    folder = project.export("yolo", val_fraction=0)
    assert files(folder) == [
        ".part_of_imagenet_export.json",
        "data.yaml",
        "images.csv",
        f"images/train/{CARTON}_1.png",
        f"images/train/{CUP}_1.jpg",
        f"images/train/{CUP}_2.jpg",
        "labels.csv",
        f"labels/train/{CARTON}_1.txt",
        f"labels/train/{CUP}_1.txt",
        f"labels/train/{CUP}_2.txt",
    ]
    labels = folder / "labels" / "train"
    assert lines(labels / f"{CUP}_1.txt") == [
        "1 0.50000000 0.50000000 1.00000000 1.00000000",
        "1 0.20833333 0.55555556 0.20833333 0.55555556",
    ]
    assert (labels / f"{CUP}_2.txt").read_bytes() == b""
    assert lines(folder / "data.yaml") == [
        "train: images/train",
        "val: images/train",
        "names:",
        '  0: "carton,_it\'s"',
        '  1: "cup"',
    ]


def test_yolo_quotes_what_yaml_would_break_at(project: ExportProject) -> None:
    """A label may hold whatever an XML may: quotes, colons, letters that YAML takes for a line's end."""
    project.add(CUP, f"{CUP}_3", None, (1, 1, 9, 9), label='a: "b" \\ \u2028 #')
    folder = project.export("yolo")
    assert '  2: "a: \\"b\\" \\\\ \\U00002028 #"' in lines(folder / "data.yaml")


def test_coco(project: ExportProject) -> None:
    """Numbers count from 1, boxes are corner and size, and both sides know all classes."""
    made = read_json(project.export("coco", val_fraction=0) / "annotations" / "instances_train.json")
    assert [(one["id"], one["name"]) for one in made["categories"]] == [(1, "carton,_it's"), (2, "cup")]
    assert [(one["id"], one["file_name"], one["width"], one["height"]) for one in made["images"]] == [
        (1, f"{CARTON}_1.png", 96, 72),
        (2, f"{CUP}_1.jpg", 96, 72),
        (3, f"{CUP}_2.jpg", 96, 72),
    ]
    assert [(one["id"], one["image_id"], one["category_id"]) for one in made["annotations"]] == [
        (1, 1, 1),
        (2, 2, 2),
        (3, 2, 2),
    ]
    assert [one["bbox"] for one in made["annotations"]] == [[1, 2, 3, 3], [0, 0, 96, 72], [10, 20, 20, 40]]
    assert [one["area"] for one in made["annotations"]] == [9, 96 * 72, 800]
    assert {one["iscrowd"] for one in made["annotations"]} == {0}


def test_voc(project: ExportProject) -> None:
    """Coordinates count from 1, every image is called .jpg, and lists name stems, for each class as well."""
    root = project.export("voc", val_fraction=0) / "VOCdevkit" / "VOC2012"
    assert files(root / "JPEGImages") == [f"{CARTON}_1.jpg", f"{CUP}_1.jpg", f"{CUP}_2.jpg"]
    xml = ElementTree.parse(root / "Annotations" / f"{CUP}_1.xml").getroot()
    corners = [[int(part.text or "") for part in box] for box in xml.iter("bndbox")]
    assert corners == [[1, 1, 96, 72], [11, 21, 30, 60]]
    assert xml.findtext("filename") == f"{CUP}_1.jpg"
    assert voc_xml.parse((root / "Annotations" / f"{CUP}_2.xml").read_bytes(), "") is None
    main = root / "ImageSets" / "Main"
    assert files(main) == [
        "carton,_it's_train.txt",
        "carton,_it's_trainval.txt",
        "cup_train.txt",
        "cup_trainval.txt",
        "train.txt",
        "trainval.txt",
    ]
    assert lines(main / "trainval.txt") == [f"{CARTON}_1", f"{CUP}_1", f"{CUP}_2"]
    assert lines(main / "cup_train.txt") == [f"{CARTON}_1 -1", f"{CUP}_1  1", f"{CUP}_2 -1"]


def test_imagefolder(project: ExportProject) -> None:
    """A folder a class, and a line of metadata for each image."""
    folder = project.export("imagefolder", val_fraction=0)
    assert files(folder / "train") == [
        f"carton,_it's/{CARTON}_1.png",
        f"cup/{CUP}_1.jpg",
        f"cup/{CUP}_2.jpg",
        "metadata.jsonl",
    ]
    told = [json.loads(line) for line in lines(folder / "train" / "metadata.jsonl")]
    assert told[1] == {
        "file_name": f"cup/{CUP}_1.jpg",
        "label": "cup",
        "wnid": CUP,
        "url": f"http://images.test/{CUP}_1?of={CUP}",
        "objects": {"bbox": [[0, 0, 96, 72], [10, 20, 20, 40]], "category": ["cup", "cup"]},
    }
    assert told[2]["objects"] == {"bbox": [], "category": []}


def test_webdataset(project: ExportProject) -> None:
    """Each sample has its three parts side by side, and the same images make the same bytes."""
    folder = project.export("webdataset", val_fraction=0)
    shard = folder / "train-000000.tar"
    with tarfile.open(shard) as tar:
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
    contents = dict(members(shard))
    assert [Path(name).suffix for name in contents] == [".jpg", ".cls", ".json"] * 3
    assert contents[f"{CUP}_1.cls"] == b"1"
    assert lines(folder / "classes.txt") == ["carton,_it's", "cup"]
    described = json.loads(contents[f"{CARTON}_1.json"])
    assert described["boxes"] == [{"label": "carton,_it's", "bbox": [1, 2, 3, 3]}]
    with Image.open(io.BytesIO(contents[f"{CARTON}_1.jpg"])) as image:
        assert image.format == "PNG"
    before = shard.read_bytes()
    assert (project.export("webdataset", val_fraction=0) / shard.name).read_bytes() == before


def test_webdataset_begins_another_shard(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard holds so many samples, or so many bytes; none is lost between them."""
    monkeypatch.setattr(webdataset, "MOST_SAMPLES", 2)
    folder = project.export("webdataset", val_fraction=0)
    assert files(folder, ".tar") == ["train-000000.tar", "train-000001.tar"]
    monkeypatch.setattr(webdataset, "MOST_BYTES", 1)
    assert len(files(project.export("webdataset", val_fraction=0), ".tar")) == 3


@pytest.mark.parametrize("format_name", FORMATS)
def test_codes_for_labels(project: ExportProject, format_name: str) -> None:
    """With --labels code classes are wnids in all formats; a label that is no folder's stays."""
    project.add(CUP, f"{CUP}_3", None, (1, 1, 9, 9), label="stranger")
    folder = project.export(format_name, labels="code")
    table = lines(folder / "labels.csv")
    assert [line.partition(",")[0] for line in table[1:]] == [CARTON, CUP, "stranger"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_images_without_boxes(project: ExportProject, format_name: str) -> None:
    """--export_unannotated False leaves them out of the formats that are about boxes, and of those alone."""
    folder = project.export(format_name, export_unannotated=False)
    left_out = format_name in DETECTION
    assert len(lines(folder / "images.csv")) == 1 + (2 if left_out else 3)
    assert (f"{CUP}_2" in stems(folder)) == (format_name == "imagefolder")


@pytest.mark.parametrize("format_name", DETECTION)
def test_an_image_of_two_categories_stands_once(project: ExportProject, format_name: str) -> None:
    """The same bytes under one image code are one image with the boxes of both: neither lacks the other's."""
    data = stored(draw(5))
    project.add(CUP, f"{CUP}_7", data, (1, 1, 9, 9))
    project.add(CARTON, f"{CUP}_7", data, (30, 30, 60, 60))
    folder = project.export(format_name)
    assert stems(folder) == [f"{CARTON}_1", f"{CUP}_1", f"{CUP}_2", f"{CUP}_7"]
    row = next(line for line in lines(folder / "images.csv") if f"{CUP}_7" in line)
    assert ",2," in row


@pytest.mark.parametrize("format_name", DETECTION)
def test_two_images_of_one_code_stand_both(project: ExportProject, format_name: str) -> None:
    """Where one image code brought other bytes for another category, the category stands before it."""
    project.add(CUP, f"{CUP}_7", stored(draw(5)), (1, 1, 9, 9))
    project.add(CARTON, f"{CUP}_7", stored(draw(6)), (30, 30, 60, 60))
    found = stems(project.export(format_name))
    assert {f"{CUP}-{CUP}_7", f"{CARTON}-{CUP}_7"} <= set(found)
    assert len(found) == 5


@pytest.mark.parametrize("format_name", ["imagefolder", "webdataset"])
def test_classes_keep_all_their_images(project: ExportProject, format_name: str) -> None:
    """Where an image's class is its folder, one that lies in two folders stands in both classes."""
    data = stored(draw(5))
    project.add(CUP, f"{CUP}_7", data)
    project.add(CARTON, f"{CUP}_7", data)
    table = lines(project.export(format_name) / "images.csv")
    assert sum(f"{CUP}_7" in line for line in table) == 2


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_gif_becomes_a_png(project: ExportProject, format_name: str) -> None:
    """Detectors know no GIF: its first frame is exported, pixel by pixel the same."""
    frames = [draw(7).quantize(), draw(8).quantize()]
    data = stored(frames[0], ImageFormat.GIF, save_all=True, append_images=frames[1:])
    project.add(CUP, f"{CUP}_9", data, kind=ImageFormat.GIF)
    folder = project.export(format_name)
    if format_name == "webdataset":
        found = dict(read for path in folder.glob("*.tar") for read in members(path))[f"{CUP}_9.jpg"]
    else:
        (path,) = folder.rglob(f"{CUP}_9.*g")
        found = path.read_bytes()
    with Image.open(io.BytesIO(found)) as image, Image.open(io.BytesIO(data)) as original:
        assert image.format == "PNG"
        assert image.convert("RGB").tobytes() == original.convert("RGB").tobytes()


def test_a_picture_that_asks_to_be_turned_asks_no_more(project: ExportProject) -> None:
    """Its boxes were drawn on the stored pixels, so that no reader may turn them; all else stays."""
    exif = Image.Exif()
    exif[274] = 6
    data = stored(draw(9), exif=exif, icc_profile=b"colours", comment=b"hello")
    path = project.add(CUP, f"{CUP}_9", data, (1, 1, 9, 9))
    exported = next(project.export("yolo").rglob(f"{CUP}_9.jpg"))
    assert path.read_bytes() == data
    with Image.open(exported) as image, Image.open(path) as original:
        assert dict(image.getexif()) == {}
        assert image.info["icc_profile"] == b"colours"
        assert image.tobytes() == original.tobytes()


@pytest.mark.parametrize("format_name", ["yolo", "coco", "voc", "imagefolder"])
def test_images_are_linked(project: ExportProject, format_name: str) -> None:
    """An export costs no room for its images, and is none that breaks when the other goes: a hard link."""
    folder = project.export(format_name)
    exported = next(folder.rglob(f"{CUP}_1.jpg"))
    original = project.path / "partial_imagenet" / "cup" / "Images" / f"{CUP}_1.jpg"
    assert exported.samefile(original)
    assert not exported.is_symlink()


def test_copied_where_no_link_can_be(
    project: ExportProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No permission, or too many links already: a copy does as well."""

    def refuse(*_paths: object) -> None:
        raise OSError(31, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    exported = next(project.export("yolo").rglob(f"{CUP}_1.jpg"))
    original = project.path / "partial_imagenet" / "cup" / "Images" / f"{CUP}_1.jpg"
    assert exported.read_bytes() == original.read_bytes()
    assert not exported.samefile(original)


def test_copied_from_another_disk(project: ExportProject, tmp_path: Path) -> None:
    """Where the images lie on another file system than the export, they are copied."""
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    target = shared_memory / f"part_of_imagenet_test_{os.getpid()}.jpg"
    source = project.path / "partial_imagenet" / "cup" / "Images" / f"{CUP}_1.jpg"
    try:
        link_image.link_or_copy(source, target)
        assert target.read_bytes() == source.read_bytes()
    finally:
        target.unlink()


def test_edited_boxes_are_fitted(project: ExportProject) -> None:
    """A box that was edited beyond its picture is clipped, so that no reader stumbles over it."""
    project.add(CUP, f"{CUP}_8", None, (-5, -5, 400, 400))
    folder = project.export("yolo")
    (path,) = folder.rglob(f"{CUP}_8.txt")
    assert lines(path) == ["1 0.50000000 0.50000000 1.00000000 1.00000000"]


def test_odd_names(project: ExportProject) -> None:
    """An image that the user brought may be called anything: lists, tars and labels bear it all the same."""
    images = [project.add(CUP, name, None, (1, 1, 9, 9)) for name in ("a b.c", "A_b_c", "ü,'")]
    assert all(path.exists() for path in images)
    root = project.export("voc") / "VOCdevkit" / "VOC2012"
    names = lines(root / "ImageSets" / "Main" / "trainval.txt")
    assert len({name.casefold() for name in names}) == 6
    assert all((root / "JPEGImages" / f"{name}.jpg").is_file() for name in names)
    assert all(len(name.split()) == 1 for name in names)
    with tarfile.open(project.export("webdataset", val_fraction=0) / "train-000000.tar") as tar:
        assert all(name.count(".") == 1 for name in tar.getnames())
