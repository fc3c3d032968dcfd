"""Tests of `utils.sources.url_table`, `url_index` and `url_format`."""

from __future__ import annotations

import csv
import dataclasses
import os
import random
import resource
import shutil
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.errors import DiskError, InputError
from utils.models.rows import UrlRow
from utils.sources import url_index
from utils.sources.url_index import Stamp
from utils.sources.url_table import open_table

CAT, DOG, EEL = "n00000001", "n00000002", "n00000003"
HEADER = b"img_code,img_url,code\n"
REAL = ROOT.parent / "shared" / "data" / "imageNetURLs.csv"
MakeTable = Callable[[bytes], Path]


@pytest.fixture
def make_table(tmp_path: Path) -> MakeTable:
    """Return a function that writes a table."""

    def make(content: bytes) -> Path:
        path = tmp_path / "imageNetURLs.csv"
        path.write_bytes(content)
        return path

    return make


@contextmanager
def open_file_limit(number: int) -> Iterator[None]:
    """Limit the number of further files that this process can open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)  # the limit applies to descriptor numbers
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + number, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def urls(path: Path, code: str = CAT) -> list[str]:
    """Return the URLs of a category, after checking that the index counts as many."""
    table = open_table(path)
    found = [row.url for row in table.rows(code)]
    assert table.count(code) == len(found)
    return found


def test_rows_in_order_with_position(make_table: MakeTable) -> None:
    """The position is the byte offset of the row."""
    first = b"n00000001_5,http://a/5,n00000001\n"
    path = make_table(HEADER + first + b"n00000001_3,http://a/3,n00000001\nn00000002_1,http://b,n00000002\n")
    table = open_table(path)
    assert list(table.rows(CAT)) == [
        UrlRow(len(HEADER), "n00000001_5", "http://a/5"),
        UrlRow(len(HEADER + first), "n00000001_3", "http://a/3"),
    ]
    assert table.codes() == [CAT, DOG]
    assert list(table.rows(EEL)) == []
    assert table.count("../x") == 0


@pytest.mark.parametrize(
    "content",
    [
        b"img_code,img_url,code\nn00000001_1,http://a/1,n00000001\nn00000001_2,http://a/2,n00000001\n",
        b"img_code,img_url,code\r\nn00000001_1,http://a/1,n00000001\r\nn00000001_2,http://a/2,n00000001\r\n",
        b"\xef\xbb\xbfimg_code,img_url,code\nn00000001_1,http://a/1,n00000001\n\nn00000001_2,http://a/2,n00000001",
        b'"img_code","img_url","code"\n"n00000001_1","http://a/1","n00000001"\n"n00000001_2","http://a/2","n00000001"\n',
        b",img_code,img_url,code\n0,n00000001_1,http://a/1,n00000001\n1,n00000001_2,http://a/2,n00000001\n",
        b"code,img_url,img_code\nn00000001,http://a/1,n00000001_1\nn00000001,http://a/2,n00000001_2\n",
        b"img_url,code,note,img_code\nhttp://a/1,n00000001,x,n00000001_1\nhttp://a/2,n00000001,,n00000001_2\n",
        b"Img_Code, img_url ,CODE\nn00000001_1, http://a/1, n00000001 \nn00000001_2,http://a/2,n00000001\n",
    ],
    ids=["plain", "crlf", "bom-blank-cut", "quoted", "pandas", "other-order", "extra-columns", "spaces"],
)
def test_formats(make_table: MakeTable, content: bytes) -> None:
    """Tables saved by Excel, pandas and editors are read by the names in the header."""
    table = open_table(make_table(content))
    found = [(row.image_code, row.url) for row in table.rows(CAT)]
    assert found == [("n00000001_1", "http://a/1"), ("n00000001_2", "http://a/2")]
    assert table.count(CAT) == 2


@pytest.mark.parametrize(
    ("line", "url"),
    [
        (b"n00000001_1,http://a/0,0,1.jpg,n00000001\n", "http://a/0,0,1.jpg"),
        (b'n00000001_1,"http://a/0,0,1.jpg",n00000001\n', "http://a/0,0,1.jpg"),
        (b'n00000001_1,"http://a/""x"".jpg",n00000001\n', 'http://a/"x".jpg'),
        (b'n00000001_1,http://a/x"y.jpg,n00000001\n', 'http://a/x"y.jpg'),
        (b'n00000001_1,http://a/x,y"z.jpg,n00000001\n', 'http://a/x,y"z.jpg'),
        (b'n00000001_1,"http://a/x.jpg,n00000001\n', '"http://a/x.jpg'),
        (b'n00000001_1,"http://a/\nx.jpg",n00000001\n', "http://a/\nx.jpg"),
        (b'n00000001_1,"http://a/\nb\r\nx.jpg",n00000001\n', "http://a/\nb\r\nx.jpg"),
        (b"n00000001_1,http://a/\xc3\xb6,n00000001\n", "http://a/ö"),
        (b"n00000001_1,http://a/\xf6,n00000001\n", "http://a/ö"),
        (b"n00000001_1,http://a/\xe2\x80\xa8\x85x,n00000001\n", "http://a/â\x80¨\x85x"),
        (b"n00000001_1,,n00000001\n", ""),
        (b"n00000001_1,n00000001\n", ""),
    ],
)
def test_unusual_lines(make_table: MakeTable, line: bytes, url: str) -> None:
    """Commas, quotation marks, line breaks and encodings in a URL are read, and so are its neighbours."""
    before, after = b"n00000001_7,http://a/7,n00000001\n", b"n00000001_8,http://a/8,n00000001\n"
    path = make_table(HEADER + before + line + after)
    assert urls(path) == ["http://a/7", url, "http://a/8"]


@pytest.mark.parametrize(
    "line", [b"garbage\n", b"n00000001_1,http://a/1\n", b'"\n', b"\n", b"a,b,n0000001\n", b'n1,"x\n']
)
def test_line_without_a_category(make_table: MakeTable, line: bytes) -> None:
    """It is skipped, and the neighbouring rows are read."""
    rows = [b"n00000001_%d,http://a/%d,n00000001\n" % (number, number) for number in range(3)]
    assert urls(make_table(HEADER + line + rows[0] + line + rows[1] + rows[2] + line)) == [
        "http://a/0",
        "http://a/1",
        "http://a/2",
    ]


def test_stray_quote_in_another_column_order(make_table: MakeTable) -> None:
    """An open quotation mark does not swallow further rows, even if the code is not the last column."""
    path = make_table(
        b'img_url,code,img_code\n"http://a/1,n00000001,n00000001_1\n'
        b'http://a/2,n00000001,n00000001_2\n"http://a/3,n00000001,n00000001_3\n'
        + b"".join(b"http://a/%d,n00000001,n00000001_%d\n" % (number, number) for number in range(4, 9))
    )
    assert urls(path)[-5:] == [f"http://a/{number}" for number in range(4, 9)]
    assert "http://a/2" in urls(path)


def test_truncated_table(make_table: MakeTable) -> None:
    """At most the last row is lost."""
    whole = HEADER + b"n00000001_1,http://a/1,n00000001\nn00000001_2,http://a/2,n00000001\n"
    for length in range(len(HEADER) + 33, len(whole)):
        assert urls(make_table(whole[:length]))[0] == "http://a/1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"n00000001_1,http://a/1,n00000001\n", "header img_code,img_url,code is expected"),
        (b"img_code;img_url;code\n", "is expected"),
        (b"img_code,img_url\n", "is expected"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\x1f\x8brest", "a gzip file"),
        (bytes(range(256)) * 1000, "is expected"),
    ],
)
def test_invalid_table(make_table: MakeTable, content: bytes, words: str) -> None:
    """The error names the file and says what to do."""
    path = make_table(content)
    with pytest.raises(InputError) as caught:
        open_table(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "download_imagenet_prerequisites.py" in str(caught.value)


def test_missing_table_and_folder(tmp_path: Path) -> None:
    """Both are reported as an InputError."""
    with pytest.raises(InputError, match="There is no URL table"):
        open_table(tmp_path / "imageNetURLs.csv")
    with pytest.raises(InputError, match="is a folder"):
        open_table(tmp_path)


def test_other_name(make_table: MakeTable) -> None:
    """`imageNetUrls.csv` is read in place of `imageNetURLs.csv`."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    path.rename(path.with_name("imageNetUrls.csv"))
    assert urls(path) == ["http://a/1"]


