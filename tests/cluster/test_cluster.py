"""Many machines make the same result folder as one, whichever of them is killed."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.answers import Answer
from demo.comparison import compare
from demo.demo_web import DemoWeb
from demo.web import Web
from tests.cluster.dask_cluster import Machines, machines
from tests.machine import group_of, wait_until
from tests.project import GALLERY_FILES, Project
from tests.slow_urls import RED, offer

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")

URLS = 60
ALIVE = {number for number in range(URLS) if number % 3}


def impatient(limit: str) -> tuple[str, ...]:
    """Run the rest of the command line, and wait for two seconds where it would wait for a minute or half."""
    return (
        sys.executable,
        "-c",
        "import os, sys; script = sys.argv[2]; del sys.argv[1:3]; "
        "sys.path.insert(0, os.path.dirname(script)); "
        f"from utils.cluster import dask_workers, fleet; {limit} = 2.0; "
        "from utils.cli.extract import main; sys.exit(main())",
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Machines]:
    """Give a scheduler and two workers, to be killed."""
    with machines(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def retry_policy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Give a scheduler and two workers that nothing happens to."""
    with machines(tmp_path_factory.mktemp("lasting")) as found:
        yield found


@pytest.fixture
def offered(project: Project, web: Web) -> Project:
    """Offer sixty URLs, every third dead, every fourth annotated, none answered at once."""
    offer(project, web, URLS, ALIVE, boxed_every=4, delay=lambda number: 0.3 + number % 7 / 10)
    return project


def tree(project: Project) -> dict[str, bytes]:
    """Give all files that a run is for, hidden ones, too: none may be left over."""
    found = {}
    for path in sorted(project.result.rglob("*")):
        if path.is_file() and path.name not in (*GALLERY_FILES, ".journal.jsonl"):
            found[path.relative_to(project.result).as_posix()] = path.read_bytes()
    return {name: data for name, data in found.items() if not name.endswith(".csv")}


def assert_all_there(project: Project) -> None:
    """See that every living image is there with its boxes, and nothing else, and each URL has its row."""
    assert {name.partition(".")[0] for name in project.images("red")} == {f"{RED}_{one}" for one in ALIVE}
    assert {name.partition(".")[0] for name in project.xmls("red")} == {
        f"{RED}_{one}" for one in ALIVE if one % 4 == 0
    }
    statuses = {row["image_code"]: row["status"] for row in project.report("red")}
    assert len(statuses) == URLS
    for number in range(URLS):
        is_saved = statuses[f"{RED}_{number}"] in ("downloaded", "already_present")
        assert is_saved == (number in ALIVE)
    assert not (project.result / ".shards").exists()


def statuses(project: Project) -> Counter[str]:
    """Count the rows of the report by their status."""
    return Counter(row["status"] for row in project.report("red"))


def saved(project: Project) -> int:
    """Count the images that lie there."""
    return len(list((project.result / "red" / "Images").glob("[!.]*")))


def test_the_same_as_on_one_machine(tmp_path: Path, retry_policy: Machines) -> None:
    """On the demo's web two workers save the same files and tell the same of every URL."""
    with DemoWeb() as demo_web, contextlib.ExitStack() as both:
        projects, runs = [], []
        for name, flags in (("one", ()), ("many", ("--scheduler", retry_policy.address))):
            (tmp_path / name).mkdir()
            projects.append(Project(tmp_path / name))
            fetch(projects[-1], demo_web)
            run = projects[-1].start(*flags, "--timeout", "4", "--retries", "2")
            runs.append(both.enter_context(run))
        said = [run.communicate(timeout=200) for run in runs]
        assert [run.returncode for run in runs] == [0, 0], said
        for project in projects:
            assert [one for one in compare(project.result, demo_web.photos) if not one.is_right] == []
    one, many = projects
    assert tree(one) == tree(many)
    assert rows_of(one) == rows_of(many)
    assert "2 Dask workers" in said[1][0]
    assert "Dashboard: http://" in said[1][0]


