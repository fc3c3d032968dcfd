"""Flags are read as they are promised, and every end of a script has its exit code and no traceback."""

from __future__ import annotations

import argparse
import ast
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from utils import entrypoint
from utils.cli import extract_flags, prerequisites_command
from utils.cli.arguments import SIGNAL_EXITS, Signals, boolean, guarded, number
from utils.errors import DatasetError, DiskError, FolderInUseError, InputError, SourceError

PROJECT = Path(__file__).resolve().parents[1]
SCRIPTS = ("extract_images_as_per_tags", "download_imagenet_prerequisites")


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Give signals, and put the process's own handlers back after the test."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in SIGNAL_EXITS}
    yield Signals()
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def script(code: str) -> subprocess.Popen[str]:
    """Start a script in the project."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    process = script(code)
    out, err = process.communicate(timeout=20)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.parametrize("flag", ["save_dir", "annotations_dir", "url_data", "ncode_data"])
def test_a_path_may_begin_at_home(flag: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In `--save_dir=~/images` the shell leaves the `~` as it is."""
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(tmp_path))
    assert getattr(extract_flags.settings([f"--{flag}=~/x"]), flag) == tmp_path / "x"


def refused(flags: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Give the one line by which a script refuses its flags."""
    of_prerequisites = flags[0] in ("--ncodes_dir", "--urls_source", "--annotations_source")
    with pytest.raises(SystemExit) as ended:
        (prerequisites_command.parser().parse_args if of_prerequisites else extract_flags.settings)(flags)
    out, line = capsys.readouterr()
    assert (ended.value.code, out, line.count("\n")) == (2, "", 1)
    assert line.endswith(" (--help shows all flags.)\n")
    return line


@pytest.mark.parametrize("text", ["", " "])
@pytest.mark.parametrize("flag", [*extract_flags.PLACES, "ncodes_dir", "urls_source", "annotations_source"])
def test_nowhere_is_not_here(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is empty, as of a variable that nobody has set, does not mean the folder one is in."""
    assert refused([f"--{flag}", text], capsys).startswith(f"--{flag}: this is empty")


@pytest.mark.parametrize("flag", ["url_data", "ncode_data"])
@pytest.mark.parametrize("place", [".", "/", str(PROJECT), "~"])
def test_a_folder_is_no_file(flag: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused, even if it has no name."""
    assert refused([f"--{flag}", place], capsys).startswith(f"--{flag}: {place!r} is a folder")


def test_a_path_too_long_is_left_to_who_opens_it() -> None:
    """What the system says of a path is no matter of reading flags."""
    assert extract_flags.settings(["--url_data", "x" * 5000]).url_data.name == "x" * 5000


@pytest.mark.parametrize(
    ("flags", "begin"),
    [
        (["--serch", "dog"], "unrecognized arguments: --serch dog ("),
        (["--retries", "many"], "--retries: 'many' is not a whole number from 0 upwards ("),
        (["--unmark"], "--mark and --unmark need to know what: add --find WORD ... or --categories X ... ("),
    ],
)
def test_a_wrong_flag_costs_one_line(
    flags: list[str], begin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is not pushed off the screen by all the flags that there are."""
    assert refused(flags, capsys).startswith(begin)


@pytest.mark.parametrize("flags", [["--source", "BOTH"], ["--find", "x", "--format", "CSV"]])
def test_words_may_be_capitalised(flags: list[str]) -> None:
    """As those of `--export` may."""
    settings = extract_flags.settings(flags)
    assert (settings.source.value, settings.format) in [("both", None), ("urls", "csv")]


@pytest.mark.parametrize("text", ["True", "true", "TRUE", "yes", "Yes", "y", "1", " true "])
def test_many_words_mean_true(text: str) -> None:
    """In any case, with blanks round them."""
    assert boolean(text) is True


@pytest.mark.parametrize("text", ["False", "false", "FALSE", "no", "No", "n", "0"])
def test_many_words_mean_false(text: str) -> None:
    """In any case."""
    assert boolean(text) is False


@pytest.mark.parametrize("text", ["", "maybe", "2", "tru", "None", "10", "\u00e9"])
def test_other_words_are_refused(text: str) -> None:
    """With the word in the message."""
    with pytest.raises(argparse.ArgumentTypeError, match="neither True nor False"):
        boolean(text)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (number(1), "1", 1),
        (number(-1), "-1", -1),
        (number(0), " 12 ", 12),
        (number(0.1, float), "0.5", 0.5),
        (number(0.1, float), "1e2", 100.0),
    ],
)
def test_numbers_are_read(read: Callable[[str], float], text: str, value: float) -> None:
    """Whole ones stay whole."""
    assert read(text) == value
    assert type(read(text)) is type(value)


