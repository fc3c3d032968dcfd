"""Runs with a proxy from the environment."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.fetching import blackhole, unused_port
from tests.project import ALONE, Project

RED = "n00000001"
URLS = 40


@pytest.fixture
def public(project: Project) -> Project:
    """Add URLs of ten hosts that exist only behind a proxy."""
    project.category(RED, "red")
    for number in range(URLS):
        project.url(f"{RED}_{number}", f"http://host{number % 10}.test/{number}")
    return project


def serve(proxy: Web) -> None:
    """Make a server the proxy of these hosts."""
    for number in range(URLS):
        body = pictures.jpeg(seed=number)
        proxy.answer(f"http://host{number % 10}.test/{number}", Answer.jpeg(body))


def test_working_proxy(public: Project, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """All images are saved, each with one request."""
    serve(web)
    monkeypatch.setenv("http_proxy", web.url(""))
    finished = public.run()
    assert (finished.code, finished.err) == (0, "")
    assert len(public.images("red")) == URLS
    assert len(web.requests) == URLS


@pytest.mark.parametrize("fault", ["refuses", "vanishes", "has no name", "wants a password"])
def test_unusable_proxy_ends_the_run(
    public: Project, web: Web, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """With one message that names it; no host is given up, and the next run succeeds."""
    web.otherwise(Answer.page("Who are you?", 407))
    with blackhole() as port:
        proxies = {
            "refuses": f"http://127.0.0.1:{unused_port()}",
            "vanishes": f"http://127.0.0.1:{port}",
            "has no name": "http://no-such-proxy.invalid:3128",
            "wants a password": web.url(""),
        }
        monkeypatch.setenv("http_proxy", proxies[fault])
        finished = public.run("--timeout", "2", *(() if fault == "refuses" else ALONE))
    assert finished.code == 1
    assert "http_proxy" in finished.err
    assert finished.err.count("\n") == 1
    rows = public.report("red")
    assert [row["image_code"] for row in rows] == [f"{RED}_{number}" for number in range(URLS)]
    assert {row["reason"] for row in rows} <= {"connection_error", "interrupted"}
    serve(web)
    monkeypatch.setenv("http_proxy", web.url(""))
    assert public.run(*ALONE).code == 0
    assert len(public.images("red")) == URLS


def test_no_redirect_to_a_private_address_through_a_proxy(
    project: Project, make_web: Callable[[], Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any spelling."""
    proxy, inside = make_web(), make_web()
    inside.otherwise(Answer.jpeg(pictures.jpeg(seed=1)))
    targets = [
        inside.url("/secret"),
        f"http://localhost:{inside.port}/secret",
        f"http://2130706433:{inside.port}/secret",
        f"http://[::ffff:127.0.0.1]:{inside.port}/secret",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x.jpg",
    ]
    project.category(RED, "red")
    for number, target in enumerate([*targets, "http://two.test/fine"]):
        proxy.answer(f"http://one.test/{number}", Answer.redirect(target))
        project.url(f"{RED}_{number}", f"http://one.test/{number}")
    proxy.answer("http://two.test/fine", Answer.jpeg(pictures.jpeg(seed=2)))
    monkeypatch.setenv("http_proxy", proxy.url(""))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    finished = project.run(*ALONE)
    assert (finished.code, finished.err) == (0, "")
    assert [row["reason"] for row in project.report("red")] == ["forbidden_redirect"] * len(targets) + [""]
    assert inside.requests == []
    assert all(".test/" in request.path for request in proxy.requests)


def test_credentials_are_sent_to_their_host_only(project: Project, make_web: Callable[[], Web]) -> None:
    """Those of a URL are not sent to where it redirects, and no others are sent."""
    here, there = make_web(), make_web()
    here.answer("/open", Answer.jpeg(pictures.jpeg(seed=1)))
    here.answer("/away", Answer.redirect(there.url("/final")))
    there.answer("/final", Answer.jpeg(pictures.jpeg(seed=2)))
    project.category(RED, "red")
    for number, path in enumerate(("/open", "/away")):
        project.url(f"{RED}_{number}", here.url(path).replace("//", "//me:pa%20ss@"))
    project.url(f"{RED}_2", there.url("/final?plain"))
    there.answer("/final?plain", Answer.jpeg(pictures.jpeg(seed=3)))
    (project.path / ".netrc").write_text("machine 127.0.0.1 login other password secret\n")
    finished = project.run(*ALONE, prefix=("env", f"HOME={project.path}"))
    assert (finished.code, finished.err) == (0, "")
    expected = "Basic " + base64.b64encode(b"me:pa ss").decode()
    assert {request.headers.get("authorization") for request in here.requests} == {expected}
    assert {request.headers.get("authorization") for request in there.requests} == {None}
    assert [row["url"] for row in project.report("red")] == [row[1] for row in project.rows]
    assert {Path(name).suffix for name in project.images("red")} == {".jpg"}
