"""The options of both command lines: flags with their help, and the types of their values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..fetch.locations import is_url

TRUE = frozenset({"true", "yes", "1", "y"})
FALSE = frozenset({"false", "no", "0", "n"})


@dataclass(frozen=True)
class Option:
    """One flag.

    Attributes
    ----------
    default
        None if the help text itself states what happens without the flag.
    arguments
        Further arguments of argparse's `add_argument`.
    """

    flag: str
    help: str
    default: object
    arguments: Mapping[str, Any]


def value(
    flag: str, metavar: str, parse: Callable[[str], Any], text: str, default: object = None, **more: Any
) -> Option:
    """Return an option that takes a value, or several."""
    return Option(flag, text, default, {"metavar": metavar, "type": parse, **more})


def boolean_value(flag: str, text: str, default: bool | None) -> Option:
    """Return an option that takes True or False; without a value it is True."""
    return value(flag, "BOOL", boolean, text, default, nargs="?", const=True)


def one_of(flag: str, words: Sequence[str], text: str, default: object = None) -> Option:
    """Return an option that takes one of several words."""
    return value(flag, f"{{{','.join(words)}}}", partial(choice, words), text, default)


def switch(flag: str, text: str) -> Option:
    """Return an option that takes no value."""
    return Option(flag, text, None, {"action": "store_true"})


def boolean(text: str) -> bool:
    """Parse a boolean."""
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
    return word in TRUE


def number(
    least: float, kind: Callable[[str], float] = int, *, most: float = 2**31
) -> Callable[[str], float]:
    """Return a parser of numbers from `least` to `most`."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            limit = f"up to {most}" if value > most else f"from {least} upwards"
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what} {limit}")
        return value

    return parse


def choice(words: Sequence[str], text: str) -> str:
    """Parse one of several lower-case words, given in any case."""
    if text.lower() not in words:
        hint = "; separate them by blanks" if "," in text else ""
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}{hint}")
    return text.lower()


def address(text: str) -> str:
    """Parse a path or a URL; an empty one comes from an unset variable, and is not the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("this is empty: give a path, or leave the flag out")
    return text


def path(text: str) -> Path:
    """Parse a path; in `--save_dir=~/x` the shell does not expand the `~`."""
    try:
        return Path(address(text)).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} names no user of this machine") from error


def file(text: str) -> Path:
    """Parse the path of a file, which must not be a folder or a URL."""
    parsed = path(text)
    if is_url(text):
        raise argparse.ArgumentTypeError(f"{text!r} is a URL: download it, and give the file")
    if os.path.isdir(parsed):  # noqa: PTH112  # Path.is_dir raises OSError for a path that is too long
        raise argparse.ArgumentTypeError(f"{text!r} is a folder: give the file in it")
    return parsed


def user_agent(text: str) -> str:
    """Parse a User-Agent, which is sent as a header."""
    if not (text.isascii() and text.isprintable() and text.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be a User-Agent: use printable ASCII characters")
    return text.strip()
