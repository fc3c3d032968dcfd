"""The README cannot drift from what it describes."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from utils.cli import extract_flags, prerequisites_command
from utils.models.enums import Status
from utils.reasons import Reason
from utils.results import report

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Cut a section out of the README."""
    return re.split(r"^## ", README.split(f"## {title}")[1], flags=re.MULTILINE)[0]


def flags(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Give the flags of a parser, and what follows each on the command line."""
    found = {}
    for action in parser._actions:
        if action.dest == "help" or not action.option_strings:
            continue
        metavar = action.metavar or ("PIECE" if action.choices else "")
        many = " ..." if action.nargs == "+" else ""
        found[action.option_strings[0]] = f"{metavar}{many}" if action.nargs != 0 else ""
    return found


@pytest.mark.parametrize(
    ("script", "parser"),
    [
        ("extract_images_as_per_tags.py", extract_flags.parser()),
        ("download_imagenet_prerequisites.py", prerequisites_command.parser()),
    ],
)
def test_every_flag_is_described(script: str, parser: argparse.ArgumentParser) -> None:
    """The README's table has every flag of --help, with its metavar, and no other."""
    rows = re.findall(
        r"^\| `(--\w+)(?: ([^`]+))?` \|", section(f"The flags of `{script}`"), flags=re.MULTILINE
    )
    assert dict(rows) == flags(parser)


def test_defaults_are_the_real_ones() -> None:
    """Where a flag has a plain default, the README states that."""
    for options in extract_flags.GROUPS.values():
        for option in options:
            if option.default is not None:
                row = re.search(rf"^\| `--{option.flag}\b[^|]*\| ([^|]*) \|", README, flags=re.MULTILINE)
                assert row, option.flag
                assert row[1] == str(option.default)


def test_report_is_described() -> None:
    """Columns, statuses and reasons in the README are those of the report."""
    text = section("The report")
    columns = re.findall(
        r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", text.split("| reason |")[0], re.M))
    )
    assert columns == report.COLUMNS
    words = set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", text.split("| reason |")[1], re.M)))
    )
    expected = {reason.word for reason in Reason if reason is not Reason.HTTP_STATUS}
    assert words == expected | {"http_400", "http_599"}
    assert all(f"`{status.value}`" in text for status in Status)


@pytest.mark.parametrize("parser", [extract_flags.parser(), prerequisites_command.parser()])
def test_help_is_readable(parser: argparse.ArgumentParser) -> None:
    """Each flag's help takes one line, with its default."""
    text = parser.format_help()
    for flag in flags(parser):
        assert len(re.findall(rf"^  {flag}\b.* {{2,}}\S", text, flags=re.MULTILINE)) == 1, flag
    assert max(map(len, text.splitlines())) <= 110


def test_guarantees_name_existing_tests() -> None:
    """Every test that docs/guarantees.md names exists."""
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "guarantees.md").read_text("utf-8"))
    assert len(named) > 50
    for file, test in named:
        # The path is relative to tests/, or to a folder in it.
        texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob(f"**/{file}")]
        assert any(f"def {test}(" in text for text in texts), f"{file}::{test}"
