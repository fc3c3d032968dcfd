"""Killed with -9 at any moment, and run again: nothing is lost, nothing is done twice, all comes right."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from demo.web import Web
from tests.machine import group_of, wait_until
from tests.project import Project
from tests.slow_offer import RED, offer
from utils.annotations import voc_xml

URLS, WANTED = 30, 12
ALIVE = {number for number in range(URLS) if number % 5}
KILLS = 6  # of each kind of run
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@pytest.fixture
def offered(project: Project, web: Web) -> Project:
    """Offer thirty URLs, every fifth dead, every third annotated, none answered at once."""
    offer(project, web, URLS, ALIVE, boxed_every=3, delay=lambda number: 0.05 + number % 7 / 30)
    return project


def killed_after(project: Project, seconds: float, *flags: str) -> None:
    """Run the script, and kill all of its processes at a moment; it may have ended before."""
    with project.start(*flags) as process:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not group_of(process.pid))
    time.sleep(0.1)  # what it had sent arrives


def images(project: Project) -> set[str]:
    """Name the images that lie there under their final names; each must be whole."""
    paths = list((project.result / "red" / "Images").glob("[!.]*"))
    for path in paths:
        with Image.open(path) as image:
            image.load()
    return {path.stem for path in paths}


def finished(project: Project) -> set[str]:
    """Name what is done for good: images that lie there, and URLs that are known to be dead."""
    journal = project.result / "red" / ".journal.jsonl"
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    dead = {record["image_code"] for record in map(json.loads, lines) if record.get("http_status") == 404}
    return images(project) | dead


def check_report(project: Project) -> None:
    """Check that the report says what lies there, and that nothing else does."""
    rows = project.report("red")
    assert len({row["image_code"] for row in rows}) == len(rows)
    saved = {row["image_code"] for row in rows if row["status"] in ("downloaded", "already_present")}
    assert saved == images(project)
    for row in rows:
        xml = project.result / "red" / "Annotation" / f"{row['image_code']}.xml"
        assert xml.exists() == (row["boxes"] != "")
        if row["boxes"]:
            assert voc_xml.parse(xml.read_bytes(), row["image_code"])
    assert not list(project.result.rglob("*.part"))


@pytest.mark.parametrize("flags", [(), ("--fill", "--how_many", str(WANTED))], ids=["all", "fill"])
def test_killed_at_any_moment(offered: Project, web: Web, flags: tuple[str, ...]) -> None:
    """Whenever it is killed, what lies there is whole, the next run asks for no more than what is missing."""
    dice = random.Random(7)
    whole = offered.run("--batch_size", "6", *flags).seconds
    shutil.rmtree(offered.result)
    for _ in range(KILLS):
        known = finished(offered) if offered.result.exists() else set()
        asked = len(web.requests)
        killed_after(offered, dice.uniform(0.15, 1.0) * whole, "--batch_size", "6", *flags)
        assert not known & {f"{RED}_{request.path[1:]}" for request in web.requests[asked:]}
        assert known <= finished(offered)
        if len(images(offered)) >= (WANTED if flags else len(ALIVE)):
            shutil.rmtree(offered.result)
    assert offered.run(*flags).code == 0
    check_report(offered)
    if flags:
        assert len(images(offered)) == WANTED
    else:
        assert images(offered) == {f"{RED}_{number}" for number in ALIVE}
        assert {xml.removesuffix(".xml") for xml in offered.xmls("red")} == {
            f"{RED}_{number}" for number in ALIVE if number % 3 == 0
        }


def test_workers_outlive_no_parent(offered: Project) -> None:
    """When only the parent is killed, its workers see it and end, and the next run may begin at once."""
    with offered.start("--batch_size", "4") as process:
        wait_until(lambda: (offered.result / "red").exists() and images(offered))
        process.kill()
        process.wait()
        wait_until(lambda: not group_of(process.pid))
    assert offered.run().code == 0
    check_report(offered)
    assert images(offered) == {f"{RED}_{number}" for number in ALIVE}
