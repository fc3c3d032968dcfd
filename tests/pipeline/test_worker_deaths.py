"""A worker that is killed or suspended costs no more than itself."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.fetching import serving
from tests.machine import process_group, wait_until, workers
from tests.project import Finished, Project, RunningScript

RED = "n00000001"
URLS, POISON = 24, 12
MEGABYTE = 1_000_000
BEFORE_IT_KILLS = 0.15
PAGE = os.sysconf("SC_PAGE_SIZE")
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@pytest.fixture(scope="module")
def huge() -> bytes:
    """Draw a small JPEG of nearly 50 megapixels, which needs 150 MB to decode."""
    stored = io.BytesIO()
    Image.new("RGB", (7000, 7000), (90, 120, 40)).save(stored, "JPEG", progressive=True, quality=50)
    return stored.getvalue()


def add_urls(project: Project, web: Web, poison: str) -> None:
    """Add 24 URLs, one of them the poisoned one."""
    project.category(RED, "red")
    for number in range(URLS):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.05 + number % 7 / 20))
        project.url(f"{RED}_{number}", poison if number == POISON else web.url(f"/{number}"))


def run_while(project: Project, doing: Callable[[RunningScript, threading.Event], None]) -> Finished:
    """Run the script while a function works on its process until the event is set."""
    begun, over = time.monotonic(), threading.Event()
    with project.start("--batch_size", "8") as process:
        thread = threading.Thread(target=doing, args=(process, over))
        thread.start()
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
            over.set()
            thread.join()
    return Finished(process.returncode, out, err, time.monotonic() - begun)


def kill_large_workers(process: RunningScript, over: threading.Event) -> None:
    """Kill each worker that uses more than 150 MB, as a system short of memory does."""
    while not over.wait(0.002):
        with contextlib.suppress(OSError):  # it ended in between
            for pid in workers(process.pid):
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
                if resident > 150 * MEGABYTE:
                    os.kill(pid, signal.SIGKILL)


def limit_memory(process: RunningScript, images: Path) -> None:
    """Limit each worker to 60 MB more than it uses when it has done some work."""
    wait_until(lambda: images.exists() and len(list(images.glob("*.jpg"))) > 6)
    for pid in workers(process.pid):
        has = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * PAGE
        resource.prlimit(pid, resource.RLIMIT_AS, (has + 60 * MEGABYTE,) * 2)


def check_others_saved(project: Project, finished: Finished, reason: str) -> None:
    """Check that only the poisoned URL failed."""
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert len(rows) == URLS
    assert {row["image_code"]: row["reason"] for row in rows if row["reason"]} == {f"{RED}_{POISON}": reason}
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in range(URLS) if number != POISON}
    assert not list(project.result.rglob("*.part"))


def test_image_that_kills_its_worker(project: Project, web: Web, huge: bytes) -> None:
    """It fails after two workers, and the others are saved."""
    web.answer("/huge", Answer(body=huge, delay=0.3))
    add_urls(project, web, web.url("/huge"))
    finished = run_while(project, kill_large_workers)
    check_others_saved(project, finished, "crashed")
    assert web.count("/huge") == 2


def test_worker_without_memory(project: Project, web: Web, huge: bytes) -> None:
    """The image fails in this run; the next run has memory and saves it."""
    web.answer("/huge", Answer(body=huge, delay=3.0))
    add_urls(project, web, web.url("/huge"))
    images = project.result / "red" / "Images"
    finished = run_while(project, lambda process, _over: limit_memory(process, images))
    check_others_saved(project, finished, "crashed")
    assert project.run().code == 0
    assert len(project.images("red")) == URLS


@contextlib.contextmanager
def killer() -> Iterator[list[int]]:
    """Serve connections by killing the client; yields the port, followed by the processes killed."""
    killed: list[int] = []

    def handle(client: socket.socket) -> None:
        client.recv(65536)
        pid = owner(client.getpeername()[1], client.getsockname()[1])
        killed.append(pid)
        time.sleep(BEFORE_IT_KILLS)
        os.kill(pid, signal.SIGKILL)

    with serving(handle) as port:
        killed.append(port)
        yield killed


def owner(port: int, peer: int) -> int:
    """Find the process that owns a TCP socket; the port may be in use for other peers, too."""
    held = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = (f":{port:04X}", f":{peer:04X}")
    (inode,) = {one[9] for one in held if (one[1][-5:], one[2][-5:]) == ends and one[9] != "0"}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(descriptor.readlink()) == f"socket:[{inode}]":
                return int(descriptor.parts[2])
    raise AssertionError(f"no process owns port {port}")


def test_url_that_kills_its_worker(project: Project, web: Web) -> None:
    """A worker that dies before it validates anything makes no other URL fail."""
    with killer() as killed:
        add_urls(project, web, f"http://127.0.0.1:{killed[0]}/")
        # All take longer than the killer waits: none is being validated when it strikes.
        for number in range(URLS):
            web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=4 * BEFORE_IT_KILLS))
        finished = project.run("--batch_size", "8")
    assert (finished.code, finished.err) == (0, "")
    assert 2 <= len(killed) - 1 <= 6
    check_others_saved(project, finished, "crashed")
    project.rows[POISON][1] = web.url(f"/{POISON}")
    assert project.run().code == 0
    assert len(project.images("red")) == URLS


def test_suspended(project: Project, web: Web) -> None:
    """Suspended workers, and then the whole run, go on afterwards as if nothing had happened."""

    def suspend(process: RunningScript, _over: threading.Event) -> None:
        images = project.result / "red" / "Images"
        wait_until(lambda: images.exists() and len(list(images.glob("*.jpg"))) > 3)
        for pids in (workers(process.pid), process_group(process.pid)):
            for kind in (signal.SIGSTOP, signal.SIGCONT):
                for pid in pids:
                    os.kill(pid, kind)
                if kind == signal.SIGSTOP:
                    time.sleep(1.5)

    add_urls(project, web, web.url(f"/{POISON}"))
    finished = run_while(project, suspend)
    assert (finished.code, finished.err) == (0, "")
    assert len(project.images("red")) == URLS
    assert {row["status"] for row in project.report("red")} == {"downloaded"}
