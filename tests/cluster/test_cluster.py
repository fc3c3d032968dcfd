"""Runs with `--scheduler` make the same result folder as runs on one machine, whatever is killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.answers import Answer
from demo.comparison import compare
from demo.demo_web import DemoWeb
from demo.input_files import annotation_xml
from demo.pictures import Kind
from demo.web import Web
from tests.cluster.dask_cluster import CONFIGURATION, DaskCluster, dask_cluster
from tests.copies import lookalikes
from tests.machine import process_group, wait_until
from tests.project import ALONE, GALLERY_FILES, Project, RunningScript
from tests.slow_urls import RED, add_slow_urls
from utils.results.host_limits import HOSTS_NAME

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("distributed"), reason="needs Dask"),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc"),
]

URLS, WANTED = 40, 15
ALIVE = {number for number in range(URLS) if number % 3}
FILL = ("--fill", "True", "--how_many", str(WANTED))
IMPATIENT = (
    sys.executable,
    "-c",
    "import os, sys; script = sys.argv[2]; del sys.argv[1:3]; "
    "sys.path.insert(0, os.path.dirname(script)); "
    "from utils.cluster import connection; connection.MAX_SILENCE = 2.0; "
    "from utils.cli.extract import main; sys.exit(main())",
)
"""The beginning of a command line whose run waits two seconds for a scheduler that does not answer."""


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Give a cluster that is started when it is needed: Dask's imports take long."""
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def cluster(shared_cluster: DaskCluster) -> DaskCluster:
    """Run a scheduler and two workers; those that another test has killed are started again."""
    shared_cluster.start()
    return shared_cluster


@pytest.fixture
def slow_project(project: Project, web: Web) -> Project:
    """Add forty URLs with delays, every third dead, every fourth annotated."""
    add_slow_urls(project, web, URLS, ALIVE, boxed_every=4, delay=lambda number: 0.3 + number % 7 / 10)
    return project


def saved(project: Project) -> int:
    """Count the images under their final names."""
    return len(list((project.result / "red" / "Images").glob("[!.]*")))


def statuses(project: Project) -> Counter[str]:
    """Count the statuses in the report."""
    return Counter(row["status"] for row in project.report("red"))


def tree(project: Project) -> dict[str, bytes]:
    """Return all files of the result folder except the gallery, journals, reports and limits of hosts."""
    return {
        path.relative_to(project.result).as_posix(): path.read_bytes()
        for path in sorted(project.result.rglob("*"))
        if path.is_file()
        and path.name not in (*GALLERY_FILES, HOSTS_NAME)
        and path.suffix not in (".jsonl", ".csv")
    }


def check_complete(project: Project) -> None:
    """Check that all working images are saved with their boxes, each URL has a row, and nothing is left."""
    assert {name.partition(".")[0] for name in project.images("red")} == {f"{RED}_{one}" for one in ALIVE}
    assert {name.partition(".")[0] for name in project.xmls("red")} == {
        f"{RED}_{one}" for one in ALIVE if one % 4 == 0
    }
    by_code = {row["image_code"]: row["status"] for row in project.report("red")}
    assert len(by_code) == URLS
    for number in range(URLS):
        is_saved = by_code[f"{RED}_{number}"] in ("downloaded", "already_present")
        assert is_saved == (number in ALIVE)
    assert project.folders() == {"red"}


def check_filled(project: Project) -> None:
    """Check that there are exactly as many images as wanted, and nothing else is left."""
    assert saved(project) == WANTED
    counts = statuses(project)
    assert counts["downloaded"] + counts["already_present"] == WANTED
    assert project.folders() == {"red"}
    assert {name.partition(".")[0] for name in project.xmls("red")} <= {
        name.partition(".")[0] for name in project.images("red")
    }


