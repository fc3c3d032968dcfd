"""Network faults from real servers to the report: one run, each fault at its own host."""

from __future__ import annotations

import contextlib
import email.utils
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer, Length, Reply, Request
from demo.web import Web
from tests.fetching import blackhole, serving, unused_port
from tests.project import Project

RED = "n00000001"
PATIENCE = 20.0
"""Seconds."""
TIMEOUT = 3.0
JPEG = pictures.jpeg(200, 150, seed=1)
GOOD = Answer.jpeg(JPEG)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"


@dataclass(frozen=True)
class Case:
    """The replies of a host in order, and the expected requests and attempts."""

    replies: tuple[Reply, ...]
    requests: int = 1
    attempts: int = 1


def once(reply: Reply) -> Case:
    """Expect one request."""
    return Case((reply,))


def refused(reply: Reply) -> Case:
    """Return a case with one request, which counts as no attempt."""
    return Case((reply,), attempts=0)


def again(*replies: Reply) -> Case:
    """Expect a retry (`--retries 1`), and no second one."""
    return Case(replies, requests=2, attempts=2)


def via(location: str, requests: int = 2) -> Case:
    """Redirect; following is no further attempt."""
    return Case((Answer.redirect(location),), requests)


def busy(*headers: str, status: int = 429) -> Answer:
    """Ask for fewer requests."""
    return Answer(status=status, body=b"Slow down", headers=headers)


def busy_until_a_date(_request: Request) -> Answer:
    """Ask to wait until two seconds from now, as a date."""
    return busy(f"Retry-After: {email.utils.formatdate(time.time() + 2, usegmt=True)}")


FAILED: dict[str, dict[str, Case]] = {
    "timeout": {
        "accepted, then silence": again(Answer(hang=True)),
        "one byte at a time": again(Answer(body=JPEG, pace=20)),
        "stall after 1 kB": again(Answer(body=JPEG, cut=1000, hang=True)),
        "slow headers": again(Answer(raw=HEAD * 20, pace=20)),
    },
    "connection_error": {
        "reset at once": again(Answer(reset=True)),
        "reset mid-body": again(Answer(body=JPEG, cut=1000, reset=True)),
        "closed before the status line": again(Answer(raw=b"")),
        "garbage for a status line": again(Answer(raw=b"what?\x00\xff\r\n\r\n" * 9)),
        "TLS bytes on a plain port": again(Answer(raw=b"\x15\x03\x01\x00\x02\x02\x16")),
        "Content-Length negative": again(Answer(body=JPEG, length=-5)),
        "Content-Length no number": again(Answer(raw=HEAD + b"Content-Length: x\r\n\r\n" + JPEG)),
        "Content-Length twice": again(Answer(body=JPEG, headers=("Content-Length: 9",))),
        "1 MB of headers": again(Answer(body=JPEG, headers=("X: " + "a" * 10**6,))),
        "10,000 headers": again(Answer(body=JPEG, headers=("X: a",) * 10_000)),
    },
    "truncated": {
        "body shorter than Content-Length": again(Answer(body=JPEG, cut=1000)),
        "chunked body cut": again(Answer(body=JPEG, cut=1000, chunked=True)),
        "gzipped body cut": again(Answer(body=JPEG, cut=1000, gzip=True)),
    },
    "too_large": {
        "endless body": once(Answer(body=JPEG, endless=True)),
        "endless body in chunks": once(Answer(body=JPEG, endless=True, chunked=True)),
        "gzip bomb": once(Answer(body=bytes(30_000_000), gzip=True)),
        "gzip bomb behind a redirect": Case(
            (Answer.redirect("/x"), Answer(body=bytes(30_000_000), gzip=True)), requests=2
        ),
    },
    "too_many_redirects": {
        "redirect loop": via("/x", requests=11),
    },
    "forbidden_redirect": {
        "redirect to a file": via("file:///etc/passwd", requests=1),
        "redirect to ftp": via("ftp://127.0.0.1/x.jpg", requests=1),
        "redirect to data": via("data:image/png;base64,AAAA", requests=1),
        "redirect to gopher": via("gopher://127.0.0.1/x", requests=1),
    },
    "not_an_image": {
        "redirect to nothing": via("", requests=1),
        "redirect without a target": once(Answer(status=302)),
        "200 with no body": once(Answer()),
    },
    "rate_limited": {
        "429 for an absurdly long time": refused(busy("Retry-After: 86400")),
        "429 until 2099": refused(busy("Retry-After: Wed, 21 Oct 2099 07:28:00 GMT")),
        "429 for twice the patience": refused(busy(f"Retry-After: {2 * PATIENCE:.0f}")),
        "503 for an absurdly long time": refused(busy("Retry-After: 86400", status=503)),
    },
    **{f"http_{status}": {str(status): once(Answer.page("No", status))} for status in (401, 403, 404, 410)},
    **{
        f"http_{status}": {f"{status} for ever": again(Answer.page("Later", status))}
        for status in (408, 425, 500, 502, 503, 504)
    },
}
SAVED: dict[str, Case] = {
    "Content-Length missing": once(Answer(body=JPEG, length=Length.OMITTED)),
    "Content-Length twice the same": once(Answer(body=JPEG, headers=(f"Content-Length: {len(JPEG)}",))),
    "honestly gzipped": once(Answer(body=JPEG, gzip=True)),
    "429, then well": Case((busy(), GOOD), requests=2),
    "429 with seconds, then well": Case((busy("Retry-After: 1"), GOOD), requests=2),
    "429 with a date, then well": Case((busy_until_a_date, GOOD), requests=2),
    "429 with nonsense, then well": Case((busy("Retry-After: soon"), GOOD), requests=2),
    "503, then well": again(busy(status=503), GOOD),
    "500, then well": again(Answer(status=500), GOOD),
    "silence, then well": again(Answer(hang=True), GOOD),
    "cut, then well": again(Answer(body=JPEG, cut=1000), GOOD),
    "reset, then well": again(Answer(reset=True), GOOD),
    "a chain of ten redirects": Case((*[Answer.redirect("/x")] * 10, GOOD), requests=11),
    "relative redirect": Case((Answer.redirect("a/../b?c=d"), GOOD), requests=2),
    "redirect with blanks": Case((Answer.redirect("/a b c.jpg"), GOOD), requests=2),
    "redirect beyond ASCII": Case((Answer.redirect("/café.jpg"), GOOD), requests=2),
}
CASES = {name: case for cases in FAILED.values() for name, case in cases.items()} | SAVED
REASONS = {name: reason for reason, cases in FAILED.items() for name in cases}

