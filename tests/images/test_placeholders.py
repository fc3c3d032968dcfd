"""Known placeholders, and placeholders detected by repetition."""

from __future__ import annotations

import dataclasses

import pytest

from utils.images.placeholders import (
    KNOWN_MD5,
    ContentKey,
    DuplicateTracker,
    is_placeholder,
    reject_response,
    retracted,
)
from utils.models.images import ImageFormat, Picture
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome, Response
from utils.reasons import Reason, Status


def response(final_url: str, data: bytes = b"picture") -> Response:
    """Return a response of a server."""
    return Response(data, 200, final_url)


def image(number: int, content: int, host: str = "one:80") -> Outcome:
    """Return a saved image with the given URL number and content."""
    picture = Picture(ImageFormat.JPEG, 100, 100, 1000, f"{content:064x}")
    row = UrlRow(number, f"n00000001_{number}", f"http://host/{number}.jpg")
    return Outcome(row, Status.DOWNLOADED, file=f"Images/{number}.jpg", picture=picture, final_host=host)


def track(*outcomes: Outcome) -> DuplicateTracker:
    """Return a tracker of these outcomes."""
    tracker = DuplicateTracker()
    for outcome in outcomes:
        tracker.add(outcome)
    return tracker


@pytest.mark.parametrize(
    "final_url",
    [
        "http://l.yimg.com/g/images/photo_unavailable.gif",
        "https://s.yimg.com/pw/images/en-us/photo_unavailable.png",
        "https://s.YIMG.com/pw/images/photo_unavailable_l.png?v=1",
        "http://cdn.example/photo_unavailable_small.jpg",
        "http://i.imgur.com/removed.png",
        "https://imgur.com/removed.png",
    ],
)
def test_known_url(final_url: str) -> None:
    """A response from the URL of a known placeholder is rejected."""
    rejection = reject_response(response(final_url))
    assert rejection is not None
    assert rejection.reason is Reason.PLACEHOLDER


@pytest.mark.parametrize(
    "final_url",
    [
        "http://farm1.static.flickr.com/1/2_3.jpg",
        "http://host/photo_unavailable/real.jpg",
        "http://host/my_photo.jpg?from=photo_unavailable",
        "http://i.imgur.com/abcde.png",
    ],
)
def test_similar_url(final_url: str) -> None:
    """A similar URL is not rejected."""
    assert reject_response(response(final_url)) is None


def test_known_size_with_other_content() -> None:
    """An image with the size of a known placeholder, but other bytes, is not rejected."""
    assert KNOWN_MD5 == {2051: "880a7a58e05d3e83797f27573bb6d35c", 503: "d835884373f4d6c8f24742ceabe74946"}
    for size in KNOWN_MD5:
        assert reject_response(response("http://host/a.png", bytes(size))) is None


def test_three_urls() -> None:
    """The same bytes for three URLs are a placeholder, for two they are not."""
    tracker = track(image(1, 7), image(2, 7))
    assert tracker.placeholders() == set()
    tracker.add(image(3, 7))
    assert tracker.placeholders() == {ContentKey("one:80", f"{7:064x}")}


def test_repeated_url() -> None:
    """A URL listed by several categories counts once."""
    assert track(*[image(1, 7)] * 5, image(2, 7)).placeholders() == set()


def test_several_hosts() -> None:
    """The same bytes from three hosts are not a placeholder."""
    assert track(*(image(number, 7, f"h{number}:80") for number in range(3))).placeholders() == set()


def test_share_of_host() -> None:
    """Three equal images are a placeholder only if they are at least a tenth of the images of their host."""
    others = [image(number, number) for number in range(100, 127)]
    equal = [image(number, 7) for number in range(3)]
    assert len(track(*others, *equal).placeholders()) == 1
    assert track(*others, image(200, 200), *equal).placeholders() == set()


def test_ignored_outcomes() -> None:
    """Failures, and images from an unknown host, are ignored."""
    failed = dataclasses.replace(image(1, 7), picture=None, status=Status.FAILED)
    unknown = [dataclasses.replace(image(number, 7), final_host="") for number in range(5)]
    assert track(failed, *unknown).placeholders() == set()


def test_discard() -> None:
    """Discarded images do not count any more; further ones with the same bytes do."""
    tracker = track(*(image(number, 7) for number in range(3)), image(9, 9))
    keys = tracker.placeholders()
    tracker.discard(keys)
    assert tracker.placeholders() == set()
    for number in range(3, 6):
        tracker.add(image(number, 7))
    assert tracker.placeholders() == keys


def test_retracted() -> None:
    """A retracted image keeps its row, loses file and boxes, and is not saved any more."""
    saved = dataclasses.replace(image(1, 7), boxes=2)
    keys = {ContentKey("one:80", f"{7:064x}")}
    assert is_placeholder(saved, keys)
    failed = retracted(saved)
    assert (failed.row, failed.status, failed.reason) == (saved.row, Status.FAILED, Reason.PLACEHOLDER)
    assert (failed.file, failed.boxes) == ("", None)
    assert not is_placeholder(failed, keys)
    assert not is_placeholder(image(2, 8), keys)
    assert not is_placeholder(image(2, 7, "two:80"), keys)
