"""Malicious or damaged archives, tables and names: the run continues, reports them, and stays in its folder.

One run over all hostile archives, one over all hostile URLs, one over all hostile names.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import signal
import stat
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas
import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Finished, Project
from utils.annotations import voc_xml
from utils.catalog.folder_names import folder_names
from utils.cli.arguments import SIGNAL_EXITS
from utils.cli.extract import main
from utils.errors import InputError
from utils.models.images import Annotation
from utils.prerequisites.url_list import convert
from utils.reasons import Reason
from utils.sources.url_table import open_table
from utils.urls import rejection

RED, BLUE = "n00000001", "n00000002"
HEADER = b"img_code,img_url,code\n"
LARGEST = 400_000  # kilobytes that one process may use
# A small process in between: a child's peak begins with the memory of the process that starts it.
MEASURE = """
import pathlib, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
pathlib.Path(sys.argv[1]).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""
SIDE = "<width>64</width><height>48</height>"


def code_of(number: int) -> str:
    """Return the wnid of a case."""
    return f"n{number:08d}"


def picture(seed: int) -> Answer:
    """Return a response with a unique picture, 64 x 48."""
    return Answer(body=pictures.jpeg(64, 48, seed=seed))


def run_bounded(project: Project, *flags: str) -> Finished:
    """Run the script, and check the memory of its processes."""
    peak = project.path / "cache"  # the name that no run minds
    finished = project.run(*flags, prefix=(sys.executable, "-c", MEASURE, str(peak)))
    assert 1000 < int(peak.read_text()) < LARGEST
    return finished


def check_inside(project: Project, *brought: str) -> None:
    """Check that a run created nothing outside its result folder."""
    allowed = {"ncodes.csv", "imageNetURLs.csv", "annotation", "cache", "partial_imagenet", *brought}
    assert {path.name for path in project.path.iterdir()} <= {*allowed, "imageNetURLs.csv.index"}
    for path in project.result.rglob("*"):
        assert not path.is_symlink()
        assert not stat.S_IMODE(path.stat().st_mode) & 0o7000, path
        left = (".jpg", ".xml", ".csv", ".jsonl", ".json", "index.html", "dataset_card.md")
        assert path.is_dir() or path.name.endswith(left)


# --- archives: each case is a category with one image ---


def xml_of(*corners: object, size: str = SIDE, name: str = RED, prologue: str = "") -> bytes:
    """Return an XML with one box, or with none."""
    sides = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=False)
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    drawn = f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"
    return f"{prologue}<annotation><size>{size}</size>{drawn}</annotation>".encode()


GOOD = xml_of(4, 5, 20, 30)


def member(code: str, data: bytes = GOOD, path: str = "", **attributes: object) -> bytes:
    """Return a member of a tar; `attributes` are those of TarInfo."""
    info = tarfile.TarInfo(path or f"Annotation/{code}/{code}_1.xml")
    info.size = len(data)
    for name, value in attributes.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def special(kind: bytes) -> Callable[[str], bytes]:
    """Return a function that makes an archive whose only member is a link or a device."""
    return lambda code: member(code, b"", type=kind, linkname="/etc/passwd") + bytes(1024)


def sparse(code: str) -> bytes:
    """Return an archive with a sparse file of 10 GB before the valid one."""
    block = bytearray(member(code, b"", f"{code}_9.xml", type=tarfile.GNUTYPE_SPARSE))
    block[483:495] = b"\x80" + (10 * 1024**3).to_bytes(11, "big")
    return with_checksum(block) + member(code) + bytes(1024)


def with_size(block: bytes, size: bytes) -> bytes:
    """Return a header with another size field."""
    return with_checksum(bytearray(block[:124] + size + block[136:]))


def with_checksum(block: bytearray) -> bytes:
    """Return a header with a correct checksum."""
    block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    return bytes(block)


def million_members(code: str) -> bytes:
    """Return an archive with a valid file and a million empty ones; compressed, it has some megabytes."""
    thousand = gzip.compress(member(code, b"", "x.xml") * 10_000, 1)
    return gzip.compress(member(code), 1) + thousand * 100 + gzip.compress(bytes(1024))


def billion_laughs() -> str:
    """Return entities; the last one expands to ten billion words."""
    more = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(10))
    return f'<!DOCTYPE annotation [<!ENTITY l0 "ha">{more}]>'


