"""Pictures that stand for "gone" are known, or give themselves away by being everywhere."""

from __future__ import annotations

import dataclasses

import pytest

from utils.images.placeholders import (
    KNOWN_PICTURES,
    ContentKey,
    DuplicateTracker,
    is_sighting,
    rejection,
    taken_back,
)
from utils.models.enums import ImageFormat, Status
from utils.models.images import Picture
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome, Response
from utils.reasons import Reason


def body(final_url: str, data: bytes = b"picture") -> Response:
    """Give what a server sent."""
    return Response(data, 200, final_url)


def image(number: int, content: int, host: str = "one:80") -> Outcome:
    """Give an image that stands, by the number of its URL and of its content."""
    picture = Picture(ImageFormat.JPEG, 100, 100, 1000, f"{content:064x}")
    row = UrlRow(number, f"n00000001_{number}", f"http://host/{number}.jpg")
    return Outcome(row, Status.DOWNLOADED, file=f"Images/{number}.jpg", picture=picture, answered_by=host)


def watch(*outcomes: Outcome) -> DuplicateTracker:
    """Let a watch see images."""
    watching = DuplicateTracker()
    for outcome in outcomes:
        watching.note(outcome)
    return watching


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
def test_known_addresses_are_placeholders(final_url: str) -> None:
    """Wherever the redirects ended tells."""
    found = rejection(body(final_url))
    assert found is not None
    assert found.reason is Reason.PLACEHOLDER


@pytest.mark.parametrize(
    "final_url",
    [
        "http://farm1.static.flickr.com/1/2_3.jpg",
        "http://host/photo_unavailable/real.jpg",
        "http://host/my_photo.jpg?from=photo_unavailable",
        "http://i.imgur.com/abcde.png",
    ],
)
def test_other_addresses_are_not(final_url: str) -> None:
    """A real picture may have a similar address."""
    assert rejection(body(final_url)) is None


def test_a_known_size_alone_is_no_proof() -> None:
    """Another picture of as many bytes is not refused."""
    for size in KNOWN_PICTURES:
        assert rejection(body("http://host/a.png", bytes(size))) is None
    assert {(known.size, known.md5) for known in KNOWN_PICTURES.values()} == {
        (2051, "880a7a58e05d3e83797f27573bb6d35c"),
        (503, "d835884373f4d6c8f24742ceabe74946"),
    }


def test_three_urls_with_one_picture_are_too_many() -> None:
    """Two can be a coincidence."""
    watching = watch(image(1, 7), image(2, 7))
    assert watching.placeholders() == set()
    watching.note(image(3, 7))
    assert watching.placeholders() == {ContentKey("one:80", f"{7:064x}")}


def test_the_same_url_counts_once() -> None:
    """A URL that several categories list is one URL."""
    assert watch(*[image(1, 7)] * 5, image(2, 7)).placeholders() == set()


def test_each_host_is_judged_for_itself() -> None:
    """The same picture on three hosts is a copied picture."""
    watching = watch(*(image(number, 7, f"h{number}:80") for number in range(3)))
    assert watching.placeholders() == set()


def test_on_a_host_with_many_pictures_three_are_few() -> None:
    """They must make up a tenth of the host's good answers."""
    singles = [image(number, number) for number in range(100, 127)]
    same = [image(number, 7) for number in range(3)]
    assert len(watch(*singles, *same).placeholders()) == 1
    assert watch(*singles, image(200, 200), *same).placeholders() == set()


def test_what_is_no_image_says_nothing() -> None:
    """Failures, and images of which nobody knows who sent them, are left out of account."""
    failed = dataclasses.replace(image(1, 7), picture=None, status=Status.FAILED)
    unknown = [dataclasses.replace(image(number, 7), answered_by="") for number in range(5)]
    assert watch(failed, *unknown).placeholders() == set()


def test_what_was_taken_back_counts_no_more() -> None:
    """A second look finds nothing, until more of them come."""
    watching = watch(*(image(number, 7) for number in range(3)), image(9, 9))
    found = watching.placeholders()
    watching.forget(found)
    assert watching.placeholders() == set()
    for number in range(3, 6):
        watching.note(image(number, 7))
    assert watching.placeholders() == found


def test_an_image_taken_back_is_a_placeholder_for_good() -> None:
    """Its row stays, its file and boxes go; only what stands can be taken back."""
    one = dataclasses.replace(image(1, 7), boxes=2)
    found = {ContentKey("one:80", f"{7:064x}")}
    assert is_sighting(one, found)
    back = taken_back(one)
    assert (back.status, back.reason, back.file, back.boxes) == (Status.FAILED, Reason.PLACEHOLDER, "", None)
    assert back.row == one.row
    assert not is_sighting(back, found)
    assert not is_sighting(image(2, 8), found)
    assert not is_sighting(image(2, 7, "two:80"), found)
