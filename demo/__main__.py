"""`python -m demo`: the two scripts, run as a user runs them, on a small web of their own.

In order: fetch what a run needs, mark two categories, download them, ask for some images of two others with
their boxes, ready to train on, and compare what lies on disk with the truth, which the embedded web knows.
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

from .pictures import Kind
from .verdict import Verdict, rows, verdicts
from .world import FATES, World

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path("demo", "result")  # below ROOT, where all commands run
IMAGES = RESULT / "partial_imagenet"
EXPORT = RESULT / "partial_imagenet_yolo"
MARKED = (Kind.CARTON, Kind.HUSKY)
SOME, FEW = ("sky", Kind.CUP.value), 12  # a cup is also a punch: its name alone would be ambiguous
PATIENCE = 10.0  # seconds that an interrupted script may take to write its reports
SHOWN = ("image_code", "status", "reason", "http_status", "width", "height", "boxes")
SHOWN_ROWS = 6
NUMBERS = ("decided", "living", "saved", "boxed", "junk", "missed")
EXPLAINED = """\
(decided: URLs that were saved or failed; the others were not needed. living: of those decided.
boxed: saved with boxes. junk: saved, but no image of the list. missed: living, but not saved.
The last two should be 0.)"""
PREREQUISITES = "download_imagenet_prerequisites.py"
EXTRACT = "extract_images_as_per_tags.py"
WHERE = (
    *("--ncode_data", f"{RESULT / 'ncodes.csv'}", "--url_data", f"{RESULT / 'imageNetURLs.csv'}"),
    *("--annotations_dir", f"{RESULT / 'annotation'}", "--save_dir", f"{RESULT}"),
    *("--speed_test", "False", "--timeout", "4", "--retries", "1"),
)


class CommandFailedError(Exception):
    """One of the scripts ended with another exit code than 0."""


def main() -> int:
    """Run the demo; 0 means that all went as it should."""
    os.chdir(ROOT)
    try:
        with World() as world:
            return _show(world)
    except CommandFailedError as error:
        print(f"\nThe demo stops: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo was interrupted.", file=sys.stderr)
        return 130


def _show(world: World) -> int:
    began = time.monotonic()
    _say(f"A small web on loopback plays the internet: {len(world.photos)} URLs, many of them dead.")
    _fresh_folder()
    sources = ("--urls_source", world.urls_source, "--annotations_source", world.annotations_source)
    _run(PREREQUISITES, "--ncodes_dir", f"{RESULT}", *sources)
    _mark()
    _run(EXTRACT, *WHERE)
    whole = verdicts(IMAGES, world.photos)
    some = ("--categories", *SOME, "--with_annotation", "True", "--how_many", f"{FEW}")
    _run(EXTRACT, *some, "--export", "yolo", *WHERE)
    partly = [verdict for verdict in verdicts(IMAGES, world.photos) if verdict not in whole]
    _show_report(whole)
    _show_verdicts([*whole, *partly], world)
    _say(f"It took {time.monotonic() - began:.0f} s, without internet: the pictures were drawn on the spot.")
    print(EXPLAINED)
    print(f"Look at {IMAGES}: a folder for each category, with Images, Annotation and its report.")
    print(f"Open {IMAGES / 'index.html'} in a browser: it shows every image with its boxes.")
    print(f"Train a detector on it: yolo detect train model=yolo11n.pt data={ROOT / EXPORT / 'data.yaml'}")
    return 0 if _is_right(whole, partly) else 1


def _is_right(whole: list[Verdict], partly: list[Verdict]) -> bool:
    """Whether every URL of the marked categories was tried, and all that lives is there, and nothing else."""
    complete = [verdict.is_right and verdict.decided == sum(FATES.values()) for verdict in whole]
    filled = [verdict.is_right and verdict.saved == verdict.boxed == FEW for verdict in partly]
    return [*complete, *filled] == [True] * (len(MARKED) + len(SOME))


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)  # before what the scripts print


def _fresh_folder() -> None:
    if RESULT.exists():
        shutil.rmtree(RESULT)
    RESULT.mkdir()
    (RESULT / ".gitignore").write_text("*\n", encoding="utf-8")  # nothing here is for the repository


def _run(script: str, *arguments: str) -> None:
    """Show a command and run it, without any proxy; wait for its own end if the user interrupts it."""
    _say(f"$ {shlex.join(['python', script, *arguments])}")
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = subprocess.Popen([sys.executable, script, *arguments], env=environment)  # noqa: S603  (our scripts)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        _wait_for_its_end(process)
        raise
    if code:
        raise CommandFailedError(f"{script} ended with exit code {code}.")


def _wait_for_its_end(process: subprocess.Popen[bytes]) -> None:
    # Ctrl-C reached it, too, and it writes its reports before it goes.
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _mark() -> None:
    """Mark two categories as a user would in a spreadsheet."""
    path = RESULT / "ncodes.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    marked = table["code"].isin([kind.value for kind in MARKED])
    table.loc[marked, "to_download"] = "True"
    table.to_csv(path, index=False)
    _say(f"In {path}, to_download is set to True for: {'; '.join(table.loc[marked, 'name'])}.")


def _show_report(found: list[Verdict]) -> None:
    for verdict in found[:1]:
        (report,) = verdict.folder.glob("*_download_report.csv")
        _say(f"{report} begins like this (some columns):")
        print(pd.DataFrame(rows(report))[list(SHOWN)].head(SHOWN_ROWS).to_string(index=False))


def _show_verdicts(found: list[Verdict], world: World) -> None:
    living = sum(photo.fate.lives for photo in world.photos)
    _say(f"Against the truth, which the small web knows ({living} of all {len(world.photos)} URLs live):")
    lines = [[verdict.folder.name, *(getattr(verdict, name) for name in NUMBERS)] for verdict in found]
    print(pd.DataFrame(lines, columns=["category", *NUMBERS]).to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
