"""The index of a copy keeps the members of files that take long to scan."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from utils.copies import index
from utils.copies.index import Index
from utils.copies.members import Kind, Member
from utils.copies.reader import Reader
from utils.copies.tar_files import RangeImage
from utils.machine import cache_folder

FISH, DOG = "n01440764", "n02085620"


class CountingReader(Reader):
    """Reads a file whose lines are image codes, and counts scans."""

    layout = ("list", "lists")
    scans = 0

    @classmethod
    def recognise(cls, path: Path, start: bytes) -> bool:
        """Not needed."""
        return True

    def scan(self) -> Iterator[Member]:
        """Yield a member for each line."""
        CountingReader.scans += 1
        for number, line in enumerate(self.path.read_text().split()):
            if line == "damaged":
                self.add_problem("it is damaged")
                return
            if line == "unreadable":
                self.add_error(OSError(5, "Input/output error"))
                return
            if line == "interrupted":
                raise KeyboardInterrupt
            self.position += 20
            yield Member(Kind.IMAGE, line[:9], line, f"a/{line}.JPEG", (number, 2**62, 3))

    def image(self, member: Member) -> RangeImage:
        """Not needed."""
        return RangeImage(self.path, *member.place[:2])


@pytest.fixture(autouse=True)
def _count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Count from zero, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    CountingReader.scans = 0


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of two files."""
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "1").write_text(f"{FISH}_1 {DOG}_2")
    (folder / "2").write_text(f"{FISH}_3")
    return folder


def images(copy: Path, code: str = FISH) -> list[str]:
    """Open the index, and return the files and images of a category."""
    found, _problems = opened(copy, code)
    return found


def opened(copy: Path, code: str = FISH) -> tuple[list[str], list[str]]:
    """Open the index; returns files and images of a category, and what is damaged."""
    readers = [CountingReader(path, path.name) for path in sorted(copy.iterdir())]
    one = Index(copy)
    one.update({reader.name: [reader] for reader in readers}, lambda _done, _count: None)
    found = [f"{member.file} {member.member.image_code}" for member in one.members(code)]
    one.close()
    return found, [problem for reader in readers for problem in reader.problems]


def test_second_run(copy: Path) -> None:
    """Files are scanned once; what the index returns is what the scan yielded."""
    for _ in range(3):
        assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]
    assert images(copy, DOG) == [f"1 {DOG}_2"]
    assert CountingReader.scans == 2
    one = Index(copy)
    (found,) = one.members(DOG)
    one.close()
    assert found.member == Member(Kind.IMAGE, DOG, f"{DOG}_2", f"a/{DOG}_2.JPEG", (1, 2**62, 3))


