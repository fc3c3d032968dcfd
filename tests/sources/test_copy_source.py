"""Runs of the script with `--copy`."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pytest

from demo.answers import Answer
from demo.web import Web
from tests.copies import lookalikes
from tests.copies.lookalikes import (
    DOG,
    FISH,
    LABELS,
    LAYOUTS,
    SHARK,
    TRAINING,
    all_images,
    boxes,
    category_tars,
    class_folders,
    devkit_labels,
    flat_validation,
    jpeg,
    kaggle_labels,
    tar,
    write_files,
    zip_of,
)
from tests.pictures import encode, paint
from tests.project import ALONE, Finished, Project
from utils.copies.members import DEVKIT_LABELS
from utils.copies.parquet_files import ParquetImage
from utils.models.http_defaults import MAX_IMAGE_BYTES
from utils.models.rows import Category
from utils.models.settings import Settings
from utils.sources.base import Request, SourceContext
from utils.sources.copy_source import CopySource
from utils.sources.url_table import NoUrlTable

FOLDERS = {FISH: "tench", SHARK: "shark", DOG: "Chihuahua"}
TRAINED = [f"{FISH}_3", f"{FISH}_12", f"{FISH}_100"]
VALIDATED = ["ILSVRC2012_val_00000002", "ILSVRC2012_val_00000005"]
VARYING = ("url", "seconds")
"""Columns of the report that depend on the layout or on time."""


@pytest.fixture
def copies(project: Project) -> Project:
    """Return a project with two of three categories selected, whose runs start no workers."""
    project.always = ALONE
    for code, folder in FOLDERS.items():
        project.category(code, folder, marked=code != SHARK)
    return project


def make(project: Project, layout: str) -> Path:
    """Write a copy."""
    folder = project.path / "copy"
    LAYOUTS[layout](folder)
    return folder


def run(project: Project, *flags: str, code: int = 0) -> Finished:
    """Run the script; check its exit code, and that it prints no traceback."""
    finished = project.run(*flags)
    assert finished.code == code, finished.err
    assert "Traceback" not in finished.out + finished.err
    return finished


def rows(project: Project, folder: str = "tench") -> list[tuple[str, str, str]]:
    """Return image code, status and reason of the rows of a report."""
    return [(row["image_code"], row["status"], row["reason"]) for row in project.report(folder)]


def saved(project: Project, folder: str = "tench") -> list[str]:
    """Return the image codes of saved images, in the order of the report; check that no others exist."""
    named = [row for row in project.report(folder) if row["status"] in ("downloaded", "already_present")]
    assert {Path(row["file"]).name for row in named} == project.images(folder)
    return [row["image_code"] for row in named]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(copies: Project, layout: str) -> None:
    """All layouts give the same images, boxes and reports; the next run reads no image."""
    folder = make(copies, layout)
    xml = write_files(copies.path / "boxes", boxes())
    flags = ("--copy", str(folder), str(xml))
    parallel = layout in ("tar of tars", "Kaggle's zip", "parquet")  # one of each kind of file
    finished = run(copies, *flags, "--parallel", str(parallel))
    assert re.search(rf"{folder}: .+, 2 of the 2 selected categories", finished.out)
    for code in (FISH, DOG):
        images = all_images()[code]
        assert saved(copies, FOLDERS[code]) == list(images)
        for row, (image_code, data) in zip(copies.report(FOLDERS[code]), images.items(), strict=True):
            check_row(copies, row, folder, image_code, data)
    assert copies.folders() == {"tench", "Chihuahua"}
    if not parallel:
        return
    journals = {path: path.read_bytes() for path in copies.result.rglob(".journal.jsonl")}
    run(copies, *flags)
    for path, content in journals.items():
        assert path.read_bytes().startswith(content)
    assert {status for _, status, _ in rows(copies)} == {"already_present"}


def test_row_groups_are_read_once(tmp_path: Path) -> None:
    """Categories that share row groups are read together, not one after another."""
    numbers = [(code, number) for number in range(40) for code in (FISH, DOG)]
    lookalikes.write_parquet(
        tmp_path / "train-00000-of-00001.parquet",
        [
            {"image": {"bytes": b"", "path": f"{code}_{number}_{code}.JPEG"}, "label": LABELS[code]}
            for code, number in numbers
        ],
        row_group_size=10,
    )
    settings = Settings(*[tmp_path] * 4, copy=(str(tmp_path),))
    opened = SourceContext(settings, tmp_path / "result", NoUrlTable(tmp_path / "none"), [FISH, DOG])
    with CopySource.open(opened) as source:
        streams = [
            source.stream(Request(Category(code, code, code), tmp_path, {}, outcomes=list, saved=()))
            for code in (FISH, DOG)
        ]
        groups: list[int] = []
        while not all(one.exhausted for one in streams):
            for one in streams:
                groups += [
                    candidate.local_image.row_group
                    for candidate in iter(one.next, None)
                    if isinstance(candidate.local_image, ParquetImage)
                ]
    assert groups == [number // 10 for number in range(len(numbers))]


def check_row(project: Project, row: dict[str, str], copy: Path, image_code: str, data: bytes) -> None:
    """Compare a row of the report, and its files, with an image of the copy."""
    has_boxes = not image_code.endswith("_100")
    assert (row["image_code"], row["status"], row["reason"]) == (image_code, "downloaded", "")
    assert (row["attempts"], row["http_status"], row["boxes"]) == ("1", "", "1" if has_boxes else "")
    given, _, inside = row["url"].partition("#")
    assert given == str(copy)
    assert image_code in inside
    folder = next(path for path in project.result.iterdir() if (path / row["file"]).exists())
    assert (folder / row["file"]).read_bytes() == data
    assert (folder / "Annotation" / f"{image_code}.xml").exists() == has_boxes
    if has_boxes:
        xml = (folder / "Annotation" / f"{image_code}.xml").read_text()
        assert f"<name>{folder.name}</name>" in xml
        assert "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>".format(
            *lookalikes.BOX
        ) in re.sub(r"\s", "", xml)


@pytest.mark.parametrize("labels", ["Kaggle's", "devkit", "devkit in a tar", "XML", "a file"])
def test_labels(copies: Project, labels: str) -> None:
    """The categories of validation images are found in the same or another copy, before or after it."""
    val = write_files(copies.path / "val", flat_validation())
    elsewhere = copies.path / "labels"
    files = {
        "Kaggle's": {"LOC_val_solution.csv": kaggle_labels()},
        "devkit": {f"ILSVRC2012_devkit_t12/data/{DEVKIT_LABELS}": devkit_labels()},
        "devkit in a tar": {"devkit.tar.gz": gzip.compress(tar({f"x/{DEVKIT_LABELS}": devkit_labels()}))},
        "XML": {name: data for name, data in boxes().items() if "/val/" in name},
        "a file": {"LOC_val_solution.csv": kaggle_labels()},
    }
    write_files(elsewhere, files[labels])
    given = elsewhere / "LOC_val_solution.csv" if labels == "a file" else elsewhere
    places = [str(val), str(given)]
    run(copies, "--copy", *(reversed(places) if labels in ("devkit", "XML") else places))
    assert saved(copies) == VALIDATED
    assert bool(copies.xmls("tench")) == (labels == "XML")


def test_without_labels(copies: Project) -> None:
    """Without labels, validation images cannot be used, and what is missing is said."""
    folder = write_files(copies.path / "copy", {**class_folders(), **flat_validation("val/")})
    finished = run(copies, "--copy", str(folder))
    assert "6 validation images cannot be used, as nothing tells their category." in finished.out
    assert saved(copies) == TRAINED


def test_tiny_imagenet(copies: Project) -> None:
    """Tiny ImageNet's images in `images` and in its validation set are found; their own sizes are kept."""
    tiny = {f"train/{FISH}/images/{FISH}_{number}.JPEG": jpeg(number, (64, 64)) for number in (0, 10, 9)}
    tiny |= {f"val/images/val_{number}.JPEG": jpeg(50 + number, (64, 64)) for number in range(3)}
    labels = f"val_0.JPEG\t{SHARK}\t0\t0\t9\t9\nval_1.JPEG\t{FISH}\t0\t0\t9\t9\n"
    tiny["val/val_annotations.txt"] = labels.encode()
    tiny |= {f"train/{FISH}/{FISH}_boxes.txt": b"x", "test/images/test_0.JPEG": jpeg(70)}
    run(copies, "--copy", str(write_files(copies.path / "tiny-imagenet-200", tiny)), "--categories", FISH)
    assert saved(copies) == [f"{FISH}_0", f"{FISH}_9", f"{FISH}_10", "ILSVRC2012_val_1"]


