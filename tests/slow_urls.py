"""A category whose URLs answer slowly, for tests that interfere with a run."""

from __future__ import annotations

from collections.abc import Callable, Collection

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.project import Project

RED = "n00000001"


def add_slow_urls(
    project: Project,
    web: Web,
    how_many: int,
    alive: Collection[int],
    *,
    boxed_every: int,
    delay: Callable[[int], float],
) -> None:
    """Add URLs of which some work, some are annotated, and each answers after a delay."""
    project.category(RED, "red")
    for number in range(how_many):
        if number in alive:
            web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=delay(number)))
        project.url(f"{RED}_{number}", web.url(f"/{number}"))
        if number % boxed_every == 0:
            project.annotate(f"{RED}_{number}", (1, 1, 20, 20))
