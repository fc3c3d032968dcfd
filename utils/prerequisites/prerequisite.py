"""Each of the three prerequisites by itself: when it is there and whole, and how it is made.

This module alone knows what is done with the file that a source gave: check it, write what it holds beside
what is there, put that into place.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..catalog import categories
from ..errors import DiskError, InputError, OneSourceError
from ..fetch.archive_stream import open_text
from ..fetch.file_download import DownloadOptions
from ..files import write_atomic
from ..sources.url_table import NAME, OTHER_NAME, open_table
from ..text import pluralize
from . import annotation_archives
from .first_available import Job, Screen, use_first_available
from .known_sources import (
    ANNOTATION_SOURCES,
    ANNOTATIONS_BY_HAND,
    URL_SOURCES,
    URLS_BY_HAND,
    KnownSource,
)
from .url_list import BAD_LINES_NAME, ListCounts, convert

NCODES_NAME = "ncodes.csv"
_TABLE_GROWTH = 1.3  # each row of the table repeats its wnid
_URL_ROOM = 4.6  # 334 MB that are downloaded, and 1.2 GB that they become
_ANNOTATION_ROOM = 2.0


class PrerequisiteName(str, Enum):
    """What can be fetched; the values are those of `--only`."""

    NCODES = "ncodes"
    URLS = "urls"
    ANNOTATIONS = "annotations"


@dataclass(frozen=True)
class Order:
    """What the user asked for; the fields carry the names of the flags."""

    ncodes_dir: Path
    only: frozenset[PrerequisiteName] = frozenset(PrerequisiteName)
    urls_source: tuple[str, ...] = ()
    annotations_source: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Prerequisite:
    """How one of the three comes about.

    Attributes
    ----------
    name
        Of the file or folder.
    is_folder
        Which of the two it is.
    is_there
        Whether there is one that can be used; it says so.
    make
        Makes it.
    """

    name: str
    is_folder: bool
    is_there: Callable[[Order, Screen], bool]
    make: Callable[[Order, Screen, DownloadOptions], None]


def _is_ncodes_there(order: Order, screen: Screen) -> bool:
    path = order.ncodes_dir / NCODES_NAME
    if path.exists():
        screen.print(f"{NCODES_NAME}: already present{_fault_of(path)}")
    return path.exists()


def _fault_of(path: Path) -> str:
    """Say what is wrong with the user's table: it is theirs to mend, and keeps nothing else back."""
    try:
        categories.read(path)
    except InputError as error:
        return f", but: {error}"
    return ""


def _make_ncodes(order: Order, screen: Screen, _terms: DownloadOptions) -> None:
    path = order.ncodes_dir / NCODES_NAME
    if not path.exists():
        categories.write_fresh(path)
        screen.print(f"{NCODES_NAME}: written. Set to_download to True for the categories that you want.")
        return
    old = categories.read(path)
    _keep(path)
    categories.write_fresh(path, old)
    marked = sum(category.selected for category in old)
    screen.print(f"{NCODES_NAME}: made anew, with your marks ({marked}); the old one is {path.name}.bak")


def _keep(path: Path) -> None:
    try:
        write_atomic(path.with_name(path.name + ".bak"), path.read_bytes())
    except OSError as error:
        raise DiskError(f"{path}.bak cannot be written: {error.strerror}.") from error


def _is_table_there(order: Order, screen: Screen) -> bool:
    """Whether there is a table that can be read; its index is made if it is missing or outdated."""
    table = order.ncodes_dir / NAME
    if not (table.exists() or table.with_name(OTHER_NAME).exists()):
        return False
    try:
        with screen.bar(f"indexing {NAME}") as advance:
            found = open_table(table, advance)
    except InputError as error:
        screen.print(f"{NAME}: fetched anew, for what is there cannot be used: {error}")
        return False
    rows = sum(found.count(code) for code in found.codes())
    if rows:
        more = _what_force_does(rows, URL_SOURCES, "--urls_source" if order.urls_source else "")
        screen.print(f"{found.path.name}: already present ({pluralize(rows, 'row')}){more}")
    return rows > 0


def _make_urls(order: Order, screen: Screen, terms: DownloadOptions) -> None:
    table = order.ncodes_dir / NAME

    def use(path: Path, source: KnownSource) -> None:
        counts = _converted(path, table, least=source.least, screen=screen)
        screen.print(f"{NAME}: {pluralize(counts.rows, 'row')}")
        if counts.bad_lines:
            bad = pluralize(counts.bad_lines, "malformed line")
            screen.print(f"  left out of it: {bad} of the list; see {BAD_LINES_NAME}")

    sources = [KnownSource(address) for address in order.urls_source] or URL_SOURCES
    job = Job(NAME, "--urls_source", sources, use, disk_factor=_URL_ROOM, by_hand=URLS_BY_HAND)
    use_first_available(job, order.ncodes_dir, screen=screen, options=terms)


