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


COMMONS = "http://upload.wikimedia.org/wikipedia/commons"


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        (
            "http://photos12.flickr.com/18756827_7d8d8432df.jpg",
            "https://live.staticflickr.com/12/18756827_7d8d8432df.jpg",
        ),
        (f"{COMMONS}/thumb/7/70/Cabbage.jpg/200px-Cabbage.jpg", f"{COMMONS}/7/70/Cabbage.jpg"),
        (f"{COMMONS}/thumb/1/1f/Sea_otter.JPG/800px-Sea_otter.JPG", f"{COMMONS}/1/1f/Sea_otter.JPG"),
        (f"{COMMONS}/thumb/b/b0/Harp%2C_1.png/437px-Harp%2C_1.png", f"{COMMONS}/b/b0/Harp%2C_1.png"),
        (
            f"{COMMONS}/thumb/archive/8/85/2007!Oboe.JPG/450px-Oboe.JPG",
            f"{COMMONS}/archive/8/85/2007!Oboe.JPG",
        ),
        (
            "https://upload.wikimedia.org/wikipedia/en/thumb/4/43/Piano.jpg/400px-Piano.jpg",
            "https://upload.wikimedia.org/wikipedia/en/4/43/Piano.jpg",
        ),
        (
            f"{COMMONS}/thumb/4/43/Harp.svg/300px-Harp.svg.png",
            f"{COMMONS}/thumb/4/43/Harp.svg/500px-Harp.svg.png",
        ),
    ],
)
def test_other_moved_images(url: str, moved: str) -> None:
    """Flickr's oldest URLs, and Wikimedia's thumbnails of widths that it does not make any more."""
    assert [target.address for target in url_rewrites.targets(url)] == [moved, url]


@pytest.mark.parametrize(
    "url",
    [
        *(f"{COMMONS}/thumb/7/70/Cabbage.jpg/{width}px-Cabbage.jpg" for width in (120, 250, 500, 1280)),
        f"{COMMONS}/thumb/4/43/Harp.svg/500px-Harp.svg.png",
        f"{COMMONS}/7/70/Cabbage.jpg",
        f"{COMMONS}/thumb/7/70/Film.ogv/200px--Film.ogv.jpg",
        "http://example.org/thumb/7/70/Cabbage.jpg/200px-Cabbage.jpg",
        "http://photos12.flickr.com/buddyicons/1.jpg",
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
