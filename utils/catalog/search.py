"""Find categories by name: exactly, as `--categories` does, or by words, as `--find` does.

A category matches a search if its name has all the words. Names that end with the words come first, because
the last words of an English name name its kind: a sled dog is a dog, a dog sled is not. Names with the words
elsewhere follow, then names with words that begin so. Similar spellings are tried only if nothing matches.
Plurals match their singular, "gold fish" matches "goldfish", and a code counts as a name.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ..errors import InputError
from ..models.rows import Category
from ..text import ELLIPSIS, join_names
from . import hierarchy, named_sets, names
from .categories import CODE

MAX_SUGGESTIONS = 3
_LOOSELY_SIMILAR = 0.6  # least similarity of a spelling that is suggested, but does not match
_SHARE_OF_BEST = 0.85  # of the score of the best suggestion, to be suggested as well

_MAX_SPELLINGS, _MAX_LISTED = 3, 5  # suggested spellings, and categories with such names
_LEAST_OF_SET = 5  # characters of the name of a set that are searched for
_MAX_ABOVE = 2  # levels of the hierarchy shown above a category
_CODE_LIKE = re.compile(r"n?[0-9]{4,12}", re.IGNORECASE)
_OBVIOUS = 0.85  # similarity of a spelling that leaves no need for other suggestions
_SIMILAR_CODE = 0.88  # one wrong character of nine: 16 characters of 18 match

_Spellings = Mapping[str, float]  # indexed words that match a searched word, with their similarity


def find_named(
    categories: Sequence[Category], queries: Iterable[str], *, flag: str = "--categories"
) -> list[Category]:
    """Find categories by code, full name, folder name or synonym, ignoring case, and by set.

    Parameters
    ----------
    flag
        The flag that the queries are from, for messages.

    Returns
    -------
    list of Category
        The categories, marked as selected, in the order of the queries, without duplicates.

    Raises
    ------
    InputError
        If a query matches no category or several; the message lists candidates.
    """
    known = {category.code: category for category in categories}
    queries = list(queries)
    index: dict[str, list[Category]] = {}  # not needed for codes, and takes a quarter of a second
    found: dict[str, Category] = {}
    errors = []
    for query in queries:
        if query.startswith(named_sets.PREFIX):
            codes = named_sets.codes(query)
            if unknown := [code for code in codes if code not in known]:
                errors.append(f"{flag} {query!r}: there is no category {join_names(unknown, _MAX_LISTED)}.")
            matches = [known[code] for code in codes if code in known]
        elif query in known:
            matches = [known[query]]
        else:
            index = index or _by_name(categories)
            matches = index.get(name_key(query), [])
            if len(matches) > 1:
                errors.append(f"{flag} {query!r} matches {len(matches)} categories; {_choices(matches)}")
            elif not matches:
                errors.append(f"{flag} {query!r} is not a code or name in the table{_hint(index, query)}")
        found |= {category.code: replace(category, selected=True) for category in matches}
    if errors:
        raise InputError("\n".join([*errors, *_unquoted(index, queries, flag)]))
    return list(found.values())


def _unquoted(index: Mapping[str, list[Category]], queries: Sequence[str], flag: str) -> list[str]:
    """Return advice if successive queries are the words of one name."""
    ends = range(len(queries), 0, -1)
    runs = (" ".join(queries[start:end]) for end in ends for start in range(end - 1))
    name = next((run for run in runs if name_key(run) in index), None)
    return [f"Put a name of several words in quotation marks: {flag} {shlex.quote(name)}"] if name else []


def _by_name(categories: Iterable[Category]) -> dict[str, list[Category]]:
    index: dict[str, list[Category]] = {}
    for category in categories:
        for key in name_keys(category):
            index.setdefault(key, []).append(category)
    return index


def name_key(text: str) -> str:
    """Normalise a name: case, spaces, and underscores for spaces make no difference."""
    return ", ".join(" ".join(part.split()) for part in text.replace("_", " ").casefold().split(","))


def name_keys(category: Category) -> set[str]:
    """Return all names of a category, normalised: code, full name, folder name and synonyms."""
    name = name_key(category.name)
    return {category.code, name, name_key(category.folder), *name.split(", ")} - {""}


def _hint(index: dict[str, list[Category]], query: str) -> str:
    if "," in query and any(name_key(part) in index for part in query.split(",")):
        return "; separate categories by spaces, not commas."
    if len(query) >= _LEAST_OF_SET and named_sets.find(query):
        return f"; names of sets begin with @, and --find @{query} lists them."
    similar = _similar_codes(index, query) if _CODE_LIKE.fullmatch(query) else _similar_names(index, query)
    candidates = list({category.code: category for category in similar}.values())[:_MAX_LISTED]
    if candidates:
        return f"; did you mean {_with_codes(candidates)}?"
    return "; look for it with --find, or in ncodes.csv."


def _similar_names(index: dict[str, list[Category]], query: str) -> list[Category]:
    """Return the singulars of a plural, or else similar names, or else names with similar words."""
    key = name_key(query)
    singulars = sorted(names.with_singulars(key) & index.keys())
    if singulars:
        return [category for singular in singulars for category in index[singular]]
    spellings = names.similar_spellings(key, index, limit=_MAX_SPELLINGS)
    similar = [category for spelling in spellings for category in index[spelling]]
    if max(spellings.values(), default=0) >= _OBVIOUS:
        return similar
    categories = {category.code: category for matches in index.values() for category in matches}
    return [*SearchIndex(categories.values()).suggest(names.words(query)), *similar][:_MAX_SPELLINGS]


def _similar_codes(index: dict[str, list[Category]], query: str) -> list[Category]:
    """Return codes with this beginning, and codes with one wrong character; most codes are similar."""
    text = f"n{query.lower().removeprefix('n')}"
    codes = [key for key in index if CODE.fullmatch(key)]
    longer = [code for code in codes if code.startswith(text)]
    similar = names.similar_spellings(text, codes, limit=_MAX_SPELLINGS, cutoff=_SIMILAR_CODE)
    return [category for code in [*longer, *similar][:_MAX_SPELLINGS] for category in index[code]]


def _choices(categories: Sequence[Category]) -> str:
    """List categories of the same name with their place in the hierarchy."""
    tree = hierarchy.load()
    lines = []
    for category in categories:
        path = [names.synonyms(tree.name(code))[0] for code in tree.path(category.code)[:-1]]
        above = [path[0], ELLIPSIS, *path[-_MAX_ABOVE:]] if len(path) > _MAX_ABOVE + 1 else path
        where = f": below {' > '.join(above)}" if above else ""
        lines.append(f"\n  {category.code} ({category.name}){where}")
    return f"use the code of the one that you mean:{''.join(lines)}"


def _with_codes(categories: Iterable[Category]) -> str:
    return ", ".join(f"{category.code} ({category.name})" for category in categories)


class Fit(str, Enum):
    """How a category matches a search, best first; the value is the word shown to users."""

    KIND = "kind"
    SIDE_BY_SIDE = "side_by_side"
    ALL_WORDS = "all_words"
    BEGINNINGS = "beginnings"
    SPELLING = "spelling"

    @property
    def has_all_words(self) -> bool:
        """Whether the name has the words themselves, not only similar ones."""
        return self in (Fit.KIND, Fit.SIDE_BY_SIDE, Fit.ALL_WORDS)


@dataclass(frozen=True)
class Match:
    """A category found by a search.

    Attributes
    ----------
    extra_words
        The number of other words in the synonym that matches best.
    in_short_name
        Whether the first synonym matches.
    distance
        1 - similarity, summed over the words; 0 if all are spelled as in the name.
    """

    category: Category
    fit: Fit
    extra_words: int
    in_short_name: bool
    distance: float = 0.0


class SearchIndex:
    """Index of categories by the words of their names."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self._categories = list(categories)
        self._positions: dict[str, list[int]] = {}
        for position, category in enumerate(self._categories):
            for word in {*names.words(category.name), category.code}:
                self._positions.setdefault(word, []).append(position)

    def search(self, words: Sequence[str], image_count: Callable[[str], int]) -> list[Match]:
        """Find the categories whose names have all the words.

        Parameters
        ----------
        words
            As returned by `names.words`.
        image_count
            Returns the number of images by code; of equal matches, those with more images come first.

        Returns
        -------
        list of Match
            The matches, best first.
        """
        expansions = (
            (Fit.ALL_WORDS, self._exact),
            (Fit.BEGINNINGS, lambda word: {one: 1.0 for one in self._positions if one.startswith(word)}),
            (Fit.SPELLING, self._similar),
        )
        searched: list[_Spellings] = [{} for _ in words]
        found: dict[int, Match] = {}
        for fit, expand in expansions:
            if fit is Fit.SPELLING and found:
                break
            searched = [{**expand(word), **known} for word, known in zip(words, searched, strict=True)]
            self._add_matches(found, searched, fit)
            if fit is Fit.ALL_WORDS:
                self._add_matches(found, [self._exact("".join(words))], fit)
        order = list(Fit)
        return sorted(
            found.values(),
            key=lambda match: (
                order.index(match.fit),
                match.distance,
                match.extra_words,
                not match.in_short_name,
                -image_count(match.category.code),
            ),
        )

    def suggest(self, words: Sequence[str]) -> list[Category]:
        """Return up to `MAX_SUGGESTIONS` categories with most of the words or similar ones."""
        scores: Counter[int] = Counter()
        for word in words:
            scores.update(self._word_scores(word))
        best = max(scores.values(), default=0)
        likely = [position for position, score in scores.items() if score >= _SHARE_OF_BEST * best]
        likely.sort(key=lambda position: (-scores[position], len(self._categories[position].name)))
        return [self._categories[position] for position in likely[:MAX_SUGGESTIONS]]

    def _word_scores(self, word: str) -> dict[int, float]:
        """Score the categories that have a word or a similar one; rare words score higher."""
        cutoff = _LOOSELY_SIMILAR if word.isalpha() else names.SIMILAR  # all codes are loosely similar
        spellings = {**self._exact(word), **self._similar(word, cutoff)}
        least_similar_first = sorted(spellings, key=spellings.__getitem__)
        scores: dict[int, float] = {}
        if spellings:
            rarity = 1 + math.log(len(self._categories) / len(self._positions[least_similar_first[-1]]))
            for spelling in least_similar_first:
                scores.update(dict.fromkeys(self._positions[spelling], spellings[spelling] ** 2 * rarity))
        return scores

    def _exact(self, word: str) -> _Spellings:
        return dict.fromkeys(names.with_singulars(word) & self._positions.keys(), 1.0)

    def _similar(self, word: str, cutoff: float = names.SIMILAR) -> _Spellings:
        return names.similar_spellings(word, self._positions, cutoff=cutoff)

    def _add_matches(self, found: dict[int, Match], searched: Sequence[_Spellings], fit: Fit) -> None:
        """Add the categories that have all the words and are not in `found` yet."""
        having = [{position for word in one for position in self._positions[word]} for one in searched]
        for position in sorted(set.intersection(*having) - found.keys()):
            found[position] = _rate(self._categories[position], searched, fit)


