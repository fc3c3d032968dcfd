"""What is raced on: S1 lives and answers at once, S2 takes its time, S3 is half dead like the real web."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from .links import Fate, Link

SLOW = (50, 300)  # milliseconds
MIX = {  # of 3,000 URLs; half live
    Fate.ALIVE: 1380,
    Fate.BUSY: 60,
    Fate.RECOVERING: 60,
    Fate.MISSING: 352,
    Fate.GONE: 148,
    Fate.PAGE: 252,
    Fate.PLACEHOLDER: 140,
    Fate.PARKED: 60,
    Fate.CUT: 108,
    Fate.DRIP: 60,
    Fate.UNNAMED: 152,
    Fate.BLACKHOLE: 148,
    Fate.REFUSED: 80,
}
LIVING_HOSTS = 50
"""At 8 requests at once from each, and more while it answers well, they let 256 be in flight."""


@dataclass(frozen=True)
class Hosts:
    """A few hosts that share a kind of URLs: how they are called, and how many there are."""

    name: str
    how_many: int

    def pick(self, dice: random.Random) -> str:
        """Give one of them."""
        return self.name.format(dice.randint(1, self.how_many))


ON_LIVING = Hosts("127.1.0.{}", LIVING_HOSTS)
ON_THEIR_OWN = {
    Fate.RECOVERING: Hosts("127.2.0.{}", 4),
    Fate.PARKED: Hosts("127.3.0.{}", 3),
    Fate.BLACKHOLE: Hosts("127.4.0.{}", 10),
    Fate.REFUSED: Hosts("127.5.0.{}", 8),
    Fate.UNNAMED: Hosts("photos-{}.long-gone.invalid", 76),
}
SERVED = (ON_LIVING, ON_THEIR_OWN[Fate.RECOVERING], ON_THEIR_OWN[Fate.PARKED])


@dataclass(frozen=True)
class Scenario:
    """URLs to be fetched.

    Attributes
    ----------
    rounds
        How often everybody fetches them unless said otherwise: the short ones more often.
    """

    name: str
    title: str
    links: tuple[Link, ...]
    rounds: int

    @property
    def living(self) -> int:
        """How many images can be had."""
        return sum(link.fate.lives for link in self.links)


def immediate(how_many: int) -> Scenario:
    """S1: everything lives and answers at once, so that the processor is the limit."""
    title = f"S1: {how_many:,} living URLs, no latency"
    return Scenario("S1", title, _links([Fate.ALIVE] * how_many, (0, 0)), rounds=3)


def slow(how_many: int) -> Scenario:
    """S2: everything lives and takes its time, so that the number in flight is the limit."""
    title = f"S2: {how_many:,} living URLs, {SLOW[0]} to {SLOW[1]} ms, {LIVING_HOSTS} hosts"
    return Scenario("S2", title, _links([Fate.ALIVE] * how_many, SLOW), rounds=3)


def half_dead(how_many: int) -> Scenario:
    """S3: half of it has died, in all ways; `how_many` is a multiple of 750."""
    share = how_many / sum(MIX.values())
    fates = [fate for fate, number in MIX.items() for _ in range(round(number * share))]
    random.Random(3).shuffle(fates)
    title = f"S3: {how_many:,} URLs, half of them dead, {SLOW[0]} to {SLOW[1]} ms"
    return Scenario("S3", title, _links(fates, SLOW), rounds=2)


def mostly_missing(how_many: int, pictures: int) -> Scenario:
    """One URL in twenty lives, the rest is 404: what a long list of dead links costs."""
    fates = [Fate.MISSING if number % 20 else Fate.ALIVE for number in range(how_many)]
    title = f"{how_many:,} URLs, one in twenty alive"
    return Scenario("missing", title, _links(fates, (0, 0), pictures), rounds=1)


def _links(fates: list[Fate], latency: tuple[int, int], pictures: int | None = None) -> tuple[Link, ...]:
    return tuple(_each(fates, latency, pictures or len(fates)))


def _each(fates: list[Fate], latency: tuple[int, int], pictures: int) -> Iterator[Link]:
    dice = random.Random(len(fates))
    for number, fate in enumerate(fates):
        host = ON_THEIR_OWN.get(fate, ON_LIVING).pick(dice)
        yield Link(number, fate, host, dice.randint(*latency), number % pictures)
