"""Selection of the categories of a run: marked or named ones, and their subcategories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from ..models.rows import Category
from ..models.settings import Settings
from . import categories, hierarchy, named_sets, search
from .hierarchy import Hierarchy

EXAMPLE_FIND = "--find zebra --mark"
EXAMPLE_NAMES = "--categories zebra carton"


@dataclass(frozen=True)
class Selection:
    """The categories of a run, without duplicates.

    Attributes
    ----------
    categories
        In order. Their `how_many` is final: `--how_many` is applied already.
    subcategories
        The number of them that were added by `--with_subcategories`.
    """

    categories: list[Category]
    subcategories: int = 0


def read(settings: Settings, also: Iterable[str] = ()) -> list[Category]:
    """Read `ncodes.csv`, and append categories that it lacks: those of named sets, and the wnids in `also`.

    Raises
    ------
    InputError
        If the file or a set cannot be read.
    """
    return categories.read(settings.ncode_data, [*named_sets.codes_of(settings.categories), *also])


def selected(everything: Sequence[Category], settings: Settings) -> Selection:
    """Select the categories named by `--categories`, or else the marked ones, and their subcategories.

    Raises
    ------
    InputError
        If a name matches no category or several, or if nothing is marked.
    """
    named = settings.categories
    chosen = search.find_named(everything, named) if named else [one for one in everything if one.selected]
    if not chosen:
        raise InputError(
            f"No category is marked in {settings.ncode_data}. Set to_download to True for some and save it, "
            f"or find and mark them, e.g. {EXAMPLE_FIND}, or name them, e.g. {EXAMPLE_NAMES}"
        )
    whole = (
        with_subcategories(chosen, everything, hierarchy.load()) if settings.with_subcategories else chosen
    )
    added = len(whole) - len(chosen)
    if settings.how_many is not None:
        whole = [replace(category, how_many=settings.how_many) for category in whole]
    return Selection(whole, added)


def with_subcategories(
    chosen: Sequence[Category], everything: Sequence[Category], tree: Hierarchy
) -> list[Category]:
    """Add the subcategories in the table to categories, each after its parent, without duplicates.

    All returned categories are selected. A subcategory that is marked keeps its own `how_many`; any other
    takes that of the nearest selected category above it.
    """
    known = {category.code: category for category in (*everything, *chosen)}
    codes = [category.code for category in chosen]
    marked = codes + [code for code in tree.descendants(codes) if code in known and known[code].selected]
    nearest = tree.nearest(marked)
    order = (code for top in codes for code in [top, *tree.descendants([top])])
    return [
        replace(known[code], selected=True, how_many=known[nearest[code]].how_many)
        for code in dict.fromkeys(order)
        if code in known
    ]
