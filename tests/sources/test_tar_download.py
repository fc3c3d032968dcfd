"""The images of a category from an archive: read while they come, over every way in which that can break."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from demo.web import Answer, Length, Reply, Request, Web, resumable
from tests.fetching import blackhole
from tests.project import ROOT
from tests.tars import (
    QUICK,
    WNID,
    bodies,
    claim,
    contents,
    feed_threads,
    files,
    packed,
    to_end,
    until,
)
from utils.errors import DiskError
from utils.fetch.file_download import DownloadOptions
from utils.models.rows import TarMember
from utils.sources import tar_download as feed_module
from utils.sources.tar_download import TarDownload
from utils.sources.tar_members import UNREADABLE, read

IMAGES = bodies(12)
BODY = packed(IMAGES)
OTHERS = bodies(12, size=25_000, seed=2)
HALF = len(BODY) // 2
TAG = 'ETag: "1"'
NAME = f"/archive/{WNID}.tar"


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """See that no feed's thread outlives a test."""
    yield
    assert feed_threads() == []


@pytest.fixture
def make_feed(web: Web, tmp_path: Path) -> Iterator[Callable[..., TarDownload]]:
    """Give a maker of started feeds of one tar; they are closed with the test."""
    made: list[TarDownload] = []

    def make(*replies: Reply, options: DownloadOptions = QUICK, address: str = "") -> TarDownload:
        if replies:
            web.answer(NAME, *replies)
        made.append(TarDownload(address or web.url(NAME), tmp_path / f"{WNID}.tar", options=options))
        made[-1].start()
        return made[-1]

    yield make
    for feed in made:
        feed.close(keep=True)


def read_all(feed: TarDownload) -> dict[str, bytes]:
    """Read a feed to its end; the last bytes for each image code."""
    return contents(feed, to_end(feed))


def ranges(web: Web) -> list[str | None]:
    """Say what parts of the file were asked for."""
    return [request.headers.get("range") for request in web.requests]


def close_timed(feed: TarDownload, *, keep: bool) -> None:
    """Close a feed, which may not take long, and must leave no thread."""
    begun = time.monotonic()
    feed.close(keep=keep)
    assert time.monotonic() - begun < 0.6
    assert feed_threads() == []
    assert feed.ended
    assert feed.poll() == []


def test_a_whole_tar(make_feed: Callable[..., TarDownload], tmp_path: Path) -> None:
    """All members are given, once each, and lie where they are said to; nothing stays of what it made."""
    feed = make_feed(resumable(BODY))
    members = to_end(feed)
    assert [member.image_code for member in members] == list(IMAGES)
    assert contents(feed, members) == IMAGES
    assert (feed.problem, feed.error) == ("", None)
    close_timed(feed, keep=False)
    assert files(tmp_path) == []


