"""The WordNet hierarchy of the categories, from the table that ships with the tool.

A category can have several parents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from . import categories
from .categories import Synset


class Hierarchy:
    """Ancestors and descendants of categories, by code. Unknown codes have neither."""

    def __init__(self, synsets: Iterable[Synset]) -> None:
        self._synsets = {synset.code: synset for synset in synsets}
        self._children: dict[str, list[str]] = {}
        for synset in self._synsets.values():
            for parent in synset.parents:
                self._children.setdefault(parent, []).append(synset.code)

    def name(self, code: str) -> str:
        """Return the WordNet name of a category, or its code if WordNet does not have it."""
        return self._synsets[code].name if code in self._synsets else code

    def lexname(self, code: str) -> str:
        """Return the lexicographer file of a category, such as "animal"; "" if WordNet lacks it."""
        return self._synsets[code].lexname if code in self._synsets else ""

    def of_lexname(self, lexname: str) -> list[str]:
        """Return the categories of a lexicographer file; its name in any case, with or without "noun."."""
        key = lexname.strip().casefold().removeprefix("noun.")
        return [code for code, synset in self._synsets.items() if synset.lexname.casefold() == key]

    def path(self, code: str) -> list[str]:
        """Return the shortest path from a root down to a category, both included."""
        paths = deque([[code]])
        while parents := self._parents(paths[0][0]):
            path = paths.popleft()
            paths.extend([parent, *path] for parent in parents)
        return paths[0]

    def descendants(self, codes: Sequence[str]) -> list[str]:
        """Return all categories below `codes`, depth first, without duplicates and without `codes`."""
        seen, found = set(codes), []
        pending = [child for code in reversed(codes) for child in reversed(self._children.get(code, ()))]
        while pending:
            code = pending.pop()
            if code not in seen:
                seen.add(code)
                found.append(code)
                pending += reversed(self._children.get(code, ()))
        return found

    def nearest(self, ancestors: Iterable[str]) -> dict[str, str]:
        """Map each of some categories to itself, and each of their descendants to the nearest of them.

        Of several at the same distance, the first one is taken.
        """
        nearest = {code: code for code in ancestors}
        pending = deque(nearest)
        while pending:
            code = pending.popleft()
            for child in self._children.get(code, ()):
                if child not in nearest:
                    nearest[child] = nearest[code]
                    pending.append(child)
        return nearest

    def _parents(self, code: str) -> Sequence[str]:
        return self._synsets[code].parents if code in self._synsets else ()


def load() -> Hierarchy:
    """Read the hierarchy that ships with the tool, which takes about 0.1 s."""
    return Hierarchy(categories.load_synsets())