def test_order_and_how_many(copies: Project) -> None:
    """The first N images by number count, training before validation; a larger N continues."""
    folder = make(copies, "tar of tars")
    for number in (2, 4, 0, 5):
        run(copies, "--copy", str(folder), "--how_many", str(number), "--categories", FISH)
        most = max(number, 4) if number != 2 else 2
        assert saved(copies) == [*TRAINED, *VALIDATED][:most]
        assert len(rows(copies)) == most


def test_how_many_over_layouts(copies: Project) -> None:
    """The order does not depend on the layouts in which images lie."""
    folders = [
        write_files(
            copies.path / "1", {f"{FISH}/{FISH}_100.JPEG": jpeg(1), f"{FISH}/{VALIDATED[0]}.JPEG": jpeg(2)}
        ),
        write_files(copies.path / "2", {f"{FISH}.tar": tar({f"{FISH}_12.JPEG": jpeg(3)})}),
        write_files(copies.path / "3", {"x.zip": zip_of({f"{FISH}/{FISH}_3.JPEG": jpeg(4)})}),
    ]
    for number in (1, 2, 3, 4):
        run(copies, "--copy", *map(str, folders), "--how_many", str(number), "--categories", FISH)
        assert saved(copies) == [*TRAINED, VALIDATED[0]][:number]


