"""The URLs of the benchmarks: S1 without latency, S2 with latency, S3 half of them dead."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum


class Behaviour(Enum):
    """The response to a URL; the values are part of the URLs, and both servers interpret them."""

    ALIVE = "alive"
    BUSY = "busy"  # 429 with Retry-After: 1, then the picture
    RECOVERING = "recovering"  # 503 during the first second of the host, then the picture
    DRIP = "drip"  # the picture within 40 s
    CUT = "cut"  # half of the picture, with the Content-Length of the whole
    MISSING = "missing"  # 404
    GONE = "gone"  # 410
    PAGE = "page"  # a web page with status 200
    PLACEHOLDER = "placeholder"  # a redirect to a placeholder picture
    PARKED = "parked"  # the same picture for all URLs of the host
    UNNAMED = "unnamed"  # a host name that does not resolve
    BLACKHOLE = "blackhole"  # a host that does not complete the TCP handshake
    REFUSED = "refused"  # a refused connection

    @property
    def is_alive(self) -> bool:
        """Whether the URL delivers its picture within the timeout."""
        return self in (Behaviour.ALIVE, Behaviour.BUSY, Behaviour.RECOVERING)

    @property
    def is_complete(self) -> bool:
        """Whether the URL delivers its picture at all; a drip takes longer than the timeout."""
        return self.is_alive or self is Behaviour.DRIP


@dataclass(frozen=True)
class Link:
    """One URL.

    Attributes
    ----------
    number
        Position in the scenario; the name of the saved image contains it.
    host
        An address of 127.0.0.0/8, or a name that does not resolve.
    latency
        Milliseconds before the response.
    picture
        Number of its picture.
    """

    number: int
    behaviour: Behaviour
    host: str
    latency: int
    picture: int

    def path(self, run: str) -> str:
        """Return the path; each run has URLs of its own, so that the server knows a run's first request."""
        return f"/{run}/{self.behaviour.value}/{self.latency}/{self.picture}/{self.number}.jpg"


@dataclass(frozen=True)
class HostGroup:
    """Hosts that share a behaviour: a template of their names, and their number."""

    template: str
    count: int

    def names(self) -> list[str]:
        """Return the names of all hosts."""
        return [self.template.format(number) for number in range(1, self.count + 1)]


LATENCY = (50, 300)  # milliseconds
MIX = {  # of 3,000 URLs; half of them are alive
    Behaviour.ALIVE: 1380,
    Behaviour.BUSY: 60,
    Behaviour.RECOVERING: 60,
    Behaviour.MISSING: 352,
    Behaviour.GONE: 148,
    Behaviour.PAGE: 252,
    Behaviour.PLACEHOLDER: 140,
    Behaviour.PARKED: 60,
    Behaviour.CUT: 108,
    Behaviour.DRIP: 60,
    Behaviour.UNNAMED: 152,
    Behaviour.BLACKHOLE: 148,
    Behaviour.REFUSED: 80,
}
DEFAULT_HOSTS = HostGroup("127.1.0.{}", 50)  # at 8 requests each enough for 256 concurrent downloads
HOSTS = {
    Behaviour.RECOVERING: HostGroup("127.2.0.{}", 4),
    Behaviour.PARKED: HostGroup("127.3.0.{}", 3),
    Behaviour.BLACKHOLE: HostGroup("127.4.0.{}", 10),
    Behaviour.REFUSED: HostGroup("127.5.0.{}", 8),
    Behaviour.UNNAMED: HostGroup("photos-{}.long-gone.invalid", 76),
}
SERVED = (DEFAULT_HOSTS, HOSTS[Behaviour.RECOVERING], HOSTS[Behaviour.PARKED])


@dataclass(frozen=True)
class Scenario:
    """The URLs of a measurement.

    Attributes
    ----------
    rounds
        Default number of runs of each downloader.
    """

    name: str
    title: str
    links: tuple[Link, ...]
    rounds: int

    @property
    def alive(self) -> int:
        """Number of images that can be downloaded."""
        return sum(link.behaviour.is_alive for link in self.links)


def immediate(count: int) -> Scenario:
    """Return S1: all URLs alive, no latency; the processor is the limit."""
    title = f"S1: {count:,} living URLs, no latency"
    return Scenario("S1", title, _links([Behaviour.ALIVE] * count, (0, 0)), rounds=3)


def slow(count: int) -> Scenario:
    """Return S2: all URLs alive, with latency; the number of concurrent downloads is the limit."""
    title = f"S2: {count:,} living URLs, {LATENCY[0]} to {LATENCY[1]} ms, {DEFAULT_HOSTS.count} hosts"
    return Scenario("S2", title, _links([Behaviour.ALIVE] * count, LATENCY), rounds=3)


def half_dead(count: int) -> Scenario:
    """Return S3: half of the URLs dead, with all behaviours; `count` is a multiple of 750."""
    share = count / sum(MIX.values())
    behaviours = [behaviour for behaviour, number in MIX.items() for _ in range(round(number * share))]
    random.Random(3).shuffle(behaviours)
    title = f"S3: {count:,} URLs, half of them dead, {LATENCY[0]} to {LATENCY[1]} ms"
    return Scenario("S3", title, _links(behaviours, LATENCY), rounds=2)


def mostly_missing(count: int, pictures: int) -> Scenario:
    """Return a long list with one URL in twenty alive, the others 404."""
    behaviours = [Behaviour.MISSING if number % 20 else Behaviour.ALIVE for number in range(count)]
    title = f"{count:,} URLs, one in twenty alive"
    return Scenario("missing", title, _links(behaviours, (0, 0), pictures), rounds=1)


def _links(
    behaviours: list[Behaviour], latency: tuple[int, int], pictures: int | None = None
) -> tuple[Link, ...]:
    rng = random.Random(len(behaviours))
    links = []
    for number, behaviour in enumerate(behaviours):
        hosts = HOSTS.get(behaviour, DEFAULT_HOSTS)
        host = hosts.template.format(rng.randint(1, hosts.count))
        picture = number % (pictures or len(behaviours))
        links.append(Link(number, behaviour, host, rng.randint(*latency), picture))
    return tuple(links)
