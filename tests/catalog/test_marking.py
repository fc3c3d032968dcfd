"""Tests of `utils.catalog.marking`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.catalog import categories, marking
from utils.catalog.categories import Mark
from utils.catalog.marking import MarkResult, mark, unmark
from utils.errors import DatasetError, DiskError, InputError

FOX, HUSKY, CARTON = "n02119789", "n02110185", "n02971356"
TABLE = (
    b"code,name,to_download,how_many\r\n"
    b'n02119789,"kit fox, Vulpes macrotis",False,-1\r\n'
    b"n02110185,husky,x,200.0\r\n"
    b"n02971356,carton,,"
)
LIMITED = """
import resource, signal, sys
from pathlib import Path
from utils.errors import DiskError
from utils.catalog.marking import mark
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    mark(Path(sys.argv[1]), ["n02971356"], how_many=200)
except DiskError as error:
    print(error)
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a small table: one row unmarked, one marked, one with empty cells."""
    path = tmp_path / "ncodes.csv"
    path.write_bytes(TABLE)
    return path


def read_marks(path: Path) -> dict[str, Mark]:
    """Read the marks of a table."""
    return {one.code: Mark(one.selected, one.how_many) for one in categories.read(path)}


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


def check_untouched(table: Path, error: DatasetError, *words: str) -> None:
    """Check that a table was not changed, that no file was added, and that the error is one line."""
    assert table.read_bytes() == TABLE
    assert names(table.parent) == ["ncodes.csv"]
    for word in (str(table), *words):
        assert word in str(error)
    assert "\n" not in str(error)


# --- cells ---


def test_mark_sets_both_cells(table: Path) -> None:
    """A row that has these values already, spelled differently, is counted as unchanged."""
    marked = mark(table, [CARTON, HUSKY, FOX], how_many=200)
    assert marked == MarkResult(changed=2, unchanged=1, backup=table.with_name("ncodes.csv.bak"))
    assert table.read_bytes() == TABLE.replace(b"False,-1", b"True,200").replace(
        b"carton,,", b"carton,True,200"
    )
    assert read_marks(table) == dict.fromkeys([FOX, HUSKY, CARTON], Mark(selected=True, how_many=200))


def test_mark_without_a_number(table: Path) -> None:
    """The column `how_many` is not changed."""
    assert mark(table, {FOX, HUSKY, CARTON}, how_many=None).changed == 2
    expected = TABLE.replace(b"False", b"True").replace(b"carton,,", b"carton,True,")
    assert table.read_bytes() == expected
    assert read_marks(table)[HUSKY] == Mark(selected=True, how_many=200)


def test_unmark_sets_both_cells(table: Path) -> None:
    """The values become False and -1; empty cells have these values already."""
    assert unmark(table, [FOX, HUSKY, CARTON]) == MarkResult(1, 2, table.with_name("ncodes.csv.bak"))
    assert table.read_bytes() == TABLE.replace(b"x,200.0", b"False,-1")


@pytest.mark.parametrize("word", ["True", "TRUE", "x", "yes", "1", "WAHR", "vrai", " y ", '"x"'])
@pytest.mark.parametrize("number", ["200", "200.0", "+200", "0200", ' "200"'])
def test_equal_values_are_kept(tmp_path: Path, word: str, number: str) -> None:
    """Without any change, neither the file nor a backup is written."""
    path = tmp_path / "ncodes.csv"
    path.write_text(f"code,name,to_download,how_many\n{FOX},fox,{word},{number}\n")
    path.chmod(0o444)
    before = path.stat()
    assert mark(path, [FOX, FOX], how_many=200) == MarkResult(changed=0, unchanged=1, backup=None)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert names(tmp_path) == ["ncodes.csv"]


def test_no_codes(table: Path) -> None:
    """Without codes, nothing is changed."""
    assert unmark(table, []) == mark(table, [], how_many=5) == MarkResult(0, 0, None)
    assert names(table.parent) == ["ncodes.csv"]


def test_unknown_codes(table: Path) -> None:
    """The error names up to twenty; the known ones are not marked."""
    with pytest.raises(InputError) as caught:
        mark(table, [FOX, "n00000001", "\x1b[2J", *map(str, range(30))], how_many=None)
    check_untouched(table, caught.value, "no row for 'n00000001', '\\x1b[2J', '0', '1',", "'17' and 12 more.")


@pytest.mark.parametrize("number", [-2, 10**15])
def test_invalid_number(table: Path, number: int) -> None:
    """It is refused before anything is written."""
    with pytest.raises(InputError, match=rf"how_many cannot be {number}; use -1 for all"):
        mark(table, [FOX], how_many=number)
    assert table.read_bytes() == TABLE


def test_invalid_table(table: Path) -> None:
    """The error is that of the reader."""
    table.write_bytes(TABLE.replace(b"x,", b"maybe,"))
    with pytest.raises(InputError, match=r"line 3, column to_download: 'maybe' is not allowed"):
        mark(table, [FOX], how_many=None)
    assert names(table.parent) == ["ncodes.csv"]


def test_wrong_change_is_refused(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The edited table is read back before the file is replaced."""
    monkeypatch.setattr(marking, "_new_values", lambda before, after: {"how_many": "3"})
    with pytest.raises(InputError) as caught:
        mark(table, [FOX], how_many=200)
    check_untouched(table, caught.value, "was not changed", "other values")


