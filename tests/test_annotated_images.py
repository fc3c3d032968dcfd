"""Images with boxes are counted from the archives as they are, once, and whatever state those are in."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.project import Project
from utils.annotations.box_counts import NOT_AT_ONCE, SIDE_FILE, count

ONE, TWO, NONE = "n00000001", "n00000002", "n00000003"


@pytest.fixture
def archives(project: Project) -> Path:
    """Make two archives: three images of ONE, one of them of another category, and one of TWO."""
    for image_code in (f"{ONE}_1", f"{ONE}_2", f"{TWO}_7"):
        project.annotate(image_code, (1, 1, 5, 5), archive=ONE)
    project.annotate(f"{TWO}_7", (1, 1, 5, 5))
    project.write()
    return project.path / "annotation"


def pluralize(folder: Path) -> dict[str, int]:
    """Count all three."""
    return count(folder, [ONE, TWO, NONE], pytest.fail)


def replace(archive: Path, data: bytes) -> None:
    """Put other bytes into an archive, at another time."""
    archive.write_bytes(data)
    os.utime(archive, ns=(1, time.time_ns() + 10**9))


def test_images_are_counted(archives: Path) -> None:
    """Those of other categories that have boxes of this one, too; no archive is no entry."""
    assert pluralize(archives) == {ONE: 3, TWO: 1}


def test_an_archive_is_read_once(archives: Path) -> None:
    """What the side file says of an archive of this size and time is believed."""
    pluralize(archives)
    content = json.loads((archives / SIDE_FILE).read_text())
    content["counts"][f"{ONE}.tar.gz"][2] = 77
    (archives / SIDE_FILE).write_text(json.dumps(content))
    assert pluralize(archives) == {ONE: 77, TWO: 1}


def test_a_changed_archive_is_counted_anew(archives: Path) -> None:
    """By its size and its time."""
    pluralize(archives)
    replace(archives / f"{ONE}.tar.gz", (archives / f"{TWO}.tar.gz").read_bytes())
    assert pluralize(archives) == {ONE: 1, TWO: 1}


def test_a_folder_is_counted_every_time(archives: Path) -> None:
    """Its time does not say what was put into it."""
    folder = archives / NONE / "deep" / "inside"
    folder.mkdir(parents=True)
    (folder / f"{NONE}_1.xml").write_text("<annotation/>")
    assert pluralize(archives)[NONE] == 1
    (folder / f"{NONE}_2.xml").write_text("<annotation/>")
    assert pluralize(archives)[NONE] == 2


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'"counts"',
        b'{"format": 1}',
        b'{"format": 1, "counts": 3}',
        b'{"format": 1, "counts": {"n00000001.tar.gz": "abc", "n00000002.tar.gz": [1, 2]}}',
        b'{"format": 2, "counts": {"n00000001.tar.gz": [1, 2, 3]}}',
        b'{"format": 1, "counts": {"n00000001.tar.gz": [-1, -1, 99]}}',
        b"[" * 100_000,
    ],
    ids=range(11),
)
def test_a_garbled_side_file_costs_nothing(archives: Path, garbage: bytes) -> None:
    """It is made anew."""
    (archives / SIDE_FILE).write_bytes(garbage)
    assert pluralize(archives) == {ONE: 3, TWO: 1}
    assert json.loads((archives / SIDE_FILE).read_text())["counts"].keys() == {
        f"{ONE}.tar.gz",
        f"{TWO}.tar.gz",
    }


def test_a_damaged_archive_counts_as_far_as_it_goes(archives: Path) -> None:
    """As a run reads it, too; one that is no archive holds nothing."""
    replace(archives / f"{ONE}.tar.gz", b"<html>no such file</html>" * 100)
    whole = (archives / f"{TWO}.tar.gz").read_bytes()
    replace(archives / f"{TWO}.tar.gz", whole[:-8])
    assert pluralize(archives) == {ONE: 0, TWO: 1}


def test_a_folder_that_may_not_be_written_to_stays_as_it_is(archives: Path) -> None:
    """The counts are the same; even root leaves nothing there."""
    before = sorted(path.name for path in archives.iterdir())
    archives.chmod(0o555)
    try:
        assert pluralize(archives) == {ONE: 3, TWO: 1}
        assert sorted(path.name for path in archives.iterdir()) == before
    finally:
        archives.chmod(0o755)


def test_long_counting_is_announced(archives: Path) -> None:
    """Once, with how many archives are to be read; and not when nothing needs to be read."""
    data = (archives / f"{TWO}.tar.gz").read_bytes()
    codes = [f"n{number:08d}" for number in range(100, 100 + NOT_AT_ONCE)]
    for code in codes:
        (archives / f"{code}.tar.gz").write_bytes(data)
    told: list[int] = []
    assert count(archives, codes, told.append) == dict.fromkeys(codes, 1)
    assert count(archives, codes, told.append) == dict.fromkeys(codes, 1)
    assert told == [NOT_AT_ONCE]


def test_interrupted_counting_keeps_what_it_has(archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted when the user loses patience is not counted again."""
    last = archives / NONE / f"{NONE}_1.xml"
    last.parent.mkdir()
    last.write_text("<annotation/>")

    def read_bytes(path: Path) -> bytes:
        if path == last:
            raise KeyboardInterrupt
        return b""

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(KeyboardInterrupt):
        count(archives, [ONE, TWO, NONE], pytest.fail)
    assert set(json.loads((archives / SIDE_FILE).read_text())["counts"]) == {f"{ONE}.tar.gz", f"{TWO}.tar.gz"}
