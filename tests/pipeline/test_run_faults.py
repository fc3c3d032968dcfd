"""What the machine may do to a run: signals, kills, full disks, locks. Nothing finished is lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import ALONE, Project
from utils.annotations import voc_xml

RED = "n00000001"
WEIGH = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
"""Runs a command, and says at last how many kilobytes the largest of its processes took."""
URLS = 60
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, ulimit and /proc are POSIX's")


@pytest.fixture
def slow_project(project: Project, web: Web) -> Project:
    """Offer sixty URLs, every fifth dead, every third annotated, none answered at once."""
    return offer(project, web, lambda number: 0.1 + number % 7 / 20)


@pytest.fixture
def done(project: Project, web: Web) -> Project:
    """Let a run be over, into whose result folder more is to come than a second run."""
    project.always = ALONE
    offer(project, web, lambda _number: 0.0)
    assert project.run().code == 0
    check_complete(project)
    return project


def offer(project: Project, web: Web, delay: Callable[[int], float]) -> Project:
    """Offer sixty URLs, every fifth dead, every third annotated."""
    project.category(RED, "red")
    for number in range(URLS):
        if number % 5:
            web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=delay(number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        if number % 3 == 0:
            project.annotate(f"{RED}_{number}", (1, 1, 20, 20))
    return project


def check_sound(project: Project) -> None:
    """Check that what lies on disk is whole, belongs together, and is what the report says."""
    rows = project.report("red")
    assert len(rows) == URLS
    saved = {Path(row["file"]).name for row in rows if row["status"] in ("downloaded", "already_present")}
    assert project.images("red") == saved
    for name in saved:
        with Image.open(project.result / "red" / "Images" / name) as image:
            image.load()
    assert {name.removesuffix(".xml") + ".jpg" for name in project.xmls("red")} <= saved
    assert not list(project.result.rglob("*.part"))


def check_complete(project: Project) -> None:
    """Check that the tree is the one of an undisturbed run."""
    check_sound(project)
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in range(URLS) if number % 5}
    assert project.xmls("red") == {f"{RED}_{n}.xml" for n in range(URLS) if n % 3 == 0 and n % 5}


def wait_for_images(project: Project, how_many: int) -> None:
    """Wait until a run has saved so many."""
    folder = project.result / "red" / "Images"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if folder.exists() and len([path for path in folder.iterdir() if path.suffix == ".jpg"]) >= how_many:
            return
        time.sleep(0.01)
    raise AssertionError("the run saves nothing")


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Find the worker processes of a run."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_the_run_in_good_order(slow_project: Project, name: str, code: int) -> None:
    """SIGINT, SIGTERM and SIGHUP end the run soon, with complete reports and their exit codes."""
    with slow_project.start("--batch_size", "4") as process:
        wait_for_images(slow_project, 5)
        os.killpg(process.pid, getattr(signal, name))
        begun = time.monotonic()
        _, errors = process.communicate()
        assert time.monotonic() - begun < 5  # bounded; the promise of two seconds is for an idle machine
    assert process.returncode == code
    assert "Traceback" not in errors
    check_sound(slow_project)
    left = [row for row in slow_project.report("red") if row["status"] == "not_attempted"]
    assert left
    assert {row["reason"] for row in left} == {"interrupted"}
    assert slow_project.run().code == 0
    check_complete(slow_project)


def test_second_interrupt_ends_at_once(slow_project: Project) -> None:
    """Interrupted twice, the run ends at once, and its workers with it; the next run makes all whole."""
    with slow_project.start("--batch_size", "4") as process:
        wait_for_images(slow_project, 3)
        children = workers(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    slow_project.run()
    check_complete(slow_project)


def test_what_is_signalled_to_process_and_group_is_one_signal(slow_project: Project) -> None:
    """`timeout` and batch systems do so; the run still ends in good order."""
    with slow_project.start("--batch_size", "4") as process:
        wait_for_images(slow_project, 3)
        for one in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(one)
            time.sleep(0.05)
        _, err = process.communicate()
    assert process.returncode == 143
    assert "at once" not in err
    assert len(slow_project.report("red")) == 60


def test_killed_and_run_again(slow_project: Project, web: Web) -> None:
    """Killed with -9 at random moments, the next run goes on, and asks for nothing that was finished."""
    dice = random.Random(5)
    for _ in range(4):
        with slow_project.start("--batch_size", "8") as process:
            time.sleep(dice.uniform(0.4, 1.3))
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        finished = {path.stem for path in (slow_project.result / "red" / "Images").glob("*.jpg")}
        asked = len(web.requests)
        time.sleep(0.1)
    assert slow_project.run().code == 0
    asked_again = {f"{RED}_{request.path[1:]}" for request in web.requests[asked:]}
    assert not asked_again & finished
    check_complete(slow_project)


def test_killed_while_filling(slow_project: Project) -> None:
    """Killed with -9 while filling, the next run ends with exactly as many as were asked for."""
    for _ in range(3):
        with slow_project.start("--fill", "True", "--how_many", "15", "--batch_size", "6") as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.9)
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            process.communicate()
    slow_project.run("--fill", "True", "--how_many", "15")
    assert len(slow_project.images("red")) == 15


def test_killed_worker_is_replaced(slow_project: Project) -> None:
    """A worker killed with -9 costs nothing: it is replaced, and its images are fetched all the same."""
    with slow_project.start() as process:
        wait_for_images(slow_project, 3)
        os.kill(workers(process)[0], signal.SIGKILL)
        _, errors = process.communicate()
    assert process.returncode == 0
    assert errors == ""
    check_complete(slow_project)


def test_second_run_on_the_same_folder_is_refused(slow_project: Project) -> None:
    """While a run is under way, a second one on its folder ends with exit code 2; a kill leaves no lock."""
    with slow_project.start("--batch_size", "2") as process:
        wait_for_images(slow_project, 1)
        second = slow_project.run()
        assert second.code == 2
        assert "Another run" in second.err
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert slow_project.run().code == 0
    check_complete(slow_project)
    assert slow_project.folders() == {"red"}


def test_files_that_were_spoilt_are_fetched_again(done: Project, web: Web) -> None:
    """A file emptied, changed or deleted after it was saved is fetched again; a touched one is not."""
    images = done.result / "red" / "Images"
    (images / f"{RED}_1.jpg").write_bytes(b"")
    (images / f"{RED}_2.jpg").write_bytes(b"no image " * 100)
    (images / f"{RED}_3.jpg").unlink()
    (images / f"{RED}_4.jpg").touch()
    asked = len(web.requests)
    done.run()
    assert {request.path for request in web.requests[asked:]} == {"/1", "/2", "/3"}
    check_complete(done)


def test_xml_that_was_deleted_comes_back(done: Project, web: Web) -> None:
    """A deleted XML is written again without fetching; one without its image goes."""
    folder = done.result / "red" / "Annotation"
    (folder / f"{RED}_3.xml").unlink()
    (folder / f"{RED}_999.xml").write_text("<annotation/>")
    asked = len(web.requests)
    done.run()
    assert len(web.requests) == asked
    check_complete(done)
    assert voc_xml.read_back((folder / f"{RED}_3.xml").read_bytes(), f"{RED}_3")


def test_images_of_a_lost_journal_are_adopted(done: Project, web: Web) -> None:
    """Without its journal (copied by hand, say) a folder's images are judged and kept, not fetched."""
    (done.result / "red" / ".journal.jsonl").unlink()
    (done.result / "red" / "Images" / f"{RED}_1.jpg").write_bytes(b"garbage")
    asked = len(web.requests)
    done.run()
    assert {f"/{n}" for n in range(URLS) if n % 5 == 0} | {"/1"} == {r.path for r in web.requests[asked:]}
    check_complete(done)


