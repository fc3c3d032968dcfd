"""How soon the first image is there: three of 21,841 categories, with an index of the table and without."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import tables, user_files
from .contestants import Order, our_images, ours_on
from .equipment import Equipment
from .goals import Reached
from .measuring import Cost
from .scenarios import Scenario, immediate
from .user_files import wnid
from .workshop import Workshop, opened

CATEGORIES, ROWS_EACH = 21_841, 650  # 14.2 million rows in all
WANTED = (2_000, 11_000, 20_000)  # the numbers of those that are marked
ELSEWHERE = "http://farm{}.static.flickr.com/{}/{}_0123456789.jpg"
PLACE = "n--------"
SELECTING, FETCHING = "select only (--dry_run)", "download"
MOST_SECONDS, MOST_MEGABYTES = 2.0, 150.0


@dataclass(frozen=True)
class Start:
    """How a run began: what it did, what it cost, and seconds until the first image, if it brought any."""

    what: str
    cost: Cost
    first: float | None

    def row(self) -> list[str]:
        """Show it."""
        memory = f"{self.cost.own_memory / tables.MEGABYTE:.0f}"
        first = "" if self.first is None else f"{self.first:.2f}"
        return [self.what, first, f"{self.cost.wall:.2f}", memory]


def run(equipment: Equipment, folder: Path | None) -> int:
    """Measure, and show it."""
    scenario = immediate(len(WANTED) * ROWS_EACH)
    place = folder or Path(tempfile.gettempdir())  # the table has a gigabyte: not in memory
    with opened(equipment, len(scenario.links), place) as workshop:
        print(f"{workshop.machine()}\nWriting a table of {CATEGORIES * ROWS_EACH:,} rows ...", flush=True)
        starts = list(_starts(workshop, scenario))
    header = ["", "first image s", "whole run s", "parent MB"]
    print(f"\n{tables.aligned([header, *(start.row() for start in starts)])}\n")
    last = starts[-1]
    print(Reached("seconds to the first image, with the index", MOST_SECONDS, last.first).line())
    megabytes = last.cost.own_memory / tables.MEGABYTE
    print(Reached("MB of the parent, with the index", MOST_MEGABYTES, megabytes).line())
    return 0


def _starts(workshop: Workshop, scenario: Scenario) -> Iterator[Start]:
    """Select and download, each without an index and with the one that the first download left."""
    with workshop.order(scenario) as order:
        _write_files(order)
        _index(order).unlink(missing_ok=True)
        for index in ("no index", "with index"):
            for what, flags in ((SELECTING, ["--dry_run"]), (FETCHING, [])):
                yield _start(workshop, order, f"{what}, {index}", flags)


def _start(workshop: Workshop, order: Order, what: str, flags: list[str]) -> Start:
    shutil.rmtree(order.output)
    order.output.mkdir()
    begun = time.time()
    cost = workshop.run([*ours_on(order), *flags], order, saves=not flags)
    written = [saved.file.stat().st_mtime for saved in our_images(order)]
    return Start(what, cost, min(written) - begun if written else None)


def _index(order: Order) -> Path:
    return order.folder / "imageNetURLs.csv.index"


def _write_files(order: Order) -> None:
    names = {wnid(number): f"thing {number}" for number in range(CATEGORIES)}
    marked = {wnid(number) for number in WANTED}
    user_files.write_categories(order.folder / "ncodes.csv", names, marked)
    with (order.folder / "imageNetURLs.csv").open("w", encoding="ascii") as table:
        table.write("img_code,img_url,code\n")
        table.writelines(_blocks(order.urls))


def _blocks(urls: Sequence[str]) -> Iterator[str]:
    """Give the rows of every category; only those of the wanted ones lead anywhere."""
    elsewhere = [ELSEWHERE.format(row % 4 + 1, row, 10**9 + row) for row in range(ROWS_EACH)]
    living = iter(urls)
    template = _rows(PLACE, elsewhere)
    for number in range(CATEGORIES):
        if number in WANTED:
            yield _rows(wnid(number), list(itertools.islice(living, ROWS_EACH)))
        else:
            yield template.replace(PLACE, wnid(number))


def _rows(name: str, urls: list[str]) -> str:
    return "".join(f"{name}_{row},{url},{name}\n" for row, url in enumerate(urls))
