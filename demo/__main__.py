"""`python -m demo`: run both scripts as a user would, against local web servers.

It downloads the prerequisites, marks and downloads two categories, downloads and exports some images with
boxes of two others, takes images from a copy of ImageNet on disk, and compares the result with what the
servers published.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from . import copies
from .comparison import Comparison, compare, rows
from .demo_web import BEHAVIOURS, DemoWeb
from .pictures import Kind

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path("demo", "result")  # relative to ROOT, where all commands run
IMAGES = RESULT / "partial_imagenet"
EXPORT = RESULT / "partial_imagenet_yolo"
COPY = RESULT / "copy"
FROM_COPY = RESULT / "from_copy"
MARKED = (Kind.CARTON, Kind.HUSKY)
BOXED, HOW_MANY_BOXED = ("sky", Kind.CUP.value), 12  # the name "cup" would be ambiguous
STOP_TIMEOUT = 10.0  # seconds for an interrupted script to write its reports
SHOWN_COLUMNS = ("image_code", "status", "reason", "http_status", "width", "height", "boxes")
SHOWN_ROWS = 6
COUNTS = ("decided", "alive", "saved", "boxed", "junk", "missed")
LEGEND = """\
(decided: URLs that were saved or failed; the others were not needed. alive: decided URLs that deliver
their picture. boxed: saved with boxes. junk: saved files that are no picture of the list. missed: alive,
but not saved. junk and missed should be 0.)"""
PREREQUISITES = "download_imagenet_prerequisites.py"
EXTRACT = "extract_images_as_per_tags.py"
EXTRACT_FLAGS = (
    *("--ncode_data", f"{RESULT / 'ncodes.csv'}", "--url_data", f"{RESULT / 'imageNetURLs.csv'}"),
    *("--annotations_dir", f"{RESULT / 'annotation'}", "--save_dir", f"{RESULT}"),
    *("--speed_test", "False", "--timeout", "4", "--retries", "1"),
)


class CommandFailedError(Exception):
    """A script ended with a non-zero exit code."""


def main() -> int:
    """Run the demo; return 0 if the result is right."""
    os.chdir(ROOT)
    try:
        with DemoWeb() as web:
            return _run_demo(web)
    except CommandFailedError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo was interrupted.", file=sys.stderr)
        return 130


def _run_demo(web: DemoWeb) -> int:
    start = time.monotonic()
    _say(f"Local web servers publish {len(web.photos)} URLs; many of them are dead.")
    _make_result_folder()
    sources = ("--urls_source", web.urls_source, "--annotations_source", web.annotations_source)
    _run(PREREQUISITES, "--ncodes_dir", f"{RESULT}", *sources)
    _mark()
    _run(EXTRACT, *EXTRACT_FLAGS)
    all_images = compare(IMAGES, web.photos)
    boxed = ("--categories", *BOXED, "--with_annotation", "True", "--how_many", f"{HOW_MANY_BOXED}")
    _run(EXTRACT, *boxed, "--export", "yolo", *EXTRACT_FLAGS)
    boxed_images = [one for one in compare(IMAGES, web.photos) if one not in all_images]
    copies.write(COPY)
    _say(f"{COPY} is a small copy of ImageNet, as many people have one: a tar of tars, and class folders.")
    categories = ("--categories", *(kind.value for kind in copies.KINDS), "--save_dir", f"{FROM_COPY}")
    _run(EXTRACT, *EXTRACT_FLAGS, *categories, "--copy", f"{COPY}")
    for one in all_images[:1]:
        _show_report(one.folder)
    _show_comparisons([*all_images, *boxed_images], web)
    _say(f"The demo took {time.monotonic() - start:.0f} s, without internet: the pictures are drawn.")
    print(LEGEND)
    print(f"Images, boxes and reports: {IMAGES}")
    print(f"Open {IMAGES / 'index.html'} in a browser: it shows every image with its boxes.")
    print(f"Train a detector on it: yolo detect train model=yolo11n.pt data={ROOT / EXPORT / 'data.yaml'}")
    from_copy = len([*FROM_COPY.glob("partial_imagenet/*/Images/*")])
    expected = len(copies.KINDS) * (copies.TRAINING + copies.VALIDATION)
    print(f"Images from the copy: {from_copy} of {expected}")
    return 0 if _is_right(all_images, boxed_images) and from_copy == expected else 1


def _is_right(all_images: list[Comparison], boxed_images: list[Comparison]) -> bool:
    """Whether all URLs of the marked categories were tried, and all expected images were saved."""
    complete = [one.is_right and one.decided == sum(BEHAVIOURS.values()) for one in all_images]
    filled = [one.is_right and one.saved == one.boxed == HOW_MANY_BOXED for one in boxed_images]
    return [*complete, *filled] == [True] * (len(MARKED) + len(BOXED))


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)  # before the output of the scripts


def _make_result_folder() -> None:
    if RESULT.exists():
        shutil.rmtree(RESULT)
    RESULT.mkdir()
    (RESULT / ".gitignore").write_text("*\n", encoding="utf-8")


def _run(script: str, *arguments: str) -> None:
    """Print and run a command, without proxies; if the user interrupts it, wait for its end."""
    _say(f"$ {shlex.join(['python', script, *arguments])}")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = subprocess.Popen([sys.executable, script, *arguments], env=environment)  # noqa: S603
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # Ctrl-C reached the script, too; it writes its reports before it ends.
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    if code:
        raise CommandFailedError(f"{script} ended with exit code {code}.")


def _mark() -> None:
    """Mark two categories as a user would in a spreadsheet."""
    path = RESULT / "ncodes.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    marked = table["code"].isin([kind.value for kind in MARKED])
    table.loc[marked, "to_download"] = "True"
    table.to_csv(path, index=False)
    _say(f"In {path}, to_download is set to True for: {'; '.join(table.loc[marked, 'name'])}.")


def _show_report(folder: Path) -> None:
    (report,) = folder.glob("*_download_report.csv")
    _say(f"The first rows of {report} (some columns):")
    print(pd.DataFrame(rows(report))[list(SHOWN_COLUMNS)].head(SHOWN_ROWS).to_string(index=False))


def _show_comparisons(comparisons: list[Comparison], web: DemoWeb) -> None:
    alive = sum(photo.behaviour.is_alive for photo in web.photos)
    _say(f"Compared with what the servers published ({alive} of all {len(web.photos)} URLs are alive):")
    lines = [[one.folder.name, *(getattr(one, name) for name in COUNTS)] for one in comparisons]
    print(pd.DataFrame(lines, columns=["category", *COUNTS]).to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