def test_index_is_rebuilt_only_if_invalid(make_table: MakeTable) -> None:
    """A valid index is used; an index of another table, or one with a wrong byte, is replaced."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    built: list[int] = []
    open_table(path, lambda _done, total: built.append(total))
    index = url_index.index_path(path)
    good = index.read_bytes()
    assert set(built) == {path.stat().st_size}
    built.clear()
    open_table(path, lambda done, total: built.append(total))
    assert built == []
    for place in range(len(good)):
        index.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert urls(path) == ["http://a/1"]
        assert index.read_bytes() == good
    for garbage in (b"", b"{}\n", b"[]\n", b"1\n", good[:-3], good + b"x"):
        index.write_bytes(garbage)
        assert urls(path) == ["http://a/1"]
    path.write_bytes(HEADER + b"n00000001_1,http://a/2,n00000001\n")
    os.utime(path, ns=(1, 1))
    assert urls(path) == ["http://a/2"]


@pytest.mark.parametrize(
    "changed",
    [
        {"stops": [1 << 62]},
        {"starts": [-1]},
        {"starts": [1 << 62], "stops": [1 << 62]},
        {"starts": [30], "stops": [22]},
        {"counts": [-1]},
        {"ends": [2]},
        {"ends": [0]},
        {"ends": [-1]},
        {"numbers": [-1]},
        {"numbers": [2, 1], "counts": [1, 1], "ends": [1, 1]},
        {"numbers": [1, 1], "counts": [1, 1], "ends": [1, 1]},
    ],
    ids=str,
)
def test_index_with_wrong_ranges(make_table: MakeTable, changed: dict[str, list[int]]) -> None:
    """It is replaced, even if its checksum is right: a range beyond the table would be read forever."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    open_table(path)
    good = url_index.index_path(path).read_bytes()
    stamp = Stamp.of(path.stat())
    index = url_index.load(path, stamp)
    assert index
    columns = {name: array("q", values) for name, values in changed.items()}
    url_index.save(dataclasses.replace(index, **columns), path, stamp)
    assert urls(path) == ["http://a/1"]
    assert url_index.index_path(path).read_bytes() == good


