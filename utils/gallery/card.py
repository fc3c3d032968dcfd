"""`dataset_card.md`: how a result folder was made, its numbers, its licence, and code that loads it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from ..export.formats import FORMATS
from ..files import write_atomic
from ..models.settings import Settings
from ..reasons import Status, meaning
from ..results.paths import RESULT_FOLDER
from ..sources.copy_source import CopySource
from ..sources.tar_source import TarSource
from ..sources.url_source import UrlSource
from ..text import pluralize
from . import run_history
from .category_stats import CategoryStats, by_class, total
from .run_history import RunHistory

ORIGINS = {
    UrlSource.name: "their URLs",
    TarSource.name: "ImageNet's tars of whole categories",
    CopySource.name: "copies of ImageNet on disk",
}
TEMPLATE = Path(__file__).with_name("card.md")
NAMED_IN_TITLE = 4
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
SIZE_CATEGORIES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
"""Terms of Hugging Face's dataset cards for numbers of images up to `SIZES`."""
RAW_SNIPPET = f"""\
from pathlib import Path
from xml.etree import ElementTree
from PIL import Image

SIDES = ("xmin", "ymin", "xmax", "ymax")
for path in sorted(Path("{RESULT_FOLDER}").glob("*/Images/*")):
    image, label = Image.open(path).convert("RGB"), path.parents[1].name
    xml = path.parents[1] / "Annotation" / f"{{path.stem}}.xml"
    drawn = ElementTree.parse(xml).iter("object") if xml.exists() else ()
    boxes = [(o.findtext("name"), [int(o.findtext(f"bndbox/{{side}}")) for side in SIDES]) for o in drawn]"""
"""Python code that loads the result folder, run in the folder that contains it."""
HEADER = ("category", "wnid", "URLs", "saved", "with boxes", "boxes", "failed")


def write(
    path: Path, stats: Sequence[CategoryStats], *, settings: Settings, history: RunHistory, at: str
) -> None:
    """Write the card of a result folder.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    whole = total(stats)
    rows = [_row(one.folder, one.code or "unknown", one) for one in stats]
    if len(rows) > 1:
        rows.append(_row("all", "", whole))
    reasons = [(word, count, meaning(word)) for word, count in whole.summary.reasons.most_common()]
    exports = (f"`{one.name}`:\n\n```python\n{one.snippet}\n```" for one in FORMATS.values())
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        contents=_contents(stats),
        categories=pluralize(len(stats), "category"),
        urls=pluralize(whole.urls, "URL"),
        saved=pluralize(whole.saved, "image"),
        own=f" and {pluralize(whole.own, 'own photo')}" if whole.own else "",
        annotated=f"{whole.annotated:,}",
        boxes=pluralize(whole.boxes, "box"),
        distinct=_distinct(whole),
        undecided=_undecided(whole),
        classes=_classes(stats),
        size_category=SIZE_CATEGORIES[min(bisect_right(SIZES, whole.saved), len(SIZE_CATEGORIES) - 1)],
        counts=table(HEADER, rows),
        failures=table(("reason", "URLs", "meaning"), reasons) if reasons else "Nothing failed.",
        date=at,
        version=f" {run_history.version()}".rstrip(),
        commands=code(history.lines()),
        source=_origins(whole),
        url_table=_code_name(settings.url_data),
        annotations=f"{_code_name(settings.annotations_dir)}/",
        root=RESULT_FOLDER,
        raw=RAW_SNIPPET,
        exports="\n\n".join(exports),
    )
    write_atomic(path, text.encode(errors="replace"))


def _contents(stats: Sequence[CategoryStats]) -> str:
    names = [literal(one.folder.replace("_", " ")) for one in stats[:NAMED_IN_TITLE]]
    more = len(stats) - len(names)
    return "; ".join([*names, *([f"{more:,} more"] if more else [])]) or "nothing yet"


def _row(name: str, code: str, stats: CategoryStats) -> tuple[str | int, ...]:
    return (name, code, stats.urls, stats.saved, stats.annotated, stats.boxes, stats.failed)


def _classes(stats: Sequence[CategoryStats]) -> str:
    """List the classes with their categories, if there are any."""
    rows = [
        (name, "; ".join(one.folder for one in of_class), whole.saved, whole.annotated, whole.boxes)
        for name, of_class in by_class(stats).items()
        for whole in [total(of_class)]
    ]
    if not rows:
        return ""
    header = ("class", "categories", "saved", "with boxes", "boxes")
    return f"Classes, which exports have in place of these categories:\n\n{table(header, rows)}"


def _distinct(whole: CategoryStats) -> str:
    """Return a sentence with the numbers without duplicates, if there are any."""
    images, boxes = whole.distinct()
    if (images, boxes) == (whole.saved, whole.boxes):
        return ""
    counts = f"{pluralize(images, 'image')} with {pluralize(boxes, 'box')}"
    return f"Some images are there more than once, e.g. in two folders; by their bytes they are {counts}."


def _undecided(whole: CategoryStats) -> str:
    """Count the URLs that were neither saved nor failed."""
    counts = whole.summary.statuses
    words = {
        Status.SKIPPED: "not needed (enough images were saved before)",
        Status.NOT_ATTEMPTED: "not attempted (the run ended before)",
    }
    parts = [f"{counts[status]:,} {word}" for status, word in words.items() if counts[status]]
    return f" Neither saved nor failed: {'; '.join(parts)}." if parts else ""


def _origins(whole: CategoryStats) -> str:
    """Describe where the images come from, with their numbers if there are several sources."""
    counts = whole.origins.most_common()
    if len(counts) < 2:
        return ORIGINS[counts[0][0] if counts else UrlSource.name]
    return ", ".join(f"{ORIGINS[name]} ({count:,})" for name, count in counts)


def _code_name(path: Path) -> str:
    """Format a file name for inline code."""
    return one_line(path.name).replace("`", "'")


_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$&<>-])")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
CODE_INDENT = "    "
"""A line without line breaks cannot end an indented code block."""


def literal(text: str) -> str:
    """Escape the Markdown in a text."""
    return _MARKUP.sub(r"\\\1", one_line(text))


def one_line(text: str) -> str:
    """Replace control characters, line breaks and lone surrogates by blanks."""
    return _UNPRINTABLE.sub(" ", text)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a table; columns of numbers, except the first, are aligned to the right."""
    cells = [[one if isinstance(one, int) else literal(str(one)) for one in row] for row in rows]
    rules = [
        "---:" if column and all(isinstance(row[column], int) for row in cells) else "---"
        for column in range(len(header))
    ]
    lines = [list(header), rules, *([str(cell) for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(lines: Iterable[str]) -> str:
    """Format lines as an indented code block."""
    return "\n".join(CODE_INDENT + one_line(line) for line in lines)