def _rate(category: Category, searched: Sequence[_Spellings], fit: Fit) -> Match:
    """Rate a category whose name has all the words."""
    synonyms = [names.words(name) for name in (*names.synonyms(category.name), category.code)]
    matches = _has_all
    if fit is Fit.ALL_WORDS:
        for closer, is_closer in ((Fit.KIND, _ends_with), (Fit.SIDE_BY_SIDE, _has_phrase)):
            if any(is_closer(synonym, searched) for synonym in synonyms):
                fit, matches = closer, is_closer
                break
    lengths = {index: len(synonym) for index, synonym in enumerate(synonyms) if matches(synonym, searched)}
    total = sum(map(len, synonyms))  # if the words are spread over several synonyms
    return Match(
        category,
        fit,
        extra_words=min(lengths.values(), default=total) - len(searched),
        in_short_name=0 in lengths,
        distance=sum(
            1 - max(spellings.get(word, 0.0) for synonym in synonyms for word in synonym)
            for spellings in searched
        ),
    )


def _has_all(name: Sequence[str], searched: Sequence[_Spellings]) -> bool:
    return all(any(word in spellings for word in name) for spellings in searched)


def _ends_with(name: Sequence[str], searched: Sequence[_Spellings]) -> bool:
    return _has_phrase_at(len(name) - len(searched), name, searched)


def _has_phrase(name: Sequence[str], searched: Sequence[_Spellings]) -> bool:
    return any(_has_phrase_at(start, name, searched) for start in range(len(name)))


def _has_phrase_at(start: int, name: Sequence[str], searched: Sequence[_Spellings]) -> bool:
    phrase = name[start : start + len(searched)] if start >= 0 else []
    return len(phrase) == len(searched) and all(
        word in spellings for word, spellings in zip(phrase, searched, strict=True)
    )