def test_members_come_while_the_tar_does(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """A member is there as soon as it is whole, long before the end; enough is enough."""
    feed = make_feed(Answer(body=BODY, pace=60_000.0))
    begun = time.monotonic()
    members = until(feed, lambda members: len(members) >= 2)
    assert time.monotonic() - begun < 2.5  # the whole takes four seconds
    assert not feed.ended
    assert contents(feed, members) == dict(list(IMAGES.items())[: len(members)])
    close_timed(feed, keep=False)


def test_one_that_drips_is_read_as_it_drips(make_feed: Callable[..., TarDownload]) -> None:
    """No chunk needs to be full before what has come is used."""
    small = packed({f"{WNID}_1": b"x" * 600, f"{WNID}_2": b"y" * 30_000})
    feed = make_feed(Answer(body=small[:4096], hang=True, cut=4096, length=len(small)))
    assert until(feed, lambda members: len(members) == 1)
    assert not feed.ended
    close_timed(feed, keep=False)


def test_a_cut_download_goes_on_where_it_broke_off(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """The rest is asked for with Range; nothing is given twice."""
    feed = make_feed(Answer(body=BODY, cut=HALF, headers=(TAG,)), resumable(BODY))
    members = to_end(feed)
    assert [member.image_code for member in members] == list(IMAGES)
    assert contents(feed, members) == IMAGES
    assert ranges(web) == [None, f"bytes={HALF}-"]


def test_a_server_that_falls_silent_is_asked_again(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """Silence in the middle costs the time-out, and no byte."""
    feed = make_feed(
        Answer(body=BODY, cut=HALF, hang=True, headers=(TAG,)),
        resumable(BODY),
        options=replace(QUICK, read_timeout=0.2),
    )
    assert read_all(feed) == IMAGES
    assert ranges(web) == [None, f"bytes={HALF}-"]


def test_who_is_slow_and_steady_is_left_alone(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """A download may take many times the time-out, as long as it does not stand still."""
    feed = make_feed(Answer(body=BODY, pace=200_000.0), options=replace(QUICK, read_timeout=0.2))
    assert read_all(feed) == IMAGES
    assert ranges(web) == [None]


def test_a_later_run_goes_on(make_feed: Callable[..., TarDownload], web: Web, tmp_path: Path) -> None:
    """What was kept is read from its front, given before the server has answered, and then continued."""
    first = make_feed(Answer(body=BODY, cut=HALF, hang=True, headers=(TAG,)))
    begun = until(first, lambda members: len(members) >= 5)
    close_timed(first, keep=True)
    assert files(tmp_path) == [f"{WNID}.tar.part", f"{WNID}.tar.part.json"]
    size = first.path.stat().st_size
    web.requests.clear()
    second = make_feed(Answer(hang=True), options=DownloadOptions())
    assert len(until(second, lambda members: len(members) >= len(begun))) >= len(begun)
    close_timed(second, keep=True)
    third = make_feed(resumable(BODY))
    assert read_all(third) == IMAGES
    assert ranges(web) in ([f"bytes={size}-"], [f"bytes={size}-"] * 2)
    assert web.requests[-1].headers["if-range"] == '"1"'


def test_a_killed_run_loses_nothing(make_feed: Callable[..., TarDownload], web: Web, tmp_path: Path) -> None:
    """What a run that was killed had fetched is not fetched again."""
    web.answer(NAME, Answer(body=BODY, pace=100_000.0, headers=(TAG,)))
    script = (
        "import sys, time; from pathlib import Path; from utils.sources.tar_download import TarDownload\n"
        "feed = TarDownload(sys.argv[1], Path(sys.argv[2])); feed.start()\n"
        "while not feed.poll(): time.sleep(0.01)\n"
        "print(flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, web.url(NAME), str(tmp_path / f"{WNID}.tar")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"\n"
        process.send_signal(signal.SIGKILL)
    size = (tmp_path / f"{WNID}.tar.part").stat().st_size
    assert 0 < size < len(BODY)
    web.requests.clear()
    assert read_all(make_feed(resumable(BODY))) == IMAGES
    assert ranges(web) == [f"bytes={size}-"]


def test_what_is_whole_is_not_asked_for(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """A tar of which the end is there needs no server."""
    to_end(make_feed(resumable(BODY)))
    web.requests.clear()
    feed = make_feed(Answer(status=500))
    assert read_all(feed) == IMAGES
    assert (web.requests, feed.problem) == ([], "")


@pytest.mark.parametrize("note", ["", "{}", '{"url": "http://127.0.0.1/other.tar", "size": 9, "etag": "x"}'])
def test_a_part_of_nobody_knows_what(
    make_feed: Callable[..., TarDownload], tmp_path: Path, note: str
) -> None:
    """A part that may be one of another file is not used."""
    (tmp_path / f"{WNID}.tar.part").write_bytes(packed(OTHERS)[:HALF])
    (tmp_path / f"{WNID}.tar.part.json").write_text(note)
    feed = make_feed(resumable(BODY))
    members = to_end(feed)
    assert [member.image_code for member in members] == list(IMAGES)
    assert contents(feed, members) == IMAGES


@pytest.mark.parametrize("spoilt", [b"\0", b"\xff"])
def test_a_part_that_is_spoilt(make_feed: Callable[..., TarDownload], tmp_path: Path, spoilt: bytes) -> None:
    """What a machine lost when its power failed does not keep the tar from being read."""
    images = bodies(4, size=500_000)
    body = packed(images)
    feed = make_feed(Answer(body=body, cut=600_000, headers=(TAG,)), Answer(status=404))
    assert len(to_end(feed)) == 1
    feed.path.write_bytes(body[: 978 * 512] + spoilt * 100_000)
    feed = make_feed(resumable(body))
    members = to_end(feed)
    assert contents(feed, members[-4:]) == images


@pytest.mark.parametrize("answer", [resumable(packed(OTHERS), etag='"2"'), Answer(body=packed(OTHERS))])
def test_a_file_that_changed(make_feed: Callable[..., TarDownload], answer: Reply) -> None:
    """All members are given anew, and those of the old file are not read from the new one."""
    feed = make_feed(
        Answer(body=BODY, cut=HALF, headers=(TAG,)),
        lambda request: replace(_made(answer, request), delay=0.4),
    )
    old = until(feed, lambda members: len(members) >= 5)
    with feed.path.open("rb") as held:
        new = to_end(feed)[-len(OTHERS) :]  # before them, what else the old file had
        assert held.read() == BODY[:HALF]
    assert contents(feed, new) == OTHERS
    for member in old[1:]:
        with pytest.raises(UNREADABLE):
            read(feed.path, member)


def _made(reply: Reply, request: Request) -> Answer:
    return reply if isinstance(reply, Answer) else reply(request)


def test_members_of_a_changed_file_that_were_not_fetched(make_feed: Callable[..., TarDownload]) -> None:
    """Who did not come for the old file's members does not get them any more."""
    feed = make_feed(Answer(body=BODY, cut=HALF, headers=(TAG,)), resumable(packed(OTHERS), etag='"2"'))
    while feed._thread and feed._thread.is_alive():
        time.sleep(0.01)
    members = to_end(feed)
    assert len(members) == len(OTHERS)
    assert contents(feed, members) == OTHERS


def test_a_server_without_ranges(make_feed: Callable[..., TarDownload]) -> None:
    """One that always sends the whole is read from the beginning again."""
    feed = make_feed(Answer(body=BODY, cut=HALF), Answer(body=BODY))
    assert read_all(feed) == IMAGES
    assert feed.problem == ""


@pytest.mark.parametrize("kind", ["chunked", "until closed"])
def test_other_ways_to_send_it(make_feed: Callable[..., TarDownload], kind: str) -> None:
    """A length that nobody says is no fault."""
    answers = {
        "chunked": Answer(body=BODY, chunked=True),
        "until closed": Answer(body=BODY, length=Length.OMITTED),
    }
    feed = make_feed(answers[kind])
    assert read_all(feed) == IMAGES
    assert feed.problem == ""


def test_nothing_behind_the_end_is_fetched(make_feed: Callable[..., TarDownload]) -> None:
    """A server that goes on for ever behind the tar's end is left."""
    feed = make_feed(Answer(body=BODY + bytes(10_000), endless=True))
    assert read_all(feed) == IMAGES
    assert feed.path.stat().st_size < len(BODY) + 200_000


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=401), "log in at 127.0.0.1, accept the terms, and put the token into PART_OF_"),
        (Answer(status=403), "it answers 403: log in at 127.0.0.1"),
        (Answer.page("<!DOCTYPE html><html><form>log in</form></html>" * 50), "sends a web page .*log in at"),
        (Answer.page("<html>log in"), "sends a web page .*log in at"),
        (Answer(status=404), "no such synset in the archive"),
        (Answer(status=410), "no such synset in the archive"),
        (Answer(status=400), "it answers 400"),
        (Answer(status=500), "it answers 500"),
        (Answer(status=429, headers=("Retry-After: 3600",)), "it answers 429"),
        (Answer(body=b"\x1f\x8bnonsense" * 200), "it is not a tar archive"),
        (Answer(body=b"short nonsense"), "cut off after 14 bytes"),
        (Answer(), "it is empty"),
        (Answer(hang=True), "it stopped sending"),
        (Answer(raw=b"garbage\r\n\r\n"), "broke|HTTP"),
        (Answer.redirect("ftp://127.0.0.1/x"), "neither http nor https"),
        (Answer.redirect(NAME), "redirects too many times"),
    ],
)
def test_refusals(
    make_feed: Callable[..., TarDownload], web: Web, answer: Answer, words: str, tmp_path: Path
) -> None:
    """Why it cannot be had is one sentence, which names the tar; the run is not stopped by it."""
    feed = make_feed(answer, options=replace(QUICK, read_timeout=0.2))
    assert to_end(feed) == []
    assert feed.error is None
    assert feed.problem.startswith(f"{web.url(NAME)}: ")
    assert feed.problem.endswith(".")
    assert "\n" not in feed.problem
    assert re.search(words, feed.problem)
    close_timed(feed, keep=False)
    assert files(tmp_path) == []


def test_nobody_there(make_feed: Callable[..., TarDownload]) -> None:
    """Where nobody listens, that is the sentence."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # held, so that no other test's server comes to listen there
        feed = make_feed(address=f"http://127.0.0.1:{deaf.getsockname()[1]}{NAME}")
        assert to_end(feed) == []
    assert "the connection is refused" in feed.problem


def test_a_login_page_does_not_harm_the_part(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """Who must log in again goes on from where it was."""
    to_end(make_feed(Answer(body=BODY, cut=HALF, headers=(TAG,)), Answer.page("<html>log in")))
    web.requests.clear()
    assert read_all(make_feed(resumable(BODY))) == IMAGES
    assert ranges(web) == [f"bytes={HALF}-"]


@pytest.mark.parametrize("end", [HALF, HALF + 300, 13 * 512 + 7])
def test_a_tar_that_is_cut_on_the_server(
    make_feed: Callable[..., TarDownload], web: Web, end: int, tmp_path: Path
) -> None:
    """What is whole of it is given, it is told, and nobody takes it for whole later."""
    feed = make_feed(resumable(BODY[:end]))
    members = to_end(feed)
    assert contents(feed, members) == dict(list(IMAGES.items())[: len(members)])
    assert len(members) == sum(member.end <= end for member in all_members(tmp_path))
    assert f"cut off after {end:,} bytes" in feed.problem
    close_timed(feed, keep=True)
    assert not feed.path.exists()
    web.requests.clear()
    assert read_all(make_feed(resumable(BODY, etag='"2"'))) == IMAGES
    assert ranges(web) == [None]


def all_members(folder: Path) -> list[TarMember]:
    """Say where the members lie in the whole tar."""
    path = folder / "whole.tar"
    path.write_bytes(BODY)
    feed = TarDownload(str(path), folder / "unused.tar")
    feed.start()
    members = to_end(feed)
    path.unlink()
    return members


def test_a_cut_tar_that_a_killed_run_left(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """A part that is as long as was said, and yet no whole tar, is fetched anew once."""
    to_end(make_feed(resumable(BODY[:HALF])))
    web.requests.clear()
    feed = make_feed(resumable(BODY, etag='"2"'))
    members = to_end(feed)
    assert contents(feed, members[-len(IMAGES) :]) == IMAGES
    assert ranges(web) == [None]


def test_garbage_in_the_middle(make_feed: Callable[..., TarDownload], web: Web) -> None:
    """Where it stops being a tar it ends, and the next run does not go on with garbage."""
    feed = make_feed(resumable(BODY[: 41 * 512] + b"garbage" * 10_000))
    assert [member.image_code for member in to_end(feed)] == [f"{WNID}_0"]
    assert "not a tar archive from there on" in feed.problem
    feed.close(keep=True)
    web.requests.clear()
    assert read_all(make_feed(resumable(BODY, etag='"2"'))) == IMAGES
    assert ranges(web) == [None]


@pytest.mark.parametrize(
    "answer", [Answer(body=claim(2**80), endless=True), Answer(body=BODY, length=10**12)]
)
def test_a_tar_beyond_all_measure(
    make_feed: Callable[..., TarDownload], answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is larger than any archive is given up, whether that is said or comes."""
    monkeypatch.setattr(feed_module, "MAX_TAR_BYTES", 2_000_000)
    feed = make_feed(answer)
    to_end(feed)
    assert "larger than" in feed.problem or "MB of disk" in feed.problem
    feed.close(keep=True)
    assert not feed.path.exists()


def test_no_text_of_the_tar_becomes_a_path(make_feed: Callable[..., TarDownload], tmp_path: Path) -> None:
    """Members that would escape are found by their image code, and written nowhere."""
    hostile = packed(IMAGES)[: 12 * 41 * 512] + b"".join(
        claim(0, name, kind)
        for name in (f"../../{WNID}_90.JPEG", f"/etc/{WNID}_91.JPEG", "../../x", "/tmp/x")
        for kind in (b"0", b"1", b"2", b"3", b"6")
    )
    feed = make_feed(Answer(body=hostile + bytes(1024)))
    codes = [member.image_code for member in to_end(feed)]
    assert codes == [*IMAGES, f"{WNID}_90", f"{WNID}_91"]
    assert files(tmp_path) == [f"{WNID}.tar.part", f"{WNID}.tar.part.json"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(hang=True),
        Answer(body=BODY, cut=HALF, hang=True),
        Answer(body=BODY, pace=20_000.0),
        Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, pace=50.0),
        Answer(status=503, headers=("Retry-After: 30",)),
        Answer(body=b"x" * 1000, endless=True),
    ],
)
@pytest.mark.parametrize("keep", [False, True])
def test_closing_early(
    make_feed: Callable[..., TarDownload], answer: Answer, keep: bool, tmp_path: Path
) -> None:
    """Whatever the server does, it ends at once, leaves no thread, and just what it is told to leave."""
    feed = make_feed(answer, options=DownloadOptions())
    time.sleep(0.3)
    close_timed(feed, keep=keep)
    assert keep or files(tmp_path) == []
    assert feed.problem == "" or "not a tar" in feed.problem


