"""Marks are written into `ncodes.csv` as if by hand: whole or not at all, and nothing else changes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from utils.catalog import categories, marking
from utils.catalog.categories import Mark
from utils.catalog.marking import Marked, mark, unmark
from utils.errors import DatasetError, DiskError, InputError

PROJECT = Path(__file__).resolve().parents[1]
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
    """Give a small table: one row unmarked, one marked, one blank."""
    path = tmp_path / "ncodes.csv"
    path.write_bytes(TABLE)
    return path


def state(path: Path) -> dict[str, Mark]:
    """Read what a table asks for."""
    return {one.code: Mark(one.selected, one.how_many) for one in categories.read(path)}


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


def check_untouched(table: Path, error: DatasetError, *words: str) -> None:
    """Check that a table is what it was, with nothing beside it, and that one sentence said why."""
    assert table.read_bytes() == TABLE
    assert names(table.parent) == ["ncodes.csv"]
    for word in (str(table), *words):
        assert word in str(error)
    assert "\n" not in str(error)


# --- what a mark is ---


def test_marking_sets_both_cells(table: Path) -> None:
    """True and the number; a row that says so in other words is left as it is, and counted."""
    marked = mark(table, [CARTON, HUSKY, FOX], how_many=200)
    assert marked == Marked(changed=2, already=1, backup=table.with_name("ncodes.csv.bak"))
    assert table.read_bytes() == TABLE.replace(b"False,-1", b"True,200").replace(
        b"carton,,", b"carton,True,200"
    )
    assert state(table) == dict.fromkeys([FOX, HUSKY, CARTON], Mark(selected=True, how_many=200))


def test_without_a_number_its_cell_is_left_alone(table: Path) -> None:
    """The number that the user gave before stays, and so does the lack of one."""
    assert mark(table, {FOX, HUSKY, CARTON}, how_many=None).changed == 2
    expected = TABLE.replace(b"False", b"True").replace(b"carton,,", b"carton,True,")
    assert table.read_bytes() == expected
    assert state(table)[HUSKY] == Mark(selected=True, how_many=200)


def test_unmarking_sets_both_cells(table: Path) -> None:
    """False and -1; an empty cell says that already."""
    assert unmark(table, [FOX, HUSKY, CARTON]) == Marked(1, 2, table.with_name("ncodes.csv.bak"))
    assert table.read_bytes() == TABLE.replace(b"x,200.0", b"False,-1")


@pytest.mark.parametrize("word", ["True", "TRUE", "x", "yes", "1", "WAHR", "vrai", " y ", '"x"'])
@pytest.mark.parametrize("number", ["200", "200.0", "+200", "0200", ' "200"'])
def test_words_of_the_same_meaning_are_left_alone(tmp_path: Path, word: str, number: str) -> None:
    """Then nothing has to change, and neither the file is touched nor a backup made."""
    path = tmp_path / "ncodes.csv"
    path.write_text(f"code,name,to_download,how_many\n{FOX},fox,{word},{number}\n")
    path.chmod(0o444)
    before = path.stat()
    assert mark(path, [FOX, FOX], how_many=200) == Marked(changed=0, already=1, backup=None)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert names(tmp_path) == ["ncodes.csv"]


def test_no_codes_are_no_change(table: Path) -> None:
    """Nothing is asked for, nothing happens."""
    assert unmark(table, []) == mark(table, [], how_many=5) == Marked(0, 0, None)
    assert names(table.parent) == ["ncodes.csv"]


def test_unknown_codes_are_named(table: Path) -> None:
    """All of them, up to twenty; the known ones are not marked either."""
    with pytest.raises(InputError) as caught:
        mark(table, [FOX, "n00000001", "\x1b[2J", *map(str, range(30))], how_many=None)
    check_untouched(table, caught.value, "no row for 'n00000001', '\\x1b[2J', '0', '1',", "'17' and 12 more.")


@pytest.mark.parametrize("number", [-2, 10**15])
def test_a_number_that_may_not_stand_there_is_refused(table: Path, number: int) -> None:
    """Before anything is written."""
    with pytest.raises(InputError, match=rf"how_many cannot be {number}; say -1 for all"):
        mark(table, [FOX], how_many=number)
    assert table.read_bytes() == TABLE


def test_a_table_that_cannot_be_read_is_not_edited(table: Path) -> None:
    """The sentence is the reader's."""
    table.write_bytes(TABLE.replace(b"x,", b"maybe,"))
    with pytest.raises(InputError, match=r"line 3, column to_download: 'maybe' is not allowed"):
        mark(table, [FOX], how_many=None)
    assert names(table.parent) == ["ncodes.csv"]


