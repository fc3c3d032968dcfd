"""`python -m benchmarks COMMAND`: measurements on a local web server."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from . import batch_sizes, cluster, compare, copies, first_image, limits, memory, networks, scaling, tools
from .downloaders import DOWNLOADERS
from .errors import BenchmarkError

MEASUREMENTS = {
    "first-image": first_image,
    "memory": memory,
    "batch-sizes": batch_sizes,
    "networks": networks,
    "limits": limits,
    "copies": copies,
    "scaling": scaling,
    "cluster": cluster,
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 means that it measured, not that targets were met."""
    signal.signal(signal.SIGTERM, _interrupt)
    options = parser().parse_args(argv)
    if not sys.platform.startswith("linux"):
        print("The benchmarks require Linux, for its loopback addresses and /proc.", file=sys.stderr)
        return 2
    try:
        return _run(options)
    except BenchmarkError as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The benchmark was interrupted.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    result = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = result.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name, module in {"compare": compare, **MEASUREMENTS}.items():
        description = module.__doc__ or ""
        text = description.rstrip(".")
        command = commands.add_parser(name, help=text[:1].lower() + text[1:], description=description)
        command.add_argument("--folder", type=Path, help="folder for all files (default: in memory)")
        command.add_argument("--no-install", action="store_true", help="install no missing programs")
    _add_plan(commands.choices["compare"])
    return result


def _add_plan(command: argparse.ArgumentParser) -> None:
    names = [one.name for one in DOWNLOADERS]
    command.add_argument("--short", action="store_true", help="a quarter of the URLs, fewer downloaders")
    command.add_argument("--rounds", type=int, help="number of runs of each downloader")
    command.add_argument(
        "--scenarios", nargs="+", default=(), choices=compare.SCENARIOS, metavar="S", help="only these"
    )
    command.add_argument(
        "--downloaders",
        nargs="+",
        default=(),
        choices=names,
        metavar="NAME",
        help=f"only these of {', '.join(names)}",
    )


def _run(options: argparse.Namespace) -> int:
    if options.folder and not options.folder.is_dir():
        raise BenchmarkError(f"{options.folder} is not a folder.")
    found = tools.find(install=not options.no_install)
    for sentence in found.missing:
        print(sentence)
    if options.command in MEASUREMENTS:
        return int(MEASUREMENTS[options.command].run(found, options.folder))
    plan = compare.Plan(
        short=options.short,
        rounds=options.rounds,
        scenarios=options.scenarios,
        downloaders=options.downloaders,
        folder=options.folder,
    )
    return compare.run(found, plan)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
