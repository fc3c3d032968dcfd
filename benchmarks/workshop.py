"""What every measurement needs: a folder, pictures, the web, the programs; all cleared away after it."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import machine, measuring, pictures
from .contestants import Contestant, Order
from .equipment import Equipment
from .errors import BenchmarkError
from .judging import Verdict, judge
from .measuring import Cost
from .scenarios import Scenario
from .web import Web, serving

MEMORY = Path("/dev/shm")  # noqa: S108  (a folder with a name of its own is made there)


@dataclass(frozen=True)
class Workshop:
    """A place to measure in, with the web up."""

    folder: Path
    pictures: Path
    web: Web
    equipment: Equipment
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def machine(self) -> str:
        """Describe what is measured on."""
        return machine.described(self.folder, self.web.kind)

    @contextlib.contextmanager
    def order(self, scenario: Scenario, in_flight: int = 256) -> Iterator[Order]:
        """Give an order for a scenario, in a new folder that is removed after."""
        run = f"r{next(self._numbers)}"
        folder = self.folder / run
        order = Order(folder, [self.web.url(link, run) for link in scenario.links], in_flight)
        order.output.mkdir(parents=True)
        try:
            yield order
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, command: Sequence[str | Path], order: Order, *, saves: bool = True) -> Cost:
        """Run a command for an order.

        Raises
        ------
        BenchmarkError
            If it was to save something, and has not.
        """
        log = order.folder / "screen.log"
        cost = measuring.run(command, environment=self.equipment.environment(), folder=order.folder, log=log)
        if saves and not any(order.output.iterdir()):
            words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise BenchmarkError(f"{command[0]} saved nothing: {words[-1] if words else 'it says nothing'}")
        return cost

    def race(self, contestant: Contestant, scenario: Scenario, in_flight: int = 256) -> tuple[Cost, Verdict]:
        """Let somebody fetch a scenario, and judge what was saved."""
        with self.order(scenario, in_flight) as order:
            cost = self.run(contestant.command(order, self.equipment), order)
            return cost, self.judged(contestant, scenario, order)

    def judged(self, contestant: Contestant, scenario: Scenario, order: Order) -> Verdict:
        """Judge what a contestant has saved."""
        saved = contestant.saved(order)
        return judge(scenario, saved, self.pictures, re_encoded=contestant.re_encodes)


@contextlib.contextmanager
def opened(equipment: Equipment, how_many_pictures: int, parent: Path | None = None) -> Iterator[Workshop]:
    """Open a workshop below a folder, by default in memory; everything in it is removed after."""
    place = parent or (MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=place, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        pictures.fill(folder / "pictures", how_many_pictures)
        with serving(folder / "pictures", folder / "web", equipment) as web:
            yield Workshop(folder, folder / "pictures", web, equipment)
