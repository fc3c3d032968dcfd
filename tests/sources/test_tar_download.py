"""Download of a category's tar, from servers with all kinds of faults."""

from __future__ import annotations

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
    download_threads,
    files,
    packed,
    to_end,
    until,
)
from utils.copies.tar_members import TarScanner, read
from utils.errors import DiskError
from utils.fetch.file_download import DownloadOptions
from utils.models.rows import TarMember
from utils.sources import tar_download
from utils.sources.tar_download import TarDownload

IMAGES = bodies(12)
BODY = packed(IMAGES)
OTHERS = bodies(12, size=25_000, seed=2)
HALF = len(BODY) // 2
TAG = 'ETag: "1"'
NAME = f"/archive/{WNID}.tar"


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """Check that no thread is left after a test."""
    yield
    assert download_threads() == []


@pytest.fixture
def make_download(web: Web, tmp_path: Path) -> Iterator[Callable[..., TarDownload]]:
    """Return a function that starts downloads of one tar; they are closed after the test."""
    made: list[TarDownload] = []

    def make(*replies: Reply, options: DownloadOptions = QUICK, address: str = "") -> TarDownload:
        if replies:
            web.answer(NAME, *replies)
        made.append(TarDownload(address or web.url(NAME), tmp_path / f"{WNID}.tar", options=options))
        made[-1].start()
        return made[-1]

    yield make
    for download in made:
        download.close(keep=True)


def read_all(download: TarDownload) -> dict[str, bytes]:
    """Read all members; return the last content of each image code."""
    return contents(download, to_end(download))


def ranges(web: Web) -> list[str | None]:
    """Return the `Range` headers of all requests."""
    return [request.headers.get("range") for request in web.requests]


def close_timed(download: TarDownload, *, keep: bool) -> None:
    """Close a download; check that it ends in time and leaves no thread."""
    begun = time.monotonic()
    download.close(keep=keep)
    assert time.monotonic() - begun < 10  # the server waits longer
    assert download_threads() == []
    assert download.ended
    assert download.poll() == []


def test_complete_tar(make_download: Callable[..., TarDownload], tmp_path: Path) -> None:
    """All members are listed once, and can be read; no file is left."""
    download = make_download(resumable(BODY))
    members = to_end(download)
    assert [member.image_code for member in members] == list(IMAGES)
    assert contents(download, members) == IMAGES
    assert (download.problem, download.error) == ("", None)
    close_timed(download, keep=False)
    assert files(tmp_path) == []


def test_members_before_the_end(make_download: Callable[..., TarDownload], web: Web) -> None:
    """A member is listed as soon as it is complete, long before the tar is."""
    download = make_download(Answer(body=BODY, pace=60_000.0))
    members = until(download, lambda members: len(members) >= 2)
    assert not download.ended
    assert contents(download, members) == dict(list(IMAGES.items())[: len(members)])
    close_timed(download, keep=False)


def test_slow_response(make_download: Callable[..., TarDownload]) -> None:
    """Bytes are used before a chunk is full."""
    small = packed({f"{WNID}_1": b"x" * 600, f"{WNID}_2": b"y" * 30_000})
    download = make_download(Answer(body=small[:4096], hang=True, cut=4096, length=len(small)))
    assert until(download, lambda members: len(members) == 1)
    assert not download.ended
    close_timed(download, keep=False)


def test_broken_connection(make_download: Callable[..., TarDownload], web: Web) -> None:
    """The rest is requested with Range; no member is listed twice."""
    download = make_download(Answer(body=BODY, cut=HALF, headers=(TAG,)), resumable(BODY))
    members = to_end(download)
    assert [member.image_code for member in members] == list(IMAGES)
    assert contents(download, members) == IMAGES
    assert ranges(web) == [None, f"bytes={HALF}-"]


def test_server_stops_sending(make_download: Callable[..., TarDownload], web: Web) -> None:
    """After the read timeout the rest is requested; no byte is downloaded twice."""
    download = make_download(
        Answer(body=BODY, cut=HALF, hang=True, headers=(TAG,)),
        resumable(BODY),
        options=replace(QUICK, read_timeout=0.2),
    )
    assert read_all(download) == IMAGES
    assert ranges(web) == [None, f"bytes={HALF}-"]


def test_download_longer_than_timeout(make_download: Callable[..., TarDownload], web: Web) -> None:
    """A download may take many times the read timeout, as long as bytes arrive."""
    download = make_download(Answer(body=BODY, pace=200_000.0), options=replace(QUICK, read_timeout=0.2))
    assert read_all(download) == IMAGES
    assert ranges(web) == [None]


