"""`run.json`: the numbers of the last run."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from demo.answers import Answer
from demo.pictures import jpeg
from demo.web import Web
from tests.project import Project
from utils.gallery.run_history import version

RED, BLUE = "n00000001", "n00000002"


def record(project: Project) -> dict[str, Any]:
    """Read the record of the last run."""
    loaded: dict[str, Any] = json.loads((project.result / "run.json").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.alone
def test_run(project: Project, web: Web) -> None:
    """It has the numbers of every selected category, their sums, the settings and the exit code."""
    web.answer("/1", Answer.jpeg(jpeg(seed=1)))
    for code, name in {RED: "red", BLUE: "bluish"}.items():
        project.category(code, name)
        project.url(f"{code}_1", web.url("/1" if code == RED else "/gone"))
    project.annotate(f"{RED}_1", (1, 2, 9, 8))
    began = datetime.now(timezone.utc) - timedelta(seconds=1)
    assert project.run("--export", "imagefolder").code == 1
    found = record(project)
    zero = dict.fromkeys(("downloaded", "already_present", "failed", "skipped", "not_attempted"), 0)
    red = {"statuses": zero | {"downloaded": 1}, "reasons": {}, "saved": 1, "boxed": 1, "own": 0}
    azure = {"statuses": zero | {"failed": 1}, "reasons": {"http_404": 1}, "saved": 0, "boxed": 0, "own": 0}
    assert found["categories"] == {"red": {"code": RED, **red}, "bluish": {"code": BLUE, **azure}}
    assert found["total"] == red | {
        "statuses": zero | {"downloaded": 1, "failed": 1},
        "reasons": {"http_404": 1},
    }
    assert (found["schema"], found["version"], found["exit_code"]) == (1, version(), 1)
    assert began <= datetime.fromisoformat(found["started"]) <= datetime.now(timezone.utc)
    assert 0 < found["seconds"] < 60
    assert found["settings"]["timeout"] == 10
    assert found["settings"]["export"] == ["imagefolder"]
    assert found["settings"]["save_dir"] == str(project.path)
    project.categories.pop()
    project.run("--how_many", "1")
    assert record(project)["total"]["statuses"] == zero | {"already_present": 1}
    assert record(project)["exit_code"] == 0


@pytest.mark.alone
def test_no_secrets(project: Project) -> None:
    """Neither passwords in addresses nor credentials of the environment are in it."""
    project.category(RED, "red", how_many=0)
    project.environment["PART_OF_IMAGENET_TOKEN"] = "hidden-token"
    address = "http://user:hidden-password@127.0.0.1:9/{code}.tar?key=hidden-key&t=hidden-token"
    project.run("--source", "archive", "--archive_url", address, "--accept_imagenet_terms", "True")
    assert record(project)["settings"]["archive_url"] == "http://127.0.0.1:9/{code}.tar"
    assert "hidden" not in (project.result / "run.json").read_text(encoding="utf-8")


@pytest.mark.alone
def test_failed_run(project: Project) -> None:
    """A run that an error stops leaves its exit code; one that may not write in the folder leaves nothing."""
    project.category(RED, "red", how_many=0)
    project.write()
    (project.path / "partial_imagenet").mkdir()
    (project.path / "partial_imagenet" / ".staging").write_text("in the way", encoding="utf-8")
    assert project.run().code == 1
    assert record(project)["exit_code"] == 1
    (project.result / "run.json").unlink()
    project.categories[0][2] = "False"
    assert project.run().code == 2
    assert not (project.result / "run.json").exists()