def test_closing_while_it_connects(make_feed: Callable[..., TarDownload]) -> None:
    """A connection that never comes about does not hold it either."""
    with blackhole() as port:
        feed = make_feed(address=f"http://127.0.0.1:{port}{NAME}", options=DownloadOptions())
        time.sleep(0.2)
        close_timed(feed, keep=False)


def test_closing_before_it_begins(web: Web, tmp_path: Path) -> None:
    """A feed closed before it was started never starts."""
    feed = TarDownload(web.url(NAME), tmp_path / f"{WNID}.tar")
    feed.close(keep=False)
    feed.start()
    time.sleep(0.1)
    assert (feed.ended, web.requests, files(tmp_path)) == (True, [], [])


def test_a_server_that_only_drips_headers(make_feed: Callable[..., TarDownload]) -> None:
    """Who never gets to the point is given up."""
    slow = Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, pace=100.0)
    feed = make_feed(slow, options=replace(QUICK, read_timeout=0.3))
    assert to_end(feed, seconds=10) == []
    assert feed.problem


def test_a_bug_does_not_vanish(make_feed: Callable[..., TarDownload]) -> None:
    """What nobody has thought of ends the feed with a sentence, too."""
    feed = make_feed(resumable(BODY), options=DownloadOptions(credentials=object()))  # type: ignore[arg-type]
    assert to_end(feed) == []
    assert "it cannot be read (AttributeError)" in feed.problem


