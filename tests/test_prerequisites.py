"""From sources of every kind, good and bad, to the three files."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.web import Answer, Web, resumable
from utils import categories, url_index
from utils.download_cli import ByteBar, ByteLines
from utils.errors import InputError, OneSourceError, SourceError
from utils.known_sources import ANNOTATION_SOURCES, URL_SOURCES
from utils.packed import open_text
from utils.prerequisites import Order, Piece, prepare
from utils.sourcing import Advance
from utils.url_list import convert
from utils.url_table import open_table
from utils.web_file import Terms

CAT, DOG = "n00000001", "n00000002"
TXT = b"".join(
    b"%b_%d\thttp://a.example/%d.jpg\n" % (code, number, number)
    for code in (b"n00000001", b"n00000002")
    for number in range(500)
)
QUICK = Terms(waits=(0.01, 0.01))
SCRIPT = Path(__file__).resolve().parents[1] / "download_imagenet_prerequisites.py"
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


class Lines:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Remember a line."""
        self.said.append(text)

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Advance]:
        """Remember that something took its time."""
        yield lambda _done, _total: self.said.append(title)


def zipped(**members: bytes) -> bytes:
    """Pack a zip; "__" in a name stands for a dot."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return packed.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """Pack a tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def collection(*codes: str) -> bytes:
    """Pack archives of annotated categories as they are published."""
    inner = {f"bboxes/{code}.tar.gz": tarred({f"Annotation/{code}/{code}_1.xml": b"<a/>"}) for code in codes}
    return tarred(inner)


