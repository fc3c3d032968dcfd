"""Usable annotation archives are copied atomically, others are reported."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.web import Answer, Web
from tests.prerequisites.helpers import (
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

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "annotation"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the destination folder."""
    return tmp_path / "home"


def test_published_collection(home: Path, web: Web) -> None:
    """All archives of a downloaded collection are written; a second run downloads nothing."""
    web.answer("/boxes", Answer(body=collection(HUSKY, CARTON)))
    assert "annotation/: 2 archives written, 0 already present" in get_annotations(home, web.url("/boxes"))
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]
    with tarfile.open(home / "annotation" / f"{HUSKY}.tar.gz") as archive:
        assert archive.getnames() == [f"Annotation/{HUSKY}/{HUSKY}_1.xml"]
    lines = get_annotations(home, web.url("/boxes"))
    assert lines[-1].startswith("annotation/: already present (2 categories)")
    assert web.count("/boxes") == 1
    assert names(home) == ["annotation"]


def test_folder_of_archives(home: Path, tmp_path: Path) -> None:
    """Archives in a folder are copied, other files are not."""
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
def test_unusable_folder(home: Path, tmp_path: Path, content: bytes | str | None) -> None:
    """A folder without usable archives, and the destination folder itself, cannot be used."""
    folder = home / "annotation" if content == "inside" else tmp_path / "boxes"
    folder.mkdir(parents=True)
    if isinstance(content, bytes):
        (folder / f"{HUSKY}.tar.gz").write_bytes(content)
    with pytest.raises(SourceError, match=r"the destination folder|it has 0 usable archives"):
        get_annotations(home, str(folder))


def test_unknown_categories(home: Path) -> None:
    """Archives of unknown categories are left out, unless the user has added these to `ncodes.csv`."""
    packed = collection(HUSKY, "n99999999", FIRST)
    lines = get_annotations(home, source(home, packed))
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz"]
    assert "  left out: 2 of unknown categories (n99999999.tar.gz, n00000001.tar.gz)" in lines
    (home / "ncodes.csv").write_text(f"code,name,to_download,how_many\n{FIRST},mine,True,-1\n")
    get_annotations(home, source(home, packed), force=True)
    assert names(home / "annotation") == [f"{FIRST}.tar.gz", f"{HUSKY}.tar.gz"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        with_bad_trailer,
        lambda _: b"<html>",
        lambda _: b"",
        lambda _: gzip.compress(b"no tar " * 500),
    ],
    ids=["cut", "checksum", "page", "empty", "no-tar"],
)
def test_damaged_archive(home: Path, damage: Callable[[bytes], bytes]) -> None:
    """A damaged archive is reported and left out, and does not replace an existing one."""
    get_annotations(home, source(home, collection(HUSKY)))
    before = (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes()
    packed = tarred({f"{HUSKY}.tar.gz": damage(boxes(HUSKY)), f"{CARTON}.tar.gz": boxes(CARTON)})
    lines = get_annotations(home, source(home, packed), force=True)
    assert f"  left out: 1 damaged ({HUSKY}.tar.gz)" in lines
    assert "annotation/: 1 archive written, 0 already present" in lines
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]
    assert (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes() == before


def test_hostile_members(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, devices, other names and huge archives are left out; nothing is written elsewhere."""
    monkeypatch.setattr("utils.prerequisites.annotation_archives.MAX_ARCHIVE_BYTES", 20_000)
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
    lines = get_annotations(home, source(home, packed.getvalue()))
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]
    assert "  left out: 1 too large (n02084071.tar.gz)" in lines
    assert "  left out: 1 damaged (n02121808.tar.gz)" in lines
    assert not [path for path in home.parent.rglob("n0*") if path.parent != home / "annotation"]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], with_bad_trailer, lambda data: b"<html>" + data, lambda _: b""],
    ids=["cut", "checksum", "page", "empty"],
)
def test_damaged_collection(home: Path, damage: Callable[[bytes], bytes]) -> None:
    """A damaged collection replaces no archive."""
    get_annotations(home, source(home, collection(HUSKY)))
    before = (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes()
    with pytest.raises(SourceError, match=r"damaged or cut|a web page"):
        get_annotations(home, source(home, damage(collection(HUSKY, CARTON))), force=True)
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz"]
    assert (home / "annotation" / f"{HUSKY}.tar.gz").read_bytes() == before


def test_interrupted_writing(home: Path) -> None:
    """An incomplete folder is completed by the next run."""
    address = source(home, collection(HUSKY, CARTON))
    get_annotations(home, address)
    (home / "annotation" / f"{CARTON}.tar.gz").unlink()
    (home / "annotation" / f".{CARTON}.tar.gz.part").write_bytes(b"half")
    (home / "annotation" / ".unfinished").touch()
    assert "annotation/: 1 archive written, 1 already present" in get_annotations(home, address)
    assert names(home / "annotation") == [f"{HUSKY}.tar.gz", f"{CARTON}.tar.gz"]


def test_annotations_of_the_user(home: Path) -> None:
    """Folders of XML and plain tars of the user count as present, and are not replaced."""
    (home / "annotation" / HUSKY).mkdir(parents=True)
    (home / "annotation" / f"{CARTON}.tar").write_bytes(b"x")
    assert get_annotations(home, "/no/such/file")[-1].startswith(
        "annotation/: already present (2 categories)"
    )
    (home / "annotation" / ".unfinished").touch()
    lines = get_annotations(home, source(home, collection(HUSKY, CARTON)))
    assert "annotation/: 0 archives written, 2 already present" in lines
    assert names(home / "annotation") == [HUSKY, f"{CARTON}.tar"]


def test_real_archives(home: Path) -> None:
    """A hundred real archives are copied, and none is rejected."""
    if not REAL.is_dir():
        pytest.skip(f"the real archives are missing: {REAL}")
    assert not [line for line in get_annotations(home, str(REAL)) if "left out" in line]
    assert names(home / "annotation") == names(REAL)
