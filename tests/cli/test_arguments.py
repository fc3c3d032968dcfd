"""Parsing of arguments, signals, exit codes and messages of a script."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.project import ROOT
from utils.cli.arguments import SIGNAL_EXITS, Signals, run_script
from utils.cli.options import boolean, number
from utils.errors import (
    NO_THREAD,
    TOO_MANY_PROCESSES,
    DatasetError,
    DiskError,
    FolderInUseError,
    InputError,
    SourceError,
)

SIGNAL_NAMES = [name for name in SIGNAL_EXITS if hasattr(signal, name)]


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Install the signal handlers; the old ones are restored after the test."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in SIGNAL_NAMES}
    yield Signals()
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def start(work: str) -> subprocess.Popen[str]:
    """Start a script whose work is the given body of a function."""
    code = (
        "import os, sys, time\n"
        "from utils.cli.arguments import Signals, run_script\n"
        "from utils.errors import InputError\n"
        "signals = Signals()\n"
        f"def work():\n{work}\n"
        "sys.exit(run_script(work, signals))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("text", ["True", "true", "TRUE", "yes", "Yes", "y", "1", " true "])
def test_true(text: str) -> None:
    """Words for True in any case, with blanks around them."""
    assert boolean(text) is True


@pytest.mark.parametrize("text", ["False", "false", "FALSE", "no", "No", "n", "0"])
def test_false(text: str) -> None:
    """Words for False in any case."""
    assert boolean(text) is False


@pytest.mark.parametrize("text", ["", "maybe", "2", "tru", "None", "10", "\u00e9"])
def test_invalid_boolean(text: str) -> None:
    """Other words raise an error."""
    with pytest.raises(argparse.ArgumentTypeError, match="neither True nor False"):
        boolean(text)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (number(1), "1", 1),
        (number(-1), "-1", -1),
        (number(0), " 12 ", 12),
        (number(0.1, float), "0.5", 0.5),
        (number(0.1, float), "1e2", 100.0),
    ],
)
def test_number(parse: Callable[[str], float], text: str, value: float) -> None:
    """Numbers keep their type."""
    assert parse(text) == value
    assert type(parse(text)) is type(value)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (number(1), "0"),
        (number(-1), "-2"),
        (number(1), "1.5"),
        (number(1), "ten"),
        (number(1), ""),
        (number(1), "9" * 5000),
        (number(0.1, float), "0"),
        (number(0.1, float), "nan"),
        (number(0.1, float), "inf"),
        (number(0.1, float), "1e999"),
    ],
)
def test_invalid_number(parse: Callable[[str], float], text: str) -> None:
    """Numbers out of range and other texts raise an error."""
    with pytest.raises(argparse.ArgumentTypeError, match=r"is not a (whole )?number (from|up to)"):
        parse(text)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("ncodes.csv, line 3: no."), 2, "ncodes.csv, line 3: no.\n"),
        (FolderInUseError("In use."), 2, "In use.\n"),
        (DiskError("Full."), 1, "Full.\n"),
        (SourceError("None."), 1, "None.\n"),
        (DatasetError("Any."), 1, "Any.\n"),
        (OSError(errno.ENOSPC, "No space left", "/a/b"), 1, "/a/b: No space left.\n"),
        (OSError("odd"), 1, "odd.\n"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), 1, TOO_MANY_PROCESSES),
        (RuntimeError(NO_THREAD), 1, TOO_MANY_PROCESSES),
        (MemoryError(), 1, "There is not enough memory. Close other programs"),
        (KeyboardInterrupt(), 130, "Interrupted. Run the same command again to continue.\n"),
    ],
)
def test_errors(
    error: BaseException, code: int, message: str, signals: Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error gives an exit code and one line on standard error, without a traceback."""

    def work() -> int:
        raise error

    assert run_script(work, signals) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_exit_code_of_work(signals: Signals) -> None:
    """Without an error the exit code is that of the work."""
    assert [run_script(lambda code=code: code, signals) for code in (0, 1)] == [0, 1]


def test_error_with_closed_stderr() -> None:
    """The exit code is right even if the message cannot be printed."""
    process = start(
        "    reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 2)\n"
        "    raise InputError('x' * 100_000)"
    )
    process.communicate(timeout=20)
    assert process.returncode == 2


@pytest.mark.parametrize("name", SIGNAL_NAMES)
def test_signal(name: str) -> None:
    """A signal ends a script with its exit code and one message."""
    process = start("    print('ready', flush=True); time.sleep(20); return 0")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=15)
    assert process.returncode == SIGNAL_EXITS[name]
    assert err == "Interrupted. Run the same command again to continue.\n"


@pytest.mark.parametrize("times", [1, 2])
def test_deferred_signal(times: int) -> None:
    """With interrupts deferred, the first signal lets the work end, and the second exits at once."""
    process = start(
        "    signals.defer_interrupts(); print('ready', flush=True)\n"
        "    while not signals.received(): time.sleep(0.01)\n"
        "    print('ending', flush=True); time.sleep(0.5); print('in good order', flush=True); return 0"
    )
    assert process.stdout is not None
    for expected in ("ready\n", "ending\n")[:times]:
        assert process.stdout.readline() == expected
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert bool(err) is (times == 2)
    assert ("in good order" in out) is (times == 1)


def test_received(signals: Signals) -> None:
    """`received` and `exit_code` tell of a deferred signal."""
    assert not signals.received()
    signals.defer_interrupts()
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.received()
    assert signals.exit_code == 143
