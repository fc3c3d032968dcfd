"""`download_imagenet_prerequisites.py` as a user runs it: exit codes, interruptions, kills."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from demo.web import Answer, Request, Web, resumable
from tests.machine import wait_until
from tests.prerequisites.helpers import ROWS, TXT, WHOLE, ended, names, offer, rows_in, run, start

LONG = b"".join(b"n%08d_%d\thttp://a.example/%d.jpg\n" % (n // 500, n, n) for n in range(10_000))
KILLS = 3
SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and pipes are POSIX's")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder for the three."""
    return tmp_path / "home"


def begin_of(request: Request) -> int:
    """Say from which byte on a client wants the file."""
    return int(request.headers.get("range", "bytes=0-")[6:-1])


def test_a_newcomers_run(home: Path, web: Web) -> None:
    """All three are there after it, and it says so; once more, and nothing happens."""
    flags = offer(web)
    first = run(home, *flags)
    assert (first.code, first.err) == (0, "")
    assert names(home) == WHOLE
    assert first.out.splitlines() == [
        "ncodes.csv: written. Set to_download to True for the categories that you want.",
        f"imageNetURLs.csv: from {web.url('/list')}",
        "imageNetURLs.csv: 1,000 rows",
        f"annotation: from {web.url('/boxes')}",
        "annotation/: 2 archives written, 0 already present",
    ]
    again = run(home)
    assert (again.code, again.err) == (0, "")
    assert [line.split(" (")[0] for line in again.out.splitlines()] == [
        "ncodes.csv: already present",
        "imageNetURLs.csv: already present",
        "annotation/: already present",
    ]
    assert len(web.requests) == 2


def test_exit_codes_and_last_words(home: Path, tmp_path: Path) -> None:
    """1 when a source fails, 2 for a wrong flag or folder; one message, on stderr."""
    os.mkfifo(tmp_path / "pipe")
    bad = ("/no/such/file", str(tmp_path), str(tmp_path / "pipe"), "/dev/null")
    failing = run(home, "--only", "urls", *(word for path in bad for word in ("--urls_source", path)))
    assert failing.code == 1
    first, *tried, _network, _by_hand, _more, _still, last = failing.err.splitlines()
    assert first == "imageNetURLs.csv could not be downloaded. Tried:"
    assert [line.split(": it ")[0] for line in tried] == [f"  {path}" for path in bad]
    assert last == "Then run again with --urls_source and its path."
    (tmp_path / "file").touch()
    for flags in (
        ("--only", "everything"),
        ("--ncodes_dir", f"{tmp_path}/file"),
        ("--ncodes_dir", "~no-one/x"),
    ):
        wrong = run(home, *flags)
        assert wrong.code == 2
        assert flags[0] in wrong.err


def test_a_table_of_categories_that_is_a_folder(home: Path) -> None:
    """It is said in one sentence, with exit code 2."""
    (home / "ncodes.csv").mkdir(parents=True)
    stopped = run(home, "--only", "ncodes")
    said = f"{home / 'ncodes.csv'} exists, but is not a file. Move it away, and run again.\n"
    assert (stopped.code, stopped.err) == (2, said)


def test_an_interrupted_script_goes_on_where_it_stopped(home: Path, web: Web) -> None:
    """Each signal ends it with its exit code and a part, from which the next run goes on."""
    flags = ("--only", "urls", "--urls_source", web.url("/list"))
    for number, (name, code) in enumerate(SIGNALS.items(), start=1):
        arrived = number * len(TXT) // 4
        web.answer(
            "/list",
            lambda request, to=arrived: replace(
                resumable(TXT)(request), cut=to - begin_of(request), hang=True
            ),
        )
        process = start(home, *flags)
        wait_until(lambda to=arrived: [path.stat().st_size for path in home.glob("[!.]*.part")] == [to])
        process.send_signal(getattr(signal, name))
        stopped = ended(process)
        assert (stopped.code, stopped.err) == (code, "Interrupted. Run the same command again to go on.\n")
    web.answer("/list", resumable(TXT))
    assert run(home, *flags).code == 0
    assert rows_in(home) == ROWS
    assert [begin_of(request) for request in web.requests] == [number * len(TXT) // 4 for number in range(4)]


def test_killed_at_any_moment(home: Path, web: Web) -> None:
    """However often it is killed, the next run goes on, and in the end all is as if nothing had happened."""
    begins: list[int] = []

    def slowly(request: Request) -> Answer:
        begins.append(begin_of(request))
        return replace(resumable(LONG)(request), pace=2e6)

    flags = offer(web, LONG)
    began = time.monotonic()
    assert run(home, *flags).code == 0
    whole = time.monotonic() - began
    undisturbed = {path.name: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    home.rename(home.with_name("undisturbed"))
    web.answer("/list", slowly)
    dice = random.Random(1)
    for _ in range(KILLS):
        process = start(home, *flags)
        time.sleep(dice.uniform(0.4, 1.0) * whole)
        process.kill()
        process.communicate()
    assert begins == sorted(begins)
    assert run(home, *flags).code == 0
    assert {
        path.name: path.read_bytes() for path in home.rglob("*") if path.is_file()
    }.keys() == undisturbed.keys()
    del undisturbed["imageNetURLs.csv.index"]  # it names the table's time
    assert all((next(home.rglob(name))).read_bytes() == data for name, data in undisturbed.items())


def test_a_second_run_into_the_folder_is_refused(home: Path, web: Web) -> None:
    """Two would spoil each other's downloads; the second says so, and the first goes on."""
    web.answer("/list", Answer(body=TXT, cut=len(TXT) // 2, hang=True))
    first = start(home, "--only", "urls", "--urls_source", web.url("/list"))
    wait_until(lambda: any(home.glob("[!.]*.part")))
    second = run(home, "--only", "annotations")
    first.terminate()
    assert (second.code, second.err.split(".")[0]) == (2, f"Another run is using {home}")
    assert ended(first).code == 143


def test_a_proxy_from_the_environment(home: Path, web: Web) -> None:
    """The known sources are asked for through it, in their order, and each one's answer is told."""
    archive = "http://web.archive.org/web/20190130005544id_/http://image-net.org/imagenet_data/urls/"
    web.answer(f"{archive}imagenet_fall11_urls.tgz", Answer(status=403))
    gone = Answer(status=404)
    web.answer("http://image-net.org/imagenet_data/urls/imagenet_fall11_urls.tgz", gone)
    failed = run(home, "--only", "urls", http_proxy=web.url(""), https_proxy=web.url(""))
    assert failed.code == 1
    assert re.search(
        "web.archive.org/.*: it answers 403 .*\n"
        ".*amazonaws.com/.*: the proxy from the environment does not let it through\n"
        ".*image-net.org/.*: it answers 404 ",
        failed.err,
    )
    assert "last reported working in 2020" in failed.out


def test_the_folder_may_be_named_from_home(home: Path) -> None:
    """`--ncodes_dir=~/x` is the user's `~`, not a folder of that name."""
    assert run(home, "--ncodes_dir=~/mine", "--only", "ncodes", HOME=str(home.parent)).code == 0
    assert names(home.parent) == ["mine"]
