"""The compared downloaders: their commands, with equal concurrency and timeout, and their images.

Each one runs with its fastest options; the others than part-of-imagenet run without retries.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import input_files
from .tools import HERE, IMG2DATASET, Tools

SCRIPT = HERE.parent / "extract_images_as_per_tags.py"
PROCESSES = 2
PART_OF_IMAGENET, CURL = "part-of-imagenet", "curl"
IMG2DATASET_PLAIN, IMG2DATASET_DEFAULT = "img2dataset-no-reencoding", "img2dataset-default"
IMG2DATASET_SHARDS = "img2dataset-no-reencoding-2-shards"
Command = list[str | Path]


@dataclass(frozen=True)
class Job:
    """The URLs to download, and the limits.

    Attributes
    ----------
    folder
        An empty folder for all files of the downloader.
    concurrency
        Maximum number of concurrent downloads.
    timeout
        Seconds for an image.
    """

    folder: Path
    urls: Sequence[str]
    concurrency: int = 256
    timeout: float = 10.0

    @property
    def output(self) -> Path:
        """The folder for images."""
        return self.folder / "output"

    def write_list(self, name: str, lines: Iterator[str]) -> Path:
        """Write an input file of the downloader, and return its path."""
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        return path


@dataclass(frozen=True)
class SavedImage:
    """A saved file, and the number of its URL; -1 if the name does not tell it."""

    number: int
    file: Path


@dataclass(frozen=True)
class Downloader:
    """A downloader.

    Attributes
    ----------
    program
        The name of its program; empty for part-of-imagenet.
    command
        Writes its input files, and returns the command.
    saved
        Yields its images.
    re_encodes
        Whether it changes the bytes of images.
    only_in
        The scenarios in which it runs; all if empty.
    """

    name: str
    program: str
    command: Callable[[Job, Tools], Command]
    saved: Callable[[Job], Iterator[SavedImage]]
    re_encodes: bool = False
    only_in: frozenset[str] = frozenset()


def our_command(job: Job, *flags: str, set_batch_size: bool = True) -> Command:
    """Write input files, and return our command; the script can choose the concurrency itself."""
    input_files.write(job.folder, job.urls)
    batch_size = ("--batch_size", f"{job.concurrency}") if set_batch_size else ()
    return [*our_command_for_existing_files(job), "--timeout", f"{job.timeout}", *batch_size, *flags]


def our_command_for_existing_files(job: Job) -> Command:
    """Return our command, without a speed test, which would use the internet."""
    flags: Command = ["--ncode_data", job.folder / "ncodes.csv", "--save_dir", job.output]
    flags += ["--url_data", job.folder / "imageNetURLs.csv"]
    flags += ["--annotations_dir", job.folder / "annotation"]
    return [sys.executable, SCRIPT, *flags, "--speed_test", "False"]


def our_images(job: Job) -> Iterator[SavedImage]:
    """Yield our images."""
    for image in job.output.glob("partial_imagenet/*/Images/*"):
        yield SavedImage(input_files.number_of(image), image)


def part_of_imagenet(*flags: str, set_batch_size: bool = True) -> Downloader:
    """Return our downloader with additional flags."""
    return Downloader(
        PART_OF_IMAGENET,
        "",
        lambda job, _: our_command(job, *flags, set_batch_size=set_batch_size),
        our_images,
    )


def available(tools: Tools) -> list[Downloader]:
    """Return the downloaders whose program is available."""
    return [one for one in DOWNLOADERS if not one.program or one.program in tools.programs]


def _curl(job: Job, tools: Tools) -> Command:
    pairs = (f'url = "{url}"\noutput = "{job.output}/{number}.jpg"' for number, url in enumerate(job.urls))
    flags = ["--parallel", "--parallel-max", f"{job.concurrency}", "--max-time", f"{job.timeout}"]
    flags += ["--parallel-immediate", "--location", "--fail", "--remove-on-error", "--silent", "--config"]
    return [tools.programs["curl"], "--disable", *flags, job.write_list("curl.config", pairs)]


def _aria2c(job: Job, tools: Tools) -> Command:
    pairs = (f"{url}\n out={number}.jpg" for number, url in enumerate(job.urls))
    seconds = f"{job.timeout:.0f}"
    flags = ["--no-conf", "--quiet", "--file-allocation=none", "--max-tries=1", "--split=1"]
    flags += [f"--max-concurrent-downloads={job.concurrency}", f"--dir={job.output}"]
    flags += [f"--timeout={seconds}", f"--connect-timeout={seconds}", "--disable-ipv6=true"]
    return [tools.programs["aria2c"], *flags, "--input-file", job.write_list("aria2.txt", pairs)]


def _wget2(job: Job, tools: Tools) -> Command:
    flags = ["--no-config", "--quiet", "--tries=1", f"--timeout={job.timeout:.0f}", "--no-hsts"]
    flags += [f"--max-threads={job.concurrency}", f"--directory-prefix={job.output}", "--no-directories"]
    return [tools.programs["wget2"], *flags, "--input-file", job.write_list("urls.txt", iter(job.urls))]


def _img2dataset(job: Job, tools: Tools, *more: str) -> Command:
    """Return the command with img2dataset's defaults: one process for every 10,000 URLs, here for all."""
    flags = [f"--url_list={job.write_list('urls.txt', iter(job.urls))}", "--input_format=txt"]
    flags += [f"--output_folder={job.output}", "--output_format=files", "--retries=0"]
    flags += [f"--thread_count={job.concurrency}"]
    flags += [f"--timeout={job.timeout:.0f}"]  # without data, not in all
    return [tools.programs[IMG2DATASET], *flags, *more]


def _img2dataset_plain(job: Job, tools: Tools, *more: str) -> Command:
    return _img2dataset(job, tools, "--disable_all_reencoding=True", *more)


def _img2dataset_shards(job: Job, tools: Tools) -> Command:
    """Return the command for two processes with a shard each."""
    shards = [f"--number_sample_per_shard={math.ceil(len(job.urls) / PROCESSES)}"]
    shards += [f"--processes_count={PROCESSES}"]
    return _img2dataset_plain(replace(job, concurrency=job.concurrency // PROCESSES), tools, *shards)


def _numbered_files(job: Job) -> Iterator[SavedImage]:
    """Yield images named by their numbers, without files that aria2 marks as incomplete."""
    for file in job.output.iterdir():
        if file.suffix != ".aria2" and not file.with_name(f"{file.name}.aria2").exists():
            yield SavedImage(int(file.stem) if file.stem.isdecimal() else -1, file)


def _img2dataset_images(job: Job) -> Iterator[SavedImage]:
    for file in job.output.glob("*/*.jpg"):
        url = str(json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))["url"])
        yield SavedImage(int(Path(url).stem), file)


DOWNLOADERS = (
    part_of_imagenet(),
    replace(
        part_of_imagenet("--retries", "0"), name=f"{PART_OF_IMAGENET}-retries-0", only_in=frozenset({"S3"})
    ),
    Downloader(CURL, "curl", _curl, _numbered_files),
    Downloader("wget2", "wget2", _wget2, _numbered_files),
    Downloader("aria2c", "aria2c", _aria2c, _numbered_files),
    Downloader(IMG2DATASET_PLAIN, IMG2DATASET, _img2dataset_plain, _img2dataset_images),
    Downloader(IMG2DATASET_SHARDS, IMG2DATASET, _img2dataset_shards, _img2dataset_images),
    Downloader(IMG2DATASET_DEFAULT, IMG2DATASET, _img2dataset, _img2dataset_images, re_encodes=True),
)