@pytest.mark.parametrize(
    "header",
    [
        b'"categories": -1, "ranges": 4',
        b'"categories": 1e999, "ranges": 1',
        b'"categories": [1], "ranges": 1',
    ],
)
def test_index_with_wrong_sizes(make_table: MakeTable, header: bytes) -> None:
    """Negative, infinite and other sizes of its columns are no sizes."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    open_table(path)
    index = url_index.index_path(path)
    index.write_bytes(index.read_bytes().replace(b'"categories": 1, "ranges": 1', header))
    assert header in index.read_bytes()
    assert urls(path) == ["http://a/1"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pipes in folders")
@pytest.mark.parametrize("kind", ["pipe", "link", "endless file"])
def test_index_that_is_no_file(make_table: MakeTable, tmp_path: Path, kind: str) -> None:
    """It is replaced; nothing is read from it, and a file behind a link is unchanged."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    open_table(path)
    index, other = url_index.index_path(path), tmp_path / "other"
    good = index.read_bytes()
    index.rename(other)
    if kind == "pipe":
        os.mkfifo(index)
    else:
        index.symlink_to(other if kind == "link" else "/dev/zero")
    assert urls(path) == ["http://a/1"]
    assert (index.read_bytes(), other.read_bytes(), index.is_symlink()) == (good, good, False)