@pytest.mark.parametrize("spoil", ["garbage", "empty", "torn"])
def test_spoilt_journal(done: Project, web: Web, spoil: str) -> None:
    """A journal that was spoilt costs no image."""
    path = done.result / "red" / ".journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(
        {"garbage": os.urandom(5_000), "empty": b"", "torn": whole[: len(whole) * 2 // 3]}[spoil]
    )
    asked = len(web.requests)
    assert done.run().code == 0
    assert not {request.path for request in web.requests[asked:]} & {f"/{n}" for n in range(URLS) if n % 5}
    check_complete(done)


def test_save_dir_that_is_a_file(project: Project) -> None:
    """A result folder that cannot be is exit code 2, and the message says what to do."""
    project.category(RED, "red")
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    project.result.write_text("I am a file")
    finished = project.run()
    assert finished.code == 2
    assert "--save_dir" in finished.err
    assert "Traceback" not in finished.err


def test_few_open_files(slow_project: Project) -> None:
    """With few file descriptors fewer images are in flight, the screen says so, and nothing fails."""
    finished = slow_project.run(prefix=("bash", "-c", 'ulimit -n 256; exec "$0" "$@"'))
    assert "open files allow" in finished.out
    check_complete(slow_project)


@pytest.fixture
def full_disk(project: Project) -> Iterator[Callable[[int], None]]:
    """Give the result folder a file system of its own, of a few kilobytes."""
    mounted = []

    def mount(kilobytes: int) -> None:
        project.result.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(project.result)]
        if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small file system")
        mounted.append(project.result)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(slow_project: Project, full_disk: Callable[[int], None], web: Web) -> None:
    """On a full disk the run stops and says so, what is there is sound, and a run with room goes on."""
    for number in range(URLS):
        if number % 5:
            web.answer(f"/{number}", Answer(body=pictures.jpeg(640, 480, seed=number)))
    full_disk(400)
    finished = slow_project.run()
    assert finished.code == 1
    assert "make room" in finished.err.lower()
    assert "Traceback" not in finished.err
    for path in (slow_project.result / "red" / "Images").iterdir():
        with Image.open(path) as image:
            image.load()
    subprocess.run(["mount", "-o", "remount,size=20m", str(slow_project.result)], check=True)
    assert slow_project.run().code == 0
    assert len(slow_project.images("red")) == URLS - URLS // 5


