"""Photos of the user's own in `Images/`: found, validated once, shown and exported, and never touched."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.docs.recipes import run_recipe
from tests.pictures import encode
from tests.project import ALONE, Project
from tests.result_folder import ResultFolder
from tests.results.test_first_version import FOLDER, SKY
from utils.export.formats import FORMATS
from utils.export.link_image import MAX_STEM
from utils.models.images import Box
from utils.results import own_images
from utils.results.exclusions import EXCLUDED_NAME, Exclusions
from utils.results.own_images import OwnImages
from utils.results.paths import CategoryFolder
from utils.results.reader import ImageRecord, read_categories

pytestmark = pytest.mark.alone
RED, BLUE = "n00000001", "n00000002"
LABELIMG = """<annotation verified="yes">
	<folder>Photos</folder>
	<filename>{name}</filename>
	<path>/home/me/My Photos/{name}</path>
	<source>
		<database>Unknown</database>
	</source>
	<size>
		<width>{width}</width>
		<height>{height}</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>Fuß ball</name>
		<pose>Unspecified</pose>
		<truncated>1</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>{box[0]}</xmin>
			<ymin>{box[1]}</ymin>
			<xmax>{box[2]}</xmax>
			<ymax>{box[3]}</ymax>
		</bndbox>
	</object>
