"""Checks flags of `extract_images_as_per_tags.py` that cannot be combined."""

from __future__ import annotations

from typing import Any

from ..export.dataset import OPTIONS, PATH_OPTIONS
from ..models.settings import Settings
from ..sources.registry import SOURCES

SELECTING = ("categories", "with_subcategories", "how_many", "fill", "with_annotation")
"""Flags that choose images otherwise than by `--images`."""


def conflict(values: dict[str, Any]) -> str | None:
    """Return which flags cannot be combined and what to do, or None if all can."""
    unmark, mark, verify = values["unmark"], values["mark"], values["verify"]
    find = values["find"] is not None
    how_many, export, scheduler = values["how_many"], values["export"], values["scheduler"]
    marks = unmark or mark is not None
    export_flag = next(
        (
            name
            for name in (*OPTIONS, *PATH_OPTIONS)
            if (values[name] or None) != (getattr(Settings, name) or None)
        ),
        "",
    )
    listed = next((name for name in SELECTING if values[name] not in (None, False, ())), "")
    rules = [
        (
            values["images"] and (find or marks or verify),
            "--images is for downloads: leave --find, --mark, --unmark and --verify out",
        ),
        (values["images"] and listed, f"--images names the images: leave --{listed} out"),
        (
            marks and not (find or values["categories"]),
            "--mark and --unmark need categories: add --find WORD ... or --categories X ...",
        ),
        (
            mark is not None and 0 in (how_many, mark if is_number(mark) else None),
            "--mark with how_many 0 would download nothing: give a number above 0, or use --unmark",
        ),
        (unmark and mark is not None, "--mark and --unmark contradict each other: leave one out"),
        (
            is_number(mark) and how_many not in (None, mark),
            "--mark N and --how_many N are different numbers: leave one out",
        ),
        (
            values["class_name"] is not None and mark is None,
            "--class needs --mark: add --mark, with --find WORD ... or --categories X ...",
        ),
        (unmark and how_many is not None, "--unmark takes no number: leave --how_many out"),
        (find and values["categories"], "--find searches all categories: leave --categories out"),
        *(
            (values[flag] and not find, f"--{flag} needs --find: add --find, with or without WORD ...")
            for flag in ("all_matches", "below", "boxed", "format")
        ),
        *(
            (
                name not in values["source"] and values[flag] != default,
                f"--{flag} needs the source {name}: add --source {name}",
            )
            for name, source in SOURCES.items()
            for flag, default in source.flags.items()
        ),
        (
            export_flag and not export,
            f"--{export_flag} needs --export: add --export FORMAT, e.g. --export yolo",
        ),
        (export and (find or marks), "--export needs a download: leave --find, --mark and --unmark out"),
        (export and verify, "--export needs a download: leave --verify out, or run it before"),
        (
            scheduler and not all(SOURCES[name].distributable for name in values["source"]),
            "--scheduler works with URLs and copies only: leave it or --source archive out",
        ),
        (scheduler and (find or verify), "--scheduler is for downloads: leave it out here"),
        (
            scheduler and not values["parallel"],
            "--scheduler and --parallel False contradict each other: leave one out",
        ),
        (verify and (find or marks), "--verify is a run of its own: leave --find, --mark and --unmark out"),
    ]
    return next((message for applies, message in rules if applies), None)


def is_number(mark: int | bool | None) -> bool:
    """Whether --mark was given with a number; it is True without one, and None without the flag."""
    return mark is not None and mark is not True
