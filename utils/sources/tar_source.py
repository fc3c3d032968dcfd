"""The images of a category's tar in an archive, in its order, while it arrives.

How far a tar has been read is kept beside the category's journal, so that a run which would find nothing new
does not ask for it again.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import disk_error
from ..files import write_atomic
from ..models.http_defaults import MAX_IMAGE_BYTES
from ..models.images import Annotation
from ..models.rows import Candidate, TarMember, TarMemberRef, UrlRow
from ..models.tasks import Outcome
from ..reasons import Reason, Rejection
from .tar_members import TarScanner

if TYPE_CHECKING:
    from .tar_download import TarDownload

BEHIND_THE_TABLE = 2**44
"""Added to a member's place in its tar: in a report, members come after all rows of any URL table."""
TOO_LARGE = Rejection(Reason.TOO_LARGE, "It has more than 20 MB.")


@dataclass(frozen=True)
class TarRequest:
    """What is wanted of a tar.

    Attributes
    ----------
    address
        Of the tar, as it is shown.
    limit
        How many candidates are wanted at most, from its front; -1 for all.
    among
        The image codes that are wanted; None for all.
    """

    address: str
    limit: int = -1
    among: frozenset[str] | None = None

    @property
    def codes(self) -> int:
        """How many image codes are wanted; -1 for all."""
        return -1 if self.among is None else len(self.among)

    @property
    def most(self) -> int:
        """How many candidates it can come to; -1 if that cannot be told."""
        return min((number for number in (self.limit, self.codes) if number >= 0), default=-1)


@dataclass(frozen=True)
class TarProgress:
    """How far a tar has been read.

    Attributes
    ----------
    address
        Of the tar.
    codes, candidates
        How many image codes were wanted (-1 for all), and how many of these were taken from its front.
    whole
        Whether all of it was read, for whatever it holds.
    absent
        Image codes that were looked for, and are not in it.
    passed
        Image codes that came by and were not judged, for their images were there already or enough were.
    """

    address: str = ""
    codes: int = -1
    candidates: int = 0
    whole: bool = False
    absent: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> TarProgress:
        """Read what is kept; whatever is no such note counts as none."""
        try:
            note = cls(**json.loads(path.read_bytes()))
            absent, passed = (tuple(map(str, codes)) for codes in (note.absent, note.passed))
            return replace(note, candidates=int(note.candidates), absent=absent, passed=passed)
        except (OSError, ValueError, TypeError, OverflowError, RecursionError):
            return cls()

    def save(self, path: Path) -> None:
        """Keep it.

        Raises
        ------
        DiskError, FolderError
            If it cannot be written.
        """
        try:
            write_atomic(path, json.dumps(asdict(self)).encode())
        except OSError as error:
            raise disk_error(path, error) from error

    def covers(self, wish: TarRequest, known: Collection[str]) -> bool:
        """Whether reading the tar once more would bring nothing new.

        Parameters
        ----------
        known
            The image codes that have an image, or a member of the tar of which it is known why not.
        """
        if self.address != wish.address or not set(self.passed).issubset(known):
            return False
        as_far = 0 <= wish.limit <= self.candidates and self.codes == wish.codes
        all_found = wish.among is not None and wish.among.difference(known).issubset(self.absent)
        return self.whole or as_far or all_found


class TarSource:
    """The candidates of one tar.

    Parameters
    ----------
    open_feed
        Asks for the tar; called when the first candidate is asked for.
    annotations
        Of the category's archive of boxes, by image code.
    outcomes
        Gives what is known by now of all that was considered.
    note
        Where it is kept how far the tar has been read.
    """

    def __init__(
        self,
        wish: TarRequest,
        open_feed: Callable[[], TarDownload],
        *,
        annotations: Mapping[str, Annotation],
        outcomes: Callable[[], Iterable[Outcome]],
        note: Path,
    ) -> None:
        self._wish, self._open_feed, self._annotations = wish, open_feed, annotations
        self._outcomes, self._note = outcomes, note
        self._feed: TarDownload | None = None
        self._members: deque[TarMember] = deque()
        self._given: set[str] = set()
        self._closed = False

    @property
    def exhausted(self) -> bool:
        """Whether no more will come."""
        return self._closed or 0 <= self._wish.most <= len(self._given) or self._has_ended

    @property
    def problem(self) -> str:
        """Why the tar ended badly, in a sentence; empty if it did not."""
        return self._feed.problem if self._feed else ""

    def next(self) -> Candidate | None:
        """Give the next one; None if there is none at present.

        Raises
        ------
        DatasetError
            If nothing can be written any more.
        """
        while not self.exhausted:
            if self._feed is None:
                self._feed = self._open_feed()
            member = self._next_member(self._feed)
            if member is None:
                return None
            if self._is_asked_for(member):
                self._given.add(member.image_code)
                return self._candidate(self._feed, member)
        return None

    def close(self, *, finished: bool) -> None:
        """End it; if the work is not `finished`, what has arrived of the tar stays for the next run."""
        closed, self._closed = self._closed, True
        if self._feed and not closed:
            read = self._read_through()
            self._feed.close(keep=not finished or bool(self.problem))
            if finished:
                read.save(self._note)

    @property
    def _has_ended(self) -> bool:
        if self._feed is None or self._feed.error:  # an error is still to be raised
            return False
        return self._feed.ended and not self._members

    def _read_through(self) -> TarProgress:
        wish, ended_well = self._wish, self._has_ended and not self.problem
        judged = {one.row.image_code for one in self._outcomes() if is_member(one.row, wish.address)}
        absent = wish.among.difference(self._given) if wish.among and ended_well else frozenset()
        return TarProgress(
            wish.address,
            wish.codes,
            candidates=len(self._given),
            whole=ended_well and wish.among is None,
            absent=tuple(sorted(absent)),
            passed=tuple(sorted(self._given - judged)),
        )

    def _next_member(self, feed: TarDownload) -> TarMember | None:
        if not self._members:
            self._members.extend(feed.poll())
        if feed.error:
            raise feed.error
        return self._members.popleft() if self._members else None

    def _is_asked_for(self, member: TarMember) -> bool:
        """Whether a member is a candidate; it may have been given before, if its tar was begun anew."""
        if member.image_code in self._given:
            return False
        return self._wish.among is None or member.image_code in self._wish.among

    def _candidate(self, feed: TarDownload, member: TarMember) -> Candidate:
        return Candidate(
            row=_row(member, self._wish.address),
            rejection=TOO_LARGE if member.size > MAX_IMAGE_BYTES else None,
            annotation=self._annotations.get(member.image_code),
            piece=TarMemberRef(feed.path, member),
        )


def is_member(row: UrlRow, address: str) -> bool:
    """Whether a row is that of an image in the tar at an address."""
    return row.url.startswith(f"{address}#")


def rows_at_hand(path: Path, address: str) -> Iterator[UrlRow]:
    """Yield the rows of the images in a tar, as far as it lies on disk; none if there is none."""
    try:
        if not path.is_file():  # a pipe would never open
            return
        scan = TarScanner(path)
    except OSError:
        return
    with contextlib.closing(scan), contextlib.suppress(OSError, ValueError):  # what comes before is good
        for member in scan.scan_to(path.stat().st_size):
            yield _row(member, address)


def _row(member: TarMember, address: str) -> UrlRow:
    return UrlRow(BEHIND_THE_TABLE + member.offset, member.image_code, f"{address}#{member.name}")