def test_lock_is_a_lock_of_the_system(tmp_path: Path, project: Project) -> None:
    """The lock is held by the system, so that whoever holds it otherwise is respected, too."""
    project.category(RED, "red")
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    project.result.mkdir()
    with (project.result / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert project.run().code == 2
    assert project.run().code == 1  # its only image is dead


def test_memory_is_bounded(project: Project, web: Web) -> None:
    """Many endless bodies at once are cut off at the cap, and do not pile up in memory."""
    project.category(RED, "red")
    web.otherwise(Answer(body=b"\xff\xd8\xff" + bytes(60_000), endless=True))
    for number in range(24):
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    finished = project.run("--timeout", "20", "--retries", "0", prefix=(sys.executable, "-c", WEIGH))
    assert {row["reason"] for row in project.report("red")} == {"too_large"}, finished.err
    assert int(finished.err.splitlines()[-1]) < 400_000


def test_one_broken_folder_costs_only_its_category(project: Project, web: Web) -> None:
    """A category whose folder cannot be worked with is said and left out; the others are downloaded."""
    for number in (1, 2, 3):
        project.category(f"n0000000{number}", f"colour {number}")
        web.answer(f"/{number}", Answer.jpeg(pictures.jpeg(seed=number)))
        project.url(f"n0000000{number}_1", web.url(f"/{number}"))
    (project.result / "colour_1").mkdir(parents=True)
    (project.result / "colour_1" / "Images").write_text("I am a file")
    (project.result / "colour_2" / "colour_2_download_report.csv").mkdir(parents=True)
    finished = project.run()
    assert finished.code == 1
    assert "Traceback" not in finished.err
    assert "colour_1: Cannot work with" in finished.err
    assert "colour_2: Cannot work with" in finished.err
    assert project.images("colour_2") == {"n00000002_1.jpg"}
    assert project.images("colour_3") == {"n00000003_1.jpg"}
    assert project.report("colour_3")[0]["status"] == "downloaded"


def test_many_categories_need_few_files(project: Project, web: Web) -> None:
    """Hundreds of categories on slow hosts do not use up the file descriptors."""
    for number in range(300):
        code = f"n{number:08d}"
        project.category(code, f"colour {number}")
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number % 7) + b"%d" % number, delay=0.3))
        project.url(f"{code}_1", web.url(f"/{number}"))
    finished = project.run("--verbose", "False", prefix=("bash", "-c", 'ulimit -n 128; exec "$0" "$@"'))
    assert finished.code == 0, finished.err
    assert len(list(project.result.glob("*/Images/*.jpg"))) == 300


def test_image_saved_by_a_worker_that_died_is_not_forgotten(project: Project, web: Web) -> None:
    """With --fill, an image that a worker saved before it was killed counts: there are never too many."""
    for round_number in range(3):
        code = f"n0000001{round_number}"
        project.category(code, f"colour {round_number}", how_many=6)
        for number in range(30):
            web.answer(f"/{code}{number}", Answer(body=pictures.jpeg(seed=number), delay=0.05))
            project.url(f"{code}_{number}", web.url(f"/{code}{number}"))
        with project.start("--fill", "--categories", code, "--batch_size", "4") as process:
            folder = project.result / f"colour_{round_number}" / "Images"
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not (folder.exists() and any(folder.glob("*.jpg"))):
                time.sleep(0.001)
            os.kill(workers(process)[0], signal.SIGKILL)
            process.communicate()
        assert process.returncode == 0
        assert len(project.images(f"colour_{round_number}")) == 6
        saved = [r for r in project.report(f"colour_{round_number}") if r["status"] == "downloaded"]
        assert len(saved) == 6