def rows_in(folder: Path, code: str = CAT) -> list[tuple[str, str]]:
    """Read a category from the table in a folder."""
    return [(row.image_code, row.url) for row in open_table(folder / "imageNetURLs.csv").rows(code)]


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], str]:
    """Give a writer of source files, whose names tell nothing."""

    def write(data: bytes) -> str:
        path = tmp_path / "source.bin"
        path.write_bytes(data)
        return str(path)

    return write


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for the three files."""
    return tmp_path / "home"


def get_urls(home: Path, *sources: str, force: bool = False) -> list[str]:
    """Get the URL table alone; give what was said."""
    screen = Lines()
    order = Order(home, frozenset({Piece.URLS}), urls_source=sources, force=force)
    prepare(order, screen, QUICK)
    return screen.said


def get_annotations(home: Path, address: str, *, force: bool = False) -> list[str]:
    """Get the annotations alone; give what was said."""
    screen = Lines()
    order = Order(home, frozenset({Piece.ANNOTATIONS}), annotations_source=address, force=force)
    prepare(order, screen, QUICK)
    return screen.said


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


EXPECTED = [(f"n00000001_{number}", f"http://a.example/{number}.jpg") for number in range(500)]
AS_CSV = b"img_code,img_url,code\n" + b"".join(
    line.replace(b"\t", b",").rstrip() + b"," + line[:9] + b"\n" for line in TXT.splitlines(keepends=True)
)


@pytest.mark.parametrize(
    "data",
    [
        TXT,
        TXT.replace(b"\n", b"\r\n"),
        gzip.compress(TXT),
        tarred({"fall11_urls.txt": TXT}),
        tarred({"deep/fall11_urls.txt": TXT, "README": b"read me"}, "w:"),
        zipped(imageNetUrls__csv=AS_CSV),
        zipped(README__txt=b"small", fall11_urls__txt=TXT, picture__jpg=bytes(10**6)),
        zipped(noending=TXT),
        AS_CSV,
        gzip.compress(AS_CSV.replace(b"\n", b"\r\n")),
        b"\xef\xbb\xbf" + AS_CSV,
    ],
    ids=["txt", "crlf", "gz", "tgz", "tar", "zip", "zip-of-many", "zip-odd", "csv", "csv-gz-crlf", "csv-bom"],
)
def test_every_kind_of_list_becomes_the_same_table(
    home: Path, source: Callable[[bytes], str], data: bytes
) -> None:
    """What a list is packed in is told by its bytes; the table comes out in order, with its index."""
    said = get_urls(home, source(data))
    assert (home / "imageNetURLs.csv").read_bytes() == AS_CSV
    assert "imageNetURLs.csv: 1,000 rows" in said
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.index"]
    rebuilt: list[int] = []
    table = open_table(home / "imageNetURLs.csv", lambda done, _total: rebuilt.append(done))
    assert rebuilt == []
    assert table.codes() == [CAT, DOG]
    assert rows_in(home) == EXPECTED


def test_hard_lines_of_the_list(home: Path, source: Callable[[bytes], str]) -> None:
    """The first tab splits, quotes mean nothing, each line has its own encoding; bad lines are kept."""
    lines = [
        b'n00000001_1\thttp://a/x"y,z.jpg',
        b"n00000001_2\thttp://a/two words\tand a tab",
        b"n00000001_3\thttp://a/\xc3\xb6",
        b"n00000001_4\thttp://a/\xf6",
        b'n00000001_5\t"http://a/open',
        b"garbage",
        b"",
        b"n00000001_6\t",
        b"n00000001_x\thttp://a/x",
        b"../../etc/passwd\thttp://a/x",
        b"n00000001_7 http://a/no-tab",
        b"n00000001_8\thttp://a/last",
    ]
    said = get_urls(home, source(b"\n".join(lines)))
    assert [url for _, url in rows_in(home)] == [
        'http://a/x"y,z.jpg', "http://a/two words\tand a tab", "http://a/ö", "http://a/ö", '"http://a/open',
        "http://a/last",
    ]  # fmt: skip
    with (home / "imageNetURLs.csv").open(encoding="utf-8", newline="") as file:
        assert [row["img_url"] for row in csv.DictReader(file)] == [url for _, url in rows_in(home)]
    bad = (home / "imageNetURLs_bad_lines.txt").read_bytes().splitlines()
    assert bad == [lines[5], *lines[7:11]]
    assert any("5 malformed lines" in line and "imageNetURLs_bad_lines.txt" in line for line in said)
    get_urls(home, source(TXT), force=True)
    assert not (home / "imageNetURLs_bad_lines.txt").exists()


def test_a_table_in_another_spelling_is_taken_over_row_by_row(
    home: Path, source: Callable[[bytes], str]
) -> None:
    """A CSV of any layout becomes ours; its odd rows stay rows, a stray quote costs its own line only."""
    odd = (
        b",code,img_url,img_code\n"
        b'0,n00000001,"http://a/1,2",n00000001_1\n'
        b"1,n00000001,,n00000001_2\n"
        b'2,n00000001,"http://a/\nx",n00000001_3\n'
        b'3,n00000001,"http://a/open,n00000001_4\n'
        b"4,n00000001,http://a/5,../../x\n"
        b"5,,http://a/6,n00000001_6\n"
        b"6,n00000002,http://a/7,n00000002_7\n"
    )
    get_urls(home, source(odd))
    found = dict(rows_in(home))
    assert found["n00000001_1"] == "http://a/1,2"
    assert found["n00000001_2"] == ""
    assert found["n00000001_3"] == "http://a/\nx"
    assert found["../../x"] == "http://a/5"
    assert rows_in(home, DOG) == [("n00000002_7", "http://a/7")]
    assert b"n00000001_6" in (home / "imageNetURLs_bad_lines.txt").read_bytes()


def with_bad_checksum() -> bytes:
    """Pack a zip in which one byte of the content is wrong."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # stored, so that only the checksum can tell
        archive.writestr("a.txt", TXT)
    return packed.getvalue().replace(b"/499.jpg", b"/498.jpg", 1)


TGZ = tarred({"fall11_urls.txt": TXT})


