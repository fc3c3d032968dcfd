"""The flags of `extract_images_as_per_tags.py`, as a table, and what they make: `Settings`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cli import HelpFormatter, boolean, number
from .models import Settings

PROJECT = Path(__file__).resolve().parent.parent
DESCRIPTION = """\
Download the images of the categories that are marked in ncodes.csv, with their bounding boxes,
into partial_imagenet/<category>/{Images,Annotation} and a report of every URL beside them."""
EPILOG = """\
Run it again as often as you like: what is there is not fetched again, what failed in passing is tried."""


@dataclass(frozen=True)
class Option:
    """One flag, as argparse wants it; `default` None means that the help says what happens."""

    flag: str
    help: str
    metavar: str | None = None
    default: object = None
    read: Callable[[str], Any] = str
    extra: tuple[str, ...] = ()  # "list" or "switch", for the flags that are no plain value

    def add_to(self, group: argparse._ArgumentGroup) -> None:
        """Define the flag."""
        text = self.help if self.default is None else f"{self.help} (default: {self.default})"
        settings: dict[str, Any] = {"help": text, "default": self.default}
        if "switch" in self.extra:
            group.add_argument(f"--{self.flag}", action="store_true", help=self.help)
            return
        settings |= {"type": self.read, "metavar": self.metavar}
        if self.read is boolean:
            settings |= {"nargs": "?", "const": True, "metavar": "BOOL"}
        if "list" in self.extra:
            settings |= {"nargs": "+"}
        group.add_argument(f"--{self.flag}", **settings)


GROUPS: dict[str, tuple[Option, ...]] = {
    "which categories and how many": (
        Option(
            "categories", "codes or names, instead of the marked rows of ncodes.csv", "X", extra=("list",)
        ),
        Option("how_many", "for every category, instead of the column; -1 is all", "N", read=number(-1)),
        Option("with_annotation", "only images that have bounding boxes", default=False, read=boolean),
        Option(
            "fill",
            "how_many counts images saved, not URLs tried (default: as --with_annotation)",
            read=boolean,
        ),
        Option("retry_failed", "try URLs again that were found dead for good", default=False, read=boolean),
    ),
    "where things lie": (
        Option("save_dir", "where partial_imagenet/ is made (default: beside the script)", "DIR", read=Path),
        Option(
            "annotations_dir", "bounding boxes (default: annotation/ beside the script)", "DIR", read=Path
        ),
        Option("url_data", "URLs (default: imageNetURLs.csv beside the script)", "FILE", read=Path),
        Option("ncode_data", "categories (default: ncodes.csv beside the script)", "FILE", read=Path),
    ),
    "how to download": (
        Option("parallel", "False: one image at a time, in one process", default=True, read=boolean),
        Option(
            "batch_size",
            "images in flight at once (default: from network speed and cores)",
            "N",
            read=number(1),
        ),
        Option("speed_test", "measure the network speed, at most once a day", default=True, read=boolean),
        Option(
            "timeout",
            "the whole time of one try",
            "SECONDS",
            default=10.0,
            read=number(0.1, float, most=3600),
        ),
        Option("retries", "further tries after a passing failure", "N", default=2, read=number(0)),
        Option("min_side", "smaller images are refused", "PIXELS", default=16, read=number(1)),
        Option(
            "honour_opt_out", "refuse images whose server says noai or noindex", default=True, read=boolean
        ),
    ),
    "what to see": (
        Option("verbose", "a line for each category when it is done", default=True, read=boolean),
        Option("dry_run", "say what would be downloaded, and do nothing", extra=("switch",)),
        Option(
            "verify",
            "judge the result folder again, download nothing, take bad files back",
            extra=("switch",),
        ),
    ),
}
PLACES = {
    "save_dir": PROJECT,
    "annotations_dir": PROJECT / "annotation",
    "url_data": PROJECT / "imageNetURLs.csv",
    "ncode_data": PROJECT / "ncodes.csv",
}


def parser() -> argparse.ArgumentParser:
    """Make the parser; its help reads from the everyday to the rare."""
    result = argparse.ArgumentParser(
        prog="extract_images_as_per_tags.py",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    for title, options in GROUPS.items():
        group = result.add_argument_group(title)
        for option in options:
            option.add_to(group)
    return result


def settings(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line; wrong flags end the process with exit code 2, as argparse does."""
    values = vars(parser().parse_args(arguments))
    for name, place in PLACES.items():
        values[name] = values[name] or place
    values["categories"] = tuple(values["categories"] or ())
    values["fill"] = values["with_annotation"] if values["fill"] is None else values["fill"]
    return Settings(**values)
