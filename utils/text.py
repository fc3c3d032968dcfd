"""How numbers and lists are put into words: in one way, wherever they are said."""

from __future__ import annotations

from collections.abc import Sequence


def pluralize(number: int, noun: str) -> str:
    """Say how many there are of something: "1 image", "2,000 categories", "0 boxes"."""
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


def listed(names: Sequence[str], most: int) -> str:
    """Name the first of several, and say how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _plural(noun: str) -> str:
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("x") else f"{noun}s"