def test_changed_file(copy: Path) -> None:
    """A file whose size or time differs is scanned again, and the others are not."""
    images(copy)
    (copy / "2").write_text(f"{FISH}_4")  # of the same size
    os.utime(copy / "2", ns=(1, 1))
    assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_4"]
    status = (copy / "1").stat()
    (copy / "1").write_text(f"{FISH}_10 {DOG}_2")
    os.utime(copy / "1", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert images(copy) == [f"2 {FISH}_4", f"1 {FISH}_10"]
    assert CountingReader.scans == 4


def test_new_and_removed_files(copy: Path) -> None:
    """A new file is scanned; what a removed one held is forgotten."""
    images(copy)
    (copy / "3").write_text(f"{FISH}_5")
    (copy / "1").unlink()
    assert images(copy) == [f"2 {FISH}_3", f"3 {FISH}_5"]
    assert images(copy, DOG) == []
    assert CountingReader.scans == 3


def test_files_of_a_category(copy: Path) -> None:
    """The files that have images of a category are found without their members."""
    images(copy)
    one = Index(copy)
    assert one.files(FISH) == ["1", "2"]
    assert one.files(DOG) == ["1"]
    one.close()


def test_some_of_the_files(copy: Path) -> None:
    """Runs with a part of the files keep what is known of the others."""
    images(copy)
    for name in ("1", "2", "1"):
        one = Index(copy)
        one.update({name: [CountingReader(copy / name, name)]}, lambda _done, _count: None)
        one.close()
    assert CountingReader.scans == 2


def test_progress(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan says what share of the bytes is done, also within a file that is read as a whole."""
    monkeypatch.setattr(index, "PROGRESS_SECONDS", 0.0)
    reports: list[tuple[int, float]] = []
    for path in copy.iterdir():
        path.write_text(path.read_text().ljust(100))
    one = Index(copy)
    readers = {path.name: [CountingReader(path, path.name)] for path in sorted(copy.iterdir())}
    one.update(readers, lambda count, share: reports.append((count, share)))
    one.update(readers, lambda count, share: reports.append((count, share)))
    one.close()
    assert reports == [(2, 0.0), (2, 0.1), (2, 0.2), (2, 0.5), (2, 0.6)]


def test_problems(copy: Path) -> None:
    """What a scan has found damaged is said by each run, without another scan."""
    (copy / "2").write_text(f"{FISH}_3 damaged {FISH}_4")
    for _ in range(2):
        assert opened(copy) == ([f"1 {FISH}_1", f"2 {FISH}_3"], ["2: it is damaged."])
    assert CountingReader.scans == 2


def test_error_that_may_pass(copy: Path) -> None:
    """A file that could not be read completely is scanned again by the next run."""
    (copy / "2").write_text(f"{FISH}_3 unreadable")
    for _ in range(2):
        assert opened(copy) == ([f"1 {FISH}_1", f"2 {FISH}_3"], ["2: Input/output error."])
    assert CountingReader.scans == 3


def test_interrupted_scan(copy: Path) -> None:
    """Nothing of an interrupted scan is kept, and files scanned before are kept."""
    (copy / "2").write_text(f"{FISH}_3 interrupted")
    with pytest.raises(KeyboardInterrupt):
        images(copy)
    (copy / "2").write_text(f"{FISH}_3")
    assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]
    assert CountingReader.scans == 3


def database(copy: Path) -> Path:
    """Return the file of the index."""
    images(copy)
    (path,) = (cache_folder() / "copies").iterdir()
    CountingReader.scans = 0
    return path


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_damaged_database(copy: Path, content: bytes) -> None:
    """A damaged database is made anew."""
    database(copy).write_bytes(content)
    for _ in range(2):
        assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]
    assert CountingReader.scans == 2


def test_damaged_pages(copy: Path) -> None:
    """A database with damage behind its header costs scans, and no run."""
    path = database(copy)
    data = bytearray(path.read_bytes())
    for start in range(5000, len(data), 512):
        data[start : start + 256] = b"\xff" * 256
    path.write_bytes(data)
    assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]


def test_random_changes(copy: Path) -> None:
    """A database with changed bytes costs scans at most."""
    dice = random.Random(2)
    path = database(copy)
    whole = path.read_bytes()
    places = [place for place, byte in enumerate(whole) if byte]
    for _ in range(20):
        data = bytearray(whole)
        for place in dice.sample(places, 20):
            data[place] = dice.randrange(256)
        path.write_bytes(data)
        images(copy)
    path.unlink()
    assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 99", "DROP TABLE member"])
def test_other_version(copy: Path, statement: str) -> None:
    """A database of another version is made anew; one without a table costs scans."""
    with sqlite3.connect(database(copy)) as other:
        other.execute(statement)
    other.close()
    assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]
    assert CountingReader.scans == 2


def test_no_cache(copy: Path, tmp_path: Path) -> None:
    """If no database can be written, each run scans again."""
    (tmp_path / "cache").write_text("a file")
    for _ in range(2):
        assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]
    assert CountingReader.scans == 4


def test_no_home(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without home has no cache."""
    monkeypatch.setattr(index, "cache_folder", lambda: (_ for _ in ()).throw(RuntimeError))
    assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]


def test_busy_database(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another run writes the database for long, the index is kept in memory."""
    monkeypatch.setattr(index, "BUSY_TIMEOUT", 0.01)
    other = sqlite3.connect(database(copy))
    other.execute("BEGIN EXCLUSIVE")
    assert images(copy) == [f"1 {FISH}_1", f"2 {FISH}_3"]
    other.rollback()
    other.close()
    assert CountingReader.scans == 2


def test_same_copy_by_another_path(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path or a link leads to the same index."""
    images(copy)
    (copy.parent / "link").symlink_to(copy)
    monkeypatch.chdir(copy.parent)
    assert images(Path("copy")) == images(Path("link")) == images(copy)
    assert CountingReader.scans == 2


def test_strange_names(copy: Path) -> None:
    """Names of files that are no UTF-8, or that have quotes and line ends, are indexed."""
    for name in (os.fsdecode(b"\xff\xfe"), "it's; DROP TABLE member", "two\nlines", "x" * 250):
        (copy / name).write_text(f"{DOG}_7 damaged")
    for _ in range(2):
        found, problems = opened(copy, DOG)
        assert sum(one.endswith(f"{DOG}_7") for one in found) == 4
        assert len(problems) == 4
    assert CountingReader.scans == 6
