"""Readers return values or raise an error with one sentence, for any bytes in their files.

Each run tests the same few hundred examples. `HYPOTHESIS_PROFILE=long` tests many more, and others each time;
keep what it finds as an example here, or as a test of the module.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from utils.annotations import geometry, voc_xml
from utils.catalog import categories
from utils.errors import DiskError, FolderError, InputError
from utils.models.images import Annotation, ImageFormat, Picture
from utils.results import journal, report
from utils.sources import url_format
from utils.sources.url_table import UrlTable, open_table
from utils.urls import IMAGE_CODE

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
FUZZ = settings(
    max_examples=20_000 if IS_LONG else 40,
    derandomize=not IS_LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
Value = TypeVar("Value")
CODES = ["n00000001", "n00000002", "n00000003"]


def joined_pieces(*pieces: bytes, most: int = 30) -> st.SearchStrategy[bytes]:
    """Generate sequences of these pieces and random bytes."""
    piece = st.sampled_from(pieces) | st.binary(max_size=4)
    return st.lists(piece, max_size=most).map(b"".join)


def value_or_sentence(path: Path, read: Callable[[Path], Value]) -> Value | None:
    """Read a file; None if it is rejected with one sentence that names it."""
    try:
        return read(path)
    except (InputError, DiskError, FolderError) as error:
        message = str(error)
    assert str(path) in message
    assert "\n" not in message
    return None


# --- ncodes.csv ---

NCODES_HEADER = b"code,name,to_download,how_many\n"
NCODES_PIECES = joined_pieces(
    *(b"n00000001", b"n00000002", b"N00000001", b"crane", b"Crane", b'"crane, x"', b"CON", b"=1+1", b"a/b."),
    *(b"True", b"false", b"x", b"-1", b"10.0", b"1e3", b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xe9", b" "),
    *(b",", b",", b";", b"\t", b"\n", b"\r\n", b"\r", b'"', b"code", b"how_many", b"n00000003,x,True,3\n"),
)
NCODES_ROWS = st.lists(
    st.tuples(
        st.sampled_from([*CODES, "n1", ""]),
        st.text(max_size=12) | st.sampled_from(["crane", "CRANE", "NUL", "犬" * 200, "x" * 300, "..", ""]),
        st.sampled_from(["True", "FALSE", "", "x", "maybe"]),
        st.sampled_from(["-1", "7", "10.0", "", "-3"]),
        st.sampled_from(["", "dog", "Dog", "wild  cat", "x" * 101, "\x1b", '"', ","]),
    ).map(list),
    max_size=4,
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "utf-32"])


def to_csv(rows: list[list[str]], separator: str, line_end: str) -> str:
    """Write a table as spreadsheets do."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=line_end).writerows(rows)
    return text.getvalue()


def check_ncodes(path: Path, data: bytes) -> None:
    """Check that a file gives valid categories, which can be written and read again, or an error."""
    path.write_bytes(data)
    found = value_or_sentence(path, categories.read)
    if found is None:
        return
    assert len({category.folder.casefold() for category in found}) == len(found)
    assert all(category.how_many >= -1 and len(category.folder) <= 100 for category in found)
    path.write_bytes(categories.to_csv(found))
    again = {category.code: category for category in categories.read(path)}
    for category in found:
        same = again[category.code]
        assert replace(same, line=0) == replace(category, line=0)


@FUZZ
@given(NCODES_PIECES, st.booleans())
def test_any_bytes_as_ncodes(tmp_path: Path, data: bytes, has_header: bool) -> None:
    """Any bytes give categories, which can be written and read again, or an error."""
    check_ncodes(tmp_path / "ncodes.csv", NCODES_HEADER + data if has_header else data)


