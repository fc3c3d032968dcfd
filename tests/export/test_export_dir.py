"""Folders of exports that cannot be written, read or removed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.export.export_project import ExportProject, files
from utils.errors import FolderError, InputError, disk_error
from utils.export import exporter
from utils.export.dataset import MARKER
from utils.export.exporter import ExportDir, Exported

CUP = "n03147509"
FOLDER, PART, OLD = "partial_imagenet_yolo", ".partial_imagenet_yolo.part", ".partial_imagenet_yolo.old"


@pytest.fixture
def project(tmp_path: Path) -> ExportProject:
    """Make a category with three images."""
    made = ExportProject(tmp_path / "place", {CUP: "cup"})
    for number in range(3):
        made.add(CUP, f"{CUP}_{number}", None, (1, 1, 9, 9))
    return made


def beside(project: ExportProject) -> list[str]:
    """List what lies next to the result folder."""
    return sorted(path.name for path in project.path.iterdir() if path.name != "partial_imagenet")


def export(project: ExportProject) -> Exported:
    """Export, and return the result."""
    return exporter.export(project.dataset(), "yolo", project.settings())


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[Path, str], None]]:
    """Return a function that mounts a file system over a folder for the test."""

    def mount_tmpfs(folder: Path, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"size=1m,{options}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting is not permitted")

    yield mount_tmpfs
    if os.geteuid() == 0 and Path("/proc/mounts").exists():
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for path in [path for path in mounted if path.startswith(f"{tmp_path}/")]:
            subprocess.run(["umount", path], check=True)


@pytest.fixture
def make_undeletable(mount: Callable[[Path, str], None]) -> Callable[[Path], None]:
    """Return a function after which an export can be renamed, but not removed."""

    def protect(folder: Path) -> None:
        inner = folder / "images" / "train"
        if os.geteuid() == 0:
            mount(inner, "rw")
        else:
            inner.chmod(0o555)  # pytest restores permissions before it removes its folders

    return protect


def test_old_export_cannot_be_removed(
    project: ExportProject, make_undeletable: Callable[[Path], None]
) -> None:
    """The new export is in place; the old one keeps its hidden name, and is reported each time."""
    make_undeletable(export(project).folder)
    first = export(project)
    assert first.not_removed == (project.path / OLD,)
    assert (first.folder / MARKER).is_file()
    assert len(files(first.folder, ".jpg")) == 3
    assert beside(project) == [OLD, FOLDER]

    make_undeletable(first.folder)
    for _ in range(2):
        later = export(project)
        assert later.not_removed == (project.path / OLD, project.path / f"{OLD}2")
        assert len(files(later.folder, ".jpg")) == 3
        assert beside(project) == [OLD, f"{OLD}2", FOLDER]


def test_latest_old_export_is_restored(
    project: ExportProject, monkeypatch: pytest.MonkeyPatch, make_undeletable: Callable[[Path], None]
) -> None:
    """If an older export cannot be removed, a killed export still restores the latest one."""
    make_undeletable(export(project).folder)
    folder = export(project).folder
    (folder / "latest").touch()
    rename, calls = Path.rename, []

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(project)
    assert (folder / "latest").exists()
    assert beside(project) == [OLD, FOLDER]


def test_unfinished_export_cannot_be_removed(
    project: ExportProject, make_undeletable: Callable[[Path], None]
) -> None:
    """The error names the folder that is in the way."""
    export(project).folder.rename(project.path / PART)
    make_undeletable(project.path / PART)
    with pytest.raises(FolderError, match=rf"{PART} was left .* cannot be removed\. Remove it"):
        export(project)


def test_read_only_folder(project: ExportProject, mount: Callable[[Path, str], None], tmp_path: Path) -> None:
    """If the folder is read-only, the check before the run says so."""
    place = tmp_path / "read_only"
    place.mkdir()
    if os.geteuid() == 0:
        mount(place, "ro")
    else:
        place.chmod(0o555)
    with pytest.raises(InputError, match=rf"{place} cannot be written to"):
        ExportDir.of("yolo", project.settings(export_dir=place)).check()


@pytest.mark.parametrize("previous", [False, True])
def test_error_mentions_previous_export(
    project: ExportProject, monkeypatch: pytest.MonkeyPatch, previous: bool
) -> None:
    """The message about a failed export says that the previous one is kept, if there is one."""
    if previous:
        project.export("yolo")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", "some file")

    monkeypatch.setattr(exporter, "_write", refuse)
    end = r"\. The previous export is kept\.$" if previous else r"\.$"
    with pytest.raises(FolderError, match=f"was not written: some file: Permission denied{end}"):
        project.export("yolo")


def test_unreadable_folder(project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be read is not replaced."""
    closed = project.path / FOLDER
    (closed / "inner").mkdir(parents=True)
    if os.geteuid() == 0:  # root can read every folder

        def refuse(path: Path) -> Iterator[Path]:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "iterdir", refuse)
    else:
        closed.chmod(0o311)
    with pytest.raises(InputError, match="not made by an export, and is not replaced"):
        ExportDir.of("yolo", project.settings()).check()
    if os.geteuid():
        closed.chmod(0o755)


def test_disk_error_names_the_folder_in_the_way(tmp_path: Path) -> None:
    """If a folder has the name of a file, the error names that folder."""
    inner, other = tmp_path / "image.xml", tmp_path / "other"
    inner.mkdir()
    other.touch()
    for do in (inner.read_bytes, lambda: other.replace(inner)):
        with pytest.raises(IsADirectoryError) as raised:
            do()
        assert f"Cannot work with {inner}: " in str(disk_error(tmp_path, raised.value))