</annotation>
"""
CVAT = """<annotation><folder></folder><filename>{name}</filename><source><database>Unknown</database>
<annotation>Unknown</annotation><image>Unknown</image></source><size><width>{width}</width>
<height>{height}</height><depth></depth></size><segmented>0</segmented><object><name>Fuß ball</name>
<truncated>0</truncated><occluded>0</occluded><difficult>0</difficult><bndbox><xmin>{box[0]}.00</xmin>
<ymin>{box[1]}.00</ymin><xmax>{box[2]}.0</xmax><ymax>{box[3]}.0</ymax></bndbox><attributes><attribute>
<name>rotation</name><value>0.0</value></attribute></attributes></object></annotation>"""


@pytest.fixture
def red(project: Project, web: Web) -> CategoryFolder:
    """Select a category with two URLs, and make its folder."""
    project.category(RED, "red")
    for number in range(2):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    folder = CategoryFolder(project.result / "red")
    folder.make()
    return folder


def add(folder: CategoryFolder, name: str, data: bytes, xml: str = "") -> Path:
    """Add a photo, and its XML."""
    path = folder.images / name
    path.write_bytes(data)
    if xml:
        folder.annotation(path.stem).write_text(xml, encoding="utf-8")
    return path


def drawn(layout: str, name: str, size: tuple[int, int], box: tuple[int, int, int, int]) -> str:
    """Return the XML of a box."""
    return layout.format(name=name, width=size[0], height=size[1], box=box)


def read(folder: CategoryFolder) -> OwnImages:
    """Read the own photos; nothing is excluded."""
    return own_images.read(folder, Exclusions())


def names(folder: CategoryFolder) -> list[str]:
    """Return the names of the valid photos."""
    return [image.path.name for image in read(folder).valid]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("IMG_0001.JPG", "JPEG"),
        ("my cat, größer (2).jpeg", "JPEG"),
        ("猫.png", "PNG"),
        ("scan.tif", "TIFF"),
        ("wrong.png", "JPEG"),
        ("no extension", "WEBP"),
        ("photo.dat", "BMP"),
        (f"{RED}_1_crop.jpg", "GIF"),
        (f"{RED}_1 copy.jpg", "JPEG"),
    ],
)
def test_names(red: CategoryFolder, name: str, kind: str) -> None:
    """An image under any name that is no image code is an own photo; its bytes give the format."""
    add(red, name, encode(kind))
    (image,) = read(red).valid
    assert (image.path.name, image.picture.format.name) == (name, kind)


def test_name_that_is_not_utf8(red: CategoryFolder) -> None:
    """The name may be any bytes."""
    add(red, os.fsdecode(b"caf\xe9.jpg"), encode("JPEG"))
    for _ in range(2):
        assert names(red) == [os.fsdecode(b"caf\xe9.jpg")]


@pytest.mark.parametrize(
    "name",
    [
        *("._IMG_1.jpg", ".DS_Store", "Thumbs.db", "Desktop.ini", ".hidden.jpg", "IMG_1.jpg~", "#IMG_1.jpg#"),
        *("IMG_1.jpg.bak", "IMG_1.swp", f"{RED}_1.jpg", f"{RED}_1.JPEG", ".IMG_1.jpg.part"),
    ],
)
def test_leftovers(red: CategoryFolder, name: str) -> None:
    """What systems and editors leave behind is no photo, whatever it contains; nor is an image code."""
    add(red, name, encode("JPEG"))
    assert read(red) == OwnImages()


@pytest.mark.parametrize("name", ["@eaDir", ".ipynb_checkpoints", "holiday.jpg"])
def test_folders(red: CategoryFolder, name: str) -> None:
    """Folders are not looked into."""
    (red.images / name).mkdir()
    (red.images / name / "IMG_1.jpg").write_bytes(encode("JPEG"))
    assert read(red) == OwnImages()


def test_run(project: Project, red: CategoryFolder, web: Web) -> None:
    """Own photos are counted apart, not towards how_many or in the report; invalid files are named once."""
    add(red, "IMG_1.jpg", pictures.jpeg(seed=11), drawn(LABELIMG, "IMG_1.jpg", (64, 48), (1, 1, 30, 40)))
    add(red, "IMG_2.png", encode("PNG"))
    add(red, "notes.txt", b"look at these")
    add(red, "IMG_3.heic", b"\0\0\0\x18ftypheic")
    add(red, "half.jpg", pictures.jpeg(seed=12)[:-40])
    done = project.run("--how_many", "1", "--fill", "True")
    assert (done.code, done.err) == (0, "")
    assert "red: 1 saved, 2 own\n" in done.out
    header, numbers = (
        line.split() for line in done.out.splitlines() if line.startswith(("category ", "red  "))
    )
    assert header[:6] == ["category", "saved", "with", "boxes", "own", "failed"]
    assert numbers == ["red", "1", "0", "2", "0", "0.0"]
    (said,) = (line for line in done.out.splitlines() if "left out" in line)
    assert said.startswith("3 own files are no images and are left out: ")
    assert "red/Images/IMG_3.heic (a HEIC image)" in said
    assert "red/Images/notes.txt (plain text)" in said
    assert [row["image_code"] for row in project.report("red")] == [f"{RED}_0"]


def test_no_own_photos(project: Project, red: CategoryFolder) -> None:
    """Without own photos nothing is said about them, and no file is written for them."""
    assert " own" not in project.run().out
    assert not red.own_images.exists()


def test_untouched(project: Project, red: CategoryFolder, web: Web) -> None:
    """Runs, --verify and exports change neither photos nor their XML, valid or not."""
    add(red, "a.png", pictures.jpeg(seed=11), drawn(LABELIMG, "a.png", (64, 48), (0, 0, 64, 48)))
    add(red, "b.jpg", b"<html>", "<annotation>")
    red.annotation("c").write_text("<annotation>")
    add(
        red,
        "small.gif",
        encode("GIF", Image.new("L", (4, 4))),
        drawn(LABELIMG, "small.gif", (64, 48), (1, 1, 3, 3)),
    )
    mine = [path for path in red.path.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in mine}
    assert project.run("--export", "yolo", "--export_unannotated", "True").code == 0
    for flags in (("--verify",), ("--verify", "--dry_run"), ("--dry_run",), ("--retry_failed", "True")):
        done = project.run(*flags)
        assert (done.code, done.err) == (0, ""), done.out
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in mine} == before


def test_validated_once(red: CategoryFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo is decoded again only if its size or modification time has changed."""
    one, other = (add(red, f"{name}.jpg", pictures.jpeg(seed=ord(name))) for name in "ab")
    invalid = add(red, "c.jpg", b"<html>")
    first = read(red)
    validated: list[str] = []
    validate = own_images.validate_file

    def counted(path: Path) -> object:
        validated.append(path.name)
        return validate(path)

    monkeypatch.setattr(own_images, "validate_file", counted)
    assert read(red) == first
    assert validated == []
    os.utime(other, ns=(1, 1))
    invalid.write_bytes(pictures.jpeg(seed=3))
    one.unlink()
    again = read(red)
    assert [image.path.name for image in again.valid] == ["b.jpg", "c.jpg"]
    assert (again.invalid, validated) == ((), ["b.jpg", "c.jpg"])
    assert read(red) == again
    assert len(validated) == 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[[1]]", b'{"a.jpg": 1}', b'[["a.jpg", [1, 2], ["jpg"]]]', b"7"]
)
def test_damaged_cache(red: CategoryFolder, content: bytes) -> None:
    """A damaged file of validations is replaced."""
    add(red, "a.jpg", encode("JPEG"))
    first = read(red)
    good = red.own_images.read_bytes()
    red.own_images.write_bytes(content)
    assert read(red) == first
    assert red.own_images.read_bytes() == good