def fetch(project: Project, demo_web: DemoWeb) -> None:
    """Put the demo's lists into a project, with all categories marked that have URLs."""
    script = "download_imagenet_prerequisites.py"
    sources = ("--urls_source", demo_web.urls_source, "--annotations_source", demo_web.annotations_source)
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, str(root / script), "--ncodes_dir", str(project.path), *sources]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    codes = {photo.code.partition("_")[0] for photo in demo_web.photos}
    for code in sorted(codes):
        project.category(code, f"kind {code}")
    with (project.path / "imageNetURLs.csv").open(newline="", encoding="utf-8") as file:
        project.rows = [list(row) for row in csv.reader(file)][1:]


def rows_of(project: Project) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Give what all reports say of each URL, but for what is different from run to run."""
    return {
        (row["image_code"], row["url"]): (row["status"], row["reason"], row["boxes"])
        for path in project.result.glob("*/*_download_report.csv")
        for row in project.report(path.parent.name)
    }


FILL = ("--fill", "True", "--how_many", "23")


def test_exactly_as_many_as_wanted(offered: Project, retry_policy: Machines, web: Web) -> None:
    """With --fill no image too many is saved, and none too few; what hangs holds up none of the others."""
    for number in (0, 3, 6):
        assert number not in ALIVE
        web.answer(f"/{number}", Answer(hang=True))
    finished = offered.run("--scheduler", retry_policy.address, *FILL, "--timeout", "300", timeout=100)
    assert finished.code == 0, finished.err
    assert saved(offered) == 23
    assert statuses(offered)["downloaded"] == 23


@pytest.mark.parametrize("kill", [Machines.kill_worker, Machines.kill_worker_alone])
def test_a_worker_is_killed_that_had_asked(
    offered: Project, cluster: Machines, kill: Callable[[Machines, int], None]
) -> None:
    """What was granted to it and not saved is granted to others: in the end none lacks, none is too many."""
    with offered.start("--scheduler", cluster.address, *FILL) as run:
        wait_until(lambda: saved(offered) > 2)
        kill(cluster, 0)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert saved(offered) == 23
    assert statuses(offered)["downloaded"] == 23


def test_a_worker_is_killed(offered: Project, cluster: Machines) -> None:
    """What it had is done by the others; what it had saved is not fetched again."""
    with offered.start("--scheduler", cluster.address) as run:
        wait_until(lambda: saved(offered) > 5)
        cluster.kill_worker(0)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert_all_there(offered)


def test_the_scheduler_is_killed(offered: Project, cluster: Machines) -> None:
    """The run ends with a sentence; what was saved is kept, and the next one does the rest."""
    with offered.start("--scheduler", cluster.address) as run:
        wait_until(lambda: saved(offered) > 5)
        cluster.kill_scheduler()
        _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "The Dask scheduler does not answer any more." in err
    assert "Traceback" not in err
    before = saved(offered)
    assert before > 5
    cluster.start()
    finished = offered.run("--scheduler", cluster.address)
    assert finished.code == 0, finished.err
    assert_all_there(offered)


def test_the_scheduler_stands_still(offered: Project, cluster: Machines) -> None:
    """One that says nothing for too long is as good as dead; nobody waits for its answer for ever."""
    with offered.start("--scheduler", cluster.address, prefix=impatient("workers.LONGEST_SILENCE")) as run:
        wait_until(lambda: saved(offered) > 5)
        cluster.suspend_scheduler()
        _, err = run.communicate(timeout=30)
    assert run.returncode == 1
    assert err.startswith("The Dask scheduler does not answer any more.")
    assert err.count("\n") == 1
    assert len(offered.report("red")) == URLS


@pytest.mark.parametrize("again", ["on many machines", "on one"])
def test_the_run_is_killed(offered: Project, retry_policy: Machines, again: str) -> None:
    """Its workers go on for as long as they may; the next run takes in what they leave."""
    with offered.start("--scheduler", retry_policy.address) as run:
        wait_until(lambda: saved(offered) > 5)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
    finished = offered.run(*(("--scheduler", retry_policy.address) if again == "on many machines" else ()))
    assert finished.code == 0, finished.err
    assert_all_there(offered)


def test_interrupted(offered: Project, retry_policy: Machines) -> None:
    """Ctrl-C ends it in good order within seconds; reports say what is there."""
    with offered.start("--scheduler", retry_policy.address) as run:
        wait_until(lambda: saved(offered) > 5)
        os.killpg(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "Interrupted. The reports are written" in err
    there = saved(offered)
    assert len(offered.report("red")) == URLS
    assert statuses(offered)["downloaded"] == there
    time.sleep(1.5)
    assert saved(offered) == there, "a worker went on"
    finished = offered.run("--scheduler", retry_policy.address)
    assert finished.code == 0, finished.err
    assert_all_there(offered)


def test_interrupted_while_shards_stand_still(offered: Project) -> None:
    """They are not waited for longer than for others; of a scheduler of the run's own no process is left."""
    with offered.start("--scheduler", "local") as run:
        wait_until(lambda: saved(offered) > 5)
        shards = [
            pid for pid in group_of(run.pid) if b"shard_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert shards
        for pid in shards:
            os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        os.kill(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=30)
    assert time.monotonic() - begun < 4  # two seconds, and the machine may be busy
    wait_until(lambda: not group_of(run.pid), 2)
    assert (run.returncode, err.splitlines()[0].split()[0]) == (130, "Interrupted.")
    assert len(offered.report("red")) == URLS


def test_a_straggler(offered: Project, cluster: Machines) -> None:
    """What a worker has that stands still is done by another; when it wakes up, it may do nothing more."""
    with offered.start("--scheduler", cluster.address, prefix=impatient("dask_executor.SILENCE")) as run:
        wait_until(lambda: saved(offered) > 5)
        cluster.suspend_worker(0)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert_all_there(offered)
    before = tree(offered)
    cluster.wake_worker(0)
    time.sleep(1.5)
    assert tree(offered) == before


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "tls://127.0.0.1:1"])
def test_no_scheduler(offered: Project, address: str) -> None:
    """An address where nobody answers is said so, in a sentence; nothing is left behind."""
    finished = offered.run("--scheduler", address)
    assert finished.code == 2
    assert finished.err.startswith(f"--scheduler {address} cannot be reached")
    assert "Traceback" not in finished.err
    assert finished.err.count("\n") == 1
    assert not (offered.result / ".shards").exists()


