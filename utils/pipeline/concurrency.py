"""How many images are in flight, and why: from the flag, or from the network's speed and the cores.

A speed test runs beside the work; until it ends the default holds.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import machine
from ..fetch import speed_cache, speed_test
from ..fetch.speed_test import BatchSize, SpeedTest
from ..models.settings import Settings
from ..scheduler.host_state import FIRST_LIMIT, HIGHEST_LIMIT
from ..text import pluralize


class ConcurrencyController:
    """Keeps the batch size of a run, and the speed test from which it may come."""

    def __init__(self, settings: Settings, say: Callable[[str], None], *, many_hosts: bool = True) -> None:
        self._say = say
        self._many_hosts = many_hosts
        self._cores = machine.cores() if settings.parallel else 1
        self._open_files = machine.raise_open_file_limit()
        self._settings = settings
        self._test: SpeedTest | None = None
        self._chosen = self._first(settings)
        self._tell()

    @property
    def processes(self) -> int:
        """How many workers are worth their while."""
        return min(self._cores, self._chosen.number)

    def batch_size(self) -> int:
        """Say how many images may be in flight now."""
        if self._test:
            measured = self._test.result()
            if measured.finished:
                self._test = None
                self._chosen = self._for_speed(measured.bits_per_second)
                self._tell()
        return self._chosen.number

    def stop(self) -> None:
        """End a speed test that is under way."""
        if self._test:
            self._test.stop()

    def _first(self, settings: Settings) -> BatchSize:
        if not settings.parallel:
            return BatchSize(1, "one after another, as --parallel False says")
        if settings.batch_size is not None:
            asked = BatchSize(settings.batch_size, "as --batch_size says")
            return speed_test.allowed(asked, cores=self._cores, open_files=self._open_files)
        remembered = speed_cache.remembered()
        if settings.speed_test and remembered is None and self._many_hosts:
            self._test = SpeedTest()
            self._test.start()
        return self._for_speed(remembered if settings.speed_test else None)

    def _for_speed(self, bits_per_second: float | None) -> BatchSize:
        return speed_test.batch_size(bits_per_second, cores=self._cores, open_files=self._open_files)

    def _tell(self) -> None:
        number = self._chosen.number
        images = f"Up to {pluralize(number, 'image')}"
        if not self._many_hosts:
            self._say(f"{images} in work at once.")
            return
        each = f", {FIRST_LIMIT} to {HIGHEST_LIMIT} from one host" if number > FIRST_LIMIT else ""
        self._say(f"{images} in flight{each}: {self._chosen.why}{self._of_speed()}.")

    def _of_speed(self) -> str:
        """Say why the network's speed is not known, where the default stands for it."""
        if self._chosen.why != speed_test.UNKNOWN:
            return ""
        if self._test:
            return ", while its speed is being measured"
        measured = self._settings.speed_test
        return ", whose speed could not be measured" if measured else ", without a speed test"
