"""Messages about hosts that limit requests, one for each change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..scheduler.host_state import HostState
from ..text import pluralize

MIN_PAUSE = 10.0
"""Seconds of a pause from which on it is reported."""
CHANGE = 1.5
"""Ratio of two rates from which on a change is reported."""
STANDARD_PORTS = (":80", ":443")
ALLOWS = "{host} allows about {limit} ({status}); {waiting}"
PAUSED = "{host} refuses requests ({status}); {waiting}, and the next request is due in {pause}."


class LimitNotices:
    """Remembers what has been reported."""

    def __init__(self) -> None:
        self._allowed: dict[str, tuple[float | None, int]] = {}  # rate and concurrency, by host
        self._paused: dict[str, float] = {}  # until when, by host

    def changes(self, hosts: Iterable[HostState], now: float) -> Iterator[str]:
        """Yield a message for each host with waiting tasks whose limit has changed or that is paused."""
        for host in hosts:
            limit, waiting = host.rate_limit, len(host.tasks or ())
            if limit is None or not waiting or not host.refused_with:
                continue
            name = host.name.removesuffix(STANDARD_PORTS[0]).removesuffix(STANDARD_PORTS[1])
            text = f"{pluralize(waiting, 'URL')} {'is' if waiting == 1 else 'are'} waiting"
            pause = limit.next_start() - now
            if limit.is_refusing:
                until = limit.next_start()
                if pause >= MIN_PAUSE and self._paused.get(host.name) != until:
                    self._paused[host.name] = until
                    yield PAUSED.format(
                        host=name, status=host.refused_with, waiting=text, pause=duration(pause)
                    )
            elif limit.is_known and self._has_changed(host.name, limit.rate, limit.concurrency):
                self._allowed[host.name] = limit.rate, limit.concurrency
                left = f", about {duration(waiting / limit.rate)}" if limit.rate else ""
                allowed = rate_text(limit.rate) if limit.rate else f"{limit.concurrency} requests at once"
                yield ALLOWS.format(
                    host=name, limit=allowed, status=host.refused_with, waiting=f"{text}{left}."
                )

    def _has_changed(self, host: str, rate: float | None, concurrency: int) -> bool:
        if host not in self._allowed:
            return True
        old_rate, old_concurrency = self._allowed[host]
        if rate and old_rate:
            return not 1 / CHANGE < rate / old_rate < CHANGE
        return bool(rate) != bool(old_rate) or (
            not rate and not 1 / CHANGE < concurrency / old_concurrency < CHANGE
        )


def rate_text(rate: float) -> str:
    """Return a rate in words."""
    number, unit = (rate, "second") if rate >= 0.95 else (60 * rate, "minute")
    words = f"{number:.0f}" if number >= 2 else f"{number:.1f}".removesuffix(".0")
    return f"{words} request{'' if words == '1' else 's'} a {unit}"


def duration(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