def test_fill(copies: Project) -> None:
    """With `--fill`, further images are tried in place of damaged ones; a damaged one counts without."""
    folder = write_files(copies.path / "copy", class_folders())
    (folder / "train" / FISH / f"{FISH}_3.JPEG").write_bytes(b"<html>")
    run(copies, "--copy", str(folder), "--how_many", "2", "--categories", FISH)
    assert saved(copies) == TRAINED[1:2]
    assert rows(copies)[0] == (f"{FISH}_3", "failed", "not_an_image")
    run(copies, "--copy", str(folder), "--how_many", "2", "--fill", "--categories", FISH)
    assert saved(copies) == TRAINED[1:]


def test_with_annotation(copies: Project) -> None:
    """Only images with boxes are taken: those of the archive, which come first, and those of the copy."""
    folder = write_files(copies.path / "copy", {**class_folders(), **boxes()})
    copies.annotate(f"{FISH}_3", (1, 2, 40, 50), size=lookalikes.SIZE)
    copies.annotate(f"{SHARK}_12", (1, 2, 40, 50), size=lookalikes.SIZE, archive=FISH)
    run(copies, "--copy", str(folder), "--with_annotation", "--categories", FISH)
    assert saved(copies) == [*TRAINED[:2], f"{SHARK}_12"]
    xml = (copies.result / "tench/Annotation" / f"{FISH}_3.xml").read_text()
    assert "<xmin>1</xmin>" in xml
    other = (copies.result / "tench/Annotation" / f"{FISH}_12.xml").read_text()
    assert f"<xmin>{lookalikes.BOX[0]}</xmin>" in other


@pytest.mark.parametrize("layout", ["tars", "compressed tar of tars", "parquet"])
def test_boxes_of_other_categories(copies: Project, layout: str) -> None:
    """Images of other categories that the archive has boxes for are looked for in all layouts."""
    folder = make(copies, layout)
    copies.annotate(f"{FISH}_3", (1, 2, 40, 50), size=lookalikes.SIZE)
    copies.annotate(f"{SHARK}_12", (1, 2, 40, 50), size=lookalikes.SIZE, archive=FISH)
    run(copies, "--copy", str(folder), "--with_annotation", "--categories", FISH)
    others = [] if "compressed" in layout else [f"{SHARK}_12"]  # they are not unpacked
    assert saved(copies) == [f"{FISH}_3", *others]


def test_resized_copy(copies: Project) -> None:
    """Boxes are scaled if the copy's images were resized, and left out if their shape has changed."""
    names = {f"{FISH}_1": (48, 36), f"{FISH}_2": (64, 64)}
    files = {f"{FISH}/{one}.JPEG": jpeg(number, size) for number, (one, size) in enumerate(names.items())}
    files |= {f"{FISH}/{one}.xml": lookalikes.xml(one, FISH) for one in names}
    run(copies, "--copy", str(write_files(copies.path / "copy", files)), "--categories", FISH)
    assert copies.xmls("tench") == {f"{FISH}_1.xml"}
    xml = (copies.result / "tench/Annotation" / f"{FISH}_1.xml").read_text()
    assert f"<xmin>{lookalikes.BOX[0] // 2}</xmin>" in xml


@pytest.mark.parametrize("layout", ["compressed tar of tars", "tar of class folders", "parquet"])
def test_dry_run(copies: Project, layout: str) -> None:
    """A dry run counts the images in the copy, as often as it is repeated, and writes nothing."""
    folder = make(copies, layout)
    flags = ("--copy", str(folder), "--dry_run", "--categories", FISH)
    if layout != "parquet":
        flags = ("--copy", str(folder), str(write_files(copies.path / "xml", boxes())), *flags[2:])
    for _ in range(2):
        finished = run(copies, *flags)
        assert re.search(r"tench \(n01440764\): 5 images in the cop.*5 to try", finished.out), finished.out
        assert not copies.result.exists()
    run(copies, *(one for one in flags if one != "--dry_run"), "--how_many", "3")
    assert saved(copies) == TRAINED
    finished = run(copies, *flags)
    assert re.search(r"tench \(n01440764\): 5 images in the cop.*2 to try", finished.out), finished.out


