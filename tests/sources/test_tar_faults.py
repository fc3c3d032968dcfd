"""Runs with `--source archive` that are interrupted or killed, or whose disk is full."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import pictures
from demo.web import Answer, Length, Web
from tests.machine import process_group, wait_until, workers
from tests.pipeline.test_disk import mount, remount
from tests.project import ALONE, Project
from tests.sources.tar_project import BLUE, RED, SAVED, Archive, photos
from tests.tars import tar

__all__ = ["mount"]

MANY = 60
PACE = 10_000
"""Bytes per second; the tar takes 15 s."""
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@pytest.fixture
def archive(project: Project, web: Web) -> Archive:
    """Return an archive whose tar arrives slowly unless it is resumed; every fourth image has boxes."""
    project.category(RED, "red")
    archive = Archive(project, web)
    archive.serve_slowly(photos(MANY), PACE)
    for number in range(0, MANY, 4):
        project.annotate(f"{RED}_{number}", (1, 1, 20, 20))
    return archive


def saved(archive: Archive) -> int:
    """Count the saved images."""
    return len(list(archive.project.result.glob("*/Images/n*")))


def check_undisturbed(archive: Archive) -> None:
    """Check that the result is that of an undisturbed run."""
    assert archive.saved() == [str(number) for number in range(MANY)]
    assert len(archive.rows()) == MANY
    assert {name: archive.image(name) for name in photos(MANY)} == photos(MANY)
    assert archive.project.xmls("red") == {f"{RED}_{number}.xml" for number in range(0, MANY, 4)}
    assert archive.left() == set()


def test_interrupted_during_a_tar(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends in time with a complete report; no other tar is started; the next run resumes."""
    monkeypatch.setenv("PART_OF_IMAGENET_TOKEN", "GEHEIM")
    archive.project.category(BLUE, "azure")
    archive.keep(photos(2, BLUE), code=BLUE)
    with archive.start() as process:
        wait_until(lambda: saved(archive) > 5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.startswith("Interrupted. The reports are written")
    assert set(archive.requested()) == {f"{RED}.tar"}
    assert 5 < len(archive.saved()) < MANY
    rest = [(status, reason) for _, status, reason in archive.rows() if status not in SAVED]
    assert set(rest) <= {("not_attempted", "interrupted")}
    assert archive.rows("azure") == []
    assert archive.left() == {".archive"}
    written = [path.read_bytes() for path in archive.project.path.rglob("*") if path.is_file()]
    assert not any(b"GEHEIM" in text for text in written)
    assert archive.run().code == 0
    assert archive.web.requests[0].headers["range"].startswith("bytes=")
    assert archive.requested() == [f"{RED}.tar", f"{BLUE}.tar"]
    check_undisturbed(archive)


@pytest.mark.parametrize("source", ["archive", "both"])
def test_interrupted_before_a_tar(archive: Archive, source: str) -> None:
    """No file is left; while URLs are tried, the tar is not started."""
    archive.web.answer(f"/{RED}.tar", Answer(hang=True))
    archive.link(f"{RED}_70", Answer.jpeg(pictures.jpeg()))
    archive.link(f"{RED}_71", Answer(hang=True))
    first = f"{RED}.tar" if source == "archive" else f"{RED}_71"
    with archive.start(*ALONE, source=source) as process:
        wait_until(lambda: archive.web.count(f"/{first}"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert archive.requested()[-1] == first
    assert archive.left() == set()
    expected = [(f"{RED}_70", "downloaded", ""), (f"{RED}_71", "not_attempted", "interrupted")]
    assert archive.rows() == (expected if source == "both" else [])


def killed(archive: Archive, *flags: str, after: int) -> None:
    """Run, and kill all processes when so many images are saved."""
    with archive.start(*flags) as process:
        wait_until(lambda: saved(archive) >= after)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not process_group(process.pid))


def test_killed_run(archive: Archive) -> None:
    """The next run resumes the tar; the result is that of an undisturbed run."""
    killed(archive, after=5)
    archive.requested()
    assert archive.run().code == 0
    assert [request.path for request in archive.web.requests if "range" in request.headers] == [f"/{RED}.tar"]
    check_undisturbed(archive)


def test_images_of_a_killed_run(archive: Archive) -> None:
    """Saved images that are in no journal are found in the tar: they are reported and counted."""
    archive.project.annotations.clear()
    killed(archive, "--batch_size", "4", after=5)
    journal = archive.project.result / "red" / ".journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if "file" not in json.loads(line)))
    there = saved(archive)
    archive.requested()
    assert archive.run(*ALONE, "--how_many", str(there), "--fill").code == 0
    assert archive.requested() == []
    assert len(archive.saved()) == there
    assert {row["url"] for row in archive.project.report("red")} == {
        archive.web.url(f"/{RED}.tar#{RED}_{number}.JPEG") for number in archive.saved()
    }
    assert archive.left() == set()


def test_killed_worker(archive: Archive) -> None:
    """A killed worker costs neither its images nor the tar."""
    archive.serve_slowly(photos(MANY), 5 * PACE)
    with archive.start() as process:
        wait_until(lambda: saved(archive) > 5)
        os.kill(workers(process.pid)[0], signal.SIGKILL)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert archive.requested() == [f"{RED}.tar"]
    check_undisturbed(archive)


@pytest.mark.parametrize("source", ["archive", "both"])
def test_deleted_category_folder(archive: Archive, source: str) -> None:
    """The category fails with one sentence, without waiting for its tar."""
    archive.project.category(BLUE, "azure")
    archive.keep(photos(3, BLUE), code=BLUE)
    archive.serve_slowly(photos(MANY), PACE / 8)
    for number in range(12):
        archive.link(f"{RED}_{70 + number}", Answer(body=pictures.jpeg(seed=number), delay=number / 10))
    with archive.start(source=source) as process:
        wait_until(lambda: list(archive.project.result.glob("red/Images/n*")))
        (archive.project.result / "red").rename(archive.project.path / "elsewhere")
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("red: Cannot work with")
    assert errors.count("\n") == 1
    assert (f"{RED}.tar" in archive.requested()) == (source == "archive")
    assert archive.saved("azure") == ["0", "1", "2"]


@pytest.mark.parametrize("length", list(Length))
def test_disk_full_during_a_tar(archive: Archive, mount: Callable[[Path, str], None], length: Length) -> None:
    """The run stops with one sentence; with free space, the next run completes the result."""
    place = archive.project.result / ".archive"
    mount(place, "size=64k")
    archive.web.answer(f"/{RED}.tar", Answer(body=tar(*photos(MANY).items()), length=length))
    finished = archive.run(*ALONE)
    assert finished.code == 1
    assert "make room" in finished.err
    assert finished.err.count("\n") == 1
    assert len(archive.rows()) == saved(archive)
    remount(place, "size=10m")
    assert archive.run(*ALONE).code == 0
    assert not list(place.iterdir())
    assert archive.saved() == [str(number) for number in range(MANY)]


def test_full_disk_with_other_sources(archive: Archive, mount: Callable[[Path, str], None]) -> None:
    """The run stops, and tries neither other sources nor other categories."""
    mount(archive.project.result / ".archive", "size=64k")
    body = tar(("readme.txt", bytes(100_000)), *photos(MANY).items())
    archive.web.answer(f"/{RED}.tar", Answer(body=body, length=Length.OMITTED))
    archive.link(f"{RED}_70", Answer.jpeg(pictures.jpeg()))
    finished = archive.run(*ALONE, source="both")
    assert finished.code == 1
    assert "make room" in finished.err
    assert finished.err.count("\n") == 1
    assert archive.saved() == ["70"]
