"""Which categories a run is about: those that are marked or named, and what lies below them.

This module alone knows which `how_many` a subcategory has: its own if it is marked itself, else that of the
nearest category above it that was selected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from . import categories, hierarchy
from .hierarchy import Hierarchy


@dataclass(frozen=True)
class Selection:
    """Categories to work on, each once; `brought` of them came as subcategories of the others."""

    categories: list[Category]
    brought: int = 0


def selected(everything: Sequence[Category], settings: Settings) -> Selection:
    """Give the categories that the user named, or else marked, with their subcategories if those are wanted.

    Raises
    ------
    InputError
        If a name is none, or nothing is marked.
    """
    named = settings.categories
    chosen = categories.find(everything, named) if named else categories.selected(everything)
    if not chosen:
        raise InputError(
            f"No category is marked in {settings.ncode_data}. Set to_download to True for some and save it, "
            "or find and mark them, e.g. --find carton --mark, or name them, e.g. --categories carton cup"
        )
    whole = chosen
    if settings.with_subcategories:
        whole = with_subcategories(chosen, everything, hierarchy.shipped())
    if settings.how_many is not None:
        whole = [replace(category, how_many=settings.how_many) for category in whole]
    return Selection(whole, brought=len(whole) - len(chosen))


def with_subcategories(
    chosen: Sequence[Category], everything: Sequence[Category], tree: Hierarchy
) -> list[Category]:
    """Let each category be followed by all those of the table that lie below it, as selected; each once."""
    known = {category.code: category for category in everything}
    known |= {category.code: category for category in chosen}
    codes = [category.code for category in chosen]
    with_numbers = codes + [code for code in tree.below(codes) if code in known and known[code].selected]
    nearest = tree.spread({code: code for code in with_numbers})
    order = (code for top in codes for code in [top, *tree.below([top])])
    return [
        replace(known[code], selected=True, how_many=known[nearest[code]].how_many)
        for code in dict.fromkeys(order)
        if code in known
    ]