NOT_REACHED = {
    "no server listens": ("connection_refused", 1),
    "no such name": ("dns_error", 1),
    "connections that vanish": ("connect_timeout", 2),
    "plain words to a TLS port": ("connection_error", 2),
    "TLS to a plain port": ("tls_error", 1),
    "redirect to a refusing host": ("connection_refused", 1),
}
"""Faults without a server that could count the requests: reason and attempts."""


@dataclass(frozen=True)
class Result:
    """The result of one case."""

    row: dict[str, str]
    requests: int
    folder: Path


@contextlib.contextmanager
def unreached() -> Iterator[dict[str, str]]:
    """Return a URL for each way in which no server is reached."""
    with contextlib.ExitStack() as stack:
        vanished = stack.enter_context(blackhole())
        alert = stack.enter_context(serving(lambda client: client.sendall(b"\x15\x03\x01\x00\x02\x02\x16")))
        plain = stack.enter_context(serving(lambda client: client.sendall(b"HTTP/1.1 400 No\r\n\r\n")))
        web = stack.enter_context(Web())
        web.answer("/x", Answer.redirect(f"http://127.0.0.1:{unused_port()}/x"))
        yield {
            "no server listens": f"http://127.0.0.1:{unused_port()}/x",
            "no such name": "http://no-such-host.invalid/x",
            "connections that vanish": f"http://127.0.0.1:{vanished}/x",
            "plain words to a TLS port": f"http://127.0.0.1:{alert}/x",
            "TLS to a plain port": f"https://127.0.0.1:{plain}/x",
            "redirect to a refusing host": web.url("/x"),
        }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Run the script once over all cases; returns the results by name."""
    project = Project(tmp_path_factory.mktemp("transport"))
    project.category(RED, "red")
    with contextlib.ExitStack() as stack:
        webs = {name: stack.enter_context(Web()) for name in CASES}
        for name, web in webs.items():
            _script(web, CASES[name].replies)
        urls = {name: web.url("/x") for name, web in webs.items()} | stack.enter_context(unreached())
        for number, url in enumerate(urls.values()):
            project.url(f"{RED}_{number}", url)
        # Fewer at once than by default, and twice the time that is needed: the servers share a busy machine.
        flags = ("--timeout", str(TIMEOUT), "--retries", "1", "--batch_size", "24")
        finished = project.run(*flags, "--patience", str(PATIENCE / 60), timeout=120)
        counts = {name: len(web.requests) for name, web in webs.items()}
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert [row["image_code"] for row in rows] == [f"{RED}_{number}" for number in range(len(urls))]
    assert project.images("red") == {Path(row["file"]).name for row in rows if row["file"]}
    folder = project.result / "red"
    return {name: Result(row, counts.get(name, 0), folder) for name, row in zip(urls, rows, strict=True)}


def _script(web: Web, replies: tuple[Reply, ...]) -> None:
    """Let a web answer one after the other, whatever it is asked for."""
    left = list(replies)
    for answer in replies:
        _ = answer.encoded if isinstance(answer, Answer) else None  # bombs are packed now, not when asked for

    def reply(request: Request) -> Answer:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now if isinstance(now, Answer) else now(request)

    web.otherwise(reply)


@pytest.mark.parametrize("name", REASONS)
def test_failed(results: dict[str, Result], name: str) -> None:
    """Each fault has its reason and description, and is retried if it is temporary."""
    row = results[name].row
    assert (row["status"], row["reason"]) == ("failed", REASONS[name]), row["description"]
    assert row["description"].endswith(".")
    assert (row["file"], row["sha256"]) == ("", "")
    assert int(row["attempts"]) == CASES[name].attempts
    assert results[name].requests == CASES[name].requests


@pytest.mark.parametrize("name", SAVED)
def test_saved(results: dict[str, Result], name: str) -> None:
    """Images that are oddly framed, late or redirected are saved byte for byte."""
    row = results[name].row
    assert row["status"] == "downloaded", (row["reason"], row["description"])
    assert (results[name].folder / row["file"]).read_bytes() == JPEG
    assert int(row["attempts"]) == CASES[name].attempts
    assert results[name].requests == CASES[name].requests


@pytest.mark.parametrize("name", NOT_REACHED)
def test_not_reached(results: dict[str, Result], name: str) -> None:
    """Unreachable hosts are told from broken connections; final failures are not retried."""
    row = results[name].row
    assert (row["status"], row["reason"], int(row["attempts"])) == ("failed", *NOT_REACHED[name])
    assert row["description"].endswith(".")


def test_no_attempt_exceeds_its_timeout(results: dict[str, Result]) -> None:
    """However slowly a server responds."""
    for name, case in CASES.items():
        assert float(results[name].row["seconds"]) < max(1, case.attempts) * (TIMEOUT + 0.5), name