@FUZZ
@given(NCODES_ROWS, st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n", "\r"]), ENCODINGS)
def test_any_table_as_ncodes(
    tmp_path: Path, rows: list[list[str]], separator: str, line_end: str, encoding: str
) -> None:
    """Any names in any CSV dialect give categories with distinct folders, or an error."""
    text = to_csv([["code", "name", "to_download", "how_many", "class"], *rows], separator, line_end)
    check_ncodes(tmp_path / "ncodes.csv", text.encode(encoding, "replace"))


# --- the URL table ---

URLS_HEADERS = st.sampled_from(
    [
        *(b"img_code,img_url,code\n", b"\xef\xbb\xbfimg_code,img_url,code\r\n"),
        *(
            b"code,img_url,img_code\n",
            b"img_url,code,note,img_code\n",
            b'"img_code","note","img_url","code"\n',
        ),
        *(b"", b"img_code;img_url;code\n", b"\xff\xfei\0m\0g\0"),
    ]
)
URLS_PIECES = joined_pieces(
    *(b"n00000001_1,http://a/1,n00000001\n", b"n00000001_2,http://a/2,n00000001\n" * 3),
    *(b"n00000002_1,http://b/1,n00000002\r\n", b'n00000001_3,"http://a/""3"",\n4",n00000001\n'),
    *(b"n00000001", b"n00000002", b"_7", b"http://a/", b",", b",", b'"', b'"', b"\n", b"\n", b"\r", b"\0"),
    *(b" ", b"\t", b"\xe9", b"\xc3\xa9", b"../", b"=cmd", b",n00000001\n", b",n00000002\r\n", b'"\n'),
)


def check_table(table: UrlTable) -> None:
    """Check that index and rows agree, and that each row is at its position."""
    data = table.path.read_bytes()
    for code in table.codes():
        rows = list(table.rows(code))
        assert table.count(code) == len(rows) > 0
        positions = [row.position for row in rows]
        assert positions == sorted(set(positions))
        assert all(code.encode() in data[row.position :] for row in rows)
        own = [row for row in rows if IMAGE_CODE.fullmatch(row.image_code) and row.image_code[:9] == code]
        assert table.rows_of({row.image_code for row in own}) == own


@FUZZ
@given(URLS_HEADERS, URLS_PIECES)
@example(b"img_code,img_url,code\n", b'n00000001_1,"http://a/\n' * 9 + b"n00000002_1,x,n00000002")
def test_any_bytes_as_the_url_table(tmp_path: Path, header: bytes, data: bytes) -> None:
    """Any bytes give rows or an error that names the file; index and rows agree, saved or new."""
    path = tmp_path / "imageNetURLs.csv"
    path.write_bytes(header + data)
    table = value_or_sentence(path, open_table)
    if table:
        check_table(table)
        assert open_table(path).codes() == table.codes()


@FUZZ
@given(URLS_HEADERS, URLS_PIECES)
def test_very_long_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bytes, data: bytes) -> None:
    """The same for lines longer than the limits, wherever lines are read."""
    for module in ("url_format", "url_index", "url_table"):
        monkeypatch.setattr(f"utils.sources.{module}.MAX_LINE", 60)
    monkeypatch.setattr(url_format, "_KEPT_END", 20)
    monkeypatch.setattr("utils.sources.url_index._BLOCK", 40)
    path = tmp_path / "imageNetURLs.csv"
    path.write_bytes(header + data)
    table = value_or_sentence(path, open_table)
    if table:
        check_table(table)
        assert all(len(row.url) <= 60 for code in table.codes() for row in table.rows(code))


URL_TEXT = st.text(alphabet="htp:/a.é犬\"',; \t\n=%#\u2028\x85", max_size=20).filter(
    lambda text: text.count("\n") <= url_format.MAX_JOINED_LINES
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "img_code": st.builds("{}_{}".format, st.sampled_from(CODES), st.integers(0, 99)),
            "img_url": URL_TEXT,
            "code": st.sampled_from(CODES),
            "note": st.sampled_from(["", "x", "a, b"]),
        }
    ),
    max_size=25,
)
ORDERS = st.sampled_from(
    [
        *(["img_code", "img_url", "code"], ["code", "img_url", "img_code"], ["img_url", "img_code", "code"]),
        *(["note", "img_code", "img_url", "code"], ["img_code", "img_url", "code", "note"]),
    ]
)