@contextlib.contextmanager
def running(project: Project, *flags: str, prefix: tuple[str, ...] = ()) -> Iterator[RunningScript]:
    """Start a run, and wait until it has saved some images."""
    with project.start(*flags, prefix=prefix) as run:
        try:
            wait_until(lambda: saved(project) > 5, 120)
            yield run
        finally:
            run.kill()


def test_same_result_as_on_one_machine(tmp_path: Path, cluster: DaskCluster) -> None:
    """Two workers save the same files of the demo, and report the same about every URL."""
    with DemoWeb() as demo_web, contextlib.ExitStack() as both:
        projects, runs = [], []
        for name, flags in (("one", ()), ("many", ("--scheduler", cluster.address))):
            (tmp_path / name).mkdir()
            projects.append(Project(tmp_path / name))
            add_demo(projects[-1], demo_web)
            run = projects[-1].start(*flags, "--timeout", "4", "--retries", "1")
            runs.append(both.enter_context(run))
        outputs = [run.communicate(timeout=200) for run in runs]
        assert [run.returncode for run in runs] == [0, 0], outputs
        for project in projects:
            assert [one for one in compare(project.result, demo_web.photos) if not one.is_right] == []
    one, many = projects
    assert tree(one) == tree(many)
    assert report_rows(one) == report_rows(many)
    assert "2 Dask workers" in outputs[1][0]
    assert "Dashboard: http://" in outputs[1][0]


def test_excluded_images(project: Project, web: Web, cluster: DaskCluster) -> None:
    """Images in `excluded.txt` are not given to workers; with --fill others take their places."""
    add_slow_urls(project, web, 6, set(range(6)), boxed_every=7, delay=lambda _number: 0.0)
    project.result.mkdir()
    (project.result / "excluded.txt").write_text(f"{RED}_0\n{RED}_2.jpg\n")
    done = project.run("--scheduler", cluster.address, "--fill", "True", "--how_many", "4")
    assert done.code == 0, done.err
    assert project.images("red") == {f"{RED}_{number}.jpg" for number in (1, 3, 4, 5)}
    excluded = [row["image_code"] for row in project.report("red") if row["reason"] == "excluded"]
    assert excluded == [f"{RED}_0", f"{RED}_2"]
    assert len(web.requests) == 4


def test_copies(project: Project, cluster: DaskCluster) -> None:
    """Workers of the cluster read copies under the same path, and save what one machine does."""
    packed, rows = project.path / "packed", project.path / "rows"
    lookalikes.LAYOUTS["compressed tar of tars"](packed)
    another = {"image": {"bytes": lookalikes.jpeg(7), "path": f"{lookalikes.FISH}_7.JPEG"}, "label": 0}
    lookalikes.write_parquet(rows / "train.parquet", [another])
    xml = lookalikes.write_files(project.path / "boxes", lookalikes.boxes())
    for code, name in ((lookalikes.FISH, "tench"), (lookalikes.DOG, "Chihuahua")):
        project.category(code, name)
    flags = ("--copy", str(packed), str(rows), str(xml))
    assert project.run(*flags, "--scheduler", cluster.address, timeout=200).code == 0
    many = tree(project)
    assert (len(project.images("tench")), len(project.images("Chihuahua"))) == (6, 5)
    shutil.rmtree(project.result)
    assert project.run(*flags, *ALONE).code == 0
    assert tree(project) == many


def add_demo(project: Project, demo_web: DemoWeb) -> None:
    """Add two categories of the demo, enough for two shards, with their URLs and annotations."""
    kinds = list(Kind)[:2]
    for kind in kinds:
        project.category(kind.value, f"kind {kind.value}")
    for photo in demo_web.photos:
        if photo.kind not in kinds:
            continue
        project.url(photo.code, photo.url)
        for label in {box.label for box in photo.drawing.boxes if photo.annotated}:
            project.annotations.setdefault(label, {})[photo.code] = annotation_xml(
                photo.code, photo.kind, photo.drawing
            ).encode()


