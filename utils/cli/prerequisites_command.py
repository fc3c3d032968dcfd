"""The command line of `download_imagenet_prerequisites.py`: from flags to an order, and on to the screen."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..prerequisites.prepare import Options, PrerequisiteName, prepare
from .arguments import HelpFormatter, Parser, Signals, address, guarded, path
from .console import Console

PROJECT = Path(__file__).resolve().parents[2]
DESCRIPTION = """\
Get what a run needs, once: ncodes.csv (every category, to be marked), imageNetURLs.csv (where the images
are) and annotation/ (their bounding boxes). What is there and whole is left alone."""
EPILOG = """\
Interrupted? Run the same command again: downloads go on where they stopped."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    flags = parser().parse_args(arguments)
    options = Options(
        ncodes_dir=flags.ncodes_dir,
        only=frozenset(PrerequisiteName(word) for word in flags.only),
        urls_source=tuple(flags.urls_source),
        annotations_source=flags.annotations_source,
        force=flags.force,
    )
    return guarded(lambda: _prepare(options), Signals())


def _prepare(options: Options) -> int:
    prepare(options, Console())
    return 0


def parser() -> argparse.ArgumentParser:
    """Make the parser."""
    result = Parser(
        prog="download_imagenet_prerequisites.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    words = [piece.value for piece in PrerequisiteName]
    what = result.add_argument_group("what to get, and where to put it")
    what.add_argument(
        "--ncodes_dir",
        type=path,
        metavar="DIR",
        default=PROJECT,
        help="the folder of all three (default: beside the script)",
    )
    what.add_argument(
        "--only",
        nargs="+",
        choices=words,
        default=words,
        metavar="PIECE",
        help=f"just these: {', '.join(words)} (default: all three)",
    )
    what.add_argument(
        "--force",
        action="store_true",
        help="fetch again what is there; marks in ncodes.csv are kept",
    )
    sources = result.add_argument_group("where to get it from")
    sources.add_argument(
        "--urls_source",
        type=address,
        action="append",
        default=[],
        metavar="URL_OR_PATH",
        help="zip, tgz, gz, txt or csv; repeatable (default: the known ones)",
    )
    sources.add_argument(
        "--annotations_source",
        type=address,
        metavar="URL_OR_PATH",
        help="tar.gz, or a folder of archives (default: the known one)",
    )
    return result
