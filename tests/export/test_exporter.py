"""An export is complete or absent, replaces only exports, and has tables of its contents."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.export.export_project import ExportProject, draw, files, lines, read_json, stored
from utils.errors import DatasetError, DiskError, InputError
from utils.export import exporter, tables, yolo
from utils.export.dataset import MARKER
from utils.export.formats import FORMATS

CUP, CARTON = "n03147509", "n02971356"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make two categories with six images."""
    made = ExportProject(tmp_path, {CUP: "cup", CARTON: "carton"})
    for number in range(4):
        made.add(CUP, f"{CUP}_{number}", None, *[(1, 1, 9, 9), (2, 2, 30, 30)][: number % 3])
    made.add(CARTON, f"{CARTON}_1", None, (3, 3, 40, 40))
    made.add(CARTON, f"{CARTON}_2")
    return made


def beside(project: ExportProject) -> list[str]:
    """List what lies next to the result folder."""
    return sorted(path.name for path in project.path.iterdir() if path.name != "partial_imagenet")


def test_export_is_replaced(project: ExportProject) -> None:
    """The previous export is removed with all its files."""
    folder = project.export("yolo")
    (folder / "labels" / "train.cache").write_text("of a training")
    project.add(CUP, f"{CUP}_9", None, (1, 1, 9, 9))
    assert project.export("yolo") == folder
    assert len(files(folder, ".jpg")) == 7
    assert not (folder / "labels" / "train.cache").exists()
    assert beside(project) == ["partial_imagenet_yolo"]


def test_marker(project: ExportProject) -> None:
    """The marker holds format, options and counts."""
    marker = read_json(project.export("coco", val_fraction=0, seed=7) / MARKER)
    assert marker == {
        "format": "coco",
        "options": {
            "val_fraction": 0,
            "seed": 7,
            "labels": "name",
            "other_classes": False,
            "export_unannotated": True,
            "per_class": None,
            "near_duplicates": True,
            "max_side": None,
        },
        "counts": {"train images": 6, "val images": 0, "train boxes": 4, "val boxes": 0},
    }


