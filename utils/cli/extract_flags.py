"""The flags of `extract_images_as_per_tags.py`, as a table, and what they make: `Settings`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..models.settings import Settings
from ..sources import tar_address
from ..sources.registry import ALIASES, SOURCES, source_names
from ..sources.url_source import UrlSource
from . import validate_args
from .arguments import HelpFormatter, Parser, boolean, file, number, one_of, path

PROJECT = Path(__file__).resolve().parents[2]
DESCRIPTION = """\
Download the images of the categories that are marked in ncodes.csv, with their bounding boxes,
into partial_imagenet/<category>/{Images,Annotation} and a report of every URL beside them."""
EPILOG = """\
Run it again as often as you like: what is there is not fetched again, what failed in passing is tried."""

SOURCE_WORDS = (*SOURCES, *ALIASES)
FORMATS = ("table", "csv")
EXPORTS = ("yolo", "coco", "voc", "imagefolder", "webdataset")
LABELS = ("name", "code")


@dataclass(frozen=True)
class Option:
    """One flag, as argparse wants it; `default` None means that the help says what happens."""

    flag: str
    help: str
    metavar: str | None = None
    default: object = None
    read: Callable[[str], Any] = str
    extra: tuple[str, ...] = ()  # "list", "switch" or "bare" (no value needed): what is no plain value

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
        if "bare" in self.extra:
            settings |= {"nargs": "?", "const": True}
        group.add_argument(f"--{self.flag}", **settings)


def _scheduler(text: str) -> str:
    """Read an address; an empty one is a variable that nobody has set, and no wish for this machine alone."""
    address = text.strip().removesuffix("/")
    if not address:
        raise argparse.ArgumentTypeError("this is empty: give a Dask scheduler's address, or local")
    return address.lower() if address.lower() == "local" else address


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to less than 1, e.g. 0.2")
    return value


GROUPS: dict[str, tuple[Option, ...]] = {
    "which categories and how many": (
        Option(
            "categories",
            "codes, names or synonyms, instead of the marked rows of ncodes.csv",
            "X",
            extra=("list",),
        ),
        Option(
            "with_subcategories", "the categories below them in WordNet, too", default=False, read=boolean
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
    "finding and marking categories (nothing is downloaded)": (
        Option("find", "list the categories that have these words in their names", "WORD", extra=("list",)),
        Option(
            "format",
            "how --find lists everything that it finds",
            "{table,csv}",
            read=partial(one_of, FORMATS),
        ),
        Option(
            "mark",
            "mark what --find or --categories give in ncodes.csv; N goes into how_many",
            "N",
            read=number(-1),
            extra=("bare",),
        ),
        Option("unmark", "take those marks back", extra=("switch",)),
    ),
    "where things lie": (
        Option("save_dir", "where partial_imagenet/ is made (default: beside the script)", "DIR", read=path),
        Option(
            "annotations_dir", "bounding boxes (default: annotation/ beside the script)", "DIR", read=path
        ),
        Option("url_data", "URLs (default: imageNetURLs.csv beside the script)", "FILE", read=file),
        Option("ncode_data", "categories (default: ncodes.csv beside the script)", "FILE", read=file),
    ),
    "where images come from": (
        Option(
            "source",
            "from URLs, ImageNet's tars, or tars for what URLs lack",
            "{urls,archive,both}",
            default=UrlSource.name,
            read=lambda text: source_names(one_of(SOURCE_WORDS, text)),
        ),
        Option(
            "archive_url",
            "address of the tars, with {code} for the category's, or a folder",
            "ADDRESS",
            default=tar_address.IMAGENET,
        ),
        Option(
            "accept_imagenet_terms",
            "that you use the archive for non-commercial research or education",
            default=False,
            read=boolean,
        ),
    ),
    "how to download": (
        Option("parallel", "False: one image at a time, in one process", default=True, read=boolean),
        Option(
            "batch_size",
            "images in flight at once (default: from network speed and cores)",
            "N",
            read=number(1),
        ),
        Option(
            "scheduler",
            "do the work on the workers of a Dask scheduler, or of `local` ones",
            "ADDRESS",
            read=_scheduler,
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
    "what to make of it": (
        Option(
            "gallery", "leave index.html, which shows all images with their boxes", default=True, read=boolean
        ),
        Option(
            "export",
            "write all images for training, as yolo, coco, voc, imagefolder or webdataset",
            "FORMAT",
            read=partial(one_of, EXPORTS),
            extra=("list",),
        ),
        Option(
            "val_fraction",
            "the part of the images that is for validation",
            "F",
            default=Settings.val_fraction,
            read=_fraction,
        ),
        Option("seed", "another one gives another split", "N", default=Settings.seed, read=number(0)),
        Option(
            "labels",
            "what classes are called: as their folders, or by code",
            "{name,code}",
            default=Settings.labels,
            read=partial(one_of, LABELS),
        ),
        Option(
            "export_unannotated",
            "yolo, coco and voc hold images without boxes, too",
            default=Settings.export_unannotated,
            read=boolean,
        ),
    ),
    "what to see": (
        Option("verbose", "a line for each category when it is done", default=True, read=boolean),
        Option("dry_run", "say what would be done, and do nothing", extra=("switch",)),
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
    result = Parser(
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
    reader = parser()
    values = vars(reader.parse_args(arguments))
    for contradiction in validate_args.found(values):
        reader.error(contradiction)
    for name, place in PLACES.items():
        values[name] = values[name] or place
    for name in ("categories", "find"):
        values[name] = tuple(values[name] or ())
    values["export"] = tuple(dict.fromkeys(values["export"] or ()))
    values["fill"] = values["with_annotation"] if values["fill"] is None else values["fill"]
    if validate_args.is_number(values["mark"]):
        values["how_many"] = values["mark"]
    values["mark"] = values["mark"] is not None
    return Settings(**values, command=tuple(sys.argv[1:] if arguments is None else arguments))
