"""The numbers that files of ILSVRC 2012 give its 1,000 categories."""

from __future__ import annotations

import functools
from pathlib import Path

IDS = Path(__file__).parent.parent / "data" / "ilsvrc2012_ids.txt"


def code_of_label(label: object) -> str:
    """Return the wnid of a label, a number or its digits; empty if there is none."""
    return _codes_by_label().get(str(label), "")


def code_of_id(number: str) -> str:
    """Return the wnid of an id of the devkit, given by its digits; empty if there is none."""
    return _codes_by_id().get(number, "")


def codes() -> list[str]:
    """Return the wnids of all categories, in ascending order."""
    return sorted(_codes_by_id().values())


@functools.cache
def _codes_by_id() -> dict[str, str]:
    lines = IDS.read_text(encoding="ascii").splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))


@functools.cache
def _codes_by_label() -> dict[str, str]:
    """Return the wnids by their positions in ascending order, from 0."""
    return {str(label): code for label, code in enumerate(codes())}