def test_index_without_keep(make_table: MakeTable) -> None:
    """No index is written, but an existing one is used."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    assert open_table(path, keep=False).count("n00000001") == 1
    assert list(path.parent.iterdir()) == [path]
    open_table(path)
    built: list[int] = []
    open_table(path, lambda _done, total: built.append(total), keep=False)
    assert built == []


def test_index_cannot_be_saved(make_table: MakeTable) -> None:
    """The table is read nevertheless."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    url_index.index_path(path).mkdir()
    assert urls(path) == ["http://a/1"]


def test_shuffled_table(make_table: MakeTable) -> None:
    """All rows are found, in the order of the table, with a small index."""
    rows = [(f"{code}_{number}", code) for code in (CAT, DOG, EEL) for number in range(400)]
    random.Random(7).shuffle(rows)
    path = make_table(
        HEADER + b"".join(f"{image},http://a/{image},{code}\n".encode() for image, code in rows)
    )
    table = open_table(path)
    for code in (CAT, DOG, EEL):
        expected = [image for image, owner in rows if owner == code]
        assert [row.image_code for row in table.rows(code)] == expected
        assert table.count(code) == 400
    assert url_index.index_path(path).stat().st_size < 3 * url_index.MAX_RANGES * 16 + 500
    wanted = {f"{code}_{number}" for code in (CAT, EEL) for number in (1, 50, 399, 999)}
    assert [row.image_code for row in table.rows_of(wanted)] == [
        image for image, _ in rows if image in wanted
    ]


def test_rows_of_images(make_table: MakeTable) -> None:
    """Images are looked up in the category that their code begins with, in any column order."""
    path = make_table(
        b"code,img_url,img_code\n"
        b"n00000001,http://a/1,n00000001_1\nn00000002,http://a/x,n00000001_2\nn00000002,http://b/1,n00000002_1\n"
    )
    found = open_table(path).rows_of(["n00000002_1", "n00000001_1", "n00000001_2", "n00000009_1", "../x", ""])
    assert [row.url for row in found] == ["http://a/1", "http://b/1"]


def test_table_changed_during_the_run(make_table: MakeTable) -> None:
    """A truncated, rewritten or removed table is an InputError, never wrong rows."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\nn00000001_2,http://a/2,n00000001\n")
    table = open_table(path)
    reading = table.rows(CAT)
    assert next(reading).url == "http://a/1"
    os.truncate(path, len(HEADER))
    with pytest.raises(InputError, match="was changed during the run"):
        list(reading)
    with pytest.raises(InputError, match="was changed during the run"):
        table.rows_of(["n00000001_1"])
    path.unlink()
    with pytest.raises(InputError, match="was removed during the run"):
        list(table.rows(CAT))


def test_many_categories_read_concurrently(make_table: MakeTable) -> None:
    """Readers of hundreds of categories keep no file open."""
    codes = [f"n{number:08d}" for number in range(300)]
    lines = [f"{code}_{number},http://a/{number},{code}\n" for code in codes for number in range(400)]
    table = open_table(make_table(HEADER + "".join(lines).encode()))
    with open_file_limit(1):
        readers = [table.rows(code) for code in codes]
        for number in (0, 1):
            assert [next(reader).url for reader in readers] == [f"http://a/{number}"] * len(codes)
        assert [row.image_code for row in readers[7]] == [f"n00000007_{number}" for number in range(2, 400)]


def test_too_many_open_files(make_table: MakeTable) -> None:
    """The error says how to raise the limit."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    table = open_table(path)
    with open_file_limit(0), pytest.raises(DiskError, match=r"Too many open files.*ulimit -n"):
        list(table.rows(CAT))


def test_real_rows(tmp_path: Path) -> None:
    """Ten thousand real rows are read like the csv module reads them."""
    if not REAL.exists():
        pytest.skip(f"the real rows are not here: {REAL}")
    path = tmp_path / REAL.name
    shutil.copy(REAL, path)
    with path.open(encoding="utf-8", newline="") as file:
        expected = [(row["img_code"], row["img_url"].strip()) for row in csv.DictReader(file)]
    table = open_table(path)
    assert [(r.image_code, r.url) for code in table.codes() for r in table.rows(code)] == expected
