"""Numbers and lists are put into words as a person would."""

from __future__ import annotations

import pytest

from utils import text


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "image", "0 images"),
        (1, "box", "1 box"),
        (2, "box", "2 boxes"),
        (1, "category", "1 category"),
        (12_345, "category", "12,345 categories"),
        (7, "malformed line", "7 malformed lines"),
    ],
)
def test_how_many(number: int, noun: str, said: str) -> None:
    """One of something is one; large numbers can be read."""
    assert text.pluralize(number, noun) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more")],
)
def test_a_long_list_is_cut(names: list[str], said: str) -> None:
    """Who reads it knows how much is left out."""
    assert text.listed(names, 2) == said