def test_a_change_that_says_something_else_is_refused(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a mark ever misspelled, the file would stay: it is read back before it is put there."""
    monkeypatch.setattr(marking, "_cells", lambda before, after: {"how_many": "3"})
    with pytest.raises(InputError) as caught:
        mark(table, [FOX], how_many=200)
    check_untouched(table, caught.value, "left as it was", "would say something else")


# --- the file ---


def test_the_backup_is_the_file_before_the_last_change(table: Path) -> None:
    """Each change that is one replaces it."""
    backup = mark(table, [FOX], how_many=3).backup
    assert backup is not None
    assert backup.read_bytes() == TABLE
    marked = table.read_bytes()
    assert unmark(table, [FOX]).backup == backup
    assert unmark(table, [FOX]).backup is None
    assert (table.read_bytes(), backup.read_bytes()) == (TABLE, marked)
    assert names(table.parent) == ["ncodes.csv", "ncodes.csv.bak"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_mode_and_owner_stay(table: Path, mode: int) -> None:
    """Nobody can read or write more than before, nor the owner less when root has run it."""
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


def test_a_links_target_is_edited(table: Path, tmp_path: Path) -> None:
    """The links stay links, and the backup lies beside the file itself."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "ncodes.csv").symlink_to("../second.csv")
    (tmp_path / "second.csv").symlink_to(table)
    backup = mark(folder / "ncodes.csv", [FOX], how_many=None).backup
    assert backup == table.resolve().with_name("ncodes.csv.bak")
    assert backup.read_bytes() == TABLE
    assert (folder / "ncodes.csv").is_symlink()
    assert not table.is_symlink()
    assert state(table)[FOX].selected
    assert names(folder) == ["ncodes.csv"]


def test_a_relative_path_is_one(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup is named as the file was."""
    monkeypatch.chdir(table.parent)
    assert mark(Path("ncodes.csv"), [FOX], how_many=None).backup == Path("ncodes.csv.bak")


def test_a_protected_file_is_left_alone(table: Path) -> None:
    """Even where its folder would let it be replaced, and whoever asks."""
    table.chmod(0o444)
    with pytest.raises(InputError) as caught:
        mark(table, [FOX], how_many=None)
    check_untouched(table, caught.value, "is write-protected")


def test_a_protected_folder_is_left_alone(tmp_path: Path) -> None:
    """Where neither backup nor file can be written, a sentence says so."""
    folder = tmp_path / "folder"
    folder.mkdir()
    is_root = os.geteuid() == 0  # who may write anywhere, but on a disk that is read-only
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if is_root and subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root may not mount a read-only disk here")
    try:
        (folder / "ncodes.csv").write_bytes(TABLE)
        protect = ["mount", "-o", "remount,ro"] if is_root else ["chmod", "555"]
        subprocess.run([*protect, str(folder)], check=True)
        with pytest.raises((InputError, DiskError)) as caught:
            mark(folder / "ncodes.csv", [FOX], how_many=None)
        check_untouched(folder / "ncodes.csv", caught.value)
    finally:
        subprocess.run(["umount", str(folder)] if is_root else ["chmod", "755", str(folder)], check=True)


def test_without_a_backup_nothing_is_changed(table: Path) -> None:
    """A folder in the backup's place stops it."""
    table.with_name("ncodes.csv.bak").mkdir()
    with pytest.raises(DiskError, match=r"ncodes.csv.bak cannot be written: .* left as it was"):
        mark(table, [FOX], how_many=None)
    assert table.read_bytes() == TABLE
    assert names(table.parent) == ["ncodes.csv", "ncodes.csv.bak"]


@pytest.mark.parametrize(
    ("room", "failing", "left"),
    [
        (len(TABLE) - 1, "ncodes.csv.bak", b"an older one"),
        (len(TABLE), "ncodes.csv", TABLE),
    ],
)
def test_a_full_disk_leaves_both_files_whole(table: Path, room: int, failing: str, left: bytes) -> None:
    """The real thing: no room for the backup, then none for the table, which grows."""
    backup = table.with_name("ncodes.csv.bak")
    backup.write_bytes(b"an older one")
    command = [sys.executable, "-c", LIMITED, str(table), str(room)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(f"{table.with_name(failing)} cannot be written: File too large.")
    assert (table.read_bytes(), backup.read_bytes()) == (TABLE, left)
    assert names(table.parent) == ["ncodes.csv", "ncodes.csv.bak"]


# --- the table that ships ---


def test_every_row_of_the_real_table_can_be_marked(tmp_path: Path) -> None:
    """Each says what was asked for and nothing else has changed; unmarked again, all bytes are as before."""
    path = tmp_path / "ncodes.csv"
    shutil.copy(PROJECT / "ncodes.csv", path)
    fresh = path.read_bytes()
    before = categories.read(path)
    codes = [one.code for one in before]
    assert mark(path, codes, how_many=200).changed == len(codes) == 21_845
    after = categories.read(path)
    assert all(one.selected and one.how_many == 200 for one in after)
    assert [(one.code, one.name, one.folder, one.line) for one in after] == [
        (one.code, one.name, one.folder, one.line) for one in before
    ]
    assert path.read_bytes() == fresh.replace(b",False,-1\n", b",True,200\n")
    assert unmark(path, codes[1::2]).changed == len(codes) // 2
    assert [one.selected for one in categories.read(path)] == [place % 2 == 0 for place in range(len(codes))]
    assert unmark(path, codes).already == len(codes) // 2
    assert path.read_bytes() == fresh