def report_rows(project: Project) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Return what all reports state about each URL, except for what differs from run to run."""
    return {
        (row["image_code"], row["url"]): (row["status"], row["reason"], row["boxes"])
        for path in project.result.glob("*/*_download_report.csv")
        for row in project.report(path.parent.name)
    }


def test_exactly_as_many_as_wanted(slow_project: Project, cluster: DaskCluster, web: Web) -> None:
    """With --fill no image is missing or surplus, and URLs that hang delay nothing."""
    for number in (0, 3, 6):
        assert number not in ALIVE
        web.answer(f"/{number}", Answer(hang=True))
    finished = slow_project.run("--scheduler", cluster.address, *FILL, "--timeout", "300", timeout=100)
    assert finished.code == 0, finished.err
    check_filled(slow_project)
    wait_until(lambda: not cluster.shard_processes())


def test_worker_is_killed(slow_project: Project, cluster: DaskCluster) -> None:
    """First the processes that a worker has started, then a worker without them: others do the work."""
    with running(slow_project, "--scheduler", cluster.address) as run:
        cluster.kill_children(cluster.busy_worker())
        there = saved(slow_project)
        wait_until(lambda: saved(slow_project) > there, 60)
        cluster.kill_worker(cluster.busy_worker())
        _, err = run.communicate(timeout=100)
    assert (run.returncode, err) == (0, "")
    check_complete(slow_project)
    wait_until(lambda: not cluster.shard_processes())


def test_run_is_killed(slow_project: Project, cluster: DaskCluster) -> None:
    """Shards end by themselves; the next run keeps the saved images and does the rest."""
    with running(slow_project, "--scheduler", cluster.address, *FILL) as run:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
    before = tree(slow_project)
    finished = slow_project.run("--scheduler", cluster.address, *FILL)
    assert finished.code == 0, finished.err
    check_filled(slow_project)
    final = {name: data for name, data in before.items() if name.startswith("red/Images/")}
    assert final.items() <= tree(slow_project).items()
    wait_until(lambda: not cluster.shard_processes())
    assert slow_project.folders() == {"red"}


def test_interrupted(slow_project: Project, cluster: DaskCluster) -> None:
    """Ctrl-C ends the run in order: the report agrees with the saved images, and shards end, too."""
    with running(slow_project, "--scheduler", cluster.address) as run:
        os.killpg(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert err == "Interrupted. The reports are written; run the same command again to continue.\n"
    there = saved(slow_project)
    assert len(slow_project.report("red")) == URLS
    assert statuses(slow_project)["downloaded"] == there
    wait_until(lambda: not cluster.shard_processes())
    assert saved(slow_project) == there
    assert slow_project.folders() == {"red"}


def test_interrupted_while_shards_are_suspended(slow_project: Project) -> None:
    """The run does not wait for them; with `--scheduler local` no process is left."""
    slow_project.environment = CONFIGURATION
    with running(slow_project, "--scheduler", "local") as run:
        shards = [
            pid
            for pid in process_group(run.pid)
            if b"shard_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert shards
        for pid in shards:
            os.kill(pid, signal.SIGSTOP)
        os.kill(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=60)
    wait_until(lambda: not process_group(run.pid))
    assert (run.returncode, err.splitlines()[0].split()[0]) == (130, "Interrupted.")
    assert len(slow_project.report("red")) == URLS
    assert slow_project.folders() == {"red"}


def test_worker_is_suspended(slow_project: Project, cluster: DaskCluster) -> None:
    """Others do its work; when it is resumed, it changes nothing any more."""
    with running(slow_project, "--scheduler", cluster.address) as run:
        suspended = cluster.busy_worker()
        cluster.suspend_worker(suspended)
        try:
            _, err = run.communicate(timeout=100)
            before = tree(slow_project)
        finally:
            cluster.resume_worker(suspended)
    assert (run.returncode, err) == (0, "")
    check_complete(slow_project)
    wait_until(lambda: not cluster.shard_processes())
    assert tree(slow_project) == before
    assert slow_project.folders() == {"red"}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "tls://127.0.0.1:1"])
def test_no_scheduler(slow_project: Project, address: str) -> None:
    """An address without a scheduler is an error in a sentence; nothing is left."""
    finished = slow_project.run("--scheduler", address)
    assert finished.code == 2
    assert finished.err.startswith(f"--scheduler {address} cannot be reached")
    assert "Traceback" not in finished.err
    assert finished.err.count("\n") == 1
    assert slow_project.folders() == set()


def test_without_dask(slow_project: Project, tmp_path: Path) -> None:
    """The error says what to install; a run on one machine does not need it."""
    (tmp_path / "lacks").mkdir()
    (tmp_path / "lacks" / "distributed.py").write_text("raise ImportError\n")
    lacking = ("env", f"PYTHONPATH={tmp_path / 'lacks'}")
    finished = slow_project.run("--scheduler", "local", prefix=lacking)
    assert finished.code == 2
    assert finished.err.startswith("--scheduler needs Dask, which is not installed: pip install")
    assert finished.err.count("\n") == 1
    assert slow_project.run("--how_many", "3", *ALONE, prefix=lacking).code == 0
    assert saved(slow_project) == 2


@pytest.mark.parametrize(
    "flags",
    [("--source", "archive", "--accept_imagenet_terms", "True"), ("--parallel", "False"), ("--verify",)],
)
def test_flags_that_exclude_it(slow_project: Project, flags: tuple[str, ...]) -> None:
    """They are refused before anything is done."""
    finished = slow_project.run("--scheduler", "tcp://127.0.0.1:1", *flags)
    assert finished.code == 2
    assert "--scheduler" in finished.err.splitlines()[-1]
    assert not slow_project.result.exists()


def test_empty_address(slow_project: Project) -> None:
    """`--scheduler "$SCHEDULER"` with an unset variable is an error."""
    finished = slow_project.run("--scheduler", "")
    assert finished.code == 2
    assert "--scheduler" in finished.err.splitlines()[-1]
    assert not slow_project.result.exists()


def test_proxies_of_the_workers(project: Project, cluster: DaskCluster, web: Web) -> None:
    """A proxy in the run's environment is not used by workers, and the user is told so."""
    add_slow_urls(project, web, 3, {0, 1, 2}, boxed_every=4, delay=lambda _number: 0.0)
    project.environment = {"http_proxy": "http://127.0.0.1:1", "no_proxy": "nowhere"}
    finished = project.run("--scheduler", cluster.address)
    assert finished.code == 0, finished.err
    assert "The workers take proxies from their own environment, not from the http_proxy" in finished.out
    assert saved(project) == 3


def test_scheduler_is_suspended(slow_project: Project, cluster: DaskCluster) -> None:
    """A scheduler that is silent for too long counts as gone."""
    with running(slow_project, "--scheduler", cluster.address, prefix=IMPATIENT) as run:
        cluster.suspend_scheduler()
        try:
            _, err = run.communicate(timeout=60)
        finally:
            cluster.resume_scheduler()
    assert run.returncode == 1
    assert err.startswith("The Dask scheduler does not answer any more.")
    assert err.count("\n") == 1
    assert len(slow_project.report("red")) == URLS


def test_scheduler_is_killed(slow_project: Project, cluster: DaskCluster) -> None:
    """The run ends with a sentence; saved images are kept, and a run on one machine does the rest."""
    with running(slow_project, "--scheduler", cluster.address) as run:
        cluster.kill_scheduler()
        _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert err.startswith("The Dask scheduler does not answer any more.")
    assert err.count("\n") == 1
    before = tree(slow_project)
    assert len(before) > 5
    assert slow_project.folders() == {"red"}
    finished = slow_project.run()
    assert finished.code == 0, finished.err
    check_complete(slow_project)
    assert before.items() <= tree(slow_project).items()
