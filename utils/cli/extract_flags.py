"""The flags of `extract_images_as_per_tags.py` as a table, and the `Settings` that they make."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from ..catalog import categories
from ..export import formats
from ..models.settings import Settings
from ..sources import tar_address
from ..sources.copy_source import CopySource
from ..sources.registry import ALIASES, SOURCES, source_names
from ..sources.url_source import UrlSource
from . import validate_args
from .arguments import PROJECT, Parser
from .options import Option, boolean_value, choice, file, number, one_of, path, switch, user_agent, value

DESCRIPTION = """\
Download the images of the categories that are marked in ncodes.csv, with their bounding boxes,
into partial_imagenet/<category>/{Images,Annotation}, and write a report of every URL beside them."""
EPILOG = """\
Run it again as often as you like: existing images are not downloaded again, and temporary failures are
retried."""

SOURCE_WORDS = (*SOURCES, *ALIASES)
FORMATS = ("table", "csv")
LABELS = ("name", "short", "code")
BOX_FORMATS = [one.name for one in formats.FORMATS.values() if one.has_boxes]


def _scheduler(text: str) -> str:
    """Parse an address; an empty one comes from an unset variable."""
    address = text.strip().removesuffix("/")
    if not address:
        raise argparse.ArgumentTypeError("this is empty: give a Dask scheduler's address, or local")
    return address.lower() if address.lower() == "local" else address


def _class_name(text: str) -> str:
    try:
        name = categories.normalize_class(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; {error}") from error
    if not name:
        raise argparse.ArgumentTypeError("this is empty: give a name, or leave the flag out")
    return name


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to less than 1, e.g. 0.2")
    return value


GROUPS: dict[str, tuple[Option, ...]] = {
    "which categories and how many": (
        value(
            "categories",
            "X",
            str,
            "codes, names, @SET or @FILE (default: the marked rows of ncodes.csv)",
            nargs="+",
        ),
        value("images", "FILE", file, "exactly these images: a list of image codes, or a manifest.csv"),
        boolean_value(
            "with_subcategories", "also select all categories below them in WordNet", default=False
        ),
        value(
            "how_many", "N", number(-1), "number for every category; -1 is all (default: the column how_many)"
        ),
        boolean_value("with_annotation", "only images with bounding boxes", default=False),
        boolean_value(
            "fill", "how_many counts images, not URLs tried (default: as --with_annotation)", default=None
        ),
        boolean_value("retry_failed", "retry URLs that failed permanently in an earlier run", default=False),
    ),
    "find and mark categories (nothing is downloaded)": (
        value("find", "WORD", str, "list the categories that have these words in their names", nargs="*"),
        boolean_value("all_matches", "also list what fits less well than the best matches", default=False),
        value("below", "X", str, "with --find: only categories below X: a name, a code, or e.g. animal"),
        boolean_value("boxed", "with --find: only categories with bounding boxes", default=False),
        one_of("format", FORMATS, "list all results of --find, as a table or as CSV"),
        value(
            "mark",
            "N",
            number(-1),
            "mark the results of --find, or --categories, in ncodes.csv; N sets how_many",
            nargs="?",
            const=True,
        ),
        switch("unmark", "undo such marks"),
        value(
            "class",
            "NAME",
            _class_name,
            "with --mark: the class of these categories in exports",
            dest="class_name",
        ),
    ),
    "files and folders": (
        value(
            "data_dir", "DIR", path, "ncodes.csv, imageNetURLs.csv, annotation/ (default: beside the script)"
        ),
        value("save_dir", "DIR", path, "folder for partial_imagenet/ (default: beside the script)"),
        value("annotations_dir", "DIR", path, "annotation archives (default: annotation/ in --data_dir)"),
        value("url_data", "FILE", file, "URL table (default: imageNetURLs.csv in --data_dir)"),
        value("ncode_data", "FILE", file, "categories (default: ncodes.csv in --data_dir)"),
    ),
    "where images come from": (
        value(
            "source",
            "WORD",
            partial(choice, SOURCE_WORDS),
            f"{', '.join(SOURCE_WORDS)}: in this order (default: urls, or copy)",
            nargs="+",
        ),
        value(
            "copy", "PATH", str, "copies of ImageNet on disk: folders, tars, zips, shards, parquet", nargs="+"
        ),
        value(
            "archive_url",
            "ADDRESS",
            str,
            "URL of a tar with {code} for the category, or a folder of tars",
            tar_address.IMAGENET,
        ),
        boolean_value(
            "accept_imagenet_terms",
            "use the tars for non-commercial research or education only",
            default=False,
        ),
    ),
    "how to download": (
        boolean_value("parallel", "False: one image at a time, in one process", default=True),
        value(
            "batch_size",
            "N",
            number(1),
            "maximum concurrent downloads (default: from network speed and cores)",
        ),
        value(
            "scheduler",
            "ADDRESS",
            _scheduler,
            "address of a Dask scheduler to run on, or `local` (default: this process)",
        ),
        boolean_value("speed_test", "measure the network speed at most once a day", default=True),
        value(
            "timeout",
            "SECONDS",
            number(0.1, float, most=3600),
            "limit of one attempt, redirects included",
            Settings.timeout,
        ),
        value("retries", "N", number(0), "retries after a temporary failure", Settings.retries),
        value(
            "patience",
            "MINUTES",
            number(0, float, most=10_000),
            "wait this long for hosts that refuse requests",
            Settings.patience,
        ),
        value("min_side", "PIXELS", number(1), "reject images with a shorter side", Settings.min_side),
        value("user_agent", "TEXT", user_agent, "User-Agent of all requests (default: that of this project)"),
        boolean_value("honour_opt_out", "reject images whose server sends noai or noindex", default=True),
    ),
    "gallery and export": (
        boolean_value("gallery", "write index.html, a page of all images with their boxes", default=True),
        value(
            "export",
            "FORMAT",
            partial(choice, tuple(formats.FORMATS)),
            f"export for training: {', '.join(formats.FORMATS)}",
            nargs="+",
        ),
        value("val_fraction", "F", _fraction, "fraction of the images for validation", Settings.val_fraction),
        value("seed", "N", number(0), "seed of the split", Settings.seed),
        one_of("labels", LABELS, "class names: folder names, first synonyms, or codes", Settings.labels),
        boolean_value(
            "other_classes", "also export boxes of categories that were not selected", default=False
        ),
        boolean_value(
            "export_unannotated", f"include images without boxes in {', '.join(BOX_FORMATS)}", default=False
        ),
        value("per_class", "N", number(1), "at most N images of each class (default: all)"),
        boolean_value("near_duplicates", "False: only the largest of images that look alike", default=True),
        value("not_like", "DIR", path, "leave out images that look like one in these folders", nargs="+"),
        value("max_side", "PIXELS", number(2), "reduce larger images, and their boxes (default: no limit)"),
        value(
            "export_dir", "DIR", path, "export to DIR/FORMAT (default: partial_imagenet_FORMAT in --save_dir)"
        ),
    ),
    "output and checks": (
        boolean_value("verbose", "print one line for each finished category", default=True),
        switch("dry_run", "print what would be done, and write nothing"),
        switch("verify", "validate the result folder again, and remove invalid files; no downloads"),
    ),
}
INPUTS = {"annotations_dir": "annotation", "url_data": "imageNetURLs.csv", "ncode_data": "ncodes.csv"}
"""The names of the inputs in `--data_dir`, by their flags."""


EVERYDAY = (
    *("categories", "images", "with_subcategories", "how_many", "with_annotation", "fill"),
    *("find", "below", "mark", "unmark", "data_dir", "save_dir", "source", "copy"),
    *("export", "dry_run", "verify"),
)
"""The flags that `--help` shows; `--help_all` shows all."""


def parser() -> Parser:
    """Return the parser."""
    return Parser(
        "extract_images_as_per_tags.py", GROUPS, description=DESCRIPTION, epilog=EPILOG, everyday=EVERYDAY
    )


def settings(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line; invalid flags exit with code 2, as argparse does."""
    reader = parser()
    values = vars(reader.parse_args(arguments))
    values["copy"] = tuple(values["copy"] or ())
    default_source = CopySource.name if values["copy"] else UrlSource.name
    values["source"] = source_names(values["source"] or [default_source])
    if conflict := validate_args.conflict(values):
        reader.error(conflict)
    data_dir = values.pop("data_dir") or PROJECT
    values["save_dir"] = values["save_dir"] or PROJECT
    for name, default in INPUTS.items():
        values[name] = values[name] or data_dir / default
    values["user_agent"] = values["user_agent"] or Settings.user_agent
    for name in ("categories", "not_like"):
        values[name] = tuple(values[name] or ())
    values["find"] = None if values["find"] is None else tuple(values["find"])
    values["export"] = tuple(dict.fromkeys(values["export"] or ()))
    values["fill"] = values["with_annotation"] if values["fill"] is None else values["fill"]
    if validate_args.is_number(values["mark"]):
        values["how_many"] = values["mark"]
    values["mark"] = values["mark"] is not None
    return Settings(**values, command=tuple(sys.argv[1:] if arguments is None else arguments))


def input_flags(settings: Settings) -> list[str]:
    """Return the flags for the places of the inputs, unless they are beside the script."""
    data_dir = settings.ncode_data.parent
    if all(getattr(settings, flag) == data_dir / name for flag, name in INPUTS.items()):
        return [] if data_dir == PROJECT else ["--data_dir", str(data_dir)]
    places = ((flag, getattr(settings, flag), PROJECT / name) for flag, name in INPUTS.items())
    return [part for flag, path, default in places if path != default for part in (f"--{flag}", str(path))]
