"""Measure the time to the first image: three of 21,841 categories, with and without the index."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import input_files, tables
from .bench import Bench, opened
from .downloaders import Job, our_command_for_existing_files, our_images
from .input_files import wnid
from .process_cost import Cost
from .scenarios import Scenario, immediate
from .targets import Target
from .tools import Tools

CATEGORIES, ROWS_EACH = 21_841, 650  # 14.2 million rows
SELECTED = (2_000, 11_000, 20_000)  # numbers of the marked categories
OTHER_URL = "http://farm{}.static.flickr.com/{}/{}_0123456789.jpg"
WNID_PLACEHOLDER = "n--------"


@dataclass(frozen=True)
class Measurement:
    """The cost of a run, and the seconds to its first image; None without images."""

    name: str
    cost: Cost
    first: float | None


def run(tools: Tools, folder: Path | None) -> int:
    """Measure, and print a table."""
    scenario = immediate(len(SELECTED) * ROWS_EACH)
    place = folder or Path(tempfile.gettempdir())  # the table has more than 1 GB: not in memory
    with opened(tools, len(scenario.links), place) as bench:
        print(f"{bench.machine()}\nWriting a table of {CATEGORIES * ROWS_EACH:,} rows ...", flush=True)
        measurements = list(_measurements(bench, scenario))
    rows = [["", "first image s", "whole run s", "parent MB"]]
    for one in measurements:
        first = "" if one.first is None else f"{one.first:.2f}"
        megabytes = one.cost.own_memory / tables.MEGABYTE
        rows.append([one.name, first, f"{one.cost.wall:.2f}", f"{megabytes:.0f}"])
    print(f"\n{tables.aligned(rows)}\n")
    print(Target("seconds to the first image, with the index", 2.0, measurements[-1].first).line())
    print(Target("MB of the parent process, with the index", 150.0, megabytes).line())
    return 0


def _measurements(bench: Bench, scenario: Scenario) -> Iterator[Measurement]:
    """Select only and download, without an index, then with the index that the first download left."""
    with bench.job(scenario) as job:
        _write_input_files(job)
        (job.folder / "imageNetURLs.csv.index").unlink(missing_ok=True)
        for index in ("no index", "with index"):
            yield _measure(bench, job, f"select only (--dry_run), {index}", "--dry_run")
            yield _measure(bench, job, f"download, {index}")


def _measure(bench: Bench, job: Job, name: str, *flags: str) -> Measurement:
    shutil.rmtree(job.output)
    job.output.mkdir()
    start = time.time()
    cost = bench.run([*our_command_for_existing_files(job), *flags], job, saves=not flags)
    written = [saved.file.stat().st_mtime for saved in our_images(job)]
    return Measurement(name, cost, min(written) - start if written else None)


def _write_input_files(job: Job) -> None:
    names = {wnid(number): f"thing {number}" for number in range(CATEGORIES)}
    marked = {wnid(number) for number in SELECTED}
    input_files.write_categories(job.folder / "ncodes.csv", names, marked)
    with (job.folder / "imageNetURLs.csv").open("w", encoding="ascii") as table:
        table.write("img_code,img_url,code\n")
        table.writelines(_rows_of_categories(job.urls))


def _rows_of_categories(urls: Sequence[str]) -> Iterator[str]:
    """Yield the rows of each category; only the selected ones have URLs of the server."""
    other_urls = [OTHER_URL.format(row % 4 + 1, row, 10**9 + row) for row in range(ROWS_EACH)]
    remaining = iter(urls)
    template = _rows(WNID_PLACEHOLDER, other_urls)
    for number in range(CATEGORIES):
        if number in SELECTED:
            yield _rows(wnid(number), list(itertools.islice(remaining, ROWS_EACH)))
        else:
            yield template.replace(WNID_PLACEHOLDER, wnid(number))


def _rows(code: str, urls: list[str]) -> str:
    return "".join(f"{code}_{row},{url},{code}\n" for row, url in enumerate(urls))