def test_later_run_resumes(make_download: Callable[..., TarDownload], web: Web, tmp_path: Path) -> None:
    """Members of a kept part are listed before the server responds; then the part is continued."""
    first = make_download(Answer(body=BODY, cut=HALF, hang=True, headers=(TAG,)))
    begun = until(first, lambda members: len(members) >= 5)
    close_timed(first, keep=True)
    assert files(tmp_path) == [f"{WNID}.tar.part", f"{WNID}.tar.part.json"]
    size = first.path.stat().st_size
    web.requests.clear()
    second = make_download(Answer(hang=True), options=DownloadOptions())
    assert len(until(second, lambda members: len(members) >= len(begun))) >= len(begun)
    close_timed(second, keep=True)
    third = make_download(resumable(BODY))
    assert read_all(third) == IMAGES
    assert ranges(web) in ([f"bytes={size}-"], [f"bytes={size}-"] * 2)
    assert web.requests[-1].headers["if-range"] == '"1"'


def test_killed_run_is_resumed(make_download: Callable[..., TarDownload], web: Web, tmp_path: Path) -> None:
    """The part of a killed run is not downloaded again."""
    web.answer(NAME, Answer(body=BODY, pace=100_000.0, headers=(TAG,)))
    script = (
        "import sys, time; from pathlib import Path; from utils.sources.tar_download import TarDownload\n"
        "download = TarDownload(sys.argv[1], Path(sys.argv[2])); download.start()\n"
        "while not download.poll(): time.sleep(0.01)\n"
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
    assert read_all(make_download(resumable(BODY))) == IMAGES
    assert ranges(web) == [f"bytes={size}-"]


def test_complete_part_needs_no_request(make_download: Callable[..., TarDownload], web: Web) -> None:
    """If the part has the end mark, no request is sent."""
    to_end(make_download(resumable(BODY)))
    web.requests.clear()
    download = make_download(Answer(status=500))
    assert read_all(download) == IMAGES
    assert (web.requests, download.problem) == ([], "")


@pytest.mark.parametrize("note", ["", "{}", '{"url": "http://127.0.0.1/other.tar", "size": 9, "etag": "x"}'])
def test_part_of_another_file(make_download: Callable[..., TarDownload], tmp_path: Path, note: str) -> None:
    """A part that may belong to another file is not used."""
    (tmp_path / f"{WNID}.tar.part").write_bytes(packed(OTHERS)[:HALF])
    (tmp_path / f"{WNID}.tar.part.json").write_text(note)
    download = make_download(resumable(BODY))
    members = to_end(download)
    assert [member.image_code for member in members] == list(IMAGES)
    assert contents(download, members) == IMAGES


@pytest.mark.parametrize("damage", [b"\0", b"\xff"])
def test_damaged_part(make_download: Callable[..., TarDownload], tmp_path: Path, damage: bytes) -> None:
    """A part that was damaged by a power failure is discarded."""
    images = bodies(4, size=500_000)
    body = packed(images)
    download = make_download(Answer(body=body, cut=600_000, headers=(TAG,)), Answer(status=404))
    assert len(to_end(download)) == 1
    download.path.write_bytes(body[: 978 * 512] + damage * 100_000)
    download = make_download(resumable(body))
    members = to_end(download)
    assert contents(download, members[-4:]) == images


@pytest.mark.parametrize("answer", [resumable(packed(OTHERS), etag='"2"'), Answer(body=packed(OTHERS))])
def test_changed_file(make_download: Callable[..., TarDownload], answer: Reply) -> None:
    """All members are listed again; references into the old file are not read from the new one."""
    download = make_download(
        Answer(body=BODY, cut=HALF, headers=(TAG,)),
        lambda request: replace(_made(answer, request), delay=0.4),
    )
    old = until(download, lambda members: len(members) >= 5)
    with download.path.open("rb") as held:
        new = to_end(download)[-len(OTHERS) :]  # before them, what else the old file had
        assert held.read() == BODY[:HALF]
    assert contents(download, new) == OTHERS
    for member in old[1:]:
        with pytest.raises((OSError, EOFError, ValueError)):
            read(download.path, member)


def _made(reply: Reply, request: Request) -> Answer:
    return reply if isinstance(reply, Answer) else reply(request)


def test_unread_members_of_a_changed_file(make_download: Callable[..., TarDownload]) -> None:
    """Members of the old file that were not polled are dropped."""
    download = make_download(
        Answer(body=BODY, cut=HALF, headers=(TAG,)), resumable(packed(OTHERS), etag='"2"')
    )
    while download._thread and download._thread.is_alive():
        time.sleep(0.01)
    members = to_end(download)
    assert len(members) == len(OTHERS)
    assert contents(download, members) == OTHERS


def test_server_without_ranges(make_download: Callable[..., TarDownload]) -> None:
    """If the server ignores Range, the tar is read from its beginning again."""
    download = make_download(Answer(body=BODY, cut=HALF), Answer(body=BODY))
    assert read_all(download) == IMAGES
    assert download.problem == ""


@pytest.mark.parametrize("kind", ["chunked", "until closed"])
def test_unknown_length(make_download: Callable[..., TarDownload], kind: str) -> None:
    """The length of the response may be unknown."""
    answers = {
        "chunked": Answer(body=BODY, chunked=True),
        "until closed": Answer(body=BODY, length=Length.OMITTED),
    }
    download = make_download(answers[kind])
    assert read_all(download) == IMAGES
    assert download.problem == ""


def test_bytes_after_the_end_mark(make_download: Callable[..., TarDownload]) -> None:
    """The download ends at the end mark, even if the server goes on sending."""
    download = make_download(Answer(body=BODY + bytes(10_000), endless=True))
    assert read_all(download) == IMAGES
    assert download.path.stat().st_size < len(BODY) + 200_000


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
def test_failed_downloads(
    make_download: Callable[..., TarDownload], web: Web, answer: Answer, words: str, tmp_path: Path
) -> None:
    """The problem is one sentence, which names the tar; it is no error of the run."""
    download = make_download(answer, options=replace(QUICK, read_timeout=0.2))
    assert to_end(download) == []
    assert download.error is None
    assert download.problem.startswith(f"{web.url(NAME)}: ")
    assert download.problem.endswith(".")
    assert "\n" not in download.problem
    assert re.search(words, download.problem)
    close_timed(download, keep=False)
    assert files(tmp_path) == []


def test_refused_connection(make_download: Callable[..., TarDownload]) -> None:
    """The problem says that the connection is refused."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # held, so that no other test's server comes to listen there
        download = make_download(address=f"http://127.0.0.1:{deaf.getsockname()[1]}{NAME}")
        assert to_end(download) == []
    assert "the connection is refused" in download.problem


def test_login_page_keeps_the_part(make_download: Callable[..., TarDownload], web: Web) -> None:
    """A log-in page in place of the rest does not change the part."""
    to_end(make_download(Answer(body=BODY, cut=HALF, headers=(TAG,)), Answer.page("<html>log in")))
    web.requests.clear()
    assert read_all(make_download(resumable(BODY))) == IMAGES
    assert ranges(web) == [f"bytes={HALF}-"]


@pytest.mark.parametrize("end", [HALF, HALF + 300, 13 * 512 + 7])
def test_truncated_tar_on_server(
    make_download: Callable[..., TarDownload], web: Web, end: int, tmp_path: Path
) -> None:
    """Complete members are listed, the problem says so, and the part is not used by later runs."""
    download = make_download(resumable(BODY[:end]))
    members = to_end(download)
    assert contents(download, members) == dict(list(IMAGES.items())[: len(members)])
    assert len(members) == sum(member.end <= end for member in all_members(tmp_path))
    assert f"cut off after {end:,} bytes" in download.problem
    close_timed(download, keep=True)
    assert not download.path.exists()
    web.requests.clear()
    assert read_all(make_download(resumable(BODY, etag='"2"'))) == IMAGES
    assert ranges(web) == [None]


def all_members(folder: Path) -> list[TarMember]:
    """Return the members of the complete tar."""
    path = folder / "whole.tar"
    path.write_bytes(BODY)
    scanner = TarScanner(path)
    members = list(scanner.scan_to(len(BODY)))
    scanner.close()
    path.unlink()
    return members


def test_truncated_part_of_a_killed_run(make_download: Callable[..., TarDownload], web: Web) -> None:
    """A part of full length without an end mark is downloaded again once."""
    to_end(make_download(resumable(BODY[:HALF])))
    web.requests.clear()
    download = make_download(resumable(BODY, etag='"2"'))
    members = to_end(download)
    assert contents(download, members[-len(IMAGES) :]) == IMAGES
    assert ranges(web) == [None]


def test_garbage_after_a_member(make_download: Callable[..., TarDownload], web: Web) -> None:
    """The download ends where the tar is invalid, and the next run starts again."""
    download = make_download(resumable(BODY[: 41 * 512] + b"garbage" * 10_000))
    assert [member.image_code for member in to_end(download)] == [f"{WNID}_0"]
    assert "not a tar archive, or damaged" in download.problem
    download.close(keep=True)
    web.requests.clear()
    assert read_all(make_download(resumable(BODY, etag='"2"'))) == IMAGES
    assert ranges(web) == [None]


@pytest.mark.parametrize(
    "answer", [Answer(body=claim(2**80), endless=True), Answer(body=BODY, length=10**12)]
)
def test_too_large_tar(
    make_download: Callable[..., TarDownload], answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tar that is announced or arrives larger than the limit is given up."""
    monkeypatch.setattr(tar_download, "MAX_TAR_BYTES", 2_000_000)
    download = make_download(answer)
    to_end(download)
    assert "larger than" in download.problem or "MB of disk" in download.problem
    download.close(keep=True)
    assert not download.path.exists()


def test_hostile_names(make_download: Callable[..., TarDownload], tmp_path: Path) -> None:
    """Only the last component of a name counts; no name becomes a path."""
    hostile = packed(IMAGES)[: 12 * 41 * 512] + b"".join(
        claim(0, name, kind)
        for name in (f"../../{WNID}_90.JPEG", f"/etc/{WNID}_91.JPEG", "../../x", "/tmp/x")
        for kind in (b"0", b"1", b"2", b"3", b"6")
    )
    download = make_download(Answer(body=hostile + bytes(1024)))
    codes = [member.image_code for member in to_end(download)]
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
def test_close_early(
    make_download: Callable[..., TarDownload], answer: Answer, keep: bool, tmp_path: Path
) -> None:
    """The download ends at once whatever the server does, and keeps its part on request only."""
    download = make_download(answer, options=DownloadOptions())
    time.sleep(0.3)
    close_timed(download, keep=keep)
    assert keep or files(tmp_path) == []
    assert download.problem == "" or "not a tar" in download.problem


def test_close_while_connecting(make_download: Callable[..., TarDownload]) -> None:
    """A connection that is never established does not delay the end."""
    with blackhole() as port:
        download = make_download(address=f"http://127.0.0.1:{port}{NAME}", options=DownloadOptions())
        time.sleep(0.2)
        close_timed(download, keep=False)


def test_close_before_start(web: Web, tmp_path: Path) -> None:
    """A download that is closed before it is started never starts."""
    download = TarDownload(web.url(NAME), tmp_path / f"{WNID}.tar")
    download.close(keep=False)
    download.start()
    time.sleep(0.1)
    assert (download.ended, web.requests, files(tmp_path)) == (True, [], [])


def test_endless_headers(make_download: Callable[..., TarDownload]) -> None:
    """A response that never gets to its body is given up."""
    slow = Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, pace=100.0)
    download = make_download(slow, options=replace(QUICK, read_timeout=0.3))
    assert to_end(download, seconds=10) == []
    assert download.problem


