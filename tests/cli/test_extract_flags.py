"""The flags of both scripts: paths, words, and errors of one line."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
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
    assert line.endswith(" (--help_all shows all flags.)\n")
    return line


@pytest.mark.parametrize("flag", ["save_dir", "annotations_dir", "url_data", "ncode_data"])
def test_tilde(flag: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`~` is expanded, as the shell leaves it alone in `--save_dir=~/images`."""
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(tmp_path))
    assert getattr(extract_flags.settings([f"--{flag}=~/x"]), flag) == tmp_path / "x"


@pytest.mark.parametrize("text", ["", " "])
@pytest.mark.parametrize(
    "flag", ["save_dir", "data_dir", *extract_flags.INPUTS, "ncodes_dir", "urls_source", "annotations_source"]
)
def test_empty_path(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty path, as of an unset variable, is an error and not the current folder."""
    assert error_of([f"--{flag}", text], capsys).startswith(f"--{flag}: this is empty")


@pytest.mark.parametrize("flag", ["url_data", "ncode_data"])
@pytest.mark.parametrize("path", [".", "/", str(ROOT), "~"])
def test_folder_instead_of_file(flag: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is rejected where a file is needed."""
    assert error_of([f"--{flag}", path], capsys).startswith(f"--{flag}: {path!r} is a folder")


@pytest.mark.parametrize("flag", ["images", "url_data", "ncode_data"])
def test_url_instead_of_file(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A URL, e.g. of a published manifest, is rejected where a file is needed."""
    url = "https://a.example/manifest.csv"
    assert error_of([f"--{flag}", url], capsys).startswith(f"--{flag}: {url!r} is a URL: download it, and")


def test_long_path() -> None:
    """A path that is too long for the system is reported when it is opened, not by the parser."""
    assert extract_flags.settings(["--url_data", "x" * 5000]).url_data.name == "x" * 5000


@pytest.mark.parametrize(
    ("flags", "start"),
    [
        (["zebra"], "'zebra' follows no flag; did you mean --categories zebra? ("),
        (["--dry_run", "True"], "--dry_run takes no value: leave 'True' out, or put its flag before it ("),
        (["--images=a.csv", "b.csv"], "--images takes one value: leave 'b.csv' out, or "),
        (["--how-many", "3", "zebra"], "--how_many takes one value: leave 'zebra' out, or "),
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


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [
        ("--categoris", "--categories"),
        ("--with-anotation", "--with_annotation"),
        ("--Find", "--find"),
        ("-find", "--find"),
        ("--hlep", "--help"),
        ("--export_dri=x", "--export_dir"),
        ("\N{EN DASH}mark", "--mark"),
        ("--annot", "--annotations_dir"),
    ],
)
def test_nearest_flag(flag: str, nearest: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped flag is answered with the nearest one."""
    line = error_of([flag, "zebra"], capsys)
    assert line.startswith(f"{flag.partition('=')[0]} is no flag of this script; did you mean {nearest}? (")


def test_flag_that_is_near_to_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is suggested for it; it is named even behind a flag with several values."""
    assert error_of(["--categories", "zebra", "--xyzzy"], capsys).startswith(
        "--xyzzy is no flag of this script. ("
    )


def test_hyphens() -> None:
    """Hyphens in flags are underscores; values keep theirs."""
    settings = extract_flags.settings(
        ["--with-annotation", "--how-many=3", "--class", "a-b", "--find", "x", "--mark"]
    )
    assert (settings.with_annotation, settings.how_many, settings.class_name) == (True, 3, "a-b")
    flags = prerequisites_command.parser().parse_args(["--data-dir", "a-b"])
    assert flags.data_dir == Path("a-b")
    assert extract_flags.settings(["--copy", "~/copy", "a/find"]).copy == ("~/copy", "a/find")


def test_data_dir(tmp_path: Path) -> None:
    """It is the folder of the three inputs; the single flags override it, and results lie elsewhere."""
    settings = extract_flags.settings(["--data_dir", str(tmp_path), "--url_data", "urls.csv"])
    assert (settings.ncode_data, settings.annotations_dir) == (
        tmp_path / "ncodes.csv",
        tmp_path / "annotation",
    )
    assert (settings.url_data, settings.save_dir) == (Path("urls.csv"), extract_flags.PROJECT)
    assert extract_flags.settings([]).url_data == extract_flags.PROJECT / "imageNetURLs.csv"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], []),
        (["--data_dir", "data"], ["--data_dir", "data"]),
        (["--data_dir", "data", "--save_dir", "x"], ["--data_dir", "data"]),
        (["--ncode_data", "n.csv"], ["--ncode_data", "n.csv"]),
        (["--annotations_dir", "a"], ["--annotations_dir", "a"]),
    ],
)
def test_input_flags(flags: list[str], expected: list[str]) -> None:
    """Commands that are suggested have the flags for inputs in other places."""
    assert extract_flags.input_flags(extract_flags.settings(flags)) == expected


@pytest.mark.parametrize("make_parser", [extract_flags.parser, prerequisites_command.parser])
@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("flag", ["--help", "-h", "--help_all", "--help-all"])
def test_help(
    make_parser: Callable[[], argparse.ArgumentParser],
    width: int,
    flag: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both fit the terminal, and `--help` names `--help_all`."""
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit) as raised:
        make_parser().parse_args([flag])
    out = capsys.readouterr().out
    assert raised.value.code == 0
    assert max(map(len, out.splitlines())) < width
    assert "--help_all" in out
    assert out.endswith("\n")


def test_everyday_flags(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` shows only these; `--help_all` shows the others, too."""
    for flag in ("--help", "--help_all"):
        with pytest.raises(SystemExit):
            extract_flags.parser().parse_args([flag])
    shown = capsys.readouterr().out.split("usage: ")[1:]
    everyday, whole = (set(re.findall(r"^  (--\w+)", text, flags=re.MULTILINE)) for text in shown)
    assert everyday == {f"--{name}" for name in extract_flags.EVERYDAY} | {"--help_all", "--version"}
    assert everyday < whole
    assert "--timeout" in whole


@pytest.mark.parametrize("script", ["extract_images_as_per_tags.py", "download_imagenet_prerequisites.py"])
def test_version(script: str) -> None:
    """`--version` prints name and version."""
    done = subprocess.run(
        [sys.executable, ROOT / script, "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"part-of-imagenet \d+\.\d+\.\d+\n", done.stdout)
