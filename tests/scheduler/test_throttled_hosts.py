"""Runs against real servers that throttle: Retry-After is kept, and no image is lost."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections.abc import Callable

from demo import pictures
from demo.answers import Answer, Request
from demo.web import Web
from tests.project import Project
from utils.results.host_limits import HOSTS_NAME
from utils.scheduler.host_state import FIRST_LIMIT, HIGHEST_LIMIT

RED = "n00000001"
PAUSE = 3.0
NAMED = {
    "in seconds": lambda: f"Retry-After: {PAUSE:.0f}",
    "as a date": lambda: f"Retry-After: {email.utils.formatdate(time.time() + PAUSE + 1, usegmt=True)}",
}


class ThrottlingServer:
    """Answers well, and throttles for some seconds after a number of requests; records early ones."""

    def __init__(self, header: Callable[[], str], *, status: int, good: int) -> None:
        self._header = header
        self._status = status
        self._good = good
        self._until = 0.0
        self.early: list[float] = []

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        if request.at < self._until:
            self.early.append(self._until - request.at)
        elif self._good or self._until:
            self._good -= 1
            return Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/"))))
        self._until = self._until or request.at + PAUSE
        return Answer(status=self._status, headers=(self._header(),))


def add_urls(project: Project, web: Web, numbers: range) -> None:
    """Add URLs of a host."""
    for number in numbers:
        project.url(f"{RED}_{number}", web.url(f"/{number}"))


def test_retry_after_is_kept(project: Project, make_web: Callable[[], Web]) -> None:
    """Only requests that had been sent before arrive during the pause; all images are saved."""
    servers = [
        ThrottlingServer(NAMED["in seconds"], status=429, good=10),
        ThrottlingServer(NAMED["as a date"], status=503, good=10),
    ]
    project.category(RED, "red")
    for number, server in enumerate(servers):
        web = make_web()
        web.otherwise(server)
        add_urls(project, web, range(number * 40, number * 40 + 40))
    finished = project.run()
    assert (finished.code, finished.err) == (0, "")
    assert len(project.images("red")) == 80
    for server in servers:
        during_pause = [left for left in server.early if left < PAUSE - 1.5]
        assert len(server.early) <= 32
        assert not during_pause


def test_host_that_always_throttles(project: Project, make_web: Callable[[], Web]) -> None:
    """Its URLs are rate_limited when the patience ends; other hosts are not affected."""
    throttling, good = make_web(), make_web()
    throttling.otherwise(Answer(status=429, headers=("Retry-After: 1",)))
    good.otherwise(lambda request: Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/")))))
    project.category(RED, "red")
    add_urls(project, throttling, range(20))
    add_urls(project, good, range(100, 120))
    finished = project.run("--patience", "0.05")
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert [row["reason"] for row in rows] == ["rate_limited"] * 20 + [""] * 20
    assert len(throttling.requests) <= 8
    throttling.otherwise(lambda request: Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/")))))
    assert project.run().code == 0
    assert len(project.images("red")) == 40


def test_too_long_retry_after_fails_only_its_url(project: Project, web: Web) -> None:
    """It is rate_limited after one request; the other URLs of the host are saved."""
    web.otherwise(lambda request: Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/")))))
    for number in range(0, 30, 3):
        seconds = 61 if number % 2 else 999_999_999_999
        web.answer(f"/{number}", Answer(status=429, headers=(f"Retry-After: {seconds}",)))
    project.category(RED, "red")
    add_urls(project, web, range(30))
    finished = project.run("--patience", "1")
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert [row["reason"] for row in rows] == ["rate_limited", "", ""] * 10
    assert all(web.count(f"/{number}") == 1 for number in range(30))


def test_permanent_500_is_requested_as_often_as_retries_allow(project: Project, web: Web) -> None:
    """And not again in this run."""
    web.otherwise(Answer.page("Broken", 500))
    web.answer("/100", Answer.jpeg(pictures.jpeg(seed=1)))
    project.category(RED, "red")
    add_urls(project, web, range(10))
    add_urls(project, web, range(100, 101))
    finished = project.run("--retries", "1")
    assert (finished.code, finished.err) == (0, "")
    assert {web.count(f"/{number}") for number in range(10)} == {2}
    rows = project.report("red")[:10]
    assert {(row["reason"], row["attempts"]) for row in rows} == {("http_500", "2")}


class BucketServer:
    """Allows some requests a second, and some at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = float(burst), 0.0
        self._lock = threading.Lock()
        self.refused = 0

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        with self._lock:
            now = time.monotonic()
            self._level = min(self._burst, self._level + self._rate * (now - (self._at or now)))
            self._at = now
            if self._level < 1:
                self.refused += 1
                return Answer(status=429)
            self._level -= 1
        return Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/"))))


def test_host_that_limits_the_rate(project: Project, make_web: Callable[[], Web]) -> None:
    """All images are saved, few requests are refused, `--fill` prefers other hosts; the pace is kept."""
    limiting, good = make_web(), make_web()
    server = BucketServer(rate=8, burst=10)
    limiting.otherwise(server)
    good.otherwise(lambda request: Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/")))))
    project.category(RED, "red", how_many=60)
    add_urls(project, limiting, range(100))
    add_urls(project, good, range(100, 150))
    assert project.run("--fill", "True").code == 0
    assert len(project.images("red")) == 60
    assert len(good.requests) >= 40
    finished = project.run("--fill", "False", "--how_many", "90")
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")[:90]
    assert {row["reason"] for row in rows} == {""}
    assert server.refused <= 45
    limits = json.loads((project.result / HOSTS_NAME).read_text())
    assert limits[f"127.0.0.1:{limiting.port}"]["requests_per_second"]
    assert "allows about" in finished.out


def test_url_that_timed_out_is_tried_once_by_the_next_run(project: Project, web: Web) -> None:
    """When all others have been started."""
    for number in range(1, 25):
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
    web.answer("/0", Answer(body=pictures.jpeg(), delay=30))
    project.category(RED, "red")
    add_urls(project, web, range(1))
    assert project.run("--timeout", "3", "--retries", "0").code == 1
    assert web.count("/0") == 1
    add_urls(project, web, range(1, 25))
    assert project.run("--timeout", "3").code == 0
    assert web.count("/0") == 2
    assert "/0" in [request.path for request in web.requests[-16:]]
    assert project.report("red")[0]["reason"] == "timeout"


def test_redirects_do_not_flood_the_target(project: Project, make_web: Callable[[], Web]) -> None:
    """Twelve hosts that redirect to one: it gets no more concurrent requests than any host."""
    target = make_web()
    target.otherwise(lambda request: Answer(body=pictures.jpeg(seed=int(request.path.strip("/"))), delay=0.3))
    project.category(RED, "red")
    for host in range(12):
        web = make_web()
        for number in range(host * 8, host * 8 + 8):
            web.answer(f"/{number}", Answer.redirect(target.url(f"/{number}")))
        add_urls(project, web, range(host * 8, host * 8 + 8))
    finished = project.run("--batch_size", "96")
    assert (finished.code, finished.err) == (0, "")
    assert len(project.images("red")) == 96
    assert FIRST_LIMIT <= target.most_at_once <= HIGHEST_LIMIT
    first = sorted(request.at for request in target.requests)[FIRST_LIMIT]
    assert first - min(request.at for request in target.requests) >= 0.3