@pytest.mark.parametrize("layout", ["tars", "compressed tar of tars"])
def test_verify_and_deleted_image(copies: Project, layout: str) -> None:
    """What was deleted or damaged is read from the copy again."""
    folder = make(copies, layout)
    flags = ("--copy", str(folder), "--categories", FISH, "--how_many", "3")
    run(copies, *flags)
    assert copies.folders() == {"tench"}
    images = copies.result / "tench/Images"
    (images / f"{FISH}_3.jpg").unlink()
    (images / f"{FISH}_12.jpg").write_bytes(b"damaged")
    run(copies, "--verify", code=1)
    run(copies, *flags)
    assert saved(copies) == TRAINED
    assert (images / f"{FISH}_12.jpg").read_bytes() == TRAINING[FISH][f"{FISH}_12"]
    assert copies.folders() == {"tench"}


def test_result_in_the_copy(copies: Project) -> None:
    """A result folder that lies in the copy changes nothing in later runs."""
    write_files(copies.path, class_folders("train/"))
    for _ in range(3):
        run(copies, "--copy", str(copies.path), "--categories", FISH)
        assert saved(copies) == TRAINED
        assert [row["url"].partition("#")[2] for row in copies.report("tench")] == [
            f"train/{FISH}/{one}.JPEG" for one in TRAINED
        ]


def test_after_urls(copies: Project, web: Web) -> None:
    """With `urls copy`, the copy gives what the URLs could not deliver; with `copy urls`, the reverse."""
    folder = write_files(copies.path / "copy", class_folders())
    for number, code in ((3, FISH), (12, FISH), (500, FISH)):
        copies.url(f"{code}_{number}", web.url(f"/{number}"))
    web.answer("/3", Answer.jpeg(jpeg(77)))
    web.answer("/500", Answer.jpeg(jpeg(78)))
    flags = ("--copy", str(folder), "--categories", FISH, "--retries", "0")
    run(copies, *flags, "--source", "urls", "copy")
    assert sorted(saved(copies)) == sorted([*TRAINED, f"{FISH}_500"])
    assert (copies.result / "tench/Images" / f"{FISH}_3.jpg").read_bytes() == jpeg(77)
    assert (f"{FISH}_12", "failed", "http_404") in rows(copies)
    shutil.rmtree(copies.result)
    web.requests.clear()
    run(copies, *flags, "--source", "copy", "urls")
    assert sorted(saved(copies)) == sorted([*TRAINED, f"{FISH}_500"])
    assert [request.path for request in web.requests if request.path != "/robots.txt"] == ["/500"]


def test_several_copies(copies: Project) -> None:
    """The first copy that has an image gives it; each is described, also one that is given twice."""
    first = write_files(copies.path / "first", {f"{FISH}/{FISH}_3.JPEG": jpeg(1)})
    second = write_files(copies.path / "second", {**class_folders(), **category_tars()})
    finished = run(copies, "--copy", str(first), str(second), f"{second}/", "--categories", FISH)
    assert saved(copies) == TRAINED
    assert (copies.result / "tench/Images" / f"{FISH}_3.jpg").read_bytes() == jpeg(1)
    urls = [row["url"] for row in copies.report("tench")]
    assert urls[0] == f"{first}#{FISH}/{FISH}_3.JPEG"
    assert urls[1] == f"{second}#train/{FISH}/{FISH}_12.JPEG"
    assert finished.out.count("1 of the 1 selected category") == 3


