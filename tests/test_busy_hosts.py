"""Hosts that ask for fewer requests get them: they rest as long as they say, and nothing is lost by that."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable

import pytest

from demo import pictures
from demo.answers import Answer, Request
from demo.web import Web
from tests.project import Project
from utils.scheduler.host_state import FIRST_LIMIT, HIGHEST_LIMIT

RED = "n00000001"
REST = 3.0
NAMED = {
    "in seconds": lambda: f"Retry-After: {REST:.0f}",
    "as a date": lambda: f"Retry-After: {email.utils.formatdate(time.time() + REST + 1, usegmt=True)}",
}


class Moody:
    """Answers well, but says "too many requests" while it wants peace; notes who came then."""

    def __init__(self, header: Callable[[], str], *, status: int, good: int) -> None:
        self._header = header
        self._status = status
        self._good = good
        self._until = 0.0
        self.at_rest: list[float] = []

    def __call__(self, request: Request) -> Answer:
        """Answer one request; after so many good ones comes one rest."""
        if request.at < self._until:
            self.at_rest.append(self._until - request.at)
        elif self._good or self._until:
            self._good -= 1
            return Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/"))))
        self._until = self._until or request.at + REST
        return Answer(status=self._status, headers=(self._header(),))


def offer(project: Project, web: Web, numbers: range) -> None:
    """Offer URLs of a host."""
    for number in numbers:
        project.url(f"{RED}_{number}", web.url(f"/{number}"))


@pytest.mark.parametrize(("named", "status"), [("in seconds", 429), ("as a date", 503)])
def test_a_rest_is_kept(project: Project, web: Web, named: str, status: int) -> None:
    """What was under way when the rest began may come, 32 at most; then there is peace, and all is saved."""
    moody = Moody(NAMED[named], status=status, good=10)
    web.otherwise(moody)
    project.category(RED, "red")
    offer(project, web, range(60))
    finished = project.run()
    assert (finished.code, finished.err) == (0, "")
    assert len(project.images("red")) == 60
    late = [left for left in moody.at_rest if left < REST - 1.5]
    assert len(moody.at_rest) <= 32
    assert not late


def test_too_many_requests_for_ever(project: Project, make_web: Callable[[], Web]) -> None:
    """Such a host costs no other anything; its URLs are rate_limited, none is dead, and few are asked for."""
    strict, good = make_web(), make_web()
    strict.otherwise(Answer(status=429, headers=("Retry-After: 1",)))
    good.otherwise(lambda request: Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/")))))
    project.category(RED, "red")
    offer(project, strict, range(50))
    offer(project, good, range(100, 150))
    finished = project.run("--retries", "1")
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert [row["reason"] for row in rows] == ["rate_limited"] * 50 + [""] * 50
    assert len(strict.requests) <= 50
    strict.otherwise(lambda request: Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/")))))
    assert project.run().code == 0
    assert len(project.images("red")) == 100


@pytest.mark.parametrize("header", ["Retry-After: 61", "Retry-After: 999999999999"])
def test_a_wait_too_long_fails_only_that_url(project: Project, web: Web, header: str) -> None:
    """Who is told to wait for more than a minute is rate_limited after one try; the others are served."""
    web.otherwise(lambda request: Answer.jpeg(pictures.jpeg(seed=int(request.path.strip("/")))))
    for number in range(0, 30, 3):
        web.answer(f"/{number}", Answer(status=429, headers=(header,)))
    project.category(RED, "red")
    offer(project, web, range(30))
    finished = project.run()
    assert (finished.code, finished.err) == (0, "")
    rows = project.report("red")
    assert [row["reason"] for row in rows] == ["rate_limited", "", ""] * 10
    assert all(web.count(f"/{number}") == 1 for number in range(30))


@pytest.mark.parametrize("retries", [0, 1])
def test_500_for_ever(project: Project, web: Web, retries: int) -> None:
    """Each URL is asked for once and as often as --retries says, and never again in this run."""
    web.otherwise(Answer.page("Broken", 500))
    web.answer("/100", Answer.jpeg(pictures.jpeg(seed=1)))
    project.category(RED, "red")
    offer(project, web, range(10))
    offer(project, web, range(100, 101))
    finished = project.run("--retries", str(retries))
    assert (finished.code, finished.err) == (0, "")
    assert {web.count(f"/{number}") for number in range(10)} == {retries + 1}
    rows = project.report("red")[:10]
    assert {(row["reason"], row["attempts"]) for row in rows} == {("http_500", str(retries + 1))}


def test_redirects_to_one_host_from_many_do_not_flood_it(
    project: Project, make_web: Callable[[], Web]
) -> None:
    """Twelve hosts that lead to one bring it no more requests at once than any host gets; all is saved."""
    target = make_web()
    target.otherwise(lambda request: Answer(body=pictures.jpeg(seed=int(request.path.strip("/"))), delay=0.3))
    project.category(RED, "red")
    for host in range(12):
        web = make_web()
        for number in range(host * 8, host * 8 + 8):
            web.answer(f"/{number}", Answer.redirect(target.url(f"/{number}")))
        offer(project, web, range(host * 8, host * 8 + 8))
    finished = project.run("--batch_size", "96")
    assert (finished.code, finished.err) == (0, "")
    assert len(project.images("red")) == 96
    assert FIRST_LIMIT <= target.most_at_once <= HIGHEST_LIMIT
    first = sorted(request.at for request in target.requests)[FIRST_LIMIT]
    assert first - min(request.at for request in target.requests) >= 0.3
