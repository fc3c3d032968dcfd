"""The URL table: every spelling of it, its index, and what happens when it is not as it should be."""

from __future__ import annotations

import csv
import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from utils.errors import DiskError, InputError
from utils.models.rows import UrlRow
from utils.sources import url_index
from utils.sources.url_table import open_table

CAT, DOG, EEL = "n00000001", "n00000002", "n00000003"
HEADER = b"img_code,img_url,code\n"
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "imageNetURLs.csv"
MakeTable = Callable[[bytes], Path]


@pytest.fixture
def make_table(tmp_path: Path) -> MakeTable:
    """Give a writer of tables."""

    def make(content: bytes) -> Path:
        path = tmp_path / "imageNetURLs.csv"
        path.write_bytes(content)
        return path

    return make


@contextmanager
def few_files_more(number: int) -> Iterator[None]:
    """Let this process open only so many files more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)  # a limit is one of numbers, and the lowest free one is taken
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + number, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def urls(path: Path, code: str = CAT) -> list[str]:
    """Read the URLs of a category, checking on the way that the index counts as many."""
    table = open_table(path)
    found = [row.url for row in table.rows(code)]
    assert table.count(code) == len(found)
    return found


def test_rows_come_in_order_with_their_place(make_table: MakeTable) -> None:
    """A category's rows come as they stand, each with the byte at which it begins."""
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
def test_every_spelling_of_the_table_reads_alike(make_table: MakeTable, content: bytes) -> None:
    """What Excel, pandas and editors write is read by the header's names."""
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
def test_a_line_of_its_own_kind_costs_at_most_itself(make_table: MakeTable, line: bytes, url: str) -> None:
    """Commas, quotes, line ends and encodings inside a URL are read; its neighbours are unharmed."""
    before, behind = b"n00000001_7,http://a/7,n00000001\n", b"n00000001_8,http://a/8,n00000001\n"
    path = make_table(HEADER + before + line + behind)
    assert urls(path) == ["http://a/7", url, "http://a/8"]


@pytest.mark.parametrize(
    "line", [b"garbage\n", b"n00000001_1,http://a/1\n", b'"\n', b"\n", b"a,b,n0000001\n", b'n1,"x\n']
)
def test_a_line_without_a_category_is_stepped_over(make_table: MakeTable, line: bytes) -> None:
    """A line that names no category belongs to none, and its neighbours are read."""
    rows = [b"n00000001_%d,http://a/%d,n00000001\n" % (number, number) for number in range(3)]
    assert urls(make_table(HEADER + line + rows[0] + line + rows[1] + rows[2] + line)) == [
        "http://a/0",
        "http://a/1",
        "http://a/2",
    ]


def test_a_stray_quote_in_another_column_order_costs_only_its_line(make_table: MakeTable) -> None:
    """Where a line's end does not tell the category, an open quote eats no further rows, either."""
    path = make_table(
        b'img_url,code,img_code\n"http://a/1,n00000001,n00000001_1\n'
        b'http://a/2,n00000001,n00000001_2\n"http://a/3,n00000001,n00000001_3\n'
        + b"".join(b"http://a/%d,n00000001,n00000001_%d\n" % (number, number) for number in range(4, 9))
    )
    assert urls(path)[-5:] == [f"http://a/{number}" for number in range(4, 9)]
    assert "http://a/2" in urls(path)


