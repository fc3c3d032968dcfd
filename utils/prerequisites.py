"""Sources -> `ncodes.csv`, `imageNetURLs.csv` and `annotation/`, once.

This module alone knows what "there and whole" means for each of the three, and in which order things
happen: fetch, check, write beside, put into place. Whatever fails leaves what was there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from . import annotation_archives, categories
from .annotation_archives import UnpackOptions
from .errors import DatasetError, DiskError, InputError, SourceError
from .known_sources import ANNOTATION_SOURCES, URL_SOURCES, WANTED_ANNOTATIONS, WANTED_URLS, Source
from .packed import open_text
from .sourcing import Job, Screen, from_sources
from .storage import write_whole
from .url_list import BAD_LINES_NAME, ListCounts, convert
from .url_table import NAME, OTHER_NAME, open_table
from .web_file import Terms

NCODES_NAME = "ncodes.csv"
_TABLE_GROWTH = 1.3  # each row of the table repeats its wnid


class Piece(str, Enum):
    """What can be fetched; the values are those of `--only`."""

    NCODES = "ncodes"
    URLS = "urls"
    ANNOTATIONS = "annotations"


@dataclass(frozen=True)
class Order:
    """What the user asked for; the fields carry the names of the flags."""

    ncodes_dir: Path
    only: frozenset[Piece] = frozenset(Piece)
    urls_source: tuple[str, ...] = ()
    annotations_source: str | None = None
    force: bool = False


def prepare(order: Order, screen: Screen, terms: Terms | None = None) -> None:
    """Put all that was asked for into its place; what is there and whole is left alone.

    One prerequisite that fails does not keep the others back.

    Raises
    ------
    DatasetError
        If one of them could not be had, when the others have been dealt with.
    """
    try:
        order.ncodes_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--ncodes_dir {order.ncodes_dir} cannot be made: {error.strerror}. Give another."
        ) from error
    failures: list[DatasetError] = []
    for piece in Piece:
        if piece in order.only:
            try:
                _MAKERS[piece](order, screen, terms or Terms())
            except (InputError, SourceError) as error:
                failures.append(error)
    if failures:
        raise _together(failures)


def _together(failures: Sequence[DatasetError]) -> DatasetError:
    kind = InputError if any(isinstance(error, InputError) for error in failures) else SourceError
    return kind("\n".join(str(error) for error in failures))


def _make_ncodes(order: Order, screen: Screen, _terms: Terms) -> None:
    path = order.ncodes_dir / NCODES_NAME
    if not path.exists():
        categories.write_fresh(path)
        screen.say(f"{NCODES_NAME}: written. Set to_download to True for the categories that you want.")
    elif order.force:
        old = categories.read(path)
        _keep(path)
        categories.write_fresh(path, old)
        marked = len(categories.selected(old))
        screen.say(f"{NCODES_NAME}: made anew, with your marks ({marked}); the old one is {path.name}.bak")
    else:
        screen.say(f"{NCODES_NAME}: already present{_fault_of(path)}")


def _fault_of(path: Path) -> str:
    """Say what is wrong with the user's table: it is theirs to mend, and keeps nothing else back."""
    try:
        categories.read(path)
    except InputError as error:
        return f", but: {error}"
    return ""


def _keep(path: Path) -> None:
    try:
        write_whole(path.with_name(path.name + ".bak"), path.read_bytes())
    except OSError as error:
        raise DiskError(f"{path}.bak cannot be written: {error.strerror}.") from error


def _make_urls(order: Order, screen: Screen, terms: Terms) -> None:
    table = order.ncodes_dir / NAME
    if not order.force and _is_table_present(table, screen):
        return

    def use(path: Path, source: Source) -> None:
        counts = _converted(path, table, least=source.least, screen=screen)
        screen.say(f"{NAME}: {counts.rows:,} rows")
        if counts.bad_lines:
            screen.say(
                f"  {counts.bad_lines:,} malformed lines of the list were left out; see {BAD_LINES_NAME}"
            )

    sources = [Source(address) for address in order.urls_source] or URL_SOURCES
    job = Job(NAME, "--urls_source", sources, use, room=2.5, wanted=WANTED_URLS)
    from_sources(job, order.ncodes_dir, screen=screen, terms=terms)


def _is_table_present(table: Path, screen: Screen) -> bool:
    """Whether there is a table that can be read; its index is made if it is missing or outdated."""
    if not (table.exists() or table.with_name(OTHER_NAME).exists()):
        return False
    try:
        with screen.bar(f"indexing {NAME}") as advance:
            found = open_table(table, advance)
    except InputError as error:
        screen.say(f"{NAME}: fetched anew, for what is there cannot be used: {error}")
        return False
    rows = sum(found.count(code) for code in found.codes())
    if rows:
        screen.say(f"{found.path.name}: already present ({rows:,} rows)")
    return rows > 0


def _converted(path: Path, table: Path, *, least: int, screen: Screen) -> ListCounts:
    with open_text(path) as text:
        _require_room(table.parent, text.size * _TABLE_GROWTH)
        total = path.stat().st_size
        with screen.bar(f"writing {NAME}") as advance:
            return convert(text.stream, table, least=least, say=lambda: advance(text.position(), total))


def _require_room(folder: Path, needed: float) -> None:
    """Stop before the disk is full; what was downloaded stays for the next run."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskError(
            f"{NAME} needs {needed / 1e6:,.0f} MB, but {folder} has {free / 1e6:,.0f} MB free. "
            "Make room, or give another --ncodes_dir."
        )


def _make_annotations(order: Order, screen: Screen, terms: Terms) -> None:
    folder = order.ncodes_dir / annotation_archives.FOLDER_NAME
    there = annotation_archives.present(folder)
    if there and not order.force:
        screen.say(f"{folder.name}/: already present ({there:,} categories)")
        return

    def use(path: Path, source: Source) -> None:
        with screen.bar(f"unpacking {folder.name}/") as advance:
            options = UnpackOptions(replace=order.force, least=source.least)
            counts = annotation_archives.unpack(path, folder, options, advance)
        screen.say(f"{folder.name}/: {counts.written:,} archives written, {counts.present:,} already present")
        if counts.refused:
            screen.say(f"  {counts.refused:,} archives are too large to be real and were left out")

    own = order.annotations_source
    sources = [Source(own)] if own is not None else ANNOTATION_SOURCES
    job = Job(folder.name, "--annotations_source", sources, use, room=2, wanted=WANTED_ANNOTATIONS)
    from_sources(job, order.ncodes_dir, screen=screen, terms=terms)


_MAKERS: dict[Piece, Callable[[Order, Screen, Terms], None]] = {
    Piece.NCODES: _make_ncodes,
    Piece.URLS: _make_urls,
    Piece.ANNOTATIONS: _make_annotations,
}
