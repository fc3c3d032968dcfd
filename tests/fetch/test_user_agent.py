"""The User-Agent of all requests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from demo import pictures
from demo.web import Answer, Web
from tests.prerequisites.helpers import run
from tests.project import ALONE, Project
from utils.models.http_defaults import HOME_PAGE, USER_AGENT

RED = "n00000001"
MINE = "my-crawler/1.0 (me@university.example)"
ARCHIVE = ("--source", "both", "--accept_imagenet_terms", "True")


@pytest.mark.parametrize(("flags", "sent"), [((), USER_AGENT), (("--user_agent", f" {MINE} "), MINE)])
def test_both_scripts(project: Project, web: Web, flags: tuple[str, ...], sent: str) -> None:
    """It is that of the flag, for images, redirects, tars and prerequisites."""
    web.answer("/a", Answer.redirect("/b"))
    web.answer("/b", Answer.jpeg(pictures.jpeg(seed=1)))
    project.category(RED, "red")
    for name in ("a", "missing"):
        project.url(f"{RED}_{len(name)}", web.url(f"/{name}"))
    assert project.run(*ALONE, *ARCHIVE, "--archive_url", web.url("/{code}.tar"), *flags).code == 0
    run(project.path / "home", "--only", "urls", "--urls_source", web.url("/list"), *flags)
    assert {request.path for request in web.requests} == {"/a", "/b", "/missing", f"/{RED}.tar", "/list"}
    assert {request.headers["user-agent"] for request in web.requests} == {sent}


def test_invalid(project: Project) -> None:
    """What no header may have is an invalid flag."""
    project.category(RED, "red")
    runs = [project.run("--user_agent", text) for text in ("", "  ", "me\r\nX: y", "caf\u00e9", "tab\t")]
    for finished in (*runs, run(project.path, "--user_agent", "me\r\nX: y")):
        assert finished.code == 2
        assert "cannot be a User-Agent" in finished.err


def test_address() -> None:
    """It is a URL, and the same in the metadata of the project."""
    metadata = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    match = re.search(r'^Homepage = "(https://[^"]+)"', metadata, re.MULTILINE)
    assert match
    assert match[1] == HOME_PAGE
    assert f"+{HOME_PAGE}" in USER_AGENT
