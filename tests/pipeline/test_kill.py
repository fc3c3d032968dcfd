"""Runs that are killed with -9 at any moment, and run again: nothing is lost or done twice."""

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
from tests.machine import process_group, wait_until
from tests.project import Project
from tests.slow_urls import RED, add_slow_urls
from utils.annotations import voc_xml

URLS, WANTED = 30, 12
ALIVE = {number for number in range(URLS) if number % 5}
KILLS = 4  # of each kind of run
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@pytest.fixture
def slow_project(project: Project, web: Web) -> Project:
    """Add thirty URLs with delays, every fifth dead, every third annotated."""
    add_slow_urls(project, web, URLS, ALIVE, boxed_every=3, delay=lambda number: 0.05 + number % 7 / 30)
    return project


def kill_after(project: Project, seconds: float, *flags: str) -> None:
    """Run the script and kill all of its processes after some time, unless it has ended."""
    with project.start(*flags) as process:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not process_group(process.pid))
    time.sleep(0.1)  # what it had sent arrives


def images(project: Project) -> set[str]:
    """Name the images under their final names; each must be complete."""
    paths = list((project.result / "red" / "Images").glob("[!.]*"))
    for path in paths:
        with Image.open(path) as image:
            image.load()
    return {path.stem for path in paths}


def known(project: Project) -> set[str]:
    """Name the saved images and the URLs that are known to be dead."""
    journal = project.result / "red" / ".journal.jsonl"
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    dead = {record["image_code"] for record in map(json.loads, lines) if record.get("http_status") == 404}
    return images(project) | dead


def check_result(project: Project) -> None:
    """Check that images, XML files and report agree, and that nothing else is left."""
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
    assert project.folders() == {"red"}


@pytest.mark.parametrize("flags", [(), ("--fill", "--how_many", str(WANTED))], ids=["all", "fill"])
def test_killed_at_any_moment(slow_project: Project, web: Web, flags: tuple[str, ...]) -> None:
    """Whenever it is killed, all images are complete, and the next run downloads only what is missing."""
    dice = random.Random(7)
    whole = slow_project.run("--batch_size", "6", *flags).seconds
    shutil.rmtree(slow_project.result)
    for _ in range(KILLS):
        before = known(slow_project) if slow_project.result.exists() else set()
        asked = len(web.requests)
        kill_after(slow_project, dice.uniform(0.15, 1.0) * whole, "--batch_size", "6", *flags)
        assert not before & {f"{RED}_{request.path[1:]}" for request in web.requests[asked:]}
        assert before <= known(slow_project)
        if len(images(slow_project)) >= (WANTED if flags else len(ALIVE)):
            shutil.rmtree(slow_project.result)
    assert slow_project.run(*flags).code == 0
    check_result(slow_project)
    if flags:
        assert len(images(slow_project)) == WANTED
    else:
        assert images(slow_project) == {f"{RED}_{number}" for number in ALIVE}
        assert {xml.removesuffix(".xml") for xml in slow_project.xmls("red")} == {
            f"{RED}_{number}" for number in ALIVE if number % 3 == 0
        }


def test_workers_end_with_their_parent(slow_project: Project) -> None:
    """If only the parent is killed, its workers end, and the next run can start at once."""
    with slow_project.start("--batch_size", "4") as process:
        wait_until(lambda: (slow_project.result / "red").exists() and images(slow_project))
        process.kill()
        process.wait()
        wait_until(lambda: not process_group(process.pid))
    assert slow_project.run().code == 0
    check_result(slow_project)
    assert images(slow_project) == {f"{RED}_{number}" for number in ALIVE}
