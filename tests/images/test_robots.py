"""The X-Robots-Tag header."""

from __future__ import annotations

import pytest

from utils.images.robots import is_opted_out


@pytest.mark.parametrize(
    "values",
    [
        ["noai"],
        ["noimageai"],
        ["noindex"],
        ["noimageindex"],
        ["none"],
        ["part-of-imagenet: None"],
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
def test_opt_out(values: list[str]) -> None:
    """An opt-out for all bots or for this one counts, in any case, among other directives and headers."""
    assert is_opted_out(values)


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
        ["otherbot: none"],
        ["noindexing"],
        ["no index"],
        ["max-image-preview: none"],
        ["unavailable_after: Wed, 25 Jun 2010 15:00:00 PST"],
        ["part-of-imagenet-not: noai"],
    ],
)
def test_no_opt_out(values: list[str]) -> None:
    """Other directives, and directives for other bots, do not count."""
    assert not is_opted_out(values)