@pytest.mark.parametrize(
    ("place", "value"), [(0, "exe"), (1, 0), (2, -1), (2, 1e999), (3, 2**31), (4, "ab"), (5, 1e999), (5, [])]
)
def test_edited_cache(red: CategoryFolder, place: int, value: object) -> None:
    """A photo with impossible values is validated again."""
    add(red, "a.jpg", encode("JPEG"))
    first = read(red)
    good = red.own_images.read_bytes()
    records = json.loads(good)
    records[0][2][place] = value
    red.own_images.write_text(json.dumps(records))
    assert read(red) == first
    assert red.own_images.read_bytes() == good


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), MemoryError()], ids=str)
def test_file_that_cannot_be_validated(
    red: CategoryFolder, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A file that cannot be read or decoded now is left out, and validated by the next run."""
    add(red, "a.jpg", encode("JPEG"))

    def fail(_path: Path) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(own_images, "validate_file", fail)
        found = read(red)
    assert found.valid == ()
    assert len(found.invalid) == 1
    assert names(red) == ["a.jpg"]


def test_unwritable_cache(red: CategoryFolder) -> None:
    """Photos are read even if their validation cannot be kept."""
    red.own_images.mkdir()
    add(red, "a.jpg", encode("JPEG"))
    assert names(red) == ["a.jpg"]


def records(made: ResultFolder) -> list[ImageRecord]:
    """Read all images of a result folder."""
    codes = {category.code for category in made.categories}
    return [one for contents in read_categories(made.root, made.categories, codes) for one in contents.images]


@pytest.fixture
def made(tmp_path: Path) -> ResultFolder:
    """Make a result folder with a category and one image."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    made.image(made.category(RED, "red"), f"{RED}_1", Box("red", 0, 0, 9, 9))
    return made


@pytest.mark.parametrize("layout", [LABELIMG, CVAT])
@pytest.mark.parametrize("name", ["my cat größer.jpg", "IMG_1.JPG"])
def test_boxes(made: ResultFolder, layout: str, name: str) -> None:
    """Boxes that labelImg and CVAT drew are read with any label, and clipped to the photo."""
    red = CategoryFolder(made.root / "red")
    add(red, name, pictures.jpeg(seed=5), drawn(layout, name, (64, 48), (10, 1, 64, 48)))
    image, own = records(made)
    assert (image.is_own, own.is_own) == (False, True)
    assert (own.folder, own.image_code, own.url) == ("red", name.rpartition(".")[0], "")
    assert own.annotation
    (box,) = own.annotation.boxes
    assert (box.label, box.xmin, box.ymin, box.xmax, box.ymax) == ("Fuß ball", 10, 1, 63, 47)


@pytest.mark.parametrize("xml", ["", "<annotation>", drawn(LABELIMG, "", (48, 64), (1, 1, 9, 9))])
def test_no_boxes(made: ResultFolder, xml: str) -> None:
    """A missing or damaged XML, or one for another shape, costs the boxes, not the photo."""
    add(CategoryFolder(made.root / "red"), "a.jpg", pictures.jpeg(seed=5), xml)
    assert records(made)[1].annotation is None


@pytest.mark.parametrize(
    ("orientation", "stated"),
    [
        *((orientation, stated) for orientation in range(1, 9) for stated in ("turned", "none", "half")),
        *((orientation, "stored") for orientation in range(5, 9)),
    ],
)
def test_turned_photos(made: ResultFolder, orientation: int, stated: str) -> None:
    """Boxes drawn on a photo as EXIF turns it are turned back; those that state the stored size are not."""
    stored = Image.new("RGB", (64, 48), "white")
    stored.paste("red", (6, 10, 26, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    red = CategoryFolder(made.root / "red")
    path = red.images / "a.png"
    stored.save(path, exif=exif)
    with Image.open(path) as image:
        shown = image.copy() if stated == "stored" else ImageOps.exif_transpose(image)
    blue = shown.getchannel("B").point(lambda value: 255 - value)
    left, top, right, bottom = blue.getbbox()
    size = {"none": (0, 0), "half": (shown.width // 2, shown.height // 2)}.get(stated, shown.size)
    box = (left, top, right - 1, bottom - 1)
    if stated == "half":
        box = (left // 2, top // 2, right // 2 - 1, bottom // 2 - 1)
    red.annotation("a").write_text(drawn(LABELIMG, "a.png", size, box), encoding="utf-8")
    annotation = records(made)[1].annotation
    assert annotation
    assert (annotation.width, annotation.height) == (64, 48)
    (found,) = annotation.boxes
    assert (found.xmin, found.ymin, found.xmax, found.ymax) == (6, 10, 25, 39)


def test_export(project: Project, red: CategoryFolder) -> None:
    """Own photos are in each export as images of their category, without a URL."""
    for number in range(4):
        name = f"größer {number}.jpg"
        add(red, name, pictures.jpeg(seed=20 + number), drawn(LABELIMG, name, (64, 48), (1, 1, 30, 40)))
    add(red, "wrong.png", pictures.jpeg(seed=30), drawn(LABELIMG, "wrong.png", (64, 48), (1, 1, 30, 40)))
    add(red, "x" * 240 + ".gif", encode("GIF"), drawn(LABELIMG, "x.gif", (64, 48), (1, 1, 30, 40)))
    done = project.run("--export", *FORMATS, "--export_unannotated", "True")
    assert (done.code, done.err) == (0, "")
    assert "Fuß ball" in done.out
    for name in FORMATS:
        folder = project.path / f"partial_imagenet_{name}"
        table = (folder / "images.csv").read_text(encoding="utf-8")
        assert len(table.splitlines()) == 1 + 8
        own = [line for line in table.splitlines() if f"{RED}_" not in line.partition(",")[0]]
        assert len(own) == 1 + 6
        assert all(line.endswith(",") and f",red,{RED}," in line for line in own[1:])
    images = project.path / "partial_imagenet_yolo" / "images"
    exported = {path.name for path in images.rglob("*.*")}
    assert exported >= {"größer_0.jpg", "wrong.jpg", "x" * MAX_STEM + ".png"}


def test_gallery(made: ResultFolder) -> None:
    """The gallery shows own photos of every folder, also of one without a journal; the card counts them."""
    red = CategoryFolder(made.root / "red")
    add(red, "my cat.jpg", pictures.jpeg(seed=5), drawn(LABELIMG, "my cat.jpg", (64, 48), (10, 1, 30, 40)))
    holiday = CategoryFolder(made.root / "holiday")
    holiday.make()
    add(holiday, "b.jpg", pictures.jpeg(seed=6))
    for _ in range(2):  # the second time from the state file
        made.write()
        assert [image[0] for image in made.images()] == ["b.jpg", f"{RED}_1.jpg", "my%20cat.jpg"]
        assert [image[4] for image in made.images()] == ["", "http://a.example/1.jpg", ""]
        assert made.data()["total"]["own"] == 2
        assert "3 images of 1 URL tried or considered and 2 own photos, 2 of them with" in made.card
    add(holiday, "c.jpg", pictures.jpeg(seed=7))
    made.write()
    assert len(made.images()) == 4


def test_excluded(project: Project, red: CategoryFolder) -> None:
    """An own photo in excluded.txt stays, and is in no export, gallery or count."""
    kept = [add(red, name, pictures.jpeg(seed=len(name))) for name in ("my a.jpg", "b.jpg")]
    (project.result / EXCLUDED_NAME).write_text("my a.jpg blurred\nblue/Images/b.jpg\nc.jpg\n")
    done = project.run("--export", "imagefolder")
    assert (done.code, done.err) == (0, "")
    assert "2 saved, 1 own\n" in done.out
    assert "excluded.txt: 2 lines name no image of the selected categories." in done.out
    assert all(path.exists() for path in kept)
    table = (project.path / "partial_imagenet_imagefolder" / "images.csv").read_text(encoding="utf-8")
    page = (project.result / "index.html").read_text(encoding="utf-8")
    assert "/b.jpg" in table
    assert "my_a" not in table
    assert '"b.jpg"' in page
    assert "my%20a" not in page
    assert project.run("--verify").code == 0
    assert all(path.exists() for path in kept)


def test_folder_of_own_photos_only(project: Project, web: Web) -> None:
    """A selected category with own photos only is exported, even if no image is requested."""
    project.category(RED, "red", how_many=0)
    project.category(BLUE, "azure", marked=False)
    for name in ("red", "azure"):
        folder = CategoryFolder(project.result / name)
        folder.make()
        for number in range(3):
            add(folder, f"{name} {number}.jpg", pictures.jpeg(seed=number + len(name)))
    done = project.run("--export", "imagefolder")
    assert (done.code, done.err) == (0, "")
    table = (project.path / "partial_imagenet_imagefolder" / "images.csv").read_text(encoding="utf-8")
    assert table.count("red_") == 3
    assert "azure" not in table
    assert '"azure%200.jpg"' in (project.result / "index.html").read_text(encoding="utf-8")


def test_first_version(project: Project) -> None:
    """Own photos in a folder of version 0.1 are found, too."""
    shutil.copytree(FOLDER, project.result)
    project.category(SKY, "sky", how_many=0)
    add(CategoryFolder(project.result / "sky"), "mine.jpg", pictures.jpeg(seed=5))
    done = project.run(*ALONE, "--export", "imagefolder")
    assert (done.code, done.err) == (0, "")
    assert ", 1 own, " in done.out
    table = (project.path / "partial_imagenet_imagefolder" / "images.csv").read_text(encoding="utf-8")
    assert "/mine.jpg," in table


def test_recipe(project: Project) -> None:
    """The commands in docs/report.md export own photos with the images of a category."""
    project.category("n02971356", "carton")
    project.url("n02971356_1", "http://127.0.0.1:1/1")
    (project.path / "photos").mkdir()
    for number in range(3):
        (project.path / "photos" / f"IMG {number}.jpg").write_bytes(pictures.jpeg(seed=number))
    run_recipe(project, "report.md", "Photos of your own")
    table = (project.path / "partial_imagenet_imagefolder" / "images.csv").read_text(encoding="utf-8")
    assert table.count("IMG_") == 3
