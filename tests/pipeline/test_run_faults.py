"""Signals, kills, full disks, locks and damaged files never lose a finished image."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.machine import wait_until, with_mounts, without_shared_memory
from tests.pictures import slow_bmp
from tests.project import ALONE, Project, RunningScript
from utils.annotations import voc_xml

RED = "n00000001"
MEASURE_MEMORY = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
"""Runs a command, and prints the kilobytes that its largest process used."""
URLS = 25
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, ulimit and /proc are POSIX")


@pytest.fixture
def slow_project(project: Project, web: Web) -> Project:
    """Make a project of 25 URLs with delayed answers, every fifth dead, every third annotated."""
    return offer(project, web, lambda number: 0.1 + number % 7 / 20)


@pytest.fixture
def done(project: Project, web: Web) -> Project:
    """Make a project after a finished run."""
    project.always = ALONE
    offer(project, web, lambda _number: 0.0)
    assert project.run().code == 0
    check_complete(project)
    return project


def offer(project: Project, web: Web, delay: Callable[[int], float]) -> Project:
    """Add 25 URLs, every fifth dead, every third annotated."""
    project.category(RED, "red")
    for number in range(URLS):
        if number % 5:
            web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=delay(number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        if number % 3 == 0:
            project.annotate(f"{RED}_{number}", (1, 1, 20, 20))
    return project


def check_sound(project: Project) -> None:
    """Check that images, annotations and report agree, and that all images decode."""
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
    """Check that the result is that of an undisturbed run."""
    check_sound(project)
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in range(URLS) if number % 5}
    assert project.xmls("red") == {f"{RED}_{n}.xml" for n in range(URLS) if n % 3 == 0 and n % 5}


def wait_for_images(project: Project, how_many: int) -> None:
    """Wait until a run has saved this many images."""
    folder = project.result / "red" / "Images"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if folder.exists() and len([path for path in folder.iterdir() if path.suffix == ".jpg"]) >= how_many:
            return
        time.sleep(0.01)
    raise AssertionError("the run saves nothing")


def workers(process: RunningScript) -> list[int]:
    """Return the worker processes of a run."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.parametrize(
    ("names", "code"),
    [(["SIGINT"], 130), (["SIGTERM", "SIGTERM", "SIGHUP"], 143)],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
def test_signal(slow_project: Project, names: list[str], code: int) -> None:
    """Signals end the run with complete reports and the exit code of the first one.

    A program like `timeout` sends a signal to the process and to its group.
    """
    with slow_project.start("--batch_size", "4") as process:
        wait_for_images(slow_project, 5)
        for name in names:
            os.killpg(process.pid, getattr(signal, name))
            time.sleep(0.05)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert "at once" not in errors
    check_sound(slow_project)
    record = json.loads((slow_project.result / "run.json").read_text(encoding="utf-8"))
    assert (record["exit_code"], record["categories"]["red"]["saved"] >= 5) == (code, True)
    left = [row for row in slow_project.report("red") if row["status"] == "not_attempted"]
    assert left
    assert {row["reason"] for row in left} == {"interrupted"}
    assert slow_project.run().code == 0
    check_complete(slow_project)


def test_second_interrupt(slow_project: Project) -> None:
    """A second Ctrl-C ends the run and its workers at once; the next run completes the result."""
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


def test_killed_worker_is_replaced(slow_project: Project) -> None:
    """A killed worker is replaced, and its images are downloaded all the same."""
    with slow_project.start() as process:
        wait_for_images(slow_project, 3)
        os.kill(workers(process)[0], signal.SIGKILL)
        _, errors = process.communicate()
    assert process.returncode == 0
    assert errors == ""
    check_complete(slow_project)


def test_second_run_is_refused(slow_project: Project) -> None:
    """A second run into the same folder exits with code 2; a killed run leaves no lock."""
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


def test_changed_files(done: Project, web: Web) -> None:
    """A file that was emptied, changed or deleted is downloaded again; a touched one is not."""
    images = done.result / "red" / "Images"
    (images / f"{RED}_1.jpg").write_bytes(b"")
    (images / f"{RED}_2.jpg").write_bytes(b"no image " * 100)
    (images / f"{RED}_3.jpg").unlink()
    (images / f"{RED}_4.jpg").touch()
    requested = len(web.requests)
    done.run()
    assert {request.path for request in web.requests[requested:]} == {"/1", "/2", "/3"}
    check_complete(done)


def test_deleted_xml(done: Project, web: Web) -> None:
    """A deleted XML is written again without a download; one without an image is removed."""
    folder = done.result / "red" / "Annotation"
    (folder / f"{RED}_3.xml").unlink()
    (folder / f"{RED}_999.xml").write_text("<annotation/>")
    requested = len(web.requests)
    done.run()
    assert len(web.requests) == requested
    check_complete(done)
    assert voc_xml.parse((folder / f"{RED}_3.xml").read_bytes(), f"{RED}_3")


