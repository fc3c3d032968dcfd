"""Flags of `extract_images_as_per_tags.py` that make no sense together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..models.settings import Settings
from ..sources.registry import SOURCES

ABOUT_EXPORTS = ("val_fraction", "seed", "labels", "export_unannotated")


def found(values: dict[str, Any]) -> Iterator[str]:
    """Say which flags make no sense together, and what to do about it."""
    find, mark = values["find"], values["mark"] is not None
    if (mark or values["unmark"]) and not (find or values["categories"]):
        yield "--mark and --unmark need to know what: add --find WORD ... or --categories X ..."
    if mark and 0 in (values["how_many"], values["mark"] if is_number(values["mark"]) else None):
        yield "--mark with how_many 0 would take nothing: give a number above 0, or use --unmark"
    if mark and values["unmark"]:
        yield "--mark and --unmark contradict each other: leave one out"
    if is_number(values["mark"]) and values["how_many"] not in (None, values["mark"]):
        yield "--mark N and --how_many N are different numbers: leave one out"
    if values["unmark"] and values["how_many"] is not None:
        yield "--unmark takes no number: leave --how_many out"
    if find and values["categories"]:
        yield "--find looks through all categories: leave --categories out"
    if values["format"] and not find:
        yield "--format is about what --find lists: add --find WORD ..."
    yield from _about_sources(values)
    yield from _about_exports(values)
    yield from _about_the_scheduler(values)
    if values["verify"] and (find or mark or values["unmark"]):
        yield "--verify is a run of its own: leave --find, --mark and --unmark out"


def _about_sources(values: dict[str, Any]) -> Iterator[str]:
    for name, source in SOURCES.items():
        for flag, default in source.flags.items():
            if name not in values["source"] and values[flag] != default:
                yield f"--{flag} needs the source {name}: add --source {name}"


def _about_exports(values: dict[str, Any]) -> Iterator[str]:
    changed = [f"--{name}" for name in ABOUT_EXPORTS if values[name] != getattr(Settings, name)]
    if changed and not values["export"]:
        yield f"{changed[0]} is about what is exported: add --export FORMAT, e.g. --export yolo"
    if values["export"] and (values["find"] or values["mark"] is not None or values["unmark"]):
        yield "--export comes after a download: leave --find, --mark and --unmark out"
    if values["export"] and values["verify"]:
        yield "--export comes after a download: leave --verify out, or let it go first, as a run of its own"


def _about_the_scheduler(values: dict[str, Any]) -> Iterator[str]:
    if values["scheduler"] and not all(SOURCES[name].distributable for name in values["source"]):
        yield "--scheduler is for URLs; tars come from one server: leave it out, or --source"
    if values["scheduler"] and (values["find"] or values["verify"]):
        yield "--scheduler is for downloads: leave it out here"
    if values["scheduler"] and not values["parallel"]:
        yield "--scheduler and --parallel False contradict each other: leave one out"


def is_number(mark: int | bool | None) -> bool:
    """Tell a number given to --mark from True, which says that none was, and from None."""
    return mark is not None and mark is not True
