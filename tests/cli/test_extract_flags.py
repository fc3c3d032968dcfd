"""The flags of both scripts: paths, words, and errors of one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.project import ROOT
from utils.cli import extract_flags, prerequisites_command


def error_of(flags: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line with which a script rejects its flags."""
    of_prerequisites = flags[0] in ("--ncodes_dir", "--urls_source", "--annotations_source")
    with pytest.raises(SystemExit) as raised:
        (prerequisites_command.parser().parse_args if of_prerequisites else extract_flags.settings)(flags)
    out, line = capsys.readouterr()
    assert (raised.value.code, out, line.count("\n")) == (2, "", 1)
    assert line.endswith(" (--help shows all flags.)\n")
    return line


@pytest.mark.parametrize("flag", ["save_dir", "annotations_dir", "url_data", "ncode_data"])
def test_tilde(flag: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`~` is expanded, as the shell leaves it alone in `--save_dir=~/images`."""
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(tmp_path))
    assert getattr(extract_flags.settings([f"--{flag}=~/x"]), flag) == tmp_path / "x"


@pytest.mark.parametrize("text", ["", " "])
@pytest.mark.parametrize(
    "flag", [*extract_flags.DEFAULT_PATHS, "ncodes_dir", "urls_source", "annotations_source"]
)
def test_empty_path(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty path, as of an unset variable, is an error and not the current folder."""
    assert error_of([f"--{flag}", text], capsys).startswith(f"--{flag}: this is empty")


@pytest.mark.parametrize("flag", ["url_data", "ncode_data"])
@pytest.mark.parametrize("path", [".", "/", str(ROOT), "~"])
def test_folder_instead_of_file(flag: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is rejected where a file is needed."""
    assert error_of([f"--{flag}", path], capsys).startswith(f"--{flag}: {path!r} is a folder")


def test_long_path() -> None:
    """A path that is too long for the system is reported when it is opened, not by the parser."""
    assert extract_flags.settings(["--url_data", "x" * 5000]).url_data.name == "x" * 5000


@pytest.mark.parametrize(
    ("flags", "start"),
    [
        (["--serch", "dog"], "unrecognized arguments: --serch dog ("),
        (["--retries", "many"], "--retries: 'many' is not a whole number from 0 upwards ("),
        (["--unmark"], "--mark and --unmark need categories: add --find WORD ... or --categories X ... ("),
        (
            ["--find", "x", "--verify"],
            "--verify is a run of its own: leave --find, --mark and --unmark out (",
        ),
    ],
)
def test_invalid_flags(flags: list[str], start: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Invalid flags and combinations give one line, without a list of all flags."""
    assert error_of(flags, capsys).startswith(start)


@pytest.mark.parametrize("flags", [["--source", "BOTH"], ["--find", "x", "--format", "CSV"]])
def test_words_in_any_case(flags: list[str]) -> None:
    """The words of a flag are accepted in any case."""
    settings = extract_flags.settings(flags)
    assert (settings.source, settings.format) in [(("urls", "archive"), None), (("urls",), "csv")]
