"""Sets up a measurement: a temporary folder with pictures, the web server and the downloaders."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import machine, pictures, process_cost
from .downloaders import Downloader, Job
from .errors import BenchmarkError
from .evaluation import Evaluation, evaluate
from .process_cost import Cost
from .scenarios import Scenario
from .server import Server, serving
from .tools import Tools

MEMORY = Path("/dev/shm")  # noqa: S108


@dataclass(frozen=True)
class Bench:
    """A folder to measure in, with a running web server."""

    folder: Path
    pictures: Path
    server: Server
    tools: Tools
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def machine(self) -> str:
        """Describe machine, file system and server."""
        return machine.description(self.folder, self.server.kind)

    @contextlib.contextmanager
    def job(self, scenario: Scenario) -> Iterator[Job]:
        """Create a job for a scenario; its folder is removed at exit."""
        run = f"r{next(self._numbers)}"
        folder = self.folder / run
        job = Job(folder, [self.server.url(link, run) for link in scenario.links])
        job.output.mkdir(parents=True)
        try:
            yield job
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, command: Sequence[str | Path], job: Job, *, saves: bool = True) -> Cost:
        """Run the command of a job.

        Raises
        ------
        BenchmarkError
            If it saved nothing, although `saves` is True.
        """
        log = job.folder / "screen.log"
        cost = process_cost.run(command, environment=self.tools.environment(), folder=job.folder, log=log)
        if saves and not any(job.output.iterdir()):
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise BenchmarkError(f"{command[0]} saved nothing: {lines[-1] if lines else 'no output'}")
        return cost

    def measure(self, downloader: Downloader, scenario: Scenario) -> tuple[Cost, Evaluation]:
        """Run a downloader on a scenario, and evaluate its images."""
        with self.job(scenario) as job:
            cost = self.run(downloader.command(job, self.tools), job)
            return cost, self.evaluate(downloader, scenario, job)

    def evaluate(self, downloader: Downloader, scenario: Scenario, job: Job) -> Evaluation:
        """Evaluate the images of a downloader."""
        return evaluate(scenario, downloader.saved(job), self.pictures, re_encoded=downloader.re_encodes)


@contextlib.contextmanager
def opened(tools: Tools, count: int, parent: Path | None = None) -> Iterator[Bench]:
    """Create a bench with `count` pictures below a folder, by default in memory; removed at exit."""
    place = parent or (MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=place, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        pictures.fill(folder / "pictures", count)
        with serving(folder / "pictures", folder / "server", tools) as server:
            yield Bench(folder, folder / "pictures", server, tools)
