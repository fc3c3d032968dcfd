"""What the demo's web holds: four categories, their photographs, boxes and URLs, and how the URLs die.

It keeps the truth: what became of each URL since ImageNet collected it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import socket
from collections.abc import Mapping
from types import TracebackType

from .packing import box_archives, url_list
from .photos import Fate, Photo
from .pictures import Drawing, Kind, Size, draw, image, resized
from .web import HOST, Answer, Web, resumable

SIZES: tuple[Size, ...] = ((500, 375), (375, 500), (500, 333), (400, 300))
HOST_SHARES = (5, 2, 2, 1)  # one host has half of the photographs, as Flickr has
SLOWEST = 0.4  # seconds before an answer
ANNOTATED = {Kind.SKY: 0.1}  # the share of pictures with boxes; most boxes of the sky are in other pictures
ANNOTATED_ELSEWHERE = 0.75
NOTICE = "/images/photo_unavailable.png"


FATES = {  # how many of a category's URLs; 46 of 80 live
    Fate.ALIVE: 36,
    Fate.OTHER_SCALE: 4,
    Fate.OTHER_SHAPE: 1,
    Fate.BUSY: 2,
    Fate.UNAVAILABLE: 3,
    Fate.NOT_FOUND: 9,
    Fate.GONE: 6,
    Fate.PLACEHOLDER: 6,
    Fate.PAGE: 4,
    Fate.PARKED: 3,
    Fate.CUT: 1,
    Fate.RESET: 1,
    Fate.HANG: 1,
    Fate.REFUSED: 2,
    Fate.NO_NAME: 1,
}


class World:
    """The web that the demo runs on, for as long as it is entered.

    Attributes
    ----------
    photos
        In the order of the URL list.
    urls_source, annotations_source
        The URLs of the list and of the boxes.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._dice = random.Random(1)
        self.photos: tuple[Photo, ...] = ()

    def __enter__(self) -> World:
        with contextlib.ExitStack() as stack:
            self._hosts = [stack.enter_context(Web()) for _ in HOST_SHARES]
            self._sources, self._notices, self._parked = (stack.enter_context(Web()) for _ in range(3))
            self._nobody = stack.enter_context(socket.socket())
            self._nobody.bind((HOST, 0))  # taken, but nobody listens
            self._fill()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def fate(self, url: str) -> Fate:
        """Say what became of an URL of the list."""
        return self._fates[url]

    def _fill(self) -> None:
        notice = image("PNG", width=320, height=200, mode="P")
        self._notices.answer(NOTICE, Answer(body=notice, content_type="image/png"))
        self._parked.otherwise(Answer.jpeg(image("JPEG", width=468, height=60)))
        self.photos = tuple(photo for kind in Kind for photo in self._photos(kind))
        self._fates = {photo.url: photo.fate for photo in self.photos}
        self.urls_source = self._offer("/urls.zip", url_list(self.photos))
        self.annotations_source = self._offer("/bboxes_annotations.tar.gz", box_archives(self.photos))

    def _offer(self, path: str, file: bytes) -> str:
        self._sources.answer(path, resumable(file))
        return self._sources.url(path)

    def _photos(self, kind: Kind) -> list[Photo]:
        fates = [fate for fate, how_many in FATES.items() for _ in range(how_many)]
        self._dice.shuffle(fates)
        numbers = sorted(self._dice.sample(range(1, 20_000), len(fates)))
        return [self._photo(kind, number, fate=fate) for number, fate in zip(numbers, fates, strict=True)]

    def _photo(self, kind: Kind, number: int, *, fate: Fate) -> Photo:
        drawing = draw(kind, number, self._dice.choice(SIZES))
        served = _as_served(drawing, fate)
        path = f"/{kind.value[-4:]}/{number}_{self._dice.randbytes(5).hex()}.jpg"
        return Photo(
            code=f"{kind.value}_{number}",
            kind=kind,
            fate=fate,
            url=self._publish(path, served, fate=fate),
            drawing=drawing,
            served=served,
            annotated=self._dice.random() < ANNOTATED.get(kind, ANNOTATED_ELSEWHERE),
        )

    def _publish(self, path: str, served: bytes, *, fate: Fate) -> str:
        """Put a picture, or what is left of it, on some host; give its URL."""
        elsewhere = {
            Fate.PARKED: self._parked.url(path),
            Fate.REFUSED: f"http://{HOST}:{self._nobody.getsockname()[1]}{path}",
            Fate.NO_NAME: f"http://photos.long-gone.invalid{path}",
        }
        if fate in elsewhere:
            return elsewhere[fate]
        (host,) = self._dice.choices(self._hosts, HOST_SHARES)
        picture = Answer.jpeg(served)
        replies = _replies(picture, self._notices.url(NOTICE)).get(fate, (picture,))
        delay = self._dice.uniform(0, SLOWEST)
        host.answer(path, *(dataclasses.replace(reply, delay=delay) for reply in replies))
        return host.url(path)


def _as_served(drawing: Drawing, fate: Fate) -> bytes:
    other_sizes = {
        Fate.OTHER_SCALE: (drawing.width * 2, drawing.height * 2),
        Fate.OTHER_SHAPE: (drawing.width, drawing.height * 4 // 5),
    }
    return resized(drawing.jpeg, other_sizes[fate]) if fate in other_sizes else drawing.jpeg


def _replies(picture: Answer, notice: str) -> Mapping[Fate, tuple[Answer, ...]]:
    """Say what a host answers where it is not the picture at once."""
    busy = Answer(status=429, headers=("Retry-After: 1",))
    return {
        Fate.BUSY: (busy, picture),
        Fate.UNAVAILABLE: (Answer.page("Back in a moment", 503), picture),
        Fate.NOT_FOUND: (Answer.page("Not found", 404),),
        Fate.GONE: (Answer.page("Gone", 410),),
        Fate.PLACEHOLDER: (Answer.redirect(notice),),
        Fate.PAGE: (Answer.page("<!DOCTYPE html><html><body>We have moved!</body></html>"),),
        Fate.CUT: (dataclasses.replace(picture, cut=len(picture.body) // 2),),
        Fate.RESET: (dataclasses.replace(picture, cut=1000, reset=True),),
        Fate.HANG: (Answer(hang=True),),
    }
