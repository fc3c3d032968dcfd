"""Archives of boxes: those that are good are put into place, each whole; others are told, and left out."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.web import Answer, Web
from tests.prerequisites import (
    CARTON,
    FIRST,
    HUSKY,
    boxes,
    collection,
    get_annotations,
    names,
    source,
    tarred,
    with_bad_trailer,
)
from utils.errors import SourceError

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "annotation"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for the annotations."""
    return tmp_path / "home"


def test_annotations_come_from_the_published_collection(home: Path, web: Web) -> None:
    """Each archive of the collection lands under its own name; a second run asks nobody."""
    web.answer("/boxes", Answer(body=collection(HUSKY, CARTON)))
    assert "annotation/: 2 archives written, 0 already present" in get_annotations(home, web.url("/boxes"))
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]
    with tarfile.open(home / "annotation" / f"{HUSKY}.tar.gz") as archive:
        assert archive.getnames() == [f"Annotation/{HUSKY}/{HUSKY}_1.xml"]
    said = get_annotations(home, web.url("/boxes"))
    assert said[-1].startswith("annotation/: already present (2 categories)")
    assert web.count("/boxes") == 1
    assert names(home) == ["annotation"]


def test_annotations_come_from_a_folder(home: Path, tmp_path: Path) -> None:
    """A folder of archives is copied; what else lies in it is not."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    plain = gzip.decompress(boxes(CARTON))
    (folder / f"{HUSKY}.tar.gz").write_bytes(boxes(HUSKY))
    (folder / f"{CARTON}.tar").write_bytes(plain)
    (folder / "notes.txt").write_bytes(b"x")
    get_annotations(home, str(folder))
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar"]
    assert (home / "annotation" / f"{CARTON}.tar").read_bytes() == plain
    assert "annotation/: 2 archives written, 0 already present" in get_annotations(
        home, folder.as_uri(), force=True
    )


@pytest.mark.parametrize("content", [None, b"x", "inside"])
def test_a_folder_that_cannot_be_a_source(home: Path, tmp_path: Path, content: bytes | str | None) -> None:
    """One without archives, one with rubbish alone, and the very one that is to be filled, are told."""
    folder = home / "annotation" if content == "inside" else tmp_path / "boxes"
    folder.mkdir(parents=True)
    if isinstance(content, bytes):
        (folder / f"{HUSKY}.tar.gz").write_bytes(content)
    with pytest.raises(SourceError, match=r"the very folder|it holds 0 archives"):
        get_annotations(home, str(folder))


def test_only_archives_of_categories_that_exist_are_taken(home: Path) -> None:
    """Others are told; a category that the user added to ncodes.csv exists."""
    packed = collection(HUSKY, "n99999999", FIRST)
    said = get_annotations(home, source(home, packed))
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz"]
    assert "  left out of it: 2 of no category that there is (n99999999.tar.gz, n00000001.tar.gz)" in said
    (home / "ncodes.csv").write_text(f"code,name,to_download,how_many\n{FIRST},mine,True,-1\n")
    get_annotations(home, source(home, packed), force=True)
    assert names(home / "annotation") == [f"{FIRST}.tar.gz", f"{HUSKY}.tar.gz"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        with_bad_trailer,
        lambda _: b"<html>",
        lambda _: b"",
        lambda _: gzip.compress(b"no tar " * 500),
    ],
    ids=["cut", "checksum", "page", "empty", "no-tar"],
)
def test_a_damaged_archive_costs_its_category(home: Path, spoil: Callable[[bytes], bytes]) -> None:
    """It is told by name and left out; one that is there already stays; all others are written."""
    get_annotations(home, source(home, collection(HUSKY)))
    before = (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes()
    packed = tarred({f"{HUSKY}.tar.gz": spoil(boxes(HUSKY)), f"{CARTON}.tar.gz": boxes(CARTON)})
    said = get_annotations(home, source(home, packed), force=True)
    assert f"  left out of it: 1 damaged ({HUSKY}.tar.gz)" in said
    assert "annotation/: 1 archive written, 0 already present" in said
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]
    assert (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes() == before


def test_nothing_but_regular_archives_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, devices, other names and sizes that cannot be real are left out; no name leads elsewhere."""
    monkeypatch.setattr("utils.prerequisites.annotation_archives.LARGEST_ARCHIVE", 20_000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo("n02084071.tar.gz")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name, data in (
            (f"../../{HUSKY}.tar.gz", boxes(HUSKY)), (f"/tmp/{CARTON}.tar.gz", boxes(CARTON)),
            ("n02084071.tar.gz", bytes(20_001)), ("n02121808.tar.gz", gzip.compress(bytes(30_000))),
            ("x.tar.gz", b"x"), ("n1.tar.gz", b"x"), ("n02121620.tar.gz.exe", b"x"),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    said = get_annotations(home, source(home, packed.getvalue()))
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]
    assert "  left out of it: 1 too large to be real (n02084071.tar.gz)" in said
    assert "  left out of it: 1 damaged (n02121808.tar.gz)" in said
    assert not [path for path in home.parent.rglob("n0*") if path.parent != home / "annotation"]


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[: len(data) // 2], with_bad_trailer, lambda data: b"<html>" + data, lambda _: b""],
    ids=["cut", "checksum", "page", "empty"],
)
def test_a_damaged_collection_changes_nothing(home: Path, spoil: Callable[[bytes], bytes]) -> None:
    """A cut collection, or one whose checksum is wrong, replaces no archive."""
    get_annotations(home, source(home, collection(HUSKY)))
    before = (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes()
    with pytest.raises(SourceError, match=r"damaged or cut|a web page"):
        get_annotations(home, source(home, spoil(collection(HUSKY, CARTON))), force=True)
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz"]
    assert (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes() == before


def test_a_broken_off_writing_is_taken_up_again(home: Path) -> None:
    """A folder that was not filled to the end is not "present"; what lies in it is kept."""
    address = source(home, collection(HUSKY, CARTON))
    get_annotations(home, address)
    (home / "annotation" / f"{CARTON}.tar.gz").unlink()
    (home / "annotation" / f".{CARTON}.tar.gz.part").write_bytes(b"half")
    (home / "annotation" / ".unfinished").touch()
    assert "annotation/: 1 archive written, 1 already present" in get_annotations(home, address)
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]


def test_a_folder_of_the_users_own_is_left_alone(home: Path) -> None:
    """XML folders and plain tars that the user brought count as present, and nothing is put before them."""
    (home / "annotation" / HUSKY).mkdir(parents=True)
    (home / "annotation" / f"{CARTON}.tar").write_bytes(b"x")
    assert get_annotations(home, "/no/such/file")[-1].startswith(
        "annotation/: already present (2 categories)"
    )
    (home / "annotation" / ".unfinished").touch()
    said = get_annotations(home, source(home, collection(HUSKY, CARTON)))
    assert "annotation/: 0 archives written, 2 already present" in said
    assert names(home / "annotation") == [HUSKY, f"{CARTON}.tar"]


def test_the_real_archives_are_taken_over(home: Path) -> None:
    """The real archives of a hundred categories, from where they lie: none of them is damaged."""
    if not REAL.is_dir():
        pytest.skip(f"the real archives are not here: {REAL}")
    assert not [line for line in get_annotations(home, str(REAL)) if "left out" in line]
    assert names(home / "annotation") == names(REAL)