@FUZZ
@given(RECORDS, ORDERS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_same_rows_as_csv_module(
    tmp_path: Path, records: list[dict[str, str]], order: list[str], line_end: str, is_sorted: bool
) -> None:
    """Every row of a table written by the csv module is read in order, with the same fields."""
    path = tmp_path / "imageNetURLs.csv"
    if is_sorted:
        records = sorted(records, key=lambda record: record["code"])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, order, extrasaction="ignore", lineterminator=line_end)
        writer.writeheader()
        writer.writerows(records)
    with path.open(encoding="utf-8", newline="") as file:
        naive = list(csv.DictReader(file))
    table = open_table(path)
    check_table(table)
    for code in CODES:
        expected = [(row["img_code"], row["img_url"].strip(" \t")) for row in naive if row["code"] == code]
        assert [(row.image_code, row.url) for row in table.rows(code)] == expected


# --- archives of XML ---

XML_PIECES = joined_pieces(
    *(b"<annotation>", b"</annotation>", b"<size>", b"</size>", b"<width>", b"</width>", b"<height>64"),
    *(b"<size><width>64</width><height>48</height></size>", b"<object>", b"</object>", b"<name>n00000001"),
    *(b"<object><name>a&#9;b</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>",),
    *(
        b"</bndbox></object>",
        b"<bndbox>",
        b"<xmin>",
        b"</xmin>",
        b"-1",
        b"65535",
        b"1e9",
        b"nan",
        b"<!DOCTYPE",
    ),
    *(b"<!ENTITY a 'a'>", b"&a;", b"&lt;", b"<?xml version='1.0' encoding='latin-1'?>", b"\xff\xfe", b"<!--"),
)
NUMBERS = st.sampled_from(
    ["0", "1", "20", "47", "63", "64", "500", "-3", "65535", "1.5", "nan", "1e9", "", "x"]
)
LABELS = st.sampled_from(
    ["n00000001", " n00000002 ", "a&amp;b", "&#9;", "&#127;", "&#x110000;", "犬", "", "é&#13;"]
)
OBJECTS = st.builds(
    "<object><name>{}</name><pose>{}</pose><truncated>{}</truncated><difficult>1</difficult><bndbox>"
    "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>".format,
    *(LABELS, LABELS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)
ANNOTATIONS = st.builds(
    "<annotation><size><width>{}</width><height>{}</height></size>{}</annotation>".format,
    *(NUMBERS, NUMBERS, st.lists(OBJECTS, max_size=3).map("".join)),
).map(str.encode)
XMLS = (
    ANNOTATIONS
    | XML_PIECES
    | st.builds(bytes.join, st.binary(max_size=3), st.tuples(ANNOTATIONS, XML_PIECES))
)
MEMBER_NAMES = st.sampled_from(
    [
        *(f"Annotation/n00000001/n00000001_{number}.xml" for number in range(4)),
        *("../../n00000001_8.xml", "/n00000001_9.xml", "x" * 120 + "/n00000002_1.xml", "é/n00000001_5.xml"),
        *("readme.txt", "n00000001_3.xml/", ""),
    ]
)
KINDS = st.sampled_from(
    [*[tarfile.REGTYPE] * 5, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, b"S", b"z"]
)
PLACES = st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=8))
PICTURE = Picture(ImageFormat.JPEG, 64, 48, 1, "")


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Generate tars of XML files: compressed or not, damaged before or after, perhaps truncated."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=draw(st.sampled_from([0, 1, 2]))) as archive:
        for data in draw(st.lists(XMLS, max_size=4)):
            member = tarfile.TarInfo(draw(MEMBER_NAMES))
            member.type, member.size, member.mode = draw(KINDS), len(data), 0o4777
            archive.addfile(member, io.BytesIO(data))
    tar = packed.getvalue().rstrip(b"\0") + bytes(1024)
    for place, noise in draw(st.lists(PLACES, max_size=2)):
        tar = tar[:place] + noise + tar[place + len(noise) :]
    data = gzip.compress(tar, mtime=0) if draw(st.booleans()) else tar
    for place, noise in draw(st.lists(PLACES, max_size=1)):
        data = data[:place] + noise + data[place + len(noise) :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


def check_written(annotation: Annotation) -> None:
    """Check that an annotation is fitted to a picture, and read back unchanged."""
    fitted = geometry.fit(annotation, PICTURE)
    counts = fitted.counts
    assert counts.kept + counts.scaled + counts.mended + counts.dropped == len(annotation.boxes)
    if fitted.annotation is None:
        assert fitted.problem
        return
    for box in fitted.annotation.boxes:
        assert 0 <= box.xmin < box.xmax < PICTURE.width
        assert 0 <= box.ymin < box.ymax < PICTURE.height
    xml = voc_xml.to_xml(fitted.annotation, folder="a & b", filename="x.jpg", picture=PICTURE)
    assert voc_xml.parse(xml, annotation.image_code) == fitted.annotation


@FUZZ
@given(XMLS)
def test_any_bytes_as_xml(data: bytes) -> None:
    """Any bytes give an annotation or none; a written annotation fits its picture, and reads back."""
    annotation = voc_xml.parse(data, "n00000001_1")
    if annotation:
        check_written(annotation)


@FUZZ
@given(archives() | st.binary(max_size=600))
def test_any_bytes_as_an_archive(tmp_path: Path, data: bytes) -> None:
    """Any bytes give annotations, and a sentence if something is invalid; nothing is written."""
    path = tmp_path / f"{CODES[0]}.tar.gz"
    path.write_bytes(data)
    content = voc_xml.read_archive(tmp_path, CODES[0])
    assert content.annotations or content.problem
    for annotation in content.annotations.values():
        check_written(annotation)
    assert list(tmp_path.iterdir()) == [path]


# --- the journal ---

GOOD_LINE = (
    b'{"image_code":"n00000001_1","url":"http://a/1","position":22,"status":"downloaded","http_status":200,'
    b'"attempts":1,"seconds":0.5,"file":"Images/n00000001_1.jpg","boxes":1,"fitted":{"kept":1,"scaled":0,'
    b'"mended":0,"dropped":0},"format":"jpg","width":64,"height":48,"bytes":9,"sha256":"%b"}\n' % (b"ab" * 32)
)
JOURNAL_VALUES = st.sampled_from(
    [
        *('"x"', "1", "-1", "1e999", "NaN", "null", "true", "[]", "{}", '"\\ud800"', '"failed"', '"jpg"'),
        *('"http_status"', '"downloaded"', '{"kept":2}', '{"kept":"x"}', '{"y":1}', "1" * 5000, '"=1+1"'),
    ]
)
JOURNAL_KEYS = st.sampled_from(
    [
        *("image_code", "url", "position", "status", "reason", "repeat", "boxes", "fitted", "format"),
        *("sha256", "width", "seconds", "attempts", "file", "run", "modified_ns", "description"),
    ]
)


@st.composite
def journal_lines(draw: st.DrawFn) -> bytes:
    """Generate a valid line with some values replaced."""
    changed = draw(st.dictionaries(JOURNAL_KEYS, JOURNAL_VALUES, max_size=3))
    more = "".join(f',"{key}":{value}' for key, value in changed.items())
    return GOOD_LINE.removesuffix(b"}\n") + more.encode() + b"}\n"  # json takes the last of equal keys


@FUZZ
@given(
    st.lists(
        journal_lines() | st.just(GOOD_LINE) | joined_pieces(GOOD_LINE, b"\n", b"{", b"}", b"[" * 99),
        max_size=6,
    )
)
def test_any_bytes_as_a_journal(tmp_path: Path, lines: list[bytes]) -> None:
    """Any bytes give outcomes that can be reported, or an error."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(lines))
    journal.Journal(path).begin_run()
    outcomes = value_or_sentence(path, lambda path: list(journal.read_outcomes(path)))
    if outcomes is None:
        return
    report.write(tmp_path / "report.csv", outcomes)
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file, strict=True))) == len(outcomes)