def with_bad_trailer(data: bytes) -> bytes:
    """Spoil the checksum at the end of a gzip file."""
    return data[:-8] + b"\0\0\0\0" + data[-4:]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TGZ[: len(TGZ) // 2], "damaged or cut"),
        (gzip.compress(TXT)[:-20], "damaged or cut"),
        (zipped(a__txt=TXT)[:-100], "damaged or cut"),
        (tarred({"a.txt": TXT}, "w:")[:9000], "damaged or cut"),
        (with_bad_trailer(TGZ), "damaged or cut"),
        (with_bad_trailer(gzip.compress(TXT)), "damaged or cut"),
        (with_bad_checksum(), "damaged or cut"),
        (b"<!DOCTYPE html><html>log in</html>", "a web page"),
        (b"  <HTML>\n" + TXT, "a web page"),
        (b"", "no list of URLs"),
        (b"just text\n" * 99, "no list of URLs"),
        (b"img_code,img_url,code\n", "no rows"),
        (bytes(5000), "neither a zip"),
        (zipped(), "neither a zip"),
        (tarred({}), "no list of URLs"),
        (zipped(a__txt=b"nothing here"), "no list of URLs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_list_leaves_the_old_table(
    home: Path, source: Callable[[bytes], str], data: bytes, words: str
) -> None:
    """Until a new table is whole and checked, the old one stays, byte for byte, with its index."""
    get_urls(home, source(TXT))
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    with pytest.raises(SourceError, match=words):
        get_urls(home, source(data), force=True)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_a_list_of_mostly_nothing_is_refused(tmp_path: Path) -> None:
    """A list with fewer rows than it must have replaces nothing; neither does one without line ends."""
    table = tmp_path / "imageNetURLs.csv"
    path = tmp_path / "list.txt"
    path.write_bytes(TXT)
    with pytest.raises(OneSourceError, match="1,000 rows only"), open_text(path) as text:
        convert(text.stream, table, least=1001, say=lambda: None)
    path.write_bytes(b"n00000001_1\thttp://a/x\n" + b"x" * 300_000 + b"\nn00000001_2\thttp://a/y\n")
    with open_text(path) as text:
        counts = convert(text.stream, table, say=lambda: None)
    assert counts.rows == 2
    assert (tmp_path / "imageNetURLs_bad_lines.txt").stat().st_size < 5000


def test_the_known_lists_must_be_long() -> None:
    """What the known addresses give is only taken when it is about as much as it was."""
    assert all(known.least >= 14_000_000 for known in URL_SOURCES)
    assert all(known.least >= 3_000 for known in ANNOTATION_SOURCES)


def test_members_that_would_escape_write_nothing_elsewhere(
    home: Path, source: Callable[[bytes], str]
) -> None:
    """Members are read, never extracted: their names reach no path."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../../escaped.txt", TXT)
        archive.writestr("/tmp/escaped_too.txt", b"x")
    get_urls(home, source(packed.getvalue()))
    assert rows_in(home) == EXPECTED
    get_urls(home, source(tarred({"../../escaped.csv": AS_CSV})), force=True)
    assert rows_in(home) == EXPECTED
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.index"]
    assert not list(home.parent.rglob("escaped*"))


def test_the_next_source_is_tried(home: Path, web: Web, source: Callable[[bytes], str]) -> None:
    """A source that refuses, gives a web page, or something damaged costs only itself; each is said."""
    web.answer("/forbidden", Answer(status=403))
    web.answer("/page.zip", Answer.page("<html>"))
    web.answer("/cut.tgz", Answer(body=TGZ[:300]))
    web.answer("/good.tgz", Answer(body=TGZ, cut=200, headers=('ETag: "1"',)), resumable(TGZ))
    paths = ("/forbidden", "/page.zip", "/cut.tgz", "/good.tgz")
    said = get_urls(home, "/no/such/file", "ftp://127.0.0.1/x", *map(web.url, paths))
    assert rows_in(home) == EXPECTED
    for words in ("No such file", "neither http nor https", "403 Forbidden", "a web page", "damaged"):
        assert any(words in line for line in said)
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.index"]
    assert web.requests[-1].headers["range"] == "bytes=200-"


def test_when_all_sources_fail_every_one_is_named(home: Path, web: Web) -> None:
    """One line per source says why, and the last what to do by hand."""
    web.answer("/x", Answer(status=404))
    web.answer("/y", Answer(status=500))
    with pytest.raises(SourceError) as caught:
        get_urls(home, web.url("/x"), web.url("/y"))
    lines = str(caught.value).splitlines()
    assert f"{web.url('/x')}: it answers 404 Not Found" in lines[1]
    assert f"{web.url('/y')}: it answers 500" in lines[2]
    assert "--urls_source" in lines[3]
    assert caught.value.exit_code == 1


def test_a_run_stopped_after_the_download_does_not_repeat_it(home: Path, web: Web) -> None:
    """What is on disk already is used; what proves useless is removed."""
    web.answer("/list", Answer(body=TGZ))

    class Interrupting(Lines):
        @contextlib.contextmanager
        def bar(self, title: str) -> Iterator[Advance]:
            if title.startswith("writing"):
                raise KeyboardInterrupt
            with super().bar(title) as advance:
                yield advance

    order = Order(home, frozenset({Piece.URLS}), urls_source=(web.url("/list"),))
    with pytest.raises(KeyboardInterrupt):
        prepare(order, Interrupting(), QUICK)
    prepare(order, Lines(), QUICK)
    assert web.count("/list") == 1
    assert rows_in(home) == EXPECTED
    assert names(home) == ["imageNetURLs.csv", "imageNetURLs.csv.index"]


def test_what_is_there_is_left_alone(home: Path, web: Web) -> None:
    """A second run asks nobody and says so; a missing index is made anew; --force fetches again."""
    web.answer("/list", Answer(body=TGZ))
    get_urls(home, web.url("/list"))
    index = url_index.index_path(home / "imageNetURLs.csv")
    good = index.read_bytes()
    index.unlink()
    assert "imageNetURLs.csv: already present (1,000 rows)" in get_urls(home, web.url("/list"))
    assert index.read_bytes() == good
    assert web.count("/list") == 1
    get_urls(home, web.url("/list"), force=True)
    assert web.count("/list") == 2


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"img_code,img_url,code\n"])
def test_a_table_that_is_none_is_replaced(home: Path, source: Callable[[bytes], str], content: bytes) -> None:
    """What cannot be used is not "already present"."""
    home.mkdir()
    (home / "imageNetURLs.csv").write_bytes(content)
    get_urls(home, source(TXT))
    assert rows_in(home) == EXPECTED


def test_annotations_come_from_the_published_collection(home: Path, web: Web) -> None:
    """Each archive of the collection lands under its own name; a second run asks nobody."""
    web.answer("/boxes", Answer(body=collection(CAT, DOG)))
    assert "annotation/: 2 archives written, 0 already present" in get_annotations(home, web.url("/boxes"))
    assert names(home / "annotation") == [f"{CAT}.tar.gz", f"{DOG}.tar.gz"]
    with tarfile.open(home / "annotation" / f"{CAT}.tar.gz") as archive:
        assert archive.getnames() == [f"Annotation/{CAT}/{CAT}_1.xml"]
    assert "annotation/: already present (2 categories)" in get_annotations(home, web.url("/boxes"))
    assert web.count("/boxes") == 1
    assert names(home) == ["annotation"]


def test_annotations_come_from_a_folder(home: Path, tmp_path: Path) -> None:
    """A folder of archives is copied; what else lies in it is not."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    (folder / f"{CAT}.tar.gz").write_bytes(b"\x1f\x8bcat")
    (folder / f"{DOG}.tar").write_bytes(b"dog")
    (folder / "notes.txt").write_bytes(b"x")
    get_annotations(home, str(folder))
    assert names(home / "annotation") == [f"{CAT}.tar.gz", f"{DOG}.tar"]
    assert (home / "annotation" / f"{DOG}.tar").read_bytes() == b"dog"
    get_annotations(home, folder.as_uri(), force=True)


def test_only_regular_archives_are_taken_from_a_collection(
    home: Path, source: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links, devices, other names and sizes that cannot be real are left out; no name leads elsewhere."""
    monkeypatch.setattr("utils.annotation_archives.LARGEST_ARCHIVE", 1000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, kind in (
            ("n00000003.tar.gz", tarfile.SYMTYPE),
            ("n00000004.tar.gz", tarfile.LNKTYPE),
            ("n00000005.tar.gz", tarfile.CHRTYPE),
            ("n00000006.tar.gz", tarfile.DIRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name, size in (
            ("../../n00000001.tar.gz", 9), ("/tmp/n00000002.tar.gz", 9), ("n00000007.tar.gz", 2000),
            ("x.tar.gz", 9), ("n1.tar.gz", 9), ("n00000008.tar.gz.exe", 9),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    said = get_annotations(home, source(packed.getvalue()))
    assert names(home / "annotation") == ["n00000001.tar.gz", "n00000002.tar.gz"]
    assert any("1 archives are too large" in line for line in said)
    assert not [path for path in home.parent.rglob("n0000000*") if path.parent != home / "annotation"]


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[: len(data) // 2], with_bad_trailer, lambda data: b"<html>" + data, lambda _: b""],
)
def test_a_damaged_collection_changes_nothing(
    home: Path, source: Callable[[bytes], str], spoil: Callable[[bytes], bytes]
) -> None:
    """A cut collection, or one whose checksum is wrong, replaces no archive."""
    get_annotations(home, source(collection(CAT)))
    before = (home / "annotation" / f"{CAT}.tar.gz").read_bytes()
    with pytest.raises(SourceError, match=r"damaged or cut|a web page"):
        get_annotations(home, source(spoil(collection(CAT, DOG))), force=True)
    assert names(home / "annotation") == [f"{CAT}.tar.gz"]
    assert (home / "annotation" / f"{CAT}.tar.gz").read_bytes() == before


def test_a_broken_off_unpacking_is_taken_up_again(home: Path, source: Callable[[bytes], str]) -> None:
    """A folder that was not filled to the end is not "present"; what lies in it is kept."""
    address = source(collection(CAT, DOG))
    get_annotations(home, address)
    (home / "annotation" / f"{DOG}.tar.gz").unlink()
    (home / "annotation" / ".unfinished").touch()
    assert "annotation/: 1 archives written, 1 already present" in get_annotations(home, address)
    assert names(home / "annotation") == [f"{CAT}.tar.gz", f"{DOG}.tar.gz"]


def test_a_folder_of_the_users_own_is_left_alone(home: Path) -> None:
    """XML folders and plain tars that the user brought count as present."""
    (home / "annotation" / CAT).mkdir(parents=True)
    (home / "annotation" / f"{DOG}.tar").write_bytes(b"x")
    assert "annotation/: already present (2 categories)" in get_annotations(home, "/no/such/file")


def test_marks_survive_a_fresh_table_of_categories(home: Path) -> None:
    """The table is never overwritten, but by --force: then with the marks, and the old one beside it."""
    order = Order(home, frozenset({Piece.NCODES}))
    prepare(order, Lines())
    path = home / "ncodes.csv"
    fresh = path.read_bytes()
    marked = fresh.replace(b"False,-1\n", b"True,7\n", 1)
    path.write_bytes(marked)
    prepare(order, Lines())
    assert path.read_bytes() == marked
    prepare(Order(home, frozenset({Piece.NCODES}), force=True), Lines())
    assert [row.how_many for row in categories.selected(categories.read(path))] == [7]
    assert (home / "ncodes.csv.bak").read_bytes() == marked


def test_one_failure_does_not_keep_the_others_back(home: Path, source: Callable[[bytes], str]) -> None:
    """Without any list of URLs, categories and annotations are put into place all the same."""
    order = Order(home, urls_source=("/no/such/file",), annotations_source=source(collection(CAT)))
    with pytest.raises(SourceError, match=r"imageNetURLs\.csv could not be had"):
        prepare(order, Lines(), QUICK)
    assert names(home) == ["annotation", "ncodes.csv"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file in the folder's place is the user's to mend."""
    (tmp_path / "home").write_bytes(b"")
    with pytest.raises(InputError, match="--ncodes_dir"):
        get_urls(tmp_path / "home", "x")


def test_bars_live_with_what_servers_say(capsys: pytest.CaptureFixture[str]) -> None:
    """A bar stands a size that is unknown, comes later, and a download that begins anew."""
    bar = ByteBar("a file")
    for done, total in ((0, 0), (5_000, 0), (6_000, 10_000), (1_000, 10_000), (10_000, 10_000)):
        bar.advance(done, total)
    bar.close()
    assert "a file" in capsys.readouterr().err


def test_without_a_terminal_lines_come_at_a_human_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand steps within a moment are no line; one after the pause is."""
    said: list[str] = []
    lines = ByteLines("a file", said.append)
    for done in range(1000):
        lines.advance(done, 10_000)
    assert said == []
    monkeypatch.setattr("utils.screen.SECONDS_BETWEEN_LINES", 0.0)
    lines.advance(5_000_000, 10_000_000)
    lines.close()
    assert said == ["  a file: 5 of 10 MB"]


def run_script(*flags: str) -> subprocess.Popen[str]:
    """Start the script as a user would."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_script_says_what_is_wrong_without_a_traceback(home: Path) -> None:
    """Exit 1 when a source fails, 2 for a wrong flag; one message, on stderr."""
    failing = run_script("--ncodes_dir", str(home), "--only", "urls", "--urls_source", "/no/such/file")
    wrong = run_script("--only", "everything")
    said = failing.communicate(timeout=60)[1]
    assert failing.returncode == 1
    assert "/no/such/file: it cannot be opened" in said
    assert "Traceback" not in said
    wrong.communicate(timeout=60)
    assert wrong.returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_script_goes_on_where_it_stopped(
    home: Path, web: Web, signum: signal.Signals, code: int
) -> None:
    """A signal ends it with its exit code and a part, from which the next run goes on."""
    slow = Answer(body=TXT, headers=('ETag: "1"',), cut=len(TXT) // 2, hang=True)
    web.answer("/list", slow, resumable(TXT))
    flags = ("--ncodes_dir", str(home), "--only", "urls", "--urls_source", web.url("/list"))
    script = run_script(*flags)
    until = time.monotonic() + 30
    while not any(path.stat().st_size for path in home.glob("*.part")) and time.monotonic() < until:
        time.sleep(0.02)
    script.send_signal(signum)
    said = script.communicate(timeout=30)[1]
    assert script.returncode == code
    assert "Interrupted" in said
    assert "Traceback" not in said
    script = run_script(*flags)
    script.communicate(timeout=30)
    assert script.returncode == 0
    assert rows_in(home) == EXPECTED
    assert web.requests[-1].headers["range"].startswith("bytes=")


def test_the_real_rows_and_archives_are_taken_over(home: Path) -> None:
    """Ten thousand real rows and the real archives, from where they lie."""
    if not REAL.is_dir():
        pytest.skip(f"the real data are not here: {REAL}")
    get_urls(home, str(REAL / "imageNetURLs.csv"))
    get_annotations(home, str(REAL / "annotation"))
    table = open_table(home / "imageNetURLs.csv")
    assert sum(table.count(code) for code in table.codes()) == 10_000
    assert len(names(home / "annotation")) == len(names(REAL / "annotation"))
