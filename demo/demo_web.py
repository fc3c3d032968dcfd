"""The web of the demo: four categories, their photos on local servers, and servers for the prerequisites."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import socket
from collections.abc import Mapping
from types import TracebackType

from .input_files import annotation_archives, url_list
from .photos import Behaviour, Photo
from .pictures import Drawing, Kind, Size, draw, image, resized
from .web import HOST, Answer, Web, resumable

SIZES: tuple[Size, ...] = ((500, 375), (375, 500), (500, 333), (400, 300))
HOST_SHARES = (5, 2, 2, 1)  # one host has half of the photos, as Flickr has
MAX_DELAY = 0.4  # seconds before a response
ANNOTATED = {Kind.SKY: 0.1}  # fraction of pictures with boxes; most boxes of the sky are in other pictures
ANNOTATED_DEFAULT = 0.75
PLACEHOLDER_PATH = "/images/photo_unavailable.png"
BEHAVIOURS = {  # number of URLs of each category; 46 of 80 are alive
    Behaviour.ALIVE: 36,
    Behaviour.OTHER_SCALE: 4,
    Behaviour.OTHER_SHAPE: 1,
    Behaviour.BUSY: 2,
    Behaviour.UNAVAILABLE: 3,
    Behaviour.NOT_FOUND: 9,
    Behaviour.GONE: 6,
    Behaviour.PLACEHOLDER: 6,
    Behaviour.PAGE: 4,
    Behaviour.PARKED: 3,
    Behaviour.CUT: 1,
    Behaviour.RESET: 1,
    Behaviour.HANG: 1,
    Behaviour.REFUSED: 2,
    Behaviour.NO_NAME: 1,
}


class DemoWeb:
    """Servers with the demo's photos and prerequisites; a context manager.

    Attributes
    ----------
    photos
        In the order of the URL list.
    urls_source, annotations_source
        URLs of the URL list and of the annotation archives.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._rng = random.Random(1)
        self.photos: tuple[Photo, ...] = ()

    def __enter__(self) -> DemoWeb:
        with contextlib.ExitStack() as stack:
            self._hosts = [stack.enter_context(Web()) for _ in HOST_SHARES]
            self._sources, self._placeholders, self._parked = (stack.enter_context(Web()) for _ in range(3))
            self._refusing = stack.enter_context(socket.socket())
            self._refusing.bind((HOST, 0))  # reserves the port; without listen() connections are refused
            self._fill()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _fill(self) -> None:
        placeholder = image("PNG", width=320, height=200, mode="P")
        self._placeholders.answer(PLACEHOLDER_PATH, Answer(body=placeholder, content_type="image/png"))
        self._parked.otherwise(Answer.jpeg(image("JPEG", width=468, height=60)))
        self.photos = tuple(photo for kind in Kind for photo in self._photos(kind))
        self.urls_source = self._serve_source("/urls.zip", url_list(self.photos))
        self.annotations_source = self._serve_source(
            "/bboxes_annotations.tar.gz", annotation_archives(self.photos)
        )

    def _serve_source(self, path: str, file: bytes) -> str:
        self._sources.answer(path, resumable(file))
        return self._sources.url(path)

    def _photos(self, kind: Kind) -> list[Photo]:
        behaviours = [behaviour for behaviour, count in BEHAVIOURS.items() for _ in range(count)]
        self._rng.shuffle(behaviours)
        numbers = sorted(self._rng.sample(range(1, 20_000), len(behaviours)))
        return [
            self._photo(kind, number, behaviour=behaviour)
            for number, behaviour in zip(numbers, behaviours, strict=True)
        ]

    def _photo(self, kind: Kind, number: int, *, behaviour: Behaviour) -> Photo:
        drawing = draw(kind, number, self._rng.choice(SIZES))
        served = _as_served(drawing, behaviour)
        path = f"/{kind.value[-4:]}/{number}_{self._rng.randbytes(5).hex()}.jpg"
        return Photo(
            code=f"{kind.value}_{number}",
            kind=kind,
            behaviour=behaviour,
            url=self._publish(path, served, behaviour=behaviour),
            drawing=drawing,
            served=served,
            annotated=self._rng.random() < ANNOTATED.get(kind, ANNOTATED_DEFAULT),
        )

    def _publish(self, path: str, served: bytes, *, behaviour: Behaviour) -> str:
        """Serve a picture with a behaviour on one of the hosts, and return its URL."""
        elsewhere = {
            Behaviour.PARKED: self._parked.url(path),
            Behaviour.REFUSED: f"http://{HOST}:{self._refusing.getsockname()[1]}{path}",
            Behaviour.NO_NAME: f"http://photos.long-gone.invalid{path}",
        }
        if behaviour in elsewhere:
            return elsewhere[behaviour]
        (host,) = self._rng.choices(self._hosts, HOST_SHARES)
        picture = Answer.jpeg(served)
        replies = _replies(picture, self._placeholders.url(PLACEHOLDER_PATH)).get(behaviour, (picture,))
        delay = self._rng.uniform(0, MAX_DELAY)
        host.answer(path, *(dataclasses.replace(reply, delay=delay) for reply in replies))
        return host.url(path)


def _as_served(drawing: Drawing, behaviour: Behaviour) -> bytes:
    other_sizes = {
        Behaviour.OTHER_SCALE: (drawing.width * 2, drawing.height * 2),
        Behaviour.OTHER_SHAPE: (drawing.width, drawing.height * 4 // 5),
    }
    return resized(drawing.jpeg, other_sizes[behaviour]) if behaviour in other_sizes else drawing.jpeg


def _replies(picture: Answer, placeholder_url: str) -> Mapping[Behaviour, tuple[Answer, ...]]:
    """Return the successive responses of the behaviours that are not just the picture."""
    busy = Answer(status=429, headers=("Retry-After: 1",))
    return {
        Behaviour.BUSY: (busy, picture),
        Behaviour.UNAVAILABLE: (Answer.page("Back in a moment", 503), picture),
        Behaviour.NOT_FOUND: (Answer.page("Not found", 404),),
        Behaviour.GONE: (Answer.page("Gone", 410),),
        Behaviour.PLACEHOLDER: (Answer.redirect(placeholder_url),),
        Behaviour.PAGE: (Answer.page("<!DOCTYPE html><html><body>We have moved!</body></html>"),),
        Behaviour.CUT: (dataclasses.replace(picture, cut=len(picture.body) // 2),),
        Behaviour.RESET: (dataclasses.replace(picture, cut=1000, reset=True),),
        Behaviour.HANG: (Answer(hang=True),),
    }