def _converted(path: Path, table: Path, *, least: int, screen: Screen) -> ListCounts:
    with open_text(path) as text:
        _require_room(table, text.size * _TABLE_GROWTH)
        total = path.stat().st_size
        with screen.bar("writing the table") as advance:
            return convert(text.stream, table, least=least, say=lambda: advance(text.position(), total))


def _require_room(target: Path, needed: float) -> None:
    """Stop before the disk is full; what was downloaded stays for the next run."""
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise DiskError(
            f"{target.name} needs {needed / 1e6:,.0f} MB, but {target.parent} has {free / 1e6:,.0f} MB free. "
            "Make room, or give another --ncodes_dir."
        )


def _is_annotation_there(order: Order, screen: Screen) -> bool:
    folder = order.ncodes_dir / annotation_archives.FOLDER_NAME
    there = annotation_archives.present(folder)
    if there:
        own = "--annotations_source" if order.annotations_source else ""
        more = _what_force_does(there, ANNOTATION_SOURCES, own)
        screen.print(f"{folder.name}/: already present ({pluralize(there, 'category')}){more}")
    return there > 0


def _make_annotations(order: Order, screen: Screen, terms: DownloadOptions) -> None:
    folder = order.ncodes_dir / annotation_archives.FOLDER_NAME
    known = _known_codes(order)

    def use(path: Path, source: KnownSource) -> None:
        found = _surveyed(path, folder, known, least=source.least, screen=screen)
        _require_room(folder, found.size)
        with screen.bar("writing") as advance:
            counts = annotation_archives.write(path, folder, found.good, replace=order.force, say=advance)
        written = pluralize(counts.written, "archive")
        screen.print(f"{folder.name}/: {written} written, {counts.present:,} already present")
        for words in found.left_out():
            screen.print(f"  left out of it: {words}")

    own = order.annotations_source
    sources = [KnownSource(own)] if own is not None else ANNOTATION_SOURCES
    job = Job(
        folder.name,
        "--annotations_source",
        sources,
        use,
        disk_factor=_ANNOTATION_ROOM,
        by_hand=ANNOTATIONS_BY_HAND,
    )
    use_first_available(job, order.ncodes_dir, screen=screen, options=terms)


def _known_codes(order: Order) -> frozenset[str]:
    """Give the wnids of all categories: those that ship, and those that the user added."""
    codes = {category.code for category in categories.load_synsets()}
    own = order.ncodes_dir / NCODES_NAME
    if own.is_file():
        with contextlib.suppress(InputError):  # a fault in it has been told, or will be
            codes.update(category.code for category in categories.read(own))
    return frozenset(codes)


def _surveyed(
    path: Path, folder: Path, known: frozenset[str], *, least: int, screen: Screen
) -> annotation_archives.ArchiveCheck:
    """Judge a collection before anything is written."""
    if folder.exists() and path.exists() and path.samefile(folder):
        raise OneSourceError("it is the very folder into which the annotations are to go")
    with screen.bar("checking") as advance:
        found = annotation_archives.survey(path, known, advance)
    if len(found.good) < least:
        good = f"it holds {pluralize(len(found.good), 'archive')} <wnid>.tar.gz that can be used"
        raise OneSourceError("; ".join([f"{good}, of {least:,} at least", *found.left_out()]))
    return found


def _what_force_does(there: int, published: Sequence[KnownSource], own: str) -> str:
    """Say what else could be had, to a user who named a source, or has less than there is."""
    if own:
        return f"; --force replaces it by what {own} gives"
    return "; --force fetches all that is published" if there < published[0].least else ""


MAKERS: dict[PrerequisiteName, Prerequisite] = {
    PrerequisiteName.NCODES: Prerequisite(
        NCODES_NAME, is_folder=False, is_there=_is_ncodes_there, make=_make_ncodes
    ),
    PrerequisiteName.URLS: Prerequisite(NAME, is_folder=False, is_there=_is_table_there, make=_make_urls),
    PrerequisiteName.ANNOTATIONS: Prerequisite(
        annotation_archives.FOLDER_NAME, is_folder=True, is_there=_is_annotation_there, make=_make_annotations
    ),
}
