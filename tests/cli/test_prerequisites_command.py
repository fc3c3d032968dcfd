"""`download_imagenet_prerequisites.py`: output, exit codes, interruptions and kills."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from demo.web import Answer, Request, Web, resumable
from tests.machine import wait_until
from tests.prerequisites.helpers import (
    ROWS,
    SCRIPT,
    TGZ,
    TXT,
    WHOLE,
    ended,
    fork,
    names,
    offer,
    rows_in,
    run,
    source,
    start,
)
from tests.terminal import final_lines, run_on_terminal

LONG = b"".join(b"n%08d_%d\thttp://a.example/%d.jpg\n" % (n // 500, n, n) for n in range(10_000))
KILLS = 2
SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and pipes are POSIX's")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder for the three prerequisites, which does not exist yet."""
    return tmp_path / "home"


def first_byte(request: Request) -> int:
    """Return the first byte of the requested range."""
    return int(request.headers.get("range", "bytes=0-")[6:-1])


def test_first_and_second_run(home: Path, web: Web) -> None:
    """The first run makes all three prerequisites; the second finds them, and requests nothing."""
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


def test_exit_codes(home: Path, tmp_path: Path) -> None:
    """The exit code is 1 if all sources fail, and 2 for an invalid flag or folder."""
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


def test_folder_in_place_of_table(home: Path) -> None:
    """A folder called ncodes.csv is an error with exit code 2."""
    (home / "ncodes.csv").mkdir(parents=True)
    stopped = run(home, "--only", "ncodes")
    said = f"{home / 'ncodes.csv'} exists, but is not a file. Move it away, and run again.\n"
    assert (stopped.code, stopped.err) == (2, said)


def test_interrupted_download_is_resumed(home: Path, web: Web) -> None:
    """Each signal ends the script with its exit code; the next run resumes the partial file."""
    flags = ("--only", "urls", "--urls_source", web.url("/list"))
    for number, (name, code) in enumerate(SIGNALS.items(), start=1):
        arrived = number * len(TXT) // 4
        web.answer(
            "/list",
            lambda request, to=arrived: replace(
                resumable(TXT)(request), cut=to - first_byte(request), hang=True
            ),
        )
        process = start(home, *flags)
        wait_until(lambda to=arrived: [path.stat().st_size for path in home.glob("[!.]*.part")] == [to])
        process.send_signal(getattr(signal, name))
        stopped = ended(process)
        assert (stopped.code, stopped.err) == (code, "Interrupted. Run the same command again to continue.\n")
    web.answer("/list", resumable(TXT))
    assert run(home, *flags).code == 0
    assert rows_in(home) == ROWS
    assert [first_byte(request) for request in web.requests] == [
        number * len(TXT) // 4 for number in range(4)
    ]


def test_killed(home: Path, web: Web) -> None:
    """After kills at random moments the next run resumes, and the files are those of an undisturbed run."""
    first_bytes: list[int] = []

    def slowly(request: Request) -> Answer:
        first_bytes.append(first_byte(request))
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
        with fork(home, *flags) as process:
            time.sleep(dice.uniform(0.4, 1.0) * whole)
            process.kill()
    assert first_bytes == sorted(first_bytes)
    assert run(home, *flags).code == 0
    assert {
        path.name: path.read_bytes() for path in home.rglob("*") if path.is_file()
    }.keys() == undisturbed.keys()
    del undisturbed["imageNetURLs.csv.index"]  # it names the table's time
    assert all((next(home.rglob(name))).read_bytes() == data for name, data in undisturbed.items())


def test_second_run_into_folder_is_refused(home: Path, web: Web) -> None:
    """A second run into the same folder exits with code 2; the first continues."""
    web.answer("/list", Answer(body=TXT, cut=len(TXT) // 2, hang=True))
    with fork(home, "--only", "urls", "--urls_source", web.url("/list")) as first:
        wait_until(lambda: any(home.glob("[!.]*.part")))
        second = run(home, "--only", "annotations")
        first.send_signal(signal.SIGTERM)
        assert (second.code, second.err.split(".")[0]) == (2, f"Another run is using {home}")
        assert ended(first).code == 143


def test_proxy(home: Path, web: Web) -> None:
    """The known sources are requested in order through the proxy of the environment, with a line for each."""
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


def test_tilde(home: Path) -> None:
    """The `~` of `--ncodes_dir=~/x` is expanded."""
    assert run(home, "--ncodes_dir=~/mine", "--only", "ncodes", HOME=str(home.parent)).code == 0
    assert names(home.parent) == ["mine"]


@pytest.mark.parametrize("columns", [100, 3])
def test_terminal(home: Path, web: Web, columns: int) -> None:
    """A terminal shows a bar with speed and time left during a download, and only lines after it."""
    web.answer("/list", Answer(body=TXT, pace=2 * len(TXT)))
    code, written = run_on_terminal(command(home, web), columns=columns)
    assert code == 0
    assert rows_in(home) == ROWS
    if columns == 100:
        assert re.search(r"  downloading: +\d+%\|.*\| [\d.]+k/[\d.]+k \[\d\d:\d\d<.*B/s\]", written)
    assert [line for line in final_lines(written) if line] == [
        f"imageNetURLs.csv: from {web.url('/list')}",
        "imageNetURLs.csv: 1,000 rows",
    ]


def command(home: Path, web: Web) -> list[str]:
    """Return the command that downloads the list of URLs."""
    script = [sys.executable, str(SCRIPT), "--ncodes_dir", str(home)]
    return [*script, "--only", "urls", "--urls_source", web.url("/list")]


def test_ctrl_c_on_terminal(home: Path, web: Web) -> None:
    """Ctrl-C exits with 130 and a message on a line of its own, whatever bar was shown."""
    web.answer("/list", Answer(body=TXT, pace=20_000))
    code, written = run_on_terminal(command(home, web), columns=80, ctrl_c_at="%|")
    assert code == 130
    left = [line for line in final_lines(written) if line]
    assert left[-1].removesuffix("^C").strip() == "Interrupted. Run the same command again to continue."


def test_message_during_bar(home: Path, web: Web) -> None:
    """A broken connection is reported on lines of their own while a bar is shown."""
    cut = Answer(body=TXT, headers=('ETag: "1"',), pace=4 * len(TXT), cut=len(TXT) // 2)
    web.answer("/list", cut, resumable(TXT))
    code, written = run_on_terminal(command(home, web), columns=90)
    assert code == 0
    left = [line.strip() for line in final_lines(written)]
    assert re.fullmatch(r"the connection broke after [\d,]+ bytes; trying again in 1 s", left[1])
    assert re.fullmatch(r"resuming at 0\.\d MB", left[2])


def test_ascii_locale(tmp_path: Path) -> None:
    """A folder beyond ASCII can be used in any locale; messages may lack some of its letters."""
    home = tmp_path / "größe ☁"
    home.mkdir()
    flags = ("--only", "urls", "--urls_source", source(home / "below", TGZ))
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    good = run(home, *flags, **environment)
    assert (good.code, good.err) == (0, "")
    assert rows_in(home) == ROWS
    bad = run(home, "--force", *flags[:-1], str(home / "nothing"), **environment)
    assert bad.code == 1
    assert re.search("gr.+e .+/nothing: it cannot be opened", bad.err)


def test_closed_output(home: Path, web: Web) -> None:
    """If the output is closed early (`| head`), the work is done all the same."""
    process = start(home, *offer(web))
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    assert ended(process).code == 0
    assert names(home) == WHOLE
