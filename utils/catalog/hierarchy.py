"""WordNet's hierarchy over the categories: what is a kind of what.

This module alone knows how to go up and down in it. A category can have several parents; whatever lies
below it is counted once. It comes from the table that ships, and costs a tenth of a second to read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from . import categories
from .categories import ShippedCategory


def shipped() -> Hierarchy:
    """Read the hierarchy that ships with the tool."""
    return Hierarchy(categories.shipped())


class Hierarchy:
    """Parents and subcategories, by code; what it does not know has neither."""

    def __init__(self, known: Iterable[ShippedCategory]) -> None:
        self._known = {category.code: category for category in known}

    def name(self, code: str) -> str:
        """Give WordNet's name of a category, or its code if it is none of WordNet's."""
        return self._known[code].name if code in self._known else code

    def path(self, code: str) -> list[str]:
        """Give the shortest way from the broadest category down to this one, both included."""
        came_from: dict[str, str] = {}
        waiting = deque([code])
        while above := self._parents(waiting[0]):
            at = waiting.popleft()
            for parent in above:
                if parent not in came_from:
                    came_from[parent] = at
                    waiting.append(parent)
        path = [waiting[0]]
        while path[-1] != code:
            path.append(came_from[path[-1]])
        return path

    def below(self, codes: Iterable[str]) -> list[str]:
        """Give everything below some categories, each once, followed by what is below it; not themselves."""
        start = list(codes)
        below = dict.fromkeys(start)
        waiting = [child for code in reversed(start) for child in self._children_from_last(code)]
        while waiting:
            code = waiting.pop()
            if code not in below:
                below[code] = None
                waiting += self._children_from_last(code)
        return list(below)[len(dict.fromkeys(start)) :]

    def spread(self, marks: Mapping[str, str]) -> dict[str, str]:
        """Give everything below marked categories the mark of the nearest of them; theirs they keep.

        Returns
        -------
        dict of str to str
            The marks by code: first those given, then what lies below, the nearest first.
        """
        spread = dict(marks)
        waiting = deque(spread)
        while waiting:
            code = waiting.popleft()
            for child in self._children.get(code, ()):
                if child not in spread:
                    spread[child] = spread[code]
                    waiting.append(child)
        return spread

    def _children_from_last(self, code: str) -> list[str]:
        return self._children.get(code, [])[::-1]

    def _parents(self, code: str) -> tuple[str, ...]:
        return self._known[code].parents if code in self._known else ()

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = {}
        for child, parent in self._links():
            children.setdefault(parent, []).append(child)
        return children

    def _links(self) -> Iterator[tuple[str, str]]:
        for category in self._known.values():
            yield from ((category.code, parent) for parent in category.parents)