def test_unexpected_exception(make_download: Callable[..., TarDownload]) -> None:
    """An unexpected exception in the thread ends the download with a sentence."""
    download = make_download(resumable(BODY), options=DownloadOptions(credentials=object()))  # type: ignore[arg-type]
    assert to_end(download) == []
    assert "it cannot be read (AttributeError)" in download.problem


def test_no_more_threads(web: Web, tmp_path: Path) -> None:
    """If no thread can be started, the problem says so."""
    download = TarDownload(web.url(NAME), tmp_path / f"{WNID}.tar")
    before = threading.stack_size(1 << 46)
    try:
        assert not download.start()
    finally:
        threading.stack_size(before)
    assert download.ended
    assert "cannot be read" in download.problem


def test_part_that_cannot_be_written(make_download: Callable[..., TarDownload], tmp_path: Path) -> None:
    """The problem names the path, and is no error of the run."""
    (tmp_path / f"{WNID}.tar.part").mkdir()
    download = make_download(resumable(BODY))
    assert to_end(download) == []
    assert "Cannot work with" in download.problem
    assert download.error is None


def mounted(folder: Path, size: str) -> None:
    """Mount a small file system."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount file systems")


@pytest.mark.parametrize("is_announced", [True, False])
def test_full_disk(web: Web, tmp_path: Path, is_announced: bool) -> None:
    """A tar that does not fit is not started; a disk that becomes full is an error of the run."""
    folder = tmp_path / "disk"
    mounted(folder, "128k")
    try:
        web.answer(NAME, Answer(body=BODY, chunked=not is_announced))
        download = TarDownload(web.url(NAME), folder / f"{WNID}.tar", options=QUICK)
        download.start()
        members = to_end(download)
        assert contents(download, members) == dict(list(IMAGES.items())[: len(members)])
        assert bool(members) is not is_announced
        assert isinstance(download.error, DiskError) is not is_announced
        assert ("MB of disk" if is_announced else "make room") in download.problem
        download.close(keep=False)
        assert files(folder) == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)
