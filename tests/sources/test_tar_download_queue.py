"""The queue of tar downloads, and addresses of tars."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.web import Answer, Web, resumable
from tests.machine import wait_until
from tests.tars import QUICK, bodies, contents, download_threads, files, packed, to_end, until
from utils.errors import InputError
from utils.sources.tar_address import address_template
from utils.sources.tar_download import TarDownload
from utils.sources.tar_download_queue import TarDownloadQueue

CODES = [f"n0000000{number}" for number in range(6)]
IMAGES = bodies(4)
BODY = packed(IMAGES)


@pytest.fixture
def opened() -> Iterator[list[TarDownload]]:
    """Return a list; the downloads in it are closed after the test, and no thread is left."""
    queue: list[TarDownload] = []
    yield queue
    for download in queue:
        download.close(keep=False)
    assert download_threads() == []


def paths(web: Web) -> list[str]:
    """Return the paths of all requests."""
    return [request.path for request in web.requests]


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("https://host/x/{code}.tar", "https://host/x/{code}.tar"),
        ("https://host/x/", "https://host/x/{code}.tar"),
        ("HTTPS://host/x", "HTTPS://host/x/{code}.tar"),
        ("/data/tars", "/data/tars/{code}.tar"),
        ("tars/{code}/all.tar", "tars/{code}/all.tar"),
        ("file:///data/tars/", "file:///data/tars/{code}.tar"),
    ],
)
def test_address_template(source: str, address: str) -> None:
    """A folder or URL without `{code}` gets the usual name of a tar."""
    assert address_template(source) == address


@pytest.mark.parametrize("source", ["ftp://host/x", "s3://bucket/{code}.tar", "~nobody-of-that-name/x"])
def test_invalid_addresses(source: str, tmp_path: Path) -> None:
    """An address that is neither a path nor an http URL is an input error."""
    with pytest.raises(InputError, match="Give a folder"):
        TarDownloadQueue(source, tmp_path)


@pytest.mark.parametrize("source", ["http://host/bar.tar", "https://me:SECRET@host/tars?key=SECRET"])
def test_single_file(source: str) -> None:
    """A URL of one file lacks `{code}`; the message has no password."""
    with pytest.raises(InputError, match=r"names one file.* Put \{code\} where") as refused:
        address_template(source)
    assert "SECRET" not in str(refused.value)


def test_shown_addresses(tmp_path: Path) -> None:
    """The address of a tar is shown without secrets."""
    queue = TarDownloadQueue("https://me:secret@host/{code}.tar?key=secret", tmp_path)
    assert queue.address(CODES[0]) == f"https://host/{CODES[0]}.tar"
    assert TarDownloadQueue("/tars", tmp_path).address(CODES[0]) == f"/tars/{CODES[0]}.tar"


def test_one_at_a_time(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """Tars are downloaded one at a time, in order, without being polled."""
    web.otherwise(lambda request: Answer(**{**resumable(BODY)(request).__dict__, "delay": 0.05}))
    queue = TarDownloadQueue(web.url("/"), tmp_path, options=QUICK)
    opened += [queue.open(code) for code in CODES]
    assert len(download_threads()) == 1
    for download in opened:
        assert contents(download, to_end(download)) == IMAGES
    assert paths(web) == [f"/{code}.tar" for code in CODES]
    assert web.most_at_once == 1


def test_closed_downloads(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """A waiting download that is closed never starts; a running one that is closed lets the next start."""
    web.otherwise(Answer(hang=True))
    web.answer(f"/{CODES[4]}.tar", resumable(BODY))
    queue = TarDownloadQueue(web.url("/"), tmp_path)
    opened += [queue.open(code) for code in CODES[:5]]
    wait_until(lambda: web.requests)
    for download in opened[1:4]:
        download.close(keep=False)
    opened[0].close(keep=False)
    assert contents(opened[4], to_end(opened[4])) == IMAGES
    assert paths(web) == [f"/{CODES[0]}.tar", f"/{CODES[4]}.tar"]
    assert [download.ended for download in opened] == [True] * 5


def test_missing_tar(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """A tar that the archive does not have does not delay the others."""
    web.answer(f"/{CODES[1]}.tar", resumable(BODY))
    queue = TarDownloadQueue(web.url("/"), tmp_path, options=QUICK)
    opened += [queue.open(code) for code in CODES[:3]]
    assert [len(to_end(download)) for download in opened] == [0, 4, 0]
    assert ["no such synset" in download.problem for download in opened] == [True, False, True]


def test_close_early(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """A download that is closed early leaves no file, and the next one starts at once."""
    web.otherwise(Answer(body=BODY, pace=40_000.0))
    queue = TarDownloadQueue(web.url("/"), tmp_path)
    opened += [queue.open(code) for code in CODES[:2]]
    for download in opened:
        assert until(download, bool)
        download.close(keep=False)
    assert files(tmp_path) == []


def test_many_categories(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """256 categories need one download, with its time limit, while the first tar is downloaded."""
    web.otherwise(Answer(hang=True))
    queue = TarDownloadQueue(web.url("/"), tmp_path)
    before = threading.active_count()
    opened += [queue.open(f"n{number:08}") for number in range(256)]
    assert [download.poll() for download in opened] == [[]] * 256
    assert threading.active_count() <= before + 2
    for download in reversed(opened):
        download.close(keep=False)
    assert len(web.requests) <= 1


def test_two_archives(make_web: Callable[[], Web], tmp_path: Path, opened: list[TarDownload]) -> None:
    """Queues of two archives do not wait for each other."""
    first, second = make_web(), make_web()
    first.otherwise(Answer(hang=True))
    second.otherwise(resumable(BODY))
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    opened += [TarDownloadQueue(first.url("/"), tmp_path / "1").open(CODES[0])]
    opened += [TarDownloadQueue(second.url("/"), tmp_path / "2").open(CODES[0])]
    assert len(to_end(opened[1])) == 4