def test_lost_journal(done: Project, web: Web) -> None:
    """Images of a folder without a journal are validated and kept, not downloaded again."""
    (done.result / "red" / ".journal.jsonl").unlink()
    (done.result / "red" / "Images" / f"{RED}_1.jpg").write_bytes(b"garbage")
    requested = len(web.requests)
    done.run()
    assert {f"/{n}" for n in range(URLS) if n % 5 == 0} | {"/1"} == {r.path for r in web.requests[requested:]}
    check_complete(done)


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut"])
def test_damaged_journal(done: Project, web: Web, damage: str) -> None:
    """A damaged journal loses no image."""
    path = done.result / "red" / ".journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(
        {"garbage": os.urandom(5_000), "empty": b"", "cut": whole[: len(whole) * 2 // 3]}[damage]
    )
    requested = len(web.requests)
    assert done.run().code == 0
    assert not {request.path for request in web.requests[requested:]} & {
        f"/{n}" for n in range(URLS) if n % 5
    }
    check_complete(done)


def test_save_dir_that_is_a_file(project: Project) -> None:
    """A file in place of the result folder gives exit code 2, and a message that names the flag."""
    project.category(RED, "red")
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    project.result.write_text("I am a file")
    finished = project.run()
    assert finished.code == 2
    assert "--save_dir" in finished.err
    assert "Traceback" not in finished.err


def test_few_open_files(slow_project: Project) -> None:
    """A low limit of open files reduces the concurrency, with a message, and fails nothing."""
    finished = slow_project.run(prefix=("bash", "-c", 'ulimit -n 256; exec "$0" "$@"'))
    assert "open files allow" in finished.out
    check_complete(slow_project)


def test_system_lock(tmp_path: Path, project: Project) -> None:
    """The lock is one of the system, so that a lock of any other program counts."""
    project.category(RED, "red")
    project.url(f"{RED}_1", "http://127.0.0.1:1/")
    project.result.mkdir()
    with (project.result / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert project.run().code == 2
    assert project.run().code == 1  # its only image is dead


def test_memory(project: Project, web: Web) -> None:
    """Many endless bodies at once are cut at the size limit, and do not fill the memory."""
    project.category(RED, "red")
    web.otherwise(Answer(body=b"\xff\xd8\xff" + bytes(60_000), endless=True))
    for number in range(24):
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    finished = project.run("--timeout", "20", "--retries", "0", prefix=(sys.executable, "-c", MEASURE_MEMORY))
    assert {row["reason"] for row in project.report("red")} == {"too_large"}, finished.err
    assert int(finished.err.splitlines()[-1]) < 400_000


def test_broken_folder(project: Project, web: Web) -> None:
    """A category whose folder cannot be used is reported; the others are downloaded."""
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


def test_many_categories_with_few_open_files(project: Project, web: Web) -> None:
    """Many categories on slow hosts need few open files."""
    for number in range(150):
        code = f"n{number:08d}"
        project.category(code, f"colour {number}")
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number % 7) + b"%d" % number, delay=0.3))
        project.url(f"{code}_1", web.url(f"/{number}"))
    finished = project.run("--verbose", "False", prefix=("bash", "-c", 'ulimit -n 128; exec "$0" "$@"'))
    assert finished.code == 0, finished.err
    assert len(list(project.result.glob("*/Images/*.jpg"))) == 150


def test_killed_worker_during_fill(project: Project, web: Web) -> None:
    """With --fill, a killed worker leads to neither more nor fewer images than requested."""
    project.category(RED, "red", how_many=6)
    for number in range(30):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.2))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
    with project.start("--fill", "--batch_size", "4") as process:
        wait_for_images(project, 1)
        os.kill(workers(process)[0], signal.SIGKILL)
        process.communicate()
    assert process.returncode == 0
    assert len(project.images("red")) == 6
    assert [row["status"] for row in project.report("red")].count("downloaded") == 6


def test_no_shared_memory(project: Project, web: Web, tmp_path: Path) -> None:
    """A run needs no /dev/shm, which minimal containers lack."""
    offer(project, web, lambda _number: 0.0)
    finished = project.run(prefix=with_mounts(without_shared_memory(tmp_path / "devices")))
    assert (finished.code, finished.err) == (0, "")
    check_complete(project)


def decoders(parent: int) -> list[int]:
    """Return the process ids of a run's decoders."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"decoder_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.parametrize("flags", [ALONE, (*ALONE, "--export", "imagefolder"), ("--verify",)], ids="/".join)
def test_interrupted_while_decoding(project: Project, web: Web, flags: tuple[str, ...]) -> None:
    """A run without workers and `--verify` end at a signal, although a decoder would go on for seconds."""
    web.answer("/1", Answer.jpeg(slow_bmp()))
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/1"))
    image = project.result / "red" / "Images" / f"{'own' if '--export' in flags else RED}_1.bmp"
    if flags != ALONE:
        image.parent.mkdir(parents=True)
        image.write_bytes(slow_bmp())
    with project.start(*flags) as process:
        wait_until(lambda: decoders(process.pid))
        (decoder,) = decoders(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    wait_until(lambda: not Path(f"/proc/{decoder}").exists())
    if flags == ALONE:
        assert [row["reason"] for row in project.report("red")] == ["interrupted"]
    else:
        assert image.exists()  # it was not found invalid


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no safe path")
def test_modules_in_the_working_directory(project: Project, web: Web) -> None:
    """Worker processes import no modules of the working directory in place of Python's."""
    web.answer("/1", Answer.jpeg(pictures.jpeg(seed=1)))
    project.category(RED, "red")
    project.url(f"{RED}_1", web.url("/1"))
    folder = project.path / "working directory"
    folder.mkdir()
    for name in ("queue", "random", "threading", "utils"):
        (folder / f"{name}.py").write_text("raise SystemError")
    finished = project.run(prefix=("env", "-C", str(folder), "-u", "PYTHONSAFEPATH"))
    assert (finished.code, finished.err) == (0, "")
    assert project.images("red") == {f"{RED}_1.jpg"}
