"""Files and numbers of each format; `tests/readers` reads them with the tools they are for."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import BinaryIO, Literal
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.export.export_project import ExportProject, draw, files, lines, read_json, stored
from utils.annotations import voc_xml
from utils.errors import FolderError
from utils.export import link_image
from utils.export.formats import FORMATS
from utils.files import open_file
from utils.models.images import ImageFormat

CUP, CARTON = "n03147509", "n02971356"
DETECTION = ["yolo", "coco", "voc"]


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make two categories: an image with boxes, one without, and a PNG with a box."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton, it's"})
    made.add(CUP, f"{CUP}_1", None, (0, 0, 95, 71), (10, 20, 29, 59))
    made.add(CUP, f"{CUP}_2")
    made.add(CARTON, f"{CARTON}_1", None, (1, 2, 3, 4), kind=ImageFormat.PNG)
    return made


def stems(folder: Path) -> list[str]:
    """List the images below a folder, without extensions."""
    return sorted(Path(name).stem for name in files(folder, ".jpg", ".png", ".webp"))


def members(shard: Path) -> list[tuple[str, bytes]]:
    """Read all members of a tar."""
    with tarfile.open(shard) as tar:
        return [(one.name, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]


def test_yolo(project: ExportProject) -> None:
    """Box edges are those of pixels; an image without boxes has an empty label file."""
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
        "1 0.5 0.5 1.0 1.0",
        "1 0.2083333134651184 0.5555555820465088 0.20833337306976318 0.5555555820465088",
    ]
    assert (labels / f"{CUP}_2.txt").read_bytes() == b""
    assert lines(folder / "data.yaml") == [
        "train: images/train",
        "val: images/train",
        "names:",
        '  0: "carton,_it\'s"',
        '  1: "cup"',
    ]


def test_yolo_quotes_labels(project: ExportProject) -> None:
    """Quotes, colons and letters that YAML takes for line breaks are escaped in a label."""
    project.add(CUP, f"{CUP}_3", None, (1, 1, 9, 9), label='a: "b" \\ \u2028 #')
    folder = project.export("yolo")
    assert '  0: "a: \\"b\\" \\\\ \\U00002028 #"' in lines(folder / "data.yaml")


def test_coco(project: ExportProject) -> None:
    """Ids count from 1, boxes are corner and size, and both splits list all classes."""
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
    assert made["annotations"][2]["segmentation"] == [[10, 20, 30, 20, 30, 60, 10, 60]]


def test_voc(project: ExportProject) -> None:
    """Coordinates count from 1, file names end in .jpg, and image sets list stems by split and class."""
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
    assert read_json(root / "dataset_meta.json") == {"labels": ["carton,_it's", "cup"]}


@pytest.mark.parametrize("format_name", FORMATS)
def test_labels_code(project: ExportProject, format_name: str) -> None:
    """With --labels code class names are wnids in all formats; labels without a category stay."""
    project.add(CUP, f"{CUP}_3", None, (1, 1, 9, 9), label="stranger")
    folder = project.export(format_name, labels="code")
    table = lines(folder / "labels.csv")
    assert [line.partition(",")[0] for line in table[1:]] == [CARTON, CUP, "stranger"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_export_unannotated(project: ExportProject, format_name: str) -> None:
    """--export_unannotated False leaves images without boxes out of formats with boxes only."""
    folder = project.export(format_name, export_unannotated=False)
    left_out = format_name in DETECTION
    assert len(lines(folder / "images.csv")) == 1 + (2 if left_out else 3)
    assert (f"{CUP}_2" in stems(folder)) == (format_name == "imagefolder")


@pytest.mark.parametrize("format_name", DETECTION)
def test_image_in_two_categories_is_merged(project: ExportProject, format_name: str) -> None:
    """Equal bytes with the same image code are one image with the boxes of both categories."""
    data = stored(draw(5))
    project.add(CUP, f"{CUP}_7", data, (1, 1, 9, 9))
    project.add(CARTON, f"{CUP}_7", data, (30, 30, 60, 60))
    folder = project.export(format_name)
    assert stems(folder) == [f"{CARTON}_1", f"{CUP}_1", f"{CUP}_2", f"{CUP}_7"]
    row = next(line for line in lines(folder / "images.csv") if f"{CUP}_7" in line)
    assert ",2," in row


@pytest.mark.parametrize("format_name", DETECTION)
def test_different_images_with_one_code(project: ExportProject, format_name: str) -> None:
    """Different bytes with the same image code are two images, with the wnids of their categories."""
    project.add(CUP, f"{CUP}_7", stored(draw(5)), (1, 1, 9, 9))
    project.add(CARTON, f"{CUP}_7", stored(draw(6)), (30, 30, 60, 60))
    found = stems(project.export(format_name))
    assert {f"{CUP}-{CUP}_7", f"{CARTON}-{CUP}_7"} <= set(found)
    assert len(found) == 5


@pytest.mark.parametrize("format_name", ["imagefolder", "webdataset"])
def test_image_in_two_folders_is_in_both_classes(project: ExportProject, format_name: str) -> None:
    """If the class of an image is its folder, an image in two folders is in both classes."""
    data = stored(draw(5))
    project.add(CUP, f"{CUP}_7", data)
    project.add(CARTON, f"{CUP}_7", data)
    table = lines(project.export(format_name) / "images.csv")
    assert sum(f"{CUP}_7" in line for line in table) == 2


@pytest.mark.parametrize("kind", ImageFormat)
@pytest.mark.parametrize("format_name", FORMATS)
def test_exported_formats(project: ExportProject, format_name: str, kind: ImageFormat) -> None:
    """Exports contain only JPEG and PNG, with equal pixels and their extensions; some require .jpg."""
    data = stored(draw(7).convert("L"), kind)
    project.add(CUP, f"{CUP}_9", data)
    folder = project.export(format_name)
    suffix = ".jpg" if kind is ImageFormat.JPEG or format_name in ("voc", "webdataset") else ".png"
    if format_name == "webdataset":
        found = dict(read for path in folder.glob("*.tar") for read in members(path))[f"{CUP}_9.jpg"]
    else:
        (path,) = (one for one in folder.rglob(f"{CUP}_9.*") if one.suffix not in (".txt", ".xml"))
        found = path.read_bytes()
        assert path.suffix == suffix
    with Image.open(io.BytesIO(found)) as image, Image.open(io.BytesIO(data)) as original:
        assert image.format == ("JPEG" if kind is ImageFormat.JPEG else "PNG")
        assert image.convert("RGB").tobytes() == original.convert("RGB").tobytes()


def test_first_frame_is_exported(project: ExportProject) -> None:
    """The first frame of an animation is exported."""
    frames = [draw(7).quantize(), draw(8).quantize()]
    data = stored(frames[0], ImageFormat.GIF, save_all=True, append_images=frames[1:])
    project.add(CUP, f"{CUP}_9", data)
    with Image.open(next(project.export("coco").rglob(f"{CUP}_9.png"))) as image:
        assert image.convert("RGB").tobytes() == frames[0].convert("RGB").tobytes()
        assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize("kind", [ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF])
def test_orientation_is_removed(project: ExportProject, kind: ImageFormat) -> None:
    """Readers see the stored pixels, on which boxes were drawn; the colour profile of a JPEG is kept."""
    exif = Image.Exif()
    exif[274] = 6
    plain = stored(draw(9), kind)
    data = stored(draw(9), kind, exif=exif, icc_profile=b"colours")
    path = project.add(CUP, f"{CUP}_9", data, (1, 1, 9, 9))
    folder = project.export("coco", val_fraction=0)
    (exported,) = folder.rglob(f"{CUP}_9.*")
    assert path.read_bytes() == data
    with Image.open(exported) as image, Image.open(io.BytesIO(plain)) as stored_pixels:
        assert dict(image.getexif()) == {}
        assert ("icc_profile" in image.info) == (kind is ImageFormat.JPEG)
        assert image.tobytes() == stored_pixels.tobytes()
    images = read_json(folder / "annotations" / "instances_train.json")["images"]
    (size,) = ((one["width"], one["height"]) for one in images if one["file_name"] == exported.name)
    assert size == (96, 72)


@pytest.mark.parametrize("kind", [ImageFormat.JPEG, ImageFormat.PNG])
def test_bytes_after_the_end_are_cut(project: ExportProject, kind: ImageFormat) -> None:
    """A trainer that repairs the file in place would change the original through a hard link."""
    data = stored(draw(9), kind)
    path = project.add(CUP, f"{CUP}_9", data + b"\r\n")
    exported = next(project.export("yolo").rglob(f"{CUP}_9.[jp]*"))
    assert (exported.read_bytes(), path.read_bytes()) == (data, data + b"\r\n")
    assert not exported.samefile(path)


def test_unchanged_images_are_not_read_again(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a second export, only the images that are rewritten are read."""
    project.add(CUP, f"{CUP}_9", stored(draw(9)) + b"\r\n")
    project.export("yolo")
    read: list[str] = []

    def recorded(path: Path, mode: Literal["rb", "ab+"] = "rb") -> BinaryIO:
        read.append(path.name)
        return open_file(path, mode)

    monkeypatch.setattr("utils.files.open_file", recorded)
    project.export("yolo")
    assert [name for name in read if name.endswith((".jpg", ".png"))] == [f"{CUP}_9.jpg"]


