"""Where an export can be made, and what it does about folders that it may not remove."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.export_project import ExportProject, files
from utils.errors import FolderError, InputError, disk_error
from utils.export import exporter
from utils.export.exporter import MARKER, Exported

CUP = "n03147509"
FOLDER, PART, OLD = "partial_imagenet_yolo", ".partial_imagenet_yolo.part", ".partial_imagenet_yolo.old"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Give a folder with a category of three images."""
    made = ExportProject(tmp_path / "place", {CUP: "cup"})
    for number in range(3):
        made.add(CUP, f"{CUP}_{number}", None, (1, 1, 9, 9))
    return made


def beside(project: ExportProject) -> list[str]:
    """Name what lies beside the result folder, but for that itself."""
    return sorted(path.name for path in project.path.iterdir() if path.name != "partial_imagenet")


def export(project: ExportProject) -> Exported:
    """Export, and give what is said of it."""
    return exporter.export(project.gather(), "yolo", project.settings())


@pytest.fixture
def change(tmp_path: Path) -> Iterator[Callable[[Path, str], None]]:
    """Mount a file system over a folder; whatever is mounted below the test's folder goes in the end."""

    def mount(folder: Path, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size=1m,{options}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this root may not mount anything")

    yield mount
    if os.geteuid() == 0 and Path("/proc/mounts").exists():
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for path in [path for path in mounted if path.startswith(f"{tmp_path}/")]:
            subprocess.run(["umount", path], check=True)


@pytest.fixture
def keep(change: Callable[[Path, str], None]) -> Callable[[Path], None]:
    """Let an export be one that cannot be removed, only renamed."""

    def make_lasting(folder: Path) -> None:
        inner = folder / "images" / "train"
        if os.geteuid() == 0:
            change(inner, "rw")
        else:
            inner.chmod(0o555)  # pytest gives itself the right again before it removes its folders

    return make_lasting


def test_an_export_that_cannot_be_removed(project: ExportProject, keep: Callable[[Path], None]) -> None:
    """The new one is in place, and the old one stays aside and is named; later runs go on all the same."""
    keep(export(project).folder)
    first = export(project)
    assert first.left == (project.path / OLD,)
    assert (first.folder / MARKER).is_file()
    assert len(files(first.folder, ".jpg")) == 3
    assert beside(project) == [OLD, FOLDER]

    keep(first.folder)
    for _ in range(2):
        later = export(project)
        assert later.left == (project.path / OLD, project.path / f"{OLD}2")
        assert len(files(later.folder, ".jpg")) == 3
        assert beside(project) == [OLD, f"{OLD}2", FOLDER]


def test_the_latest_that_was_put_aside_gets_its_name_back(
    project: ExportProject, monkeypatch: pytest.MonkeyPatch, keep: Callable[[Path], None]
) -> None:
    """Where an older one could not be removed, a killed export still leaves the one of right before."""
    keep(export(project).folder)
    folder = export(project).folder
    (folder / "of right before").touch()
    rename, calls = Path.rename, []

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(project)
    assert (folder / "of right before").exists()
    assert beside(project) == [OLD, FOLDER]


def test_an_unfinished_one_that_cannot_be_removed(
    project: ExportProject, keep: Callable[[Path], None]
) -> None:
    """There is no room for another one then; the sentence names it."""
    export(project).folder.rename(project.path / PART)
    keep(project.path / PART)
    with pytest.raises(FolderError, match=rf"{PART}, .* cannot be removed .*Remove it"):
        export(project)


def test_no_room_for_a_folder(
    project: ExportProject, change: Callable[[Path, str], None], tmp_path: Path
) -> None:
    """Where no folder can be made the run says so, before anything is downloaded, and of no other thing."""
    place = tmp_path / "read_only"
    place.mkdir()
    if os.geteuid() == 0:
        change(place, "ro")
    else:
        place.chmod(0o555)
    with pytest.raises(InputError, match=rf"{place} cannot be written to"):
        exporter.place("yolo", place).require_ours()


def test_another_users_closed_folder(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder into which nobody else may look counts as none of ours."""
    closed = project.path / FOLDER
    (closed / "inner").mkdir(parents=True)
    if os.geteuid() == 0:  # who may look everywhere

        def refuse(path: Path) -> Iterator[Path]:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "iterdir", refuse)
    else:
        closed.chmod(0o311)
    with pytest.raises(InputError, match=r"no export of ours, and is left as it is\. Move or rename it\."):
        exporter.place("yolo", project.path).require_ours()
    if os.geteuid():
        closed.chmod(0o755)


def test_a_folder_where_a_file_belongs(tmp_path: Path) -> None:
    """The sentence names that folder, and not the larger one that was worked with."""
    inner, other = tmp_path / "image.xml", tmp_path / "other"
    inner.mkdir()
    other.touch()
    for do in (inner.read_bytes, lambda: other.replace(inner)):
        with pytest.raises(IsADirectoryError) as raised:
            do()
        assert f"Cannot work with {inner}: " in str(disk_error(tmp_path, raised.value))