def with_xml(data: bytes) -> Callable[[str], bytes]:
    """Return a function that makes a valid archive with an XML."""
    return lambda code: member(code, data) + bytes(1024)


ENTITY = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
NOT_UNDERSTOOD = "1 invalid XML file left out"
NO_NUMBERS = "1 box without name or numbers left out"
UNCHANGED = (4, 5, 20, 30)


@dataclass(frozen=True)
class Case:
    """An archive, the message about it, and the corners of the resulting box, if any."""

    archive: Callable[[str], bytes | None]
    message: str = ""
    corners: tuple[int, ...] | None = None


CASES: dict[str, Case] = {
    "climbs out": Case(lambda code: member(code, path=f"../../../{code}_1.xml") + bytes(1024), "", UNCHANGED),
    "absolute": Case(lambda code: member(code, path=f"/tmp/{code}_1.xml") + bytes(1024), "", UNCHANGED),
    "setuid": Case(lambda code: member(code, mode=0o6777) + bytes(1024), "", UNCHANGED),
    "symbolic link": Case(special(tarfile.SYMTYPE), "contains no annotations"),
    "hard link": Case(special(tarfile.LNKTYPE), "contains no annotations"),
    "device": Case(special(tarfile.CHRTYPE), "contains no annotations"),
    "pipe": Case(special(tarfile.FIFOTYPE), "contains no annotations"),
    "absent": Case(lambda _: None, ""),
    "empty": Case(lambda _: b"", "it is empty"),
    "a web page": Case(lambda _: b"<!DOCTYPE html><html>Not found</html>" * 40, "not a tar archive"),
    "cut": Case(
        lambda code: (member(code) + member(code, bytes(5000), "y"))[:3000],
        "only 1 annotation could be read (it ends too early)",
        UNCHANGED,
    ),
    "cut while packed": Case(
        lambda code: gzip.compress(member(code) + os.urandom(9000))[:5000], "could be read (", UNCHANGED
    ),
    "a size below zero": Case(
        lambda code: member(code) + with_size(member(code, b"", "y"), b"-7777777777\0") + bytes(9000),
        "only 1 annotation could be read (it is not a tar",
        UNCHANGED,
    ),
    "sparse": Case(sparse, "", UNCHANGED),
    "claims 10 GB": Case(
        lambda code: member(code) + member(code, b"", f"{code}_2.xml", size=10 * 1024**3),
        "more than 32 MB",
        UNCHANGED,
    ),
    "a million members": Case(million_members, "more than 50,000 members", UNCHANGED),
    "a gzip bomb": Case(
        lambda code: gzip.compress(
            member(code) + member(code, b"", "y", size=300 * 1024**2) + bytes(99_000_000), 1
        ),
        "more than 32 MB",
        UNCHANGED,
    ),
    "a large XML": Case(with_xml(GOOD + b" " * 300_000), NOT_UNDERSTOOD),
    "billion laughs": Case(
        with_xml(xml_of(1, 1, 9, 9, name="&l10;", prologue=billion_laughs())), NOT_UNDERSTOOD
    ),
    "external entity": Case(with_xml(xml_of(1, 1, 9, 9, name="&e;", prologue=ENTITY)), NOT_UNDERSTOOD),
    "document type": Case(with_xml(b"<!DOCTYPE annotation>" + GOOD), NOT_UNDERSTOOD),
    "malformed": Case(with_xml(GOOD[:-9]), NOT_UNDERSTOOD),
    "UTF-16": Case(with_xml(GOOD.decode().encode("utf-16")), NOT_UNDERSTOOD),
    "no size": Case(with_xml(xml_of(*UNCHANGED, size="")), "1 dropped"),
    "size 0": Case(with_xml(xml_of(*UNCHANGED, size="<width>0</width><height>0</height>")), "1 dropped"),
    "size 65535": Case(
        with_xml(xml_of(*UNCHANGED, size="<width>65535</width><height>65535</height>")), "1 dropped"
    ),
    "reversed": Case(with_xml(xml_of(20, 30, 4, 5)), "1 mended", UNCHANGED),
    "partly outside": Case(with_xml(xml_of(-7, 5, 999, 30)), "1 mended", (0, 5, 63, 30)),
    "wholly outside": Case(with_xml(xml_of(70, 5, 90, 30)), "1 dropped"),
    "no area": Case(with_xml(xml_of(5, 5, 5, 30)), "1 dropped"),
    "no numbers": Case(with_xml(xml_of("four", 5, 20, 30)), NO_NUMBERS),
    "not a number": Case(with_xml(xml_of("nan", 5, "1e999", 30)), NO_NUMBERS),
    "no box": Case(with_xml(xml_of()), NO_NUMBERS),
}


