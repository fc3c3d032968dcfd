"""`python -m benchmarks COMMAND`: what can be measured, and how it is asked for."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from . import batch_sizes, cluster, equipment, first_image, memory, networks, race, scaling
from .contestants import CONTESTANTS
from .equipment import Equipment
from .errors import BenchmarkError


@dataclass(frozen=True)
class Command:
    """Something that can be measured."""

    name: str
    help: str
    do: Callable[[Equipment, argparse.Namespace], int]


COMMANDS = (
    Command(
        "race", "ours and others, side by side on three kinds of web", lambda all_, given: _race(all_, given)
    ),
    Command(
        "first-image", first_image.__doc__ or "", lambda all_, given: first_image.run(all_, given.folder)
    ),
    Command("memory", memory.__doc__ or "", lambda all_, given: memory.run(all_, given.folder)),
    Command(
        "batch-sizes", batch_sizes.__doc__ or "", lambda all_, given: batch_sizes.run(all_, given.folder)
    ),
    Command("networks", networks.__doc__ or "", lambda all_, given: networks.run(all_, given.folder)),
    Command("scaling", scaling.__doc__ or "", lambda all_, given: scaling.run(all_, given.folder)),
    Command("cluster", cluster.__doc__ or "", lambda all_, given: cluster.run(all_, given.folder)),
)


def main(argv: list[str] | None = None) -> int:
    """Measure what is asked for; 0 means that it was measured, not that goals were met."""
    signal.signal(signal.SIGTERM, _leave)
    given = parser().parse_args(argv)
    if not sys.platform.startswith("linux"):
        print("The benchmarks need Linux: its loopback addresses, and its /proc.", file=sys.stderr)
        return 2
    try:
        return _measure(given)
    except BenchmarkError as error:
        print(f"The benchmark stops: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The benchmark was interrupted.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    adder = result.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        words = command.help.rstrip(".")
        one = adder.add_parser(command.name, help=words[:1].lower() + words[1:], description=command.help)
        one.add_argument("--folder", type=Path, help="where everything is written; in memory if not given")
        one.add_argument("--no-install", action="store_true", help="do with what is there")
        one.set_defaults(do=command.do)
    _add_plan(adder.choices["race"])
    return result


def _add_plan(command: argparse.ArgumentParser) -> None:
    names = [one.name for one in CONTESTANTS]
    command.add_argument("--short", action="store_true", help="a quarter of the URLs, and few others")
    command.add_argument("--rounds", type=int, help="how often everyone runs")
    command.add_argument(
        "--scenarios", nargs="+", default=(), choices=race.SCENARIOS, metavar="S", help="only these"
    )
    command.add_argument(
        "--contestants",
        nargs="+",
        default=(),
        choices=names,
        metavar="NAME",
        help=f"only these, of {', '.join(names)}",
    )


def _measure(given: argparse.Namespace) -> int:
    if given.folder and not given.folder.is_dir():
        raise BenchmarkError(f"{given.folder} is no folder: make it, or name another with --folder.")
    equipped = equipment.get(install=not given.no_install)
    for sentence in equipped.missing:
        print(sentence)
    return int(given.do(equipped, given))


def _race(equipped: Equipment, given: argparse.Namespace) -> int:
    plan = race.Plan(
        short=given.short,
        rounds=given.rounds,
        scenarios=given.scenarios,
        contestants=given.contestants,
        folder=given.folder,
    )
    return race.run(equipped, plan)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
