"""How long three categories take over slow and fast networks: 2,250 URLs, half of them dead, with boxes."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import tables
from .contestants import CURL, Contestant, Order, available, our_images, ours_unbounded
from .equipment import Equipment
from .errors import BenchmarkError
from .scenarios import half_dead
from .workshop import Workshop, opened

URLS = 2_250
MEGABITS = (15, 75, 400)
NEW_NETWORK = 0x40000000  # CLONE_NEWNET of <sched.h>
QUEUE_MS = 100  # how long a packet may wait, as in common routers
LEAST_BURST = 65_536  # bytes: one of the kernel's largest packets
TICKS = 250  # of the kernel's clock, a second: so often a bucket of bytes is filled up
CACHE = "cache"


@dataclass(frozen=True)
class Line:
    """A network's speed, in Mbit/s."""

    megabits: int

    def lay(self) -> None:
        """Let loopback be as slow as that; only in a network of our own."""
        burst = max(LEAST_BURST, self.megabits * 1_000_000 // 8 // TICKS * 2)
        shape = f"tbf rate {self.megabits}mbit burst {burst} latency {QUEUE_MS}ms"
        _call("tc", "qdisc", "replace", "dev", "lo", "root", *shape.split())


def run(equipment: Equipment, folder: Path | None) -> int:
    """Measure, and show it."""
    _enter_network_of_our_own()
    rows = [["Mbit/s", "", "wall s", "images", "lost", "Mbit/s used"]]
    with opened(equipment, URLS, folder) as workshop:
        print(workshop.machine(), flush=True)
        for megabits in MEGABITS:
            Line(megabits).lay()
            for row in _rows(workshop, megabits):
                print(f"  {megabits} Mbit/s, {row[0]}: {row[1]} s", flush=True)
                rows.append([f"{megabits}", *row])
    print(f"\n{tables.aligned(rows)}")
    print(f"{URLS:,} URLs, {half_dead(URLS).living:,} alive; a loopback of its own, shaped by tc (tbf).")
    return 0


def _rows(workshop: Workshop, megabits: int) -> Iterator[list[str]]:
    scenario = half_dead(URLS)
    for contestant in _contestants(workshop.equipment, megabits):
        with workshop.order(scenario) as order:
            cost = workshop.run(contestant.command(order, workshop.equipment), order)
            verdict = workshop.judged(contestant, scenario, order)
            sent = sum(file.stat().st_size for file in order.output.rglob("*.jpg"))
        used = sent * 8 / 1e6 / cost.wall
        counts = [f"{verdict.images:,}", f"{verdict.lost}", f"{used:.0f}"]
        yield [contestant.name, f"{cost.wall:.0f}", *counts]


def _contestants(equipment: Equipment, megabits: int) -> list[Contestant]:
    def told(order: Order, _: Equipment) -> list[str | Path]:
        return _told_the_speed(order, megabits * 1e6)

    def untold(order: Order, _: Equipment) -> list[str | Path]:
        return [*ours_unbounded(order)]

    ours = [Contestant("ours, after its speed test", "", told, our_images)]
    ours += [Contestant("ours, speed unknown", "", untold, our_images)]
    return [*ours, *(one for one in available(equipment) if one.name == CURL)]


def _told_the_speed(order: Order, bits_per_second: float) -> list[str | Path]:
    """Let the script find a speed test's result of today; a real one would leave the machine."""
    command = ours_unbounded(order)
    command[command.index("--speed_test") + 1] = "True"
    keep = "import sys; from utils.fetch.speed_cache import remember; remember(float(sys.argv[1]))"
    places = {"XDG_CACHE_HOME": str(order.folder / CACHE)}
    here = Path(__file__).resolve().parents[1]
    subprocess.run(  # noqa: S603
        [command[0], "-c", keep, f"{bits_per_second}"], check=True, cwd=here, env=os.environ | places
    )
    return ["env", *(f"{name}={value}" for name, value in places.items()), *command]


def _enter_network_of_our_own() -> None:
    """Leave the machine's network for an empty one, in which nothing but us is made slow."""
    missing = [name for name in ("tc", "ip", "env") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        lacking = f"the command {missing[0]}" if missing else "root"
        raise BenchmarkError(f"A slow network is made of loopback, and that needs {lacking}.")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NETWORK):
        raise BenchmarkError(f"No network of our own: {os.strerror(ctypes.get_errno())}.")
    _call("ip", "link", "set", "lo", "mtu", "1500", "up")


def _call(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"{' '.join(command)}: {error.stderr.strip()}") from error