def test_without_dask(offered: Project, tmp_path: Path) -> None:
    """Who lacks it is told what to install; an ordinary run does not even look for it."""
    (tmp_path / "lacks").mkdir()
    (tmp_path / "lacks" / "distributed.py").write_text("raise ImportError\n")
    lacking = ("env", f"PYTHONPATH={tmp_path / 'lacks'}")
    finished = offered.run("--scheduler", "local", prefix=lacking)
    assert finished.code == 2
    assert finished.err.startswith("--scheduler needs Dask, which is not installed: pip install")
    assert finished.err.count("\n") == 1
    assert offered.run(prefix=lacking).code == 0
    assert_all_there(offered)


@pytest.mark.parametrize(
    "flags",
    [("--source", "archive", "--accept_imagenet_terms", "True"), ("--parallel", "False"), ("--verify",)],
)
def test_what_makes_no_sense_with_it(offered: Project, flags: tuple[str, ...]) -> None:
    """It is said so before anything is done."""
    finished = offered.run("--scheduler", "tcp://127.0.0.1:1", *flags)
    assert finished.code == 2
    assert "--scheduler" in finished.err.splitlines()[-1]
    assert not offered.result.exists()


def test_an_empty_address_is_no_wish_for_one_machine(offered: Project) -> None:
    """In a job's script `--scheduler "$SCHEDULER"` is empty where nobody has set that."""
    finished = offered.run("--scheduler", "")
    assert finished.code == 2
    assert "--scheduler" in finished.err.splitlines()[-1]
    assert not offered.result.exists()


def test_proxies_are_the_workers_own(offered: Project, retry_policy: Machines, web: Web) -> None:
    """A proxy of the run's environment is not theirs, and that is said."""
    finished = offered.run(
        "--scheduler", retry_policy.address, prefix=("env", f"http_proxy={web.url('/')}", "no_proxy=nowhere")
    )
    assert finished.code == 0, finished.err
    assert "The workers take proxies from their own environment, not from the http_proxy" in finished.out
    assert_all_there(offered)