NAMES = ["partial_imagenet_yolo", ".partial_imagenet_yolo.part", ".partial_imagenet_yolo.old"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_other_folders_are_not_replaced(project: ExportProject, name: str, kind: str) -> None:
    """A folder without our marker, a file or a link is rejected, and not changed."""
    path, elsewhere = project.path / name, project.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("mine")
    if kind == "folder":
        elsewhere.rename(path)
    elif kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(elsewhere)
    project.dataset()  # records hashes and split
    before = files(project.path)
    with pytest.raises(InputError, match="was not made by an export"):
        project.export("yolo")
    assert files(project.path) == before


def test_empty_folder_is_replaced(project: ExportProject) -> None:
    """An empty folder is replaced."""
    (project.path / "partial_imagenet_yolo").mkdir()
    assert (project.export("yolo") / MARKER).is_file()


def make_stale(path: Path) -> None:
    """Make a folder of an old export."""
    path.mkdir()
    (path / MARKER).write_text("{}")
    (path / "stale.txt").write_text("stale")


@pytest.mark.parametrize("left", [NAMES[1:2], NAMES[1:], NAMES[2:], NAMES])
def test_recovery_from_a_killed_export(project: ExportProject, left: list[str]) -> None:
    """After a kill at any moment the next export is complete, and nothing else is left."""
    for name in left:
        make_stale(project.path / name)
    assert not (project.export("yolo") / "stale.txt").exists()
    assert beside(project) == ["partial_imagenet_yolo"]


@pytest.mark.parametrize("nth", [1, 2])
def test_interrupted_between_renames(
    project: ExportProject, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Ctrl-C between the two renames leaves the previous or the new export under its name."""
    folder = project.export("yolo")
    before = files(folder)
    rename, calls = Path.rename, []

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == nth:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.export("yolo")
    assert files(folder) == before
    assert beside(project) == ["partial_imagenet_yolo"]


def test_interrupted_while_writing(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while images are linked leaves the previous export, and nothing unfinished."""
    folder = project.export("yolo")
    placed: list[str] = []
    link_image = yolo.link_image

    def interrupted(*arguments: object, **options: object) -> str:
        if len(placed) == 3:
            raise KeyboardInterrupt
        placed.append(link_image(*arguments, **options))  # type: ignore[arg-type]
        return placed[-1]

    monkeypatch.setattr(yolo, "link_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.export("yolo")
    assert len(placed) == 3
    assert len(files(folder, ".jpg")) == 6
    assert beside(project) == ["partial_imagenet_yolo"]


def test_killed_while_removing(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was being removed can be identified, and the next export removes the rest."""
    project.export("yolo")
    removed: list[Path] = []

    def killed(path: Path) -> None:
        removed.append(path)
        for file in path.rglob("*.txt"):
            file.unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exporter.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            project.export("yolo")
    assert removed
    assert NAMES[2] in beside(project)
    assert len(files(project.export("yolo"), ".txt")) == 6
    assert beside(project) == ["partial_imagenet_yolo"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a small file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(size: str) -> Path:
        options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small file system")
        mounted.append(folder)
        return folder

    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("format_name", FORMATS)
def test_full_disk(small_disk: Callable[[str], Path], format_name: str) -> None:
    """On a full disk an export fails with a message, and leaves nothing."""
    project = ExportProject(small_disk("600k"), {CUP: "cup"})
    for number in range(30):
        project.add(CUP, f"{CUP}_{number}", stored(draw(number, (40, 40))), (1, 1, 9, 9))
    project.dataset()
    free = project.path / "ballast"
    with pytest.raises(DiskError, match="make room"):  # noqa: PT012  # the disk is filled for the export
        try:
            free.write_bytes(b"\0" * 1_000_000)
        except OSError:
            project.export(format_name)
    free.unlink()
    assert beside(project) == []
    assert len(lines(project.export(format_name) / "images.csv")) == 31


def test_nothing_to_export(project: ExportProject, tmp_path: Path) -> None:
    """Without images, or without boxes where only those are wanted, there is an error and no folder."""
    empty = ExportProject(tmp_path / "empty", {CUP: "cup"})
    (tmp_path / "empty" / "partial_imagenet").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no image of the selected categories"):
        empty.export("imagefolder")
    empty.add(CUP, f"{CUP}_1")
    with pytest.raises(DatasetError, match="none of the images has boxes"):
        empty.export("voc", export_unannotated=False)
    assert beside(empty) == []
    assert files(empty.export("voc"), ".jpg")


@pytest.mark.parametrize("format_name", FORMATS)
def test_tables_list_every_image(project: ExportProject, format_name: str) -> None:
    """images.csv has a row with the file of each image, and labels.csv counts them."""
    folder = project.export(format_name, val_fraction=0.5)
    images = pd.read_csv(folder / "images.csv")
    assert list(images.columns) == [
        "file",
        "split",
        "label",
        "wnid",
        "width",
        "height",
        "boxes",
        "sha256",
        "url",
    ]
    assert len(images) == 6
    assert all((folder / file.partition("#")[0]).is_file() for file in images["file"])
    counts = pd.read_csv(folder / "labels.csv", index_col="label")
    assert counts.filter(like="images").sum().sum() == 6
    assert counts.filter(like="boxes").sum().sum() == images["boxes"].sum() == 4
    assert counts.loc["cup"].filter(like="images").sum() == 4


def test_table_fits_the_screen(project: ExportProject) -> None:
    """The largest labels come first, the rest is added up, and long names are cut."""
    names = {f"n{number:08}": f"a category called {'so' * 20} {number}" for number in range(30)}
    made = ExportProject(project.path / "many", names)
    for number, code in enumerate(names):
        for image in range(1 + number % 2):
            made.add(code, f"{code}_{image}")
    counts = exporter.export(made.dataset(), "imagefolder", made.settings()).counts
    printed = tables.as_text(counts).splitlines()
    assert len(printed) == 1 + tables.MAX_ROWS + 2
    assert printed[-2].startswith("... and 5 more")
    assert [int(number) for number in printed[-1].split()[1:3]] == list(
        counts[["train images", "val images"]].sum()
    )
    assert max(map(len, printed)) < 110
