"""Annotated images are counted, and the counts are cached."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.project import Project
from utils.annotations.box_counts import CACHE_NAME, SLOW_COUNT, can_save, count

ONE, TWO, NONE = "n00000001", "n00000002", "n00000003"


@pytest.fixture
def archives(project: Project) -> Path:
    """Write two archives: ONE has three images, one of them of another category; TWO has one."""
    for image_code in (f"{ONE}_1", f"{ONE}_2", f"{TWO}_7"):
        project.annotate(image_code, (1, 1, 5, 5), archive=ONE)
    project.annotate(f"{TWO}_7", (1, 1, 5, 5))
    project.write()
    return project.path / "annotation"


def counts(folder: Path) -> dict[str, int]:
    """Count all three categories."""
    return count(folder, [ONE, TWO, NONE], on_slow=pytest.fail)


def replace(archive: Path, data: bytes) -> None:
    """Replace the content of an archive, and change its modification time."""
    archive.write_bytes(data)
    os.utime(archive, ns=(1, time.time_ns() + 10**9))


def test_count(archives: Path) -> None:
    """Images of other categories in an archive count; a category without archive has no count."""
    assert counts(archives) == {ONE: 3, TWO: 1}


def test_cached_count(archives: Path) -> None:
    """An unchanged archive is not read again."""
    counts(archives)
    content = json.loads((archives / CACHE_NAME).read_text())
    content["counts"][f"{ONE}.tar.gz"][2] = 77
    (archives / CACHE_NAME).write_text(json.dumps(content))
    assert counts(archives) == {ONE: 77, TWO: 1}


def test_changed_archive(archives: Path) -> None:
    """An archive with another size or modification time is counted again."""
    counts(archives)
    replace(archives / f"{ONE}.tar.gz", (archives / f"{TWO}.tar.gz").read_bytes())
    assert counts(archives) == {ONE: 1, TWO: 1}


def test_folder_is_not_cached(archives: Path) -> None:
    """A folder of XML files is counted each time."""
    folder = archives / NONE / "deep" / "inside"
    folder.mkdir(parents=True)
    (folder / f"{NONE}_1.xml").write_text("<annotation/>")
    assert counts(archives)[NONE] == 1
    (folder / f"{NONE}_2.xml").write_text("<annotation/>")
    assert counts(archives)[NONE] == 2


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
def test_damaged_cache(archives: Path, garbage: bytes) -> None:
    """A damaged cache is replaced."""
    (archives / CACHE_NAME).write_bytes(garbage)
    assert counts(archives) == {ONE: 3, TWO: 1}
    assert json.loads((archives / CACHE_NAME).read_text())["counts"].keys() == {
        f"{ONE}.tar.gz",
        f"{TWO}.tar.gz",
    }


def test_damaged_archive(archives: Path) -> None:
    """The readable images of a damaged archive are counted."""
    replace(archives / f"{ONE}.tar.gz", b"<html>no such file</html>" * 100)
    whole = (archives / f"{TWO}.tar.gz").read_bytes()
    replace(archives / f"{TWO}.tar.gz", whole[:-8])
    assert counts(archives) == {ONE: 0, TWO: 1}


def test_read_only_folder(archives: Path) -> None:
    """No cache is written to a read-only folder, not even by root."""
    before = sorted(path.name for path in archives.iterdir())
    archives.chmod(0o555)
    try:
        assert counts(archives) == {ONE: 3, TWO: 1}
        assert sorted(path.name for path in archives.iterdir()) == before
        assert not can_save(archives)
    finally:
        archives.chmod(0o755)
    assert can_save(archives)


def test_on_slow(archives: Path) -> None:
    """`on_slow` is called once if many archives have to be read, and not if the counts are cached."""
    data = (archives / f"{TWO}.tar.gz").read_bytes()
    codes = [f"n{number:08d}" for number in range(100, 100 + SLOW_COUNT)]
    for code in codes:
        (archives / f"{code}.tar.gz").write_bytes(data)
    calls: list[int] = []
    assert count(archives, codes, on_slow=calls.append) == dict.fromkeys(codes, 1)
    assert count(archives, codes, on_slow=calls.append) == dict.fromkeys(codes, 1)
    assert calls == [SLOW_COUNT]


def test_interrupted(archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts completed before an interruption are cached."""
    last = archives / NONE / f"{NONE}_1.xml"
    last.parent.mkdir()
    last.write_text("<annotation/>")

    def read_bytes(path: Path) -> bytes:
        if path == last:
            raise KeyboardInterrupt
        return b""

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(KeyboardInterrupt):
        count(archives, [ONE, TWO, NONE], on_slow=pytest.fail)
    assert set(json.loads((archives / CACHE_NAME).read_text())["counts"]) == {
        f"{ONE}.tar.gz",
        f"{TWO}.tar.gz",
    }