@dataclass
class RunOfAllCases:
    """A run over all cases, and their folders."""

    project: Project
    finished: Finished
    folders: dict[str, str] = field(default_factory=dict)

    def message(self, name: str) -> str:
        """Return the printed lines about a case."""
        beginning = f"{self.folders[name]}: "
        return "\n".join(line for line in self.finished.out.splitlines() if line.startswith(beginning))

    def annotation(self, name: str) -> Annotation | None:
        """Read the XML of a case's image."""
        folder = self.project.result / self.folders[name]
        (code,) = [path.stem for path in (folder / "Images").iterdir()]
        path = folder / "Annotation" / f"{code}.xml"
        return voc_xml.parse(path.read_bytes(), code) if path.exists() else None


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> RunOfAllCases:
    """Run the script once over all hostile archives."""
    project = Project(tmp_path_factory.mktemp("archives"))
    (project.path / "annotation").mkdir()
    with Web() as web:
        for number, (name, case) in enumerate(CASES.items()):
            code = code_of(number)
            project.category(code, f"case {name}")
            web.answer(f"/{code}", picture(number))
            project.url(f"{code}_1", web.url(f"/{code}"))
            data = case.archive(code)
            if data is not None:
                (project.path / "annotation" / f"{code}.tar.gz").write_bytes(data)
        finished = run_bounded(project)
    folders = folder_names({name: f"case {name}" for name in CASES})
    return RunOfAllCases(project, finished, folders)


def test_no_archive_stops_a_run(archives: RunOfAllCases) -> None:
    """Every image is saved, no file is outside the result folder, and memory is bounded."""
    assert archives.finished.code == 0, archives.finished.err
    assert archives.finished.err == ""
    for folder in archives.folders.values():
        assert len(archives.project.images(folder)) == 1
        assert [row["status"] for row in archives.project.report(folder)] == ["downloaded"]
    check_inside(archives.project)
    assert not Path(f"/tmp/{code_of(1)}_1.xml").exists()


def test_hostile_archives(archives: RunOfAllCases) -> None:
    """Valid boxes are fitted and saved under the image code; invalid ones are reported."""
    for name, case in CASES.items():
        message = archives.message(name)
        if case.message.startswith("1 ") and case.message.endswith(("dropped", "mended")):
            assert "without name" not in message, name  # an ordinary error of a box, counted in the totals
        else:
            assert case.message in message, name
        annotation = archives.annotation(name)
        assert (annotation is not None) is (case.corners is not None), name
        (row,) = archives.project.report(archives.folders[name])
        assert row["boxes"] == ("1" if annotation else ""), name
        if annotation:
            (box,) = annotation.boxes
            assert (box.xmin, box.ymin, box.xmax, box.ymax) == case.corners, name
            assert (annotation.width, annotation.height) == (64, 48), name


def test_boxes_are_counted(archives: RunOfAllCases) -> None:
    """The totals say how many boxes were mended and dropped when they were fitted."""
    message = [case.message for case in CASES.values()]
    mended, dropped = message.count("1 mended"), message.count("1 dropped")
    assert f"({mended} clipped or reordered), {dropped} left out." in archives.finished.out


# --- the URL table: each case is a row ---


