"""Who asks not to be collected is heard; who speaks to others is not obeyed in their place."""

from __future__ import annotations

import pytest

from utils.images.robots import asked_for


@pytest.mark.parametrize(
    "values",
    [
        ["noai"],
        ["noimageai"],
        ["noindex"],
        ["noimageindex"],
        ["NoAI"],
        ["  noai  "],
        ["nofollow, noai"],
        ["noai,noimageai"],
        ["nofollow,,noindex,"],
        ["all", "nofollow", "noindex"],
        ["*: noai"],
        ["part-of-imagenet: noai"],
        ["Part-Of-ImageNet : nofollow , noimageai"],
        ["otherbot: nofollow, part-of-imagenet: noindex"],
        ["otherbot: noindex", "noai"],
        ["noindex, otherbot: all"],
        ["max-snippet: 0, noindex"],
        ["max-image-preview:none, noimageindex"],
        ["unavailable_after: 25 Jun 2010 15:00:00 PST, noindex"],
        ["unavailable_after: Wed, 25 Jun 2010 15:00:00 PST, noindex"],
        ["unavailable_after: Wednesday, 25-Jun-10 15:00:00 PST, noindex"],
    ],
)
def test_a_refusal_to_all_or_to_us_is_heard(values: list[str]) -> None:
    """In any case, among other directives, in any of several headers."""
    assert asked_for(values)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [","],
        [":"],
        ["all"],
        ["nofollow, noarchive, nosnippet"],
        ["otherbot: noai"],
        ["otherbot: nofollow, noindex"],
        ["googlebot: noindex, noai", "bingbot: noimageai"],
        ["noindexing"],
        ["no index"],
        ["max-image-preview: none"],
        ["unavailable_after: Wed, 25 Jun 2010 15:00:00 PST"],
        ["part-of-imagenet-not: noai"],
    ],
)
def test_anything_else_is_no_refusal(values: list[str]) -> None:
    """Neither other directives nor what is addressed to another bot, up to the next name."""
    assert not asked_for(values)
