"""README.md and docs/ agree with flags, defaults, reports, snippets and tests."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from utils.cli import extract_flags, prerequisites_command
from utils.export.formats import FORMATS
from utils.reasons import Reason, Status
from utils.results import report

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = {
    "extract_images_as_per_tags.py": extract_flags.parser(),
    "download_imagenet_prerequisites.py": prerequisites_command.parser(),
}


def section(page: str, title: str) -> str:
    """Return the text of a section of a page in docs/."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.split(r"^## ", text.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def words_of_first_column(table: str) -> list[str]:
    """Return the words in backticks in the first column of a table."""
    cells = re.findall(r"^\| (`[^|]*) \|", table, flags=re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`(\w+)`", cell)]


def flags(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the flags of a parser with their metavars, except --help."""
    found = {}
    for action in parser._actions:
        if "--help" in action.option_strings or not action.option_strings:
            continue
        metavar = action.metavar or ("PIECE" if action.choices else "")
        forms = {0: "", "+": f"{metavar} ...", "*": f"[{metavar} ...]"}
        found[action.option_strings[0]] = forms.get(action.nargs, metavar)
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_flags(script: str) -> None:
    """The table of a script has every flag of --help with its metavar, and no other."""
    text = section("flags.md", f"The flags of `{script}`")
    rows = re.findall(r"^\| `(--\w+)(?: ([^`]+))?` \|", text, flags=re.MULTILINE)
    assert dict(rows) == flags(SCRIPTS[script])


def test_defaults() -> None:
    """The table states the default of every flag that has a plain one."""
    text = section("flags.md", "The flags of `extract_images_as_per_tags.py`")
    for options in extract_flags.GROUPS.values():
        for option in options:
            if option.default is not None:
                row = re.search(rf"^\| `--{option.flag}\b[^|]*\| ([^|]*) \|", text, flags=re.MULTILINE)
                assert row, option.flag
                assert row[1] == str(option.default)


@pytest.mark.parametrize("parser", SCRIPTS.values(), ids=SCRIPTS)
def test_help(parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The help of each flag is one line with its default, where the terminal is wide enough."""
    monkeypatch.setenv("COLUMNS", "200")
    text = parser.format_help()
    for flag in flags(parser):
        assert len(re.findall(rf"^  {flag}\b.* {{2,}}\S", text, flags=re.MULTILINE)) == 1, flag
    assert max(map(len, text.splitlines())) <= 110


def test_commands_use_existing_flags() -> None:
    """Every command of a script in README.md and docs/ has flags of that script only."""
    known = {script: flags(parser) for script, parser in SCRIPTS.items()}
    found = 0
    for page in PAGES:
        for script, arguments in re.findall(r"^python (\w+\.py)(.*)$", page.read_text("utf-8"), re.MULTILINE):
            found += 1
            assert set(re.findall(r"--\w+", arguments)) <= known[script].keys(), (page.name, arguments)
    assert found > 15


def test_report() -> None:
    """Columns and statuses are those of the report."""
    text = section("report.md", "The report")
    assert words_of_first_column(text) == list(report.COLUMNS)
    assert all(f"`{status.value}`" in text for status in Status)


def test_reasons() -> None:
    """The table has a row for each reason of `utils/reasons.py`, with its meaning and retry policy."""
    rows = re.findall(
        r"^\| (`http_400`|`\w+`)[^|]* \| ([^|]*) \| ([^|]*) \|", section("report.md", "Reasons"), re.M
    )
    assert rows == [
        ("`http_400`", reason.meaning, "408, 425 and 5xx: in this run, then by the next; others: no")
        if reason is Reason.HTTP_STATUS
        else (f"`{reason.word}`", reason.meaning, reason.retry_policy.value)
        for reason in Reason
    ]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "yolo"])
def test_snippets(name: str) -> None:
    """The page loads an export with the lines of the dataset card."""
    assert f"```python\n{FORMATS[name].snippet}\n```" in section("exports.md", "Loading an export")


def test_links() -> None:
    """Every relative link leads to an existing file, and to a heading in it."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                path, _, anchor = target.partition("#")
                linked = page.parent / path if path else page
                assert linked.exists(), (page.name, target)
                assert not anchor or anchor in anchors(linked), (page.name, target)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_packages() -> None:
    """docs/architecture.md names every package of utils/, and no other, in the order of the layers."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("layers = [")[2].partition("]")[0]
    layers = [re.findall(r"\w+", line) for line in re.findall(r'"(.*)"', text)]
    packages = {path.parent.name for path in (ROOT / "utils").glob("*/__init__.py")}
    named = words_of_first_column(section("architecture.md", "Packages").partition("\n\nSingle modules")[0])
    assert set(named) == packages
    order = [next(number for number, layer in enumerate(layers) if name in layer) for name in named]
    assert order == sorted(order)


def test_guarantees_name_existing_tests() -> None:
    """Every test that docs/guarantees.md names exists."""
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "guarantees.md").read_text("utf-8"))
    assert len(named) > 50
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text("utf-8"), f"{file}::{test}"