def test_no_more_threads(web: Web, tmp_path: Path) -> None:
    """Where the system has no room for a thread, that is a sentence."""
    feed = TarDownload(web.url(NAME), tmp_path / f"{WNID}.tar")
    before = threading.stack_size(1 << 46)
    try:
        assert not feed.start()
    finally:
        threading.stack_size(before)
    assert feed.ended
    assert "cannot be read" in feed.problem


def test_a_part_that_cannot_be_written(make_feed: Callable[..., TarDownload], tmp_path: Path) -> None:
    """What is in the way is told, and the run goes on."""
    (tmp_path / f"{WNID}.tar.part").mkdir()
    feed = make_feed(resumable(BODY))
    assert to_end(feed) == []
    assert "Cannot work with" in feed.problem
    assert feed.error is None


def mounted(folder: Path, size: str) -> None:
    """Mount a small disk."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount file systems")


@pytest.mark.parametrize("said", [True, False])
def test_a_full_disk(web: Web, tmp_path: Path, said: bool) -> None:
    """A tar for which there is no room is not begun; a disk that fills up meanwhile stops the run."""
    folder = tmp_path / "disk"
    mounted(folder, "128k")
    try:
        web.answer(NAME, Answer(body=BODY, chunked=not said))
        feed = TarDownload(web.url(NAME), folder / f"{WNID}.tar", options=QUICK)
        feed.start()
        members = to_end(feed)
        assert contents(feed, members) == dict(list(IMAGES.items())[: len(members)])
        assert bool(members) is not said
        assert isinstance(feed.error, DiskError) is not said
        assert ("MB of disk" if said else "make room") in feed.problem
        feed.close(keep=False)
        assert files(folder) == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def local(path: Path) -> TarDownload:
    """Start a feed of a tar on disk."""
    feed = TarDownload(str(path), path.with_name("unused.tar"))
    feed.start()
    return feed


def test_a_tar_on_disk(tmp_path: Path) -> None:
    """A user's own tar is read where it lies; it is neither copied, changed nor removed."""
    path = tmp_path / f"{WNID}.tar"
    path.write_bytes(BODY)
    before = path.stat()
    for address in (str(path), path.as_uri()):
        feed = TarDownload(address, tmp_path / "unused.tar")
        feed.start()
        assert feed.path == path
        assert read_all(feed) == IMAGES
        assert feed.problem == ""
        close_timed(feed, keep=False)
    after = path.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert path.read_bytes() == BODY
    assert files(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (BODY[:HALF], "cut off after"),
        (b"<html>" * 500, "not a tar archive"),
        (random.Random(3).randbytes(5000), "not a tar archive"),
        (BODY[: 41 * 512] + b"garbage" * 100, "not a tar archive from there on"),
    ],
)
def test_a_bad_tar_on_disk(tmp_path: Path, data: bytes, words: str) -> None:
    """What is wrong with a user's tar is told; it stays as it is."""
    path = tmp_path / f"{WNID}.tar"
    path.write_bytes(data)
    feed = local(path)
    members = to_end(feed)
    assert contents(feed, members) == dict(list(IMAGES.items())[: len(members)])
    assert words in feed.problem
    feed.close(keep=False)
    assert path.read_bytes() == data


def test_no_tar_on_disk(tmp_path: Path) -> None:
    """A file that is not there, a folder and a pipe are no tars, and hold nobody up."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("absent", "no such file"),
        ("folder", "it is not a file"),
        ("pipe", "it is not a file"),
    ):
        feed = local(tmp_path / name)
        assert to_end(feed) == []
        assert feed.problem == f"{tmp_path / name}: {words}."
        feed.close(keep=False)