@pytest.mark.parametrize(
    ("read", "text"),
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
def test_numbers_out_of_range_are_refused(read: Callable[[str], float], text: str) -> None:
    """And so is what is no number, with one sentence."""
    with pytest.raises(argparse.ArgumentTypeError, match=r"is not a (whole )?number (from|up to)"):
        read(text)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("ncodes.csv, line 3: no."), 2, "ncodes.csv, line 3: no.\n"),
        (FolderInUseError("In use."), 2, "In use.\n"),
        (DiskError("Full."), 1, "Full.\n"),
        (SourceError("None."), 1, "None.\n"),
        (DatasetError("Any."), 1, "Any.\n"),
        (OSError(errno.ENOSPC, "No space left", "/a/b"), 1, "/a/b: No space left.\n"),
        (OSError("odd"), 1, "odd.\n"),
        (MemoryError(), 1, "There is not enough memory. Close other programs"),
        (KeyboardInterrupt(), 130, "Interrupted. Run the same command again to go on.\n"),
    ],
)
def test_what_stops_a_script_is_one_sentence_and_a_code(
    error: BaseException, code: int, sentence: str, signals: Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, without a traceback."""

    def work() -> int:
        raise error

    assert guarded(work, signals) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(sentence)
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_script_that_ends_well_has_its_own_code(signals: Signals) -> None:
    """Whatever it is."""
    assert [guarded(lambda code=code: code, signals) for code in (0, 1)] == [0, 1]


def test_nobody_may_be_left_to_read_the_sentence() -> None:
    """With standard error closed the exit code is still the right one."""
    code = (
        "import os, sys\n"
        "from utils.cli.arguments import Signals, guarded\n"
        "from utils.errors import InputError\n"
        "def work(): raise InputError('x' * 100_000)\n"
        "reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 2)\n"
        "sys.exit(guarded(work, Signals()))\n"
    )
    assert run(code).returncode == 2


@pytest.mark.parametrize("name", [name for name in SIGNAL_EXITS if hasattr(signal, name)])
def test_a_signal_interrupts_what_cannot_end_gently(name: str) -> None:
    """With the exit code of that signal, and one sentence."""
    process = script(
        "import sys, time\n"
        "from utils.cli.arguments import Signals, guarded\n"
        "signals = Signals()\n"
        "def work():\n"
        "    print('ready', flush=True); time.sleep(20); return 0\n"
        "sys.exit(guarded(work, signals))\n"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=20)
    assert process.returncode == SIGNAL_EXITS[name]
    assert err == "Interrupted. Run the same command again to go on.\n"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_ends_in_good_order_at_the_first_signal_and_at_once_at_the_second(times: int) -> None:
    """The first is taken note of; who is in a hurry sends another."""
    process = script(
        "import sys, time\n"
        "from utils.cli.arguments import Signals, guarded\n"
        "signals = Signals()\n"
        "def work():\n"
        "    signals.end_gently(); print('ready', flush=True)\n"
        "    while not signals.received(): time.sleep(0.01)\n"
        "    print('ending', flush=True); time.sleep(0.5); print('in good order', flush=True); return 0\n"
        "sys.exit(guarded(work, signals))\n"
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


def test_signals_are_not_received_before_they_come(signals: Signals) -> None:
    """Nothing is to end yet."""
    assert not signals.received()
    signals.end_gently()
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.received()
    assert signals.exit_code == 143


IN_THE_DOOR = (
    "import sys, time\n"
    "from utils.entrypoint import enter\n"
    "def load():\n"
    "    print('loading', flush=True)\n"
    "    try: time.sleep(2)\n"
    "    except BaseException: pass\n"
    "    print('loaded', flush=True); return 0\n"
    "sys.exit(enter(load))\n"
)


@pytest.mark.parametrize("name", [name for name in SIGNAL_EXITS if hasattr(signal, name)])
def test_a_signal_while_a_script_is_loaded_ends_it_at_once(name: str) -> None:
    """With its exit code and without a word, whatever is being loaded, and whatever that catches."""
    process = script(IN_THE_DOOR)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (SIGNAL_EXITS[name], "", "")


@pytest.mark.parametrize(
    ("breaks", "sentence"),
    [
        ("raise ModuleNotFoundError('No module', name='pycurl')", "The package pycurl is missing. Install "),
        ("raise ImportError('another ssl\\nbackend')", "A package cannot be loaded (another ssl backend). "),
        (
            "raise ImportError('advice', name='numpy') from OSError('no such .so')",
            "The package numpy cannot be loaded (no such .so). ",
        ),
    ],
)
def test_a_package_that_cannot_be_loaded(breaks: str, sentence: str) -> None:
    """It is said which and why, and what to install; no traceback."""
    load = f"from utils.entrypoint import enter\ndef load(): {breaks}\n"
    finished = run(f"{load}import sys; sys.exit(enter(load))")
    assert finished.returncode == 2
    assert finished.stderr.startswith(sentence)
    assert finished.stderr.endswith("-r requirement.txt\n")
    assert finished.stderr.count("\n") == 1


def test_a_python_that_is_too_old() -> None:
    """It is said so in one sentence, before anything is loaded that it could not load."""
    code = (
        "from utils import entrypoint\n"
        "entrypoint.OLDEST = (99, 1)\n"
        "def load(): raise ImportError('must not be loaded')\n"
        "import sys; sys.exit(entrypoint.enter(load))\n"
    )
    finished = run(code)
    ours = ".".join(map(str, sys.version_info[:3]))
    said = f"Python 99.1 or newer is needed; this is {ours}.\n"
    assert (finished.returncode, finished.stdout, finished.stderr) == (2, "", said)
    oldest = ".".join(map(str, entrypoint.OLDEST))
    assert f'requires-python = ">={oldest}"' in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [*(f"{name}.py" for name in SCRIPTS), "utils/__init__.py", "utils/entrypoint.py"]
)
def test_an_old_python_can_read_that_far(name: str) -> None:
    """Else it would answer with a traceback, and not with the sentence."""
    text = (PROJECT / name).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 7))
    assert "from __future__ import annotations" in text or name.endswith("__init__.py")
    loaded = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert loaded <= {"__future__", "collections.abc", "types", "typing"}


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
@pytest.mark.parametrize("loads", ["", "    from utils.cli.arguments import Signals; Signals()\n"])
def test_under_nohup_a_script_survives_its_terminal(loads: str) -> None:
    """A hang-up that was to be ignored is ignored, while the script is loaded and while it works."""
    code = IN_THE_DOOR.replace("def load():\n", f"def load():\n{loads}").replace("sleep(2)", "sleep(0.3)")
    process = script(f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{code}")
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "loaded\n", "")
