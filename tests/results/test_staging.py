"""Staged images: written under unique names, committed with the XML first, and never left behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.errors import FolderError
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results import staging
from utils.results.paths import CategoryFolder
from utils.results.staging import NOT_WRITTEN, OLD_SHARDS_NAME, STAGING_NAME, StagingFolder, StagingWriter

CODE = "n00000001_1"
IMAGE, XML = b"an image", b"its boxes"


@pytest.fixture
def red(tmp_path: Path) -> CategoryFolder:
    """Make the folder of a category, and the staging folder beside it."""
    folder = CategoryFolder(tmp_path / "red")
    folder.make()
    (tmp_path / STAGING_NAME).mkdir()
    return folder


def stage(root: Path, xml: bytes | None = XML) -> Outcome:
    """Stage an image, as a worker does."""
    name, modified_ns = StagingWriter(root).write(IMAGE, xml)
    return Outcome(
        UrlRow(0, CODE, "http://host/1.jpg"),
        Status.DOWNLOADED,
        http_status=200,
        attempts=1,
        file=f"Images/{CODE}.jpg",
        boxes=1 if xml else None,
        modified_ns=modified_ns,
        staged=name,
    )


def files(root: Path) -> set[str]:
    """Name all files below a folder."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("xml", [XML, None], ids=["with XML", "without"])
def test_commit(red: CategoryFolder, tmp_path: Path, xml: bytes | None) -> None:
    """The files get their final names; the outcome keeps everything but the staged name."""
    outcome = stage(tmp_path, xml)
    committed = StagingFolder(tmp_path).commit(outcome, red)
    assert committed == replace(outcome, staged="")
    image = red.images / f"{CODE}.jpg"
    assert (image.read_bytes(), image.stat().st_mtime_ns) == (IMAGE, outcome.modified_ns)
    assert files(tmp_path) == {f"red/Images/{CODE}.jpg"} | ({f"red/Annotation/{CODE}.xml"} if xml else set())


def test_commit_renames_the_xml_first(
    red: CategoryFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that exists is complete with its XML, even if the run is killed in between."""
    renamed = []

    def replace_and_record(source: str, target: str) -> None:
        renamed.append(Path(target))
        Path(source).rename(target)

    monkeypatch.setattr(staging.os, "replace", replace_and_record)
    StagingFolder(tmp_path).commit(stage(tmp_path), red)
    assert renamed == [red.annotation(CODE), red.images / f"{CODE}.jpg"]


@pytest.mark.parametrize("in_the_way", ["Images", "Annotation"])
def test_commit_that_fails(red: CategoryFolder, tmp_path: Path, in_the_way: str) -> None:
    """If one of the files cannot be renamed, the image fails with `disk_error`, and nothing is left."""
    target = {"Images": red.images / f"{CODE}.jpg", "Annotation": red.annotation(CODE)}[in_the_way]
    target.mkdir()
    outcome = StagingFolder(tmp_path).commit(stage(tmp_path), red)
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.DISK_ERROR)
    assert outcome.description == "It could not be written: Is a directory."
    assert (outcome.http_status, outcome.attempts, outcome.file) == (200, 1, "")
    assert (outcome.staged, outcome.boxes, outcome.disk_full) == ("", None, False)
    assert files(tmp_path) == set()
    target.rmdir()
    assert StagingFolder(tmp_path).commit(stage(tmp_path), red).status is Status.DOWNLOADED


@pytest.mark.parametrize("staged", ["../precious", "../../precious", "/{}/precious", "..", "."])
def test_other_files_are_neither_moved_nor_deleted(red: CategoryFolder, tmp_path: Path, staged: str) -> None:
    """An outcome from another machine may name any file: only staged files are moved and deleted."""
    for folder in (tmp_path, tmp_path.parent):
        (folder / "precious").write_bytes(b"mine")
    before = files(tmp_path)
    outcome = replace(stage(tmp_path, None), staged=staged.format(tmp_path), file="../../precious")
    assert StagingFolder(tmp_path).commit(outcome, red).reason is Reason.DISK_ERROR
    StagingFolder(tmp_path).discard(outcome)
    assert before <= files(tmp_path)
    assert (tmp_path.parent / "precious").read_bytes() == b"mine"


def test_target_is_named_by_the_image_code(red: CategoryFolder, tmp_path: Path) -> None:
    """Whatever file an outcome from another machine names."""
    outcome = replace(stage(tmp_path), file="../../elsewhere/n00000002_2.png")
    committed = StagingFolder(tmp_path).commit(outcome, red)
    assert committed.file == f"Images/{CODE}.png"
    assert files(tmp_path) == {f"red/Images/{CODE}.png", f"red/Annotation/{CODE}.xml"}


def test_commit_of_files_that_are_gone(red: CategoryFolder, tmp_path: Path) -> None:
    """The image fails."""
    outcome = stage(tmp_path)
    StagingFolder(tmp_path).discard(outcome)
    assert StagingFolder(tmp_path).commit(outcome, red).reason is Reason.DISK_ERROR
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    ("number", "disk_full"),
    [
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
        (errno.EIO, True),
        (errno.EROFS, False),
        (errno.EACCES, False),
        (errno.EFBIG, False),
    ],
)
def test_commit_on_a_full_disk(
    red: CategoryFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, disk_full: bool
) -> None:
    """The outcome says whether the disk is full, so that the run stops, or only this folder is unusable."""

    def fail(_source: str, _target: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(staging.os, "replace", fail)
    outcome = StagingFolder(tmp_path).commit(stage(tmp_path), red)
    assert outcome.disk_full is disk_full
    assert outcome.description == f"{NOT_WRITTEN}{os.strerror(number)}."


def test_discard(red: CategoryFolder, tmp_path: Path) -> None:
    """The staged files are deleted; an outcome without any is ignored."""
    outcome = stage(tmp_path)
    assert len(files(tmp_path)) == 2
    for _ in range(2):
        StagingFolder(tmp_path).discard(outcome)
    assert files(tmp_path) == set()
    StagingFolder(tmp_path).discard(replace(outcome, staged=""))
    assert (tmp_path / STAGING_NAME).is_dir()


def test_leftovers_of_killed_runs_are_deleted(red: CategoryFolder, tmp_path: Path) -> None:
    """At the start of a run, also those of version 0.1; at its end the folder is gone."""
    stage(tmp_path)
    (tmp_path / OLD_SHARDS_NAME / "run").mkdir(parents=True)
    (tmp_path / OLD_SHARDS_NAME / "run" / "000000.jsonl").write_bytes(b"{}")
    with StagingFolder(tmp_path):
        assert files(tmp_path) == set()
        stage(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"red"}


def test_folder_that_cannot_be_created(tmp_path: Path) -> None:
    """A file of its name is an error that names it."""
    (tmp_path / STAGING_NAME).write_bytes(b"")
    with pytest.raises(FolderError, match=rf"{STAGING_NAME}: File exists"), StagingFolder(tmp_path):
        pass


def test_names_are_unique(red: CategoryFolder, tmp_path: Path) -> None:
    """Writers of any process or machine use different names."""
    writers = [StagingWriter(tmp_path) for _ in range(20)]
    names = {writer.write(IMAGE, None)[0] for writer in writers for _ in range(20)}
    assert len(names) == 400


def test_write_that_fails(red: CategoryFolder, tmp_path: Path) -> None:
    """On a full disk neither the image nor its XML is left."""
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from utils.results.staging import StagingWriter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: StagingWriter(Path(sys.argv[1])).write(bytes(5000), b'xml')\n"
        "except OSError as error: print(error.strerror)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "File too large\n"
    assert files(tmp_path) == set()
