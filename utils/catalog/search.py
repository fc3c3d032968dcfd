"""Categories found by words of their names: the answer to `--find`.

This module alone knows what fits better than what. A category fits if its name has all words that are looked
for. Best is what ends with them, for in English the last words say what a thing is: a sled dog is a dog, a
dog sled is none. Then come names that have them elsewhere, then words that only begin so. Where nothing fits,
close spellings are tried. Plurals count as the word, "gold fish" as "goldfish", and a code as a name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from ..models.rows import Category
from . import names

FARTHER = 0.6
"""The likeness of spellings that are no match, but may still be what was meant."""
SUGGESTIONS = 3
WORTH_SAYING = 0.85
"""Of what the best suggestion has in common with the words; what has less is none."""

_Spellings = Mapping[str, float]  # words of names that are taken for a word, with their likeness


class Fit(str, Enum):
    """How a category fits what was looked for, the best first; the value is the word for it."""

    KIND = "kind"
    SIDE_BY_SIDE = "side_by_side"
    ALL_WORDS = "all_words"
    BEGINNINGS = "beginnings"
    SPELLING = "spelling"

    @property
    def is_certain(self) -> bool:
        """Whether the name has the very words."""
        return self in (Fit.KIND, Fit.SIDE_BY_SIDE, Fit.ALL_WORDS)

    @property
    def place(self) -> int:
        """Where it stands in the order."""
        return list(Fit).index(self)


@dataclass(frozen=True)
class Match:
    """A category that was found.

    Attributes
    ----------
    fit
        How it fits.
    further_words
        How many other words there are in the synonym that fits best.
    in_first_name
        Whether that is the name by which it is called in short.
    unlikeness
        How far its words are from the spelling looked for; 0 if they are spelled so.
    """

    category: Category
    fit: Fit
    further_words: int
    in_first_name: bool
    unlikeness: float = 0.0


class Finder:
    """Looks categories up by words of their names."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self._categories = list(categories)

    def find(self, words: Sequence[str], images: Callable[[str], int]) -> list[Match]:
        """Find the categories whose names have all words.

        Parameters
        ----------
        words
            As `name_words.words` gives them.
        images
            Says how many a category has: of those that fit alike, the one with the most comes first.

        Returns
        -------
        list of Match
            The best first.
        """
        taken: list[_Spellings] = [{} for _ in words]
        found: dict[int, Match] = {}
        for fit, widen in self._ways():
            if fit is Fit.SPELLING and found:
                break
            taken = [{**widen(word), **have} for word, have in zip(words, taken, strict=True)]
            self._add(found, taken, fit)
            if fit is Fit.ALL_WORDS:
                self._add(found, [self._whole("".join(words))], fit)
        return sorted(found.values(), key=lambda match: _order(match, images))

    def nearest(self, words: Sequence[str]) -> list[Category]:
        """Give a few categories that come close where none fits: most words in common, or spelled alike."""
        votes: Counter[int] = Counter()
        for word in words:
            votes.update(self._votes(word))
        most = max(votes.values(), default=0)
        likely = [place for place, vote in votes.items() if vote >= WORTH_SAYING * most]
        likely.sort(key=lambda place: (-votes[place], len(self._categories[place].name)))
        return [self._categories[place] for place in likely[:SUGGESTIONS]]

    def _votes(self, word: str) -> dict[int, float]:
        """Say how well categories answer to a word, by their places; a rare word weighs more than others."""
        cutoff = FARTHER if word.isalpha() else names.CLOSE  # codes are all somewhat alike
        known = {**self._whole(word), **self._spelled_alike(word, cutoff)}
        from_far = sorted(known, key=known.__getitem__)
        rarity = 1 + math.log(len(self._categories) / len(self._holders[from_far[-1]])) if known else 0
        votes: dict[int, float] = {}
        for other in from_far:
            votes.update(dict.fromkeys(self._holders[other], known[other] ** 2 * rarity))
        return votes

    @cached_property
    def _holders(self) -> dict[str, list[int]]:
        """The places of the categories that have a word, by word."""
        holders: dict[str, list[int]] = {}
        for place, category in enumerate(self._categories):
            for word in {*names.words(category.name), category.code}:
                holders.setdefault(word, []).append(place)
        return holders

    def _ways(self) -> tuple[tuple[Fit, Callable[[str], _Spellings]], ...]:
        return (
            (Fit.ALL_WORDS, self._whole),
            (Fit.BEGINNINGS, self._begun),
            (Fit.SPELLING, self._spelled_alike),
        )

    def _whole(self, word: str) -> _Spellings:
        return dict.fromkeys(names.with_singulars(word) & self._holders.keys(), 1.0)

    def _begun(self, word: str) -> _Spellings:
        return {other: 1.0 for other in self._holders if other.startswith(word)}

    def _spelled_alike(self, word: str, cutoff: float = names.CLOSE) -> _Spellings:
        return names.close_spellings(word, self._holders, cutoff=cutoff)

    def _add(self, found: dict[int, Match], taken: Sequence[_Spellings], fit: Fit) -> None:
        """Add the categories that have all words and are not found yet."""
        for place in sorted(self._having_all(taken) - found.keys()):
            found[place] = _judged(self._categories[place], taken, fit)

    def _having_all(self, taken: Sequence[_Spellings]) -> set[int]:
        having = [{place for word in spellings for place in self._holders[word]} for spellings in taken]
        return set.intersection(*having)


def _judged(category: Category, taken: Sequence[_Spellings], fit: Fit) -> Match:
    """Say how well a category fits that has all words."""
    spellings = [names.words(name) for name in (*names.synonyms(category.name), category.code)]
    ways = _CLOSER_WAYS if fit is Fit.ALL_WORDS else {}
    closer = (way for way, is_so in ways.items() if any(is_so(one, taken) for one in spellings))
    fit = next(closer, fit)
    is_so = ways.get(fit, _has_all)
    lengths = {place: len(name) for place, name in enumerate(spellings) if is_so(name, taken)}
    every = sum(map(len, spellings))  # the words are scattered over several synonyms
    return Match(
        category,
        fit,
        further_words=min(lengths.values(), default=every) - len(taken),
        in_first_name=0 in lengths,
        unlikeness=sum(1 - _best(spellings, wanted) for wanted in taken),
    )


def _ends_so(name: Sequence[str], taken: Sequence[_Spellings]) -> bool:
    return _is_so_from(len(name) - len(taken), name, taken)


def _has_side_by_side(name: Sequence[str], taken: Sequence[_Spellings]) -> bool:
    return any(_is_so_from(start, name, taken) for start in range(len(name)))


def _is_so_from(start: int, name: Sequence[str], taken: Sequence[_Spellings]) -> bool:
    there = name[start : start + len(taken)] if start >= 0 else []
    return len(there) == len(taken) and all(word in one for word, one in zip(there, taken, strict=True))


def _has_all(name: Sequence[str], taken: Sequence[_Spellings]) -> bool:
    return all(any(word in spellings for word in name) for spellings in taken)


_CLOSER_WAYS = {Fit.KIND: _ends_so, Fit.SIDE_BY_SIDE: _has_side_by_side}


def _best(names: Iterable[Sequence[str]], spellings: _Spellings) -> float:
    return max(spellings.get(word, 0.0) for name in names for word in name)


def _order(match: Match, images: Callable[[str], int]) -> tuple[float, ...]:
    return (
        match.fit.place,
        match.unlikeness,
        match.further_words,
        not match.in_first_name,
        -images(match.category.code),
    )
