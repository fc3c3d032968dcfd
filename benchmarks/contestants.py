"""Who races: how each is told what to fetch, with equal concurrency and deadline, and where its images lie.

Nobody is held back: everyone runs with what makes it fast here. Others than ours are told not to try again.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import user_files
from .equipment import HERE, IMG2DATASET, Equipment

SCRIPT = HERE.parent / "extract_images_as_per_tags.py"
PROCESSES = 2
OURS, CURL = "ours", "curl"
PLAIN, DECODING = "img2dataset-no-reencoding", "img2dataset-default"
TUNED = "img2dataset-no-reencoding-2-shards"


@dataclass(frozen=True)
class Order:
    """What everybody is told.

    Attributes
    ----------
    folder
        A new one, for everything that the contestant reads and writes.
    """

    folder: Path
    urls: Sequence[str]
    in_flight: int = 256
    deadline: float = 10.0

    @property
    def output(self) -> Path:
        """Where images go."""
        return self.folder / "output"

    def file(self, name: str, lines: Iterator[str]) -> Path:
        """Write a list for a contestant."""
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        return path


@dataclass(frozen=True)
class Saved:
    """A file that a contestant left as an image; its number is -1 if it does not say of which URL it is."""

    number: int
    file: Path


@dataclass(frozen=True)
class Contestant:
    """Who races.

    Attributes
    ----------
    needs
        The program behind it; none for ours.
    command
        Writes what it reads, and says how it is started.
    saved
        Finds its images.
    re_encodes
        Whether its images have other bytes than were sent.
    only_in
        The scenarios in which it says something new; all if there are none.
    """

    name: str
    needs: str
    command: Callable[[Order, Equipment], list[str | Path]]
    saved: Callable[[Order], Iterator[Saved]]
    re_encodes: bool = False
    only_in: frozenset[str] = frozenset()


def ours(order: Order, *flags: str) -> list[str | Path]:
    """Say how our script is started as others are: with the same number in flight, and the same deadline."""
    return [*ours_unbounded(order), "--batch_size", f"{order.in_flight}", *flags]


def ours_unbounded(order: Order) -> list[str | Path]:
    """Say how our script is started where it chooses the number in flight."""
    user_files.write(order.folder, order.urls)
    return [*ours_on(order), "--timeout", f"{order.deadline}"]


def ours_on(order: Order) -> list[str | Path]:
    """Say how our script is started on files that are there; a speed test would leave the machine."""
    flags: list[str | Path] = ["--ncode_data", order.folder / "ncodes.csv", "--save_dir", order.output]
    flags += ["--url_data", order.folder / "imageNetURLs.csv"]
    flags += ["--annotations_dir", order.folder / "annotation"]
    return [sys.executable, SCRIPT, *flags, "--speed_test", "False"]


def our_images(order: Order) -> Iterator[Saved]:
    """Find our images."""
    for image in order.output.glob("partial_imagenet/*/Images/*"):
        yield Saved(user_files.number_of(image), image)


def available(equipment: Equipment) -> list[Contestant]:
    """Give those whose program is there."""
    return [one for one in CONTESTANTS if not one.needs or one.needs in equipment.programs]


def _curl(order: Order, equipment: Equipment) -> list[str | Path]:
    pairs = (
        f'url = "{url}"\noutput = "{order.output}/{number}.jpg"' for number, url in enumerate(order.urls)
    )
    flags = ["--parallel", "--parallel-max", f"{order.in_flight}", "--max-time", f"{order.deadline}"]
    flags += ["--parallel-immediate", "--location", "--fail", "--remove-on-error", "--silent", "--config"]
    return [equipment.programs["curl"], "--disable", *flags, order.file("curl.config", pairs)]


def _aria2c(order: Order, equipment: Equipment) -> list[str | Path]:
    pairs = (f"{url}\n out={number}.jpg" for number, url in enumerate(order.urls))
    seconds = f"{order.deadline:.0f}"
    flags = ["--no-conf", "--quiet", "--file-allocation=none", "--max-tries=1", "--split=1"]
    flags += [f"--max-concurrent-downloads={order.in_flight}", f"--dir={order.output}"]
    flags += [f"--timeout={seconds}", f"--connect-timeout={seconds}", "--disable-ipv6=true"]
    return [equipment.programs["aria2c"], *flags, "--input-file", order.file("aria2.txt", pairs)]


def _wget2(order: Order, equipment: Equipment) -> list[str | Path]:
    flags = ["--no-config", "--quiet", "--tries=1", f"--timeout={order.deadline:.0f}", "--no-hsts"]
    flags += [f"--max-threads={order.in_flight}", f"--directory-prefix={order.output}", "--no-directories"]
    return [equipment.programs["wget2"], *flags, "--input-file", order.file("urls.txt", iter(order.urls))]


def _img2dataset(order: Order, equipment: Equipment, *more: str) -> list[str | Path]:
    """Say how it is started with its own defaults: one process for every 10,000 URLs, here for all."""
    flags = [f"--url_list={order.file('urls.txt', iter(order.urls))}", "--input_format=txt"]
    flags += [f"--output_folder={order.output}", "--output_format=files", "--retries=0"]
    flags += [f"--thread_count={order.in_flight}"]
    flags += [f"--timeout={order.deadline:.0f}"]  # of silence, not in all
    return [equipment.programs[IMG2DATASET], *flags, *more]


def _img2dataset_plain(order: Order, equipment: Equipment, *more: str) -> list[str | Path]:
    return _img2dataset(order, equipment, "--disable_all_reencoding=True", *more)


def _img2dataset_tuned(order: Order, equipment: Equipment) -> list[str | Path]:
    """Say how it is started so that two processes share the work."""
    shards = [f"--number_sample_per_shard={math.ceil(len(order.urls) / PROCESSES)}"]
    shards += [f"--processes_count={PROCESSES}"]
    return _img2dataset_plain(replace(order, in_flight=order.in_flight // PROCESSES), equipment, *shards)


def _flat(order: Order) -> Iterator[Saved]:
    """Find images named by their numbers; what a contestant itself marks as unfinished is none."""
    for file in order.output.iterdir():
        if file.suffix != ".aria2" and not file.with_name(f"{file.name}.aria2").exists():
            yield Saved(int(file.stem) if file.stem.isdecimal() else -1, file)


def _img2dataset_images(order: Order) -> Iterator[Saved]:
    for file in order.output.glob("*/*.jpg"):
        url = str(json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))["url"])
        yield Saved(int(Path(url).stem), file)


CONTESTANTS = (
    Contestant(OURS, "", lambda order, _: ours(order), our_images),
    Contestant(
        "ours-retries-0",
        "",
        lambda order, _: ours(order, "--retries", "0"),
        our_images,
        only_in=frozenset({"S3"}),
    ),
    Contestant(CURL, "curl", _curl, _flat),
    Contestant("wget2", "wget2", _wget2, _flat),
    Contestant("aria2c", "aria2c", _aria2c, _flat),
    Contestant(PLAIN, IMG2DATASET, _img2dataset_plain, _img2dataset_images),
    Contestant(TUNED, IMG2DATASET, _img2dataset_tuned, _img2dataset_images),
    Contestant(DECODING, IMG2DATASET, _img2dataset, _img2dataset_images, re_encodes=True),
)
