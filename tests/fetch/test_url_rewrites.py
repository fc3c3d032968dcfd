"""Images that have moved are requested at their new address first."""

from __future__ import annotations

import pytest

from utils.fetch import url_rewrites
from utils.models.tasks import RequestTarget


@pytest.mark.parametrize(
    "url",
    [
        "http://farm3.static.flickr.com/2348/2392903754_04ec8ab8b3.jpg",
        "http://static.flickr.com/2348/2392903754_04ec8ab8b3.jpg",
        "http://farm3.staticflickr.com/2348/2392903754_04ec8ab8b3.jpg",
    ],
)
def test_flickr_urls_are_rewritten(url: str) -> None:
    """live.staticflickr.com is tried first, the original second."""
    best, second = url_rewrites.targets(url)
    assert best == RequestTarget(
        "https://live.staticflickr.com/2348/2392903754_04ec8ab8b3.jpg", "live.staticflickr.com:443"
    )
    assert second.address == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/farm3.static.flickr.com/2348/2392903754_04ec8ab8b3.jpg",
        "http://farm3.static.flickr.com.example.org/2348/2392903754_04ec8ab8b3.jpg",
        "http://farm3.static.flickr.com/2348/buddyicons/1.jpg",
        "https://live.staticflickr.com/2348/2392903754_04ec8ab8b3.jpg",
        "http://www.flickr.com/photos/x",
    ],
)
def test_other_urls_are_not_rewritten(url: str) -> None:
    """They have one target, the URL itself."""
    assert [target.address for target in url_rewrites.targets(url)] == [url]