def rows_at(port: int) -> dict[str, tuple[bytes, str]]:
    """Return the rows: the URL in the table, and the reason in the report; empty for a saved image."""
    host = b"http://127.0.0.1:%d" % port
    return {
        "quote": (b'%b/q"x' % host, ""),
        "quoted quote": (b'"%b/q""y"' % host, ""),
        "bare comma": (b"%b/a,b,c" % host, ""),
        "quoted comma": (b'"%b/d,e"' % host, ""),
        "blanks": (b"  %b/f g\th " % host, ""),
        "fragment": (b"%b/i#part" % host, ""),
        "credentials": (b"http://user:p%%40ss@127.0.0.1:%d/j" % port, ""),
        "wide digits": ("http://\uff11\uff12\uff17.0.0.1:%d/k".encode() % port, ""),
        "Latin-1": (b"%b/\xe9" % host, ""),
        "line end": (b'"%b/l\nm"' % host, "invalid_url"),
        "two line ends": (b'"=1+1\r\n%b/l\r\nm"' % host, "invalid_url"),
        "carriage return": (b'"%b/n\r=1+1"' % host, "invalid_url"),
        "NUL": (b"%b/o\0p" % host, "invalid_url"),
        "escape": (b"%b/\x1b[2J" % host, "invalid_url"),
        "formula": (b"=cmd|' /C calc'!A0", "invalid_url"),
        "script": (b"javascript:alert(1)", "invalid_url"),
        "file": (b"file:///etc/passwd", "invalid_url"),
        "port 0": (b"http://127.0.0.1:0/", "invalid_url"),
        "port 99999": (b"http://127.0.0.1:99999/", "invalid_url"),
        "nothing": (b"", "invalid_url"),
        "8,001 characters": (host + b"/" + b"r" * 8001, "invalid_url"),
        "60 MB": (host + b"/" + b"s" * 60_000_000, "invalid_url"),
        "60 MB of quotes": (b'"' * 60_000_000, "invalid_url"),
    }


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, str], str]]:
    """Run the script over all hostile rows and valid ones.

    Returns the row of the report, and its expected reason, by case.
    """
    project = Project(tmp_path_factory.mktemp("urls"))
    project.category(RED, "red")
    project.category(BLUE, "azure")
    table = project.path / "hostile.csv"
    with Web() as web:
        web.otherwise(lambda request: picture(sum(request.path.encode())))
        cases = rows_at(web.port)
        with table.open("wb") as file:
            file.write(b"\xef\xbb\xbf" + HEADER.replace(b"\n", b"\r\n") + b'garbage\n\n"\n')
            for number, (url, _) in enumerate(cases.values()):
                file.write(b"n00000001_%d,%b,n00000001\n" % (number, url))
                file.write(b"n00000002_%d,%b/blue%d,n00000002\n" % (number, web.url("").encode(), number))
            file.write(b"=1+1,http://127.0.0.1:1/,n00000001\n")
            file.write(b'"../../n00000001_99",http://127.0.0.1:1/,n00000001\n')
            file.write(b"n00000001_100,http://127.0.0.1:1/,n0000000")  # the last line is cut
        finished = run_bounded(project, "--url_data", str(table))
        asked = {request.path: request for request in web.requests}
    assert finished.code == 0, finished.err
    assert finished.err == ""
    check_inside(project, "hostile.csv", "hostile.csv.index")
    assert len(project.images("azure")) == len(project.report("azure")) == len(cases)
    rows = project.report("red")
    frame = pandas.read_csv(project.result / "red" / "red_download_report.csv", keep_default_na=False)
    assert frame["image_code"].tolist() == [row["image_code"] for row in rows]
    assert [row["image_code"] for row in rows[-2:]] == ["'=1+1", "../../n00000001_99"]
    assert {row["reason"] for row in rows[-2:]} == {"invalid_image_code"}
    assert asked["/j"].headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert {"/i", "/k", "/a,b,c", "/d,e", "/q%22x", "/q%22y", "/f%20g%09h", "/%C3%A9"} <= asked.keys()
    return {name: (row, reason) for row, (name, (_, reason)) in zip(rows[:-2], cases.items(), strict=True)}


def test_hostile_urls(urls: dict[str, tuple[dict[str, str], str]]) -> None:
    """Each row is one row of the report, affects no other row, and has no cell with a formula."""
    for number, (name, (row, reason)) in enumerate(urls.items()):
        assert row["image_code"] == f"{RED}_{number}", name
        assert row["reason"] == reason, row["description"]
        assert row["status"] == ("failed" if reason else "downloaded")
        assert not any(cell[:1] in "=+-@|\t\r\n" for cell in row.values() if cell)
        assert all(len(cell) < 32_767 for cell in row.values())  # the limit of a spreadsheet cell
        assert bool(row["description"]) is bool(reason)


# --- ncodes.csv ---


