"""Whose tar comes when, and where it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.web import Answer, Web, resumable
from tests.machine import wait_until
from tests.tars import QUICK, bodies, contents, feed_threads, files, packed, to_end, until
from utils.errors import InputError
from utils.sources.tar_address import address_template
from utils.sources.tar_download import TarDownload
from utils.sources.tar_download_queue import TarDownloadQueue

CODES = [f"n0000000{number}" for number in range(6)]
IMAGES = bodies(4)
BODY = packed(IMAGES)


@pytest.fixture
def opened() -> Iterator[list[TarDownload]]:
    """Give a list; the feeds in it are closed with the test, and no thread outlives them."""
    feeds: list[TarDownload] = []
    yield feeds
    for feed in feeds:
        feed.close(keep=False)
    assert feed_threads() == []


def paths(web: Web) -> list[str]:
    """Say what was asked for."""
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
def test_what_a_source_may_be(source: str, address: str) -> None:
    """A folder or a URL gets the tar's usual name, unless it says another."""
    assert address_template(source) == address


@pytest.mark.parametrize("source", ["ftp://host/x", "s3://bucket/{code}.tar", "~nobody-of-that-name/x"])
def test_what_no_source_is(source: str, tmp_path: Path) -> None:
    """What is neither a path nor in the web is told at once."""
    with pytest.raises(InputError, match="Give a folder"):
        TarDownloadQueue(source, tmp_path)


@pytest.mark.parametrize("source", ["http://host/bar.tar", "https://me:SECRET@host/tars?key=SECRET"])
def test_one_file_for_all_categories_is_refused(source: str) -> None:
    """Below it nothing can lie, so `{code}` was forgotten; no password is told."""
    with pytest.raises(InputError, match=r"names one file.* Put \{code\} where") as refused:
        address_template(source)
    assert "SECRET" not in str(refused.value)


def test_addresses_as_they_are_shown(tmp_path: Path) -> None:
    """A category's address can be told without telling a password."""
    feeds = TarDownloadQueue("https://me:secret@host/{code}.tar?key=secret", tmp_path)
    assert feeds.address(CODES[0]) == f"https://host/{CODES[0]}.tar"
    assert TarDownloadQueue("/tars", tmp_path).address(CODES[0]) == f"/tars/{CODES[0]}.tar"


def test_one_after_the_other(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """Of many that are opened one downloads at a time, in their order; none waits for being polled."""
    web.otherwise(lambda request: Answer(**{**resumable(BODY)(request).__dict__, "delay": 0.05}))
    feeds = TarDownloadQueue(web.url("/"), tmp_path, options=QUICK)
    opened += [feeds.open(code) for code in CODES]
    assert len(feed_threads()) == 1
    for feed in opened:
        assert contents(feed, to_end(feed)) == IMAGES
    assert paths(web) == [f"/{code}.tar" for code in CODES]
    assert web.most_at_once == 1


def test_several_at_once(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """As many as are allowed download at the same time."""
    web.otherwise(Answer(hang=True))
    feeds = TarDownloadQueue(web.url("/"), tmp_path, max_running=3)
    opened += [feeds.open(code) for code in CODES]
    wait_until(lambda: web.most_at_once == 3)
    time.sleep(0.1)
    assert sorted(paths(web)) == [f"/{code}.tar" for code in CODES[:3]]


def test_closed_ones_never_start(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """Who is closed while it waits is passed over; who is closed at work makes room for the next."""
    web.otherwise(Answer(hang=True))
    web.answer(f"/{CODES[4]}.tar", resumable(BODY))
    feeds = TarDownloadQueue(web.url("/"), tmp_path)
    opened += [feeds.open(code) for code in CODES[:5]]
    wait_until(lambda: web.requests)
    for feed in opened[1:4]:
        feed.close(keep=False)
    opened[0].close(keep=False)
    assert contents(opened[4], to_end(opened[4])) == IMAGES
    assert paths(web) == [f"/{CODES[0]}.tar", f"/{CODES[4]}.tar"]
    assert [feed.ended for feed in opened] == [True] * 5


def test_a_refusal_makes_room(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """A category that the archive does not have holds up none of the others."""
    web.answer(f"/{CODES[1]}.tar", resumable(BODY))
    feeds = TarDownloadQueue(web.url("/"), tmp_path, options=QUICK)
    opened += [feeds.open(code) for code in CODES[:3]]
    assert [len(to_end(feed)) for feed in opened] == [0, 4, 0]
    assert ["no such synset" in feed.problem for feed in opened] == [True, False, True]


def test_enough_of_one_is_enough(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """Closed early, a category leaves nothing, and the next one comes at once."""
    web.otherwise(Answer(body=BODY, pace=40_000.0))
    feeds = TarDownloadQueue(web.url("/"), tmp_path)
    opened += [feeds.open(code) for code in CODES[:2]]
    for feed in opened:
        assert until(feed, bool)
        feed.close(keep=False)
    assert files(tmp_path) == []


def test_a_folder_of_tars(tmp_path: Path, opened: list[TarDownload]) -> None:
    """Tars on disk are read where they lie; one that is missing is told."""
    folder = tmp_path / "tars"
    folder.mkdir()
    (folder / f"{CODES[1]}.tar").write_bytes(BODY)
    feeds = TarDownloadQueue(str(folder), tmp_path)
    opened += [feeds.open(code) for code in CODES[:2]]
    assert [len(to_end(feed)) for feed in opened] == [0, 4]
    assert opened[0].problem == f"{folder / CODES[0]}.tar: no such file."
    assert files(tmp_path) == ["tars"]


def test_hundreds(web: Web, tmp_path: Path, opened: list[TarDownload]) -> None:
    """Opening, polling and closing 256 categories costs next to nothing while the first is under way."""
    web.otherwise(Answer(hang=True))
    feeds = TarDownloadQueue(web.url("/"), tmp_path)
    before, begun = threading.active_count(), time.monotonic()
    opened += [feeds.open(f"n{number:08}") for number in range(256)]
    assert [feed.poll() for feed in opened] == [[]] * 256
    assert threading.active_count() <= before + 1
    for feed in reversed(opened):
        feed.close(keep=False)
    assert time.monotonic() - begun < 2
    assert len(web.requests) <= 1


def test_two_archives(make_web: Callable[[], Web], tmp_path: Path, opened: list[TarDownload]) -> None:
    """TarDownloadQueue of two archives do not wait for each other."""
    first, second = make_web(), make_web()
    first.otherwise(Answer(hang=True))
    second.otherwise(resumable(BODY))
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    opened += [TarDownloadQueue(first.url("/"), tmp_path / "1").open(CODES[0])]
    opened += [TarDownloadQueue(second.url("/"), tmp_path / "2").open(CODES[0])]
    assert len(to_end(opened[1])) == 4