# --- classes ---


def read_classes(path: Path) -> dict[str, str]:
    """Read the classes of a table."""
    return {one.code: one.class_name for one in categories.read(path)}


def test_first_class(table: Path) -> None:
    """The column is added in the style of the file; rows that are not marked have no class."""
    assert mark(table, [FOX, CARTON], how_many=200, class_name="a, b").changed == 2
    assert table.read_bytes() == (
        b"code,name,to_download,how_many,class\r\n"
        b'n02119789,"kit fox, Vulpes macrotis",True,200,"a, b"\r\n'
        b"n02110185,husky,x,200.0,\r\n"
        b'n02971356,carton,True,200,"a, b"'
    )
    assert table.with_name("ncodes.csv.bak").read_bytes() == TABLE


def test_further_classes(table: Path) -> None:
    """A class is replaced; marks without a class, and unmarking, leave it alone."""
    mark(table, [FOX, HUSKY], how_many=None, class_name="dog")
    assert mark(table, [FOX, HUSKY], how_many=None, class_name="dog").unchanged == 2
    mark(table, [HUSKY, CARTON], how_many=5)
    unmark(table, [FOX])
    assert read_classes(table) == {FOX: "dog", HUSKY: "dog", CARTON: ""}
    mark(table, [FOX], how_many=None, class_name="fox")
    assert read_classes(table) == {FOX: "fox", HUSKY: "dog", CARTON: ""}
    assert table.read_bytes().count(b"class") == 1


def test_no_column_without_a_class(table: Path) -> None:
    """The column is added only with a class, and not in a dry run."""
    mark(table, [FOX], how_many=None)
    marked = table.read_bytes()
    assert b"class" not in marked
    assert mark(table, [FOX], how_many=None, class_name="dog", dry_run=True) == MarkResult(1, 0, None)
    assert table.read_bytes() == marked


def test_class_that_differs_only_in_capitals(table: Path) -> None:
    """It is refused, unless all rows of the class get the new spelling."""
    mark(table, [FOX, HUSKY], how_many=None, class_name="dog")
    before = table.read_bytes()
    with pytest.raises(
        InputError, match=r"'Dog' differs only in capitals from 'dog' in .*ncodes.csv, line 3\."
    ):
        mark(table, [FOX, CARTON], how_many=None, class_name="Dog")
    assert table.read_bytes() == before
    mark(table, [FOX, HUSKY, CARTON], how_many=None, class_name="Dog")
    assert set(read_classes(table).values()) == {"Dog"}


# --- the file ---