def test_a_cut_last_line_is_read_as_far_as_it_goes(make_table: MakeTable) -> None:
    """A table that was cut loses its last row at most."""
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
def test_what_is_no_table_is_said(make_table: MakeTable, content: bytes, words: str) -> None:
    """A file that is not the table ends the run with one sentence that names it and what to do."""
    path = make_table(content)
    with pytest.raises(InputError) as caught:
        open_table(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "download_imagenet_prerequisites.py" in str(caught.value)


def test_a_missing_table_and_a_folder_are_said(tmp_path: Path) -> None:
    """No table, or a folder in its place, is the user's to mend."""
    with pytest.raises(InputError, match="There is no URL table"):
        open_table(tmp_path / "imageNetURLs.csv")
    with pytest.raises(InputError, match="is a folder"):
        open_table(tmp_path)


def test_the_other_name_is_found(make_table: MakeTable) -> None:
    """`imageNetUrls.csv` is taken in place of `imageNetURLs.csv`."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    path.rename(path.with_name("imageNetUrls.csv"))
    assert urls(path) == ["http://a/1"]


def test_the_index_is_used_and_made_anew_only_when_it_must_be(make_table: MakeTable) -> None:
    """A good index is read; one of another table, or garbled in any byte, is replaced."""
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


def test_an_index_is_kept_only_if_it_shall_be(make_table: MakeTable) -> None:
    """Else the table is read without leaving a trace, and an index that is there is used."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    assert open_table(path, keep=False).count("n00000001") == 1
    assert list(path.parent.iterdir()) == [path]
    open_table(path)
    built: list[int] = []
    open_table(path, lambda _done, total: built.append(total), keep=False)
    assert built == []


def test_an_index_that_cannot_be_kept_stops_nothing(make_table: MakeTable) -> None:
    """Where the side file cannot be written, the run goes on without."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    url_index.index_path(path).mkdir()
    assert urls(path) == ["http://a/1"]


def test_a_shuffled_table_reads_like_a_sorted_one(make_table: MakeTable) -> None:
    """Every row is found wherever it stands, in the table's order, and the index stays small."""
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
    assert url_index.index_path(path).stat().st_size < 3 * url_index.MOST_RANGES * 16 + 500
    wanted = {f"{code}_{number}" for code in (CAT, EEL) for number in (1, 50, 399, 999)}
    assert [row.image_code for row in table.rows_of(wanted)] == [
        image for image, _ in rows if image in wanted
    ]


def test_given_images_are_found_in_any_column_order(make_table: MakeTable) -> None:
    """Images are looked up under the wnid that their codes begin with."""
    path = make_table(
        b"code,img_url,img_code\n"
        b"n00000001,http://a/1,n00000001_1\nn00000002,http://a/x,n00000001_2\nn00000002,http://b/1,n00000002_1\n"
    )
    found = open_table(path).rows_of(["n00000002_1", "n00000001_1", "n00000001_2", "n00000009_1", "../x", ""])
    assert [row.url for row in found] == ["http://a/1", "http://b/1"]


def test_a_table_that_changes_under_the_run_is_said(make_table: MakeTable) -> None:
    """A table cut, rewritten or removed after it was opened gives a sentence, never wrong rows."""
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
    with pytest.raises(InputError, match="has vanished"):
        list(table.rows(CAT))


def test_many_categories_are_read_side_by_side(make_table: MakeTable) -> None:
    """Readers of hundreds of categories, all in the midst of their rows, keep no file open."""
    codes = [f"n{number:08d}" for number in range(300)]
    lines = [f"{code}_{number},http://a/{number},{code}\n" for code in codes for number in range(400)]
    table = open_table(make_table(HEADER + "".join(lines).encode()))
    with few_files_more(1):
        readers = [table.rows(code) for code in codes]
        for number in (0, 1):
            assert [next(reader).url for reader in readers] == [f"http://a/{number}"] * len(codes)
        assert [row.image_code for row in readers[7]] == [f"n00000007_{number}" for number in range(2, 400)]


def test_too_many_open_files_are_said_as_that(make_table: MakeTable) -> None:
    """Where no file can be opened any more nobody is told to move one away, but how to have more."""
    path = make_table(HEADER + b"n00000001_1,http://a/1,n00000001\n")
    table = open_table(path)
    with few_files_more(0), pytest.raises(DiskError, match=r"Too many open files.*ulimit -n"):
        list(table.rows(CAT))


def test_real_rows_read_as_the_csv_module_reads_them(tmp_path: Path) -> None:
    """Ten thousand real rows come out as they stand."""
    if not REAL.exists():
        pytest.skip(f"the real rows are not here: {REAL}")
    path = tmp_path / REAL.name
    shutil.copy(REAL, path)
    with path.open(encoding="utf-8", newline="") as file:
        expected = [(row["img_code"], row["img_url"].strip()) for row in csv.DictReader(file)]
    table = open_table(path)
    assert [(r.image_code, r.url) for code in table.codes() for r in table.rows(code)] == expected