def test_image_that_cannot_be_decoded(project: ExportProject) -> None:
    """The export ends with a sentence that names the image."""
    path = project.add(CUP, f"{CUP}_9", stored(draw(9), ImageFormat.WEBP))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(FolderError, match=f"{CUP}_9.webp cannot be exported: .*List {CUP}_9 in excluded.txt"):
        project.export("yolo")


@pytest.mark.parametrize("format_name", ["yolo", "coco", "voc", "imagefolder"])
def test_images_are_linked(project: ExportProject, format_name: str) -> None:
    """Images are hard links, which take no space and do not depend on the result folder."""
    folder = project.export(format_name)
    exported = next(folder.rglob(f"{CUP}_1.jpg"))
    original = project.path / "partial_imagenet" / "cup" / "Images" / f"{CUP}_1.jpg"
    assert exported.samefile(original)
    assert not exported.is_symlink()


def test_copy_if_linking_fails(
    project: ExportProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without permission, or with too many links, images are copied."""

    def refuse(*_paths: object) -> None:
        raise OSError(31, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    exported = next(project.export("yolo").rglob(f"{CUP}_1.jpg"))
    original = project.path / "partial_imagenet" / "cup" / "Images" / f"{CUP}_1.jpg"
    assert exported.read_bytes() == original.read_bytes()
    assert not exported.samefile(original)


def test_copy_to_another_file_system(project: ExportProject, tmp_path: Path) -> None:
    """Images are copied if the export is on another file system."""
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
    """A box that was edited to exceed its image is clipped."""
    project.add(CUP, f"{CUP}_8", None, (-5, -5, 400, 400))
    folder = project.export("yolo")
    (path,) = folder.rglob(f"{CUP}_8.txt")
    assert lines(path) == ["1 0.5 0.5 1.0 1.0"]


def test_odd_names(project: ExportProject) -> None:
    """Images that the user added can have any name; lists and tars still work."""
    images = [project.add(CUP, name, None, (1, 1, 9, 9)) for name in ("a b.c", "A_b_c", "ü,'")]
    assert all(path.exists() for path in images)
    root = project.export("voc") / "VOCdevkit" / "VOC2012"
    names = lines(root / "ImageSets" / "Main" / "trainval.txt")
    assert len({name.casefold() for name in names}) == 6
    assert all((root / "JPEGImages" / f"{name}.jpg").is_file() for name in names)
    assert all(len(name.split()) == 1 for name in names)
    with tarfile.open(project.export("webdataset", val_fraction=0) / "train-000000.tar") as tar:
        assert all(name.count(".") == 1 for name in tar.getnames())