def test_damaged_in_one_copy(copies: Project) -> None:
    """An image that is damaged or rejected in one copy is tried in the next ones; each try has a row."""
    files = {one: jpeg(number) for number, one in enumerate(TRAINED)}
    versions = [
        {**files, TRAINED[0]: b"<html>", TRAINED[1]: jpeg(7, (8, 8))},
        {TRAINED[0]: files[TRAINED[0]], TRAINED[1]: b"<html>", TRAINED[2]: jpeg(9)},
        {TRAINED[0]: jpeg(10), TRAINED[1]: files[TRAINED[1]]},
    ]
    folders = [
        str(
            write_files(
                copies.path / f"copy{number}", {f"{FISH}/{one}.JPEG": data for one, data in each.items()}
            )
        )
        for number, each in enumerate(versions)
    ]
    expected = [
        ("0", "not_an_image"),
        ("1", ""),
        ("0", "too_small"),
        ("1", "not_an_image"),
        ("2", ""),
        ("0", ""),
    ]
    for flags in (["--how_many", "3"], ["--how_many", "3", "--fill"], []):
        for _ in range(2):  # what failed for good is not read again
            run(copies, "--copy", *folders, "--categories", FISH, *flags)
            table = copies.report("tench")
            copy_numbers = [row["url"].partition("#")[0][-1] for row in table]
            assert list(zip(copy_numbers, (row["reason"] for row in table), strict=True)) == expected
            for one, data in files.items():
                assert (copies.result / "tench/Images" / f"{one}.jpg").read_bytes() == data
        shutil.rmtree(copies.result)


def test_images_of_other_categories(copies: Project) -> None:
    """The folder decides about the category of an image, and the image keeps its own code."""
    files = {
        f"{FISH}/{FISH}_3.JPEG": jpeg(1),
        f"{FISH}/{DOG}_1.JPEG": jpeg(2),
        f"{FISH}/{DOG}_4.JPEG": jpeg(4),
    }
    run(copies, "--copy", str(write_files(copies.path / "copy", files)), "--categories", FISH)
    assert sorted(saved(copies)) == [f"{FISH}_3", f"{DOG}_1", f"{DOG}_4"]


def test_formats(copies: Project) -> None:
    """The extension is that of the bytes; CMYK JPEGs are kept; damaged images cost only themselves."""
    images = {
        1: encode("PNG"),
        2: encode("JPEG", paint().convert("CMYK")),
        3: b"",
        4: b"<html>",
        5: jpeg(1)[:400],
        6: jpeg(2, (8, 8)),
        7: jpeg(3) + bytes(MAX_IMAGE_BYTES),
        8: encode("WEBP"),
    }
    expected = ["", "", "not_an_image", "not_an_image", "corrupt", "too_small", "too_large", ""]
    files = {f"{FISH}_{number}.JPEG": data for number, data in images.items()}
    places = [
        write_files(copies.path / "folder", {f"{FISH}/{name}": data for name, data in files.items()}),
        write_files(copies.path / "tars", {f"{FISH}.tar": tar(files)}),
        write_files(
            copies.path / "zip", {"x.zip": zip_of({f"{FISH}/{name}": data for name, data in files.items()})}
        ),
        write_files(copies.path / "gz", {"x.tar.gz": gzip.compress(tar(files), 1)}),
        copies.path / "parquet",
    ]
    parquet_rows = [{"image": {"bytes": data, "path": name}, "label": 0} for name, data in files.items()]
    lookalikes.write_parquet(places[-1] / "x.parquet", parquet_rows)
    for place in places:
        run(copies, "--copy", str(place), "--categories", FISH)
        assert [(code, reason) for code, _, reason in rows(copies)] == [
            (f"{FISH}_{number}", reason) for number, reason in zip(images, expected, strict=True)
        ], place
        assert copies.images("tench") == {f"{FISH}_1.png", f"{FISH}_2.jpg", f"{FISH}_8.webp"}
        shutil.rmtree(copies.result)


def test_exports_and_card(copies: Project) -> None:
    """Official validation images are for validation in exports; the card names the source."""
    folder = make(copies, "class folders")
    run(copies, "--copy", str(folder), "--export", "imagefolder", "--val_fraction", "0.3")
    exported = copies.path / "partial_imagenet_imagefolder"
    sides = {side: {path.stem for path in (exported / side).rglob("*.jpg")} for side in ("train", "val")}
    validation = {one for one, code in lookalikes.VALIDATION_CODES.items() if code != SHARK}
    assert validation <= sides["val"]
    assert len(sides["train"] | sides["val"]) == 10
    card = (copies.result / "dataset_card.md").read_text()
    assert "copies of ImageNet on disk" in card


def test_no_source(copies: Project) -> None:
    """`--source copy` without a copy is refused."""
    finished = run(copies, "--source", "copy", code=2)
    assert "--source copy needs a copy of ImageNet: add --copy PATH." in finished.err


def test_terms(copies: Project) -> None:
    """A copy of one's own needs no URL table and no consent; one sentence reminds of the terms."""
    folder = make(copies, "tars")
    finished = run(copies, "--copy", str(folder), "--url_data", str(copies.path / "none.csv"))
    assert finished.out.count("non-commercial research and education only") == 1
    assert saved(copies) == TRAINED
