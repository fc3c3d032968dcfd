"""The batch size, i.e. how many images are in flight: from the flag, or from network speed and cores.

A network carries bits per second / 8 / `MEAN_IMAGE_BYTES` images a second, each of which is in flight for
`MEAN_SECONDS_IN_FLIGHT`; the product of the two keeps the network busy. The speed test runs while images are
downloaded; until it ends, the default is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .. import machine
from ..fetch.speed_test import SpeedTest, cached_speed, valid_speed
from ..models.settings import Settings
from ..scheduler.host_state import FIRST_LIMIT, HIGHEST_LIMIT
from ..text import pluralize

DEFAULT_BATCH, MIN_BATCH, MAX_BATCH = 256, 16, 1024
UNKNOWN = "the default for an unknown network"
MEAN_IMAGE_BYTES = 110_000
# Half of the URLs are alive and answer within 0.46 s. Of the dead half, a third fails within 0.5 s, and two
# thirds take the connect timeout of 5 s: 0.5 * 0.46 + 0.5 * (0.5 / 3 + 5 * 2 / 3) s.
MEAN_SECONDS_IN_FLIGHT = 1.98
# On a slow network, all of so few tasks often wait for dead hosts, and the network is idle. It gets more,
# but not so many that an image would need half of its 10 s.
SLOW_NETWORK_BATCH, SECONDS_ON_SLOW_NETWORK = 64, 4.0
IMAGES_PER_CORE = 500  # a second: 1.5 ms to validate an image, 0.5 ms for everything else

FILES_PER_TRANSFER = 3  # IPv4 and IPv6 are tried at the same time, and the resolver needs one
FILES_PER_WORKER = 40  # modules, pipes, and the image that is written


@dataclass(frozen=True)
class BatchSize:
    """The number of images in flight over all workers, and the reason for the screen."""

    number: int
    why: str


READ_PER_CORE = 256
"""Tasks of each worker if no image comes from many hosts.

A worker reads one image at a time. It must not wait for its next, even if those that lie together on disk are
all given to one worker.
"""


class ConcurrencyController:
    """Chooses the batch size of a run, and runs the speed test that it may depend on.

    Parameters
    ----------
    print_line
        Prints the batch size when the first images are in flight, and again if it changes.
    many_hosts
        Whether images come from the network; False for those that are read from disk.
    """

    def __init__(
        self, settings: Settings, print_line: Callable[[str], None], *, many_hosts: bool = True
    ) -> None:
        self._settings = settings
        self._print_line = print_line
        self._many_hosts = many_hosts
        self._cores = machine.cores() if settings.parallel else 1
        self._open_files = machine.raise_open_file_limit()
        self._test: SpeedTest | None = None
        self._chosen = self._choose_first()
        self._printed: int | None = None

    @property
    def processes(self) -> int:
        """The number of workers that have something to do."""
        return min(self._cores, self._chosen.number)

    @property
    def batch_size(self) -> int:
        """The number of images that may be in flight."""
        return self._chosen.number

    def update(self) -> int:
        """Return the batch size after a look at the speed test; called while images are in flight."""
        if self._test:
            measurement = self._test.result()
            if measurement.finished:
                self._test = None
                self._chosen = self._for_speed(measurement.bits_per_second)
        if self._chosen.number != self._printed:
            self._printed = self._chosen.number
            self._report()
        return self._chosen.number

    def stop(self) -> None:
        """End a running speed test."""
        if self._test:
            self._test.stop()

    def _choose_first(self) -> BatchSize:
        settings = self._settings
        if not settings.parallel:
            return BatchSize(1, "one after another, because of --parallel False")
        if settings.batch_size is None and not self._many_hosts:
            return BatchSize(self._cores * READ_PER_CORE, "as many as its cores can work on")
        if settings.batch_size is not None:
            asked = BatchSize(settings.batch_size, "as --batch_size says")
            return limit_to_open_files(asked, cores=self._cores, open_files=self._open_files)
        speed = cached_speed() if settings.speed_test else None
        if settings.speed_test and speed is None and self._many_hosts:
            self._test = SpeedTest()
            self._test.start()
        return self._for_speed(speed)

    def _for_speed(self, bits_per_second: float | None) -> BatchSize:
        return choose_batch_size(bits_per_second, cores=self._cores, open_files=self._open_files)

    def _report(self) -> None:
        number, why = self._chosen.number, self._chosen.why
        if not self._many_hosts:
            self._print_line(f"Images are checked by {pluralize(self.processes, 'process')}.")
            return
        if why == UNKNOWN:
            if self._test:
                why += ", while its speed is being measured"
            elif self._settings.speed_test:
                why += ", whose speed could not be measured"
            else:
                why += ", without a speed test"
        images = f"Up to {pluralize(number, 'image')}"
        per_host = f", {FIRST_LIMIT} to {HIGHEST_LIMIT} from one host" if number > FIRST_LIMIT else ""
        self._print_line(f"{images} in flight{per_host}: {why}.")


def choose_batch_size(bits_per_second: float | None, *, cores: int, open_files: int) -> BatchSize:
    """Choose the batch size for a network.

    Parameters
    ----------
    bits_per_second
        The network's speed; None or an invalid number if it is unknown.
    cores
        CPUs, i.e. worker processes.
    open_files
        The number of descriptors that each process may open.
    """
    speed, cores = valid_speed(bits_per_second), max(1, cores)
    if not speed:
        chosen = BatchSize(DEFAULT_BATCH, UNKNOWN)
    else:
        images = min(speed / 8 / MEAN_IMAGE_BYTES, cores * IMAGES_PER_CORE)  # a second
        number = round(
            max(
                images * MEAN_SECONDS_IN_FLIGHT,
                min(images * SECONDS_ON_SLOW_NETWORK, SLOW_NETWORK_BATCH),
            )
        )
        megabits = speed / 1e6
        shown = f"{megabits:.0f}" if megabits >= 10 else f"{megabits:.1f}"
        why = f"for {shown} Mbit/s on {pluralize(cores, 'core')}"
        chosen = BatchSize(min(max(number, MIN_BATCH), MAX_BATCH), why)
    return limit_to_open_files(chosen, cores=cores, open_files=open_files)


def limit_to_open_files(batch: BatchSize, *, cores: int, open_files: int) -> BatchSize:
    """Limit a batch size to what the descriptors of each process allow."""
    allowed = max(1, cores) * max(1, (open_files - FILES_PER_WORKER) // FILES_PER_TRANSFER)
    return batch if batch.number <= allowed else BatchSize(allowed, f"as {open_files} open files allow")