def test_backup(table: Path) -> None:
    """Each change replaces the backup by the previous file."""
    backup = mark(table, [FOX], how_many=3).backup
    assert backup is not None
    assert backup.read_bytes() == TABLE
    marked = table.read_bytes()
    assert unmark(table, [FOX]).backup == backup
    assert unmark(table, [FOX]).backup is None
    assert (table.read_bytes(), backup.read_bytes()) == (TABLE, marked)
    assert names(table.parent) == ["ncodes.csv", "ncodes.csv.bak"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_mode_and_owner_are_kept(table: Path, mode: int) -> None:
    """They apply to the table and the backup, also if root runs the tool."""
    if os.geteuid() == 0:
        os.chown(table, 12345, 12346)
    table.chmod(mode)
    before = table.stat()
    backup = mark(table, [FOX], how_many=None).backup
    assert backup is not None
    for path in (table, backup):
        after = path.stat()
        assert stat.S_IMODE(after.st_mode) == mode
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


def test_symbolic_link(table: Path, tmp_path: Path) -> None:
    """The target is edited, the links are kept, and the backup is written beside the target."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "ncodes.csv").symlink_to("../second.csv")
    (tmp_path / "second.csv").symlink_to(table)
    backup = mark(folder / "ncodes.csv", [FOX], how_many=None).backup
    assert backup == table.resolve().with_name("ncodes.csv.bak")
    assert backup.read_bytes() == TABLE
    assert (folder / "ncodes.csv").is_symlink()
    assert not table.is_symlink()
    assert read_marks(table)[FOX].selected
    assert names(folder) == ["ncodes.csv"]


def test_relative_path(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of the backup is relative, too."""
    monkeypatch.chdir(table.parent)
    assert mark(Path("ncodes.csv"), [FOX], how_many=None).backup == Path("ncodes.csv.bak")


def test_write_protected_file(table: Path) -> None:
    """It is not replaced, even if the permissions of the folder would allow it."""
    table.chmod(0o444)
    with pytest.raises(InputError) as caught:
        mark(table, [FOX], how_many=None)
    check_untouched(table, caught.value, "is write-protected")


def test_read_only_folder(tmp_path: Path) -> None:
    """The error is an InputError or DiskError, and the table is not changed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    is_root = os.geteuid() == 0  # root may write anywhere, except to a read-only file system
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if is_root and subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a read-only file system here")
    try:
        (folder / "ncodes.csv").write_bytes(TABLE)
        protect = ["mount", "-o", "remount,ro"] if is_root else ["chmod", "555"]
        subprocess.run([*protect, str(folder)], check=True)
        with pytest.raises((InputError, DiskError)) as caught:
            mark(folder / "ncodes.csv", [FOX], how_many=None)
        check_untouched(folder / "ncodes.csv", caught.value)
    finally:
        subprocess.run(["umount", str(folder)] if is_root else ["chmod", "755", str(folder)], check=True)


def test_backup_cannot_be_written(table: Path) -> None:
    """The table is not changed."""
    table.with_name("ncodes.csv.bak").mkdir()
    with pytest.raises(DiskError, match=r"ncodes.csv.bak cannot be written: .* was not changed"):
        mark(table, [FOX], how_many=None)
    assert table.read_bytes() == TABLE
    assert names(table.parent) == ["ncodes.csv", "ncodes.csv.bak"]


@pytest.mark.parametrize(
    ("room", "failing", "left"),
    [
        (len(TABLE) - 1, "ncodes.csv.bak", b"previous backup"),
        (len(TABLE), "ncodes.csv", TABLE),
    ],
)
def test_full_disk(table: Path, room: int, failing: str, left: bytes) -> None:
    """With no space for the backup or the table, both files keep their content."""
    backup = table.with_name("ncodes.csv.bak")
    backup.write_bytes(b"previous backup")
    command = [sys.executable, "-c", LIMITED, str(table), str(room)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(f"{table.with_name(failing)} cannot be written: File too large.")
    assert (table.read_bytes(), backup.read_bytes()) == (TABLE, left)
    assert names(table.parent) == ["ncodes.csv", "ncodes.csv.bak"]


# --- many categories ---


def test_mark_and_unmark_many_categories(tmp_path: Path) -> None:
    """Only the marks change; after unmarking, all bytes are as before."""
    path = tmp_path / "ncodes.csv"
    lines = (ROOT / "ncodes.csv").read_bytes().splitlines(keepends=True)
    fresh = b"".join([lines[0], *lines[1::10]])
    path.write_bytes(fresh)
    before = categories.read(path)
    codes = [one.code for one in before]
    assert mark(path, codes, how_many=200).changed == len(codes) > 2_000
    after = categories.read(path)
    assert all(one.selected and one.how_many == 200 for one in after)
    assert [(one.code, one.name, one.folder, one.line) for one in after] == [
        (one.code, one.name, one.folder, one.line) for one in before
    ]
    assert path.read_bytes() == fresh.replace(b",False,-1\n", b",True,200\n")
    mark(path, codes, how_many=None, class_name="dog")
    with_class = fresh.replace(b",False,-1\n", b",True,200,dog\n").replace(b"how_many\n", b"how_many,class\n")
    assert path.read_bytes() == with_class
    path.write_bytes(fresh.replace(b",False,-1\n", b",True,200\n"))
    assert unmark(path, codes[1::2]).changed == len(codes) // 2
    assert [one.selected for one in categories.read(path)] == [place % 2 == 0 for place in range(len(codes))]
    assert unmark(path, codes).unchanged == len(codes) // 2
    assert path.read_bytes() == fresh
