"""Commands that messages suggest, with the flags of this run that the next one needs, too."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..models.rows import Category
from ..models.settings import Settings
from ..sources.url_source import UrlSource
from . import extract_flags
from .arguments import PROJECT

SCRIPT = ("python", "extract_images_as_per_tags.py")
NO_LEXNAME = "not in WordNet"
"""The name of the group of categories that are in no lexicographer file."""


def script(settings: Settings) -> list[str]:
    """Return the command of the script, with the flags for places that are not the defaults."""
    words = [*SCRIPT, *extract_flags.input_flags(settings)]
    is_default = settings.save_dir == PROJECT
    return words if is_default else [*words, "--save_dir", str(settings.save_dir)]


def source_flags(settings: Settings) -> list[str]:
    """Return the flags for the sources of images that are not the defaults."""
    words = [] if settings.source == (UrlSource.name,) else ["--source", *settings.source]
    return words + (["--copy", *settings.copy] if settings.copy else [])


def mark_groups(groups: Mapping[str, Sequence[Category]], settings: Settings) -> list[str]:
    """Return a command for each group that marks or unmarks it; rows of no file are marked by their codes."""
    commands = []
    for lexname, members in groups.items():
        if lexname == NO_LEXNAME:
            codes = tuple(category.code for category in members)
            commands.append(_mark_command(replace(settings, find=None, categories=codes)))
        else:
            commands.append(_mark_command(replace(settings, below=lexname)))
    return [f"  {command}" for command in commands]


def _mark_command(settings: Settings) -> str:
    words = script(settings)
    words += [] if settings.find is None else ["--find", *settings.find]
    words += ["--categories", *settings.categories] if settings.categories else []
    for name in ("all_matches", "boxed", "with_subcategories", "with_annotation"):
        words += [f"--{name}", "True"] if getattr(settings, name) else []
    words += [] if settings.below is None else ["--below", settings.below]
    words += source_flags(settings)
    words += ["--unmark" if settings.unmark else "--mark"]
    words += [] if settings.how_many is None else [str(settings.how_many)]
    words += [] if settings.class_name is None else ["--class", settings.class_name]
    return shlex.join(words)