@pytest.fixture
def extract(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[bytes, bytes], Finished]]:
    """Return a function that does a dry run in this process with the given files."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in SIGNAL_EXITS}

    def run(ncodes: bytes, table: bytes = HEADER, *named: str) -> Finished:
        places = {"--ncode_data": "ncodes.csv", "--url_data": "imageNetURLs.csv", "--save_dir": "."}
        for name, data in {"ncodes.csv": ncodes, "imageNetURLs.csv": table}.items():
            (project.path / name).write_bytes(data)
        flags = [part for flag, name in places.items() for part in (flag, str(project.path / name))]
        code = main([*flags, "--dry_run", *(["--categories", *named] if named else [])])
        message = capsys.readouterr()
        assert not project.result.exists()
        assert (project.path / "ncodes.csv").read_bytes() == ncodes  # no run changes it
        return Finished(code, message.out, message.err, 0)

    yield run
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


NCODES = "code,name,to_download,how_many\n"
FOX = 'n02119789,"kit fox, Vulpes macrotis",{},{}\n'


@pytest.mark.parametrize(
    "data",
    [
        f"{NCODES}{FOX.format('TRUE', '10.0')}".encode("utf-8-sig"),
        f"{NCODES}{FOX.format('x', ' 10 ')}".replace("\n", "\r\n").encode(),
        b'code;name;to_download;how_many\r\nn02119789;"kit fox, Vulpes macrotis";1;10\r\n',
        b'\n how_many , note ,code,name,to_download\n\n10,hi, n02119789 ,"kit fox, Vulpes macrotis", Yes \n',
        f"{NCODES}{FOX.format('y', '10')}".encode("utf-16"),
        f"{NCODES}{FOX.format('True', '10')}n02110185,other\u00e9,,\nn02110186,x,no,0\n".encode("cp1252"),
        (
            b"sep=;\r\ncode;name;to_download;how_many\r\n"
            + "n02119789;kit fox, Vulpes macrotis;ИСТИНА;10,0\r\nn02110186;x;ЛОЖЬ;\r\n".encode("cp1251")
        ),
    ],
    ids=["bom", "crlf", "semicolon", "order-blanks-extra", "utf-16", "cp1252", "Russian Excel"],
)
def test_ncodes_of_various_programs(extract: Callable[..., Finished], data: bytes) -> None:
    """Files of Excel, LibreOffice, vim and pandas select the same category, with the same number."""
    finished = extract(data)
    assert finished.code == 0, finished.err
    assert "1 category:\n  kit_fox,_Vulpes_macrotis (n02119789): 0 URLs, the first 10\n" in finished.out


def wrong(mark: str, how_many: str) -> bytes:
    """Return a table whose fourth line has these values."""
    return f"{NCODES}n00000001,red,True,\n\n{FOX.format(mark, how_many)}".encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        *[
            (wrong(word, "1"), f"line 4, column to_download: {word!r}")
            for word in ("maybe", "2", "=TRUE()", "🦊")
        ],
        *[
            (wrong("True", word), f"line 4, column how_many: {word!r}")
            for word in ("-2", "1.5", "1.000", "ten", "1e3", "nan", "9" * 40, "=1+1")
        ],
        (f"{NCODES}n1,red,True,1\n".encode(), "line 2, column code: 'n1'"),
        (f"{NCODES}../../x,red,True,1\n".encode(), "line 2, column code: '../../x'"),
        (wrong("", "") + FOX.format("True", "1").encode(), "line 5, column code: 'n02119789'"),
        (f"{NCODES}n00000001,a, b,True,1\n".encode(), "line 2: it has 5 values"),
        (f'{NCODES}n00000001,"red,True,1\n'.encode(), "line 2: a quotation mark"),
        (f"{NCODES}n00000001,\0,True,1\n".encode(), "line 2: the line contains NUL bytes"),
        (b"code,name,to_download\n", "line 1: the column how_many is missing"),
        (b"", "is empty"),
        (b"PK\x03\x04", "workbook"),
        (b"\x81\x8d\xff", "not a text file"),
        (b"x" * 1_000_000, "line 1: a quotation mark"),
        (b"x" * 33_000_000, "larger than 32 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_a_wrong_ncodes_ends_the_run(extract: Callable[..., Finished], data: bytes, words: str) -> None:
    """An invalid value ends the run with exit code 2; one line names file, line, column and value."""
    finished = extract(data)
    assert finished.code == 2
    assert "ncodes.csv" in finished.err
    assert words in finished.err
    assert finished.err.count("\n") == 1
    assert len(finished.err) < 500
    assert finished.out == ""


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"", "the file is empty"),
        (b"n00000001_1,http://a/,n00000001\n", "the header img_code,img_url,code is expected"),
        (b"img_code,url,code\n", "is expected, but it is 'img_code,url,code'"),
        (HEADER.decode().encode("utf-16"), "UTF-16"),
        (b"x" * 60_000_000, "is expected"),
        (b"PK\x03\x04" + bytes(100), "a zip archive"),
    ],
    ids=["empty", "no-header", "odd-header", "utf-16", "60 MB", "zip"],
)
def test_a_wrong_url_table_ends_the_run(extract: Callable[..., Finished], table: bytes, words: str) -> None:
    """A file that is not a URL table ends the run with exit code 2, and one line says what it is."""
    finished = extract(wrong("True", "1"), table)
    assert finished.code == 2
    assert "imageNetURLs.csv, line 1: " in finished.err
    assert words in finished.err
    assert finished.err.count("\n") == 1


NAMES = {
    "crane": "crane_n00000000",
    "Crane": "Crane_n00000001",
    "read/write head": "readwrite_head",
    "../../../escaped": "escaped",
    "etc.": "etc",
    "CON": "_CON",
    "nul.txt": "_nul.txt",
    "x" * 300: "x" * 100,
    "=cmd|' /C calc'!A0": "=cmd'_C_calc'!A0",
    "🦊 fox": "🦊_fox",
    "-rf": "rf",
    "": "n00000011",
    "a\nb\tc": "a_b_c",
    "<b>&amp;": "b&amp;",
    "$(id)`id`": "$(id)`id`",
}


def test_hostile_names(project: Project, web: Web) -> None:
    """Every name gets its own folder in the result folder, with image, XML and report."""
    for number, name in enumerate(NAMES):
        code = code_of(number)
        project.category(code, name)
        web.answer(f"/{code}", picture(number))
        project.url(f"{code}_1", web.url(f"/{code}"))
        project.annotate(f"{code}_1", (4, 5, 20, 30))
    finished = project.run()
    assert (finished.code, finished.err) == (0, "")
    assert project.folders() == set(NAMES.values())
    for number, folder in enumerate(NAMES.values()):
        image_code = f"{code_of(number)}_1"
        assert project.images(folder) == {f"{image_code}.jpg"}
        xml = (project.result / folder / "Annotation" / f"{image_code}.xml").read_bytes()
        annotation = voc_xml.parse(xml, image_code)
        assert annotation is not None
        assert annotation.boxes[0].label == folder
        (row,) = project.report(folder)
        assert row["status"] == "downloaded"
    check_inside(project)
    assert not list(project.path.parent.glob("escaped*"))


def test_control_characters_in_names(extract: Callable[..., Finished]) -> None:
    """No name moves the cursor or starts a new line."""
    text = io.StringIO()
    csv.writer(text).writerow([RED, "\x1b[2Jred\r\nError: \x07gone\x9b, red", "True", "1"])
    finished = extract((NCODES + text.getvalue()).encode())
    assert finished.code == 0
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in finished.out.replace("\n", ""))
    assert "\nError" not in finished.out
    ambiguous = extract(
        (NCODES + text.getvalue() + text.getvalue().replace(RED, BLUE)).encode(), HEADER, "red"
    )
    assert ambiguous.code == 2
    assert all(line.isprintable() for line in ambiguous.err.splitlines())
    assert "\nError" not in ambiguous.err


def test_devices_and_pipes(tmp_path: Path) -> None:
    """A device or pipe in place of the URL table is an error; the run does not wait."""
    os.mkfifo(tmp_path / "imageNetURLs.csv")
    for path in (tmp_path / "imageNetURLs.csv", Path("/dev/zero")):
        with pytest.raises(InputError, match="pipe or a device"):
            open_table(path)


def test_very_long_line_in_a_list(tmp_path: Path) -> None:
    """A row of 60 MB in a published table is truncated, and stays an invalid row."""
    rows = [
        b"n00000001_%d,http://127.0.0.1/%b,n00000001\n" % (size, b"u" * size) for size in (1, 60_000_000, 2)
    ]
    table = tmp_path / "imageNetURLs.csv"
    counts = convert(io.BufferedReader(io.BytesIO(HEADER + b"".join(rows))), table, on_progress=lambda: None)
    assert (counts.rows, counts.bad_lines) == (3, 0)
    refused = [rejection(row) for row in open_table(table).rows(RED)]
    assert [rejection and rejection.reason for rejection in refused] == [None, Reason.INVALID_URL, None]
    assert table.stat().st_size < 40_000
