"""A category whose URLs take their time: for tests that strike while a run is at work."""

from __future__ import annotations

from collections.abc import Callable, Collection

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Project

RED = "n00000001"


def offer(
    project: Project,
    web: Web,
    how_many: int,
    alive: Collection[int],
    *,
    boxed_every: int,
    delay: Callable[[int], float],
) -> None:
    """Offer so many URLs, of which some live, some are annotated, and each is answered after a delay."""
    project.category(RED, "red")
    for number in range(how_many):
        if number in alive:
            web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=delay(number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        if number % boxed_every == 0:
            project.annotate(f"{RED}_{number}", (1, 1, 20, 20))
