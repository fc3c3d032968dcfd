"""The images of a category's tar in an archive, in its order, while it arrives.

How far a tar has been read is kept beside the category's journal, so that a run which would find nothing new
does not ask for it again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .archive_feed import Feed
from .errors import disk_error
from .models import MAX_IMAGE_BYTES, Annotation, Candidate, Member, Piece, Reason, Refusal, UrlRow
from .storage import write_whole

BEHIND_THE_TABLE = 2**44
"""Added to a member's place in its tar: in a report, members come after all rows of any URL table."""
TOO_LARGE = Refusal(Reason.TOO_LARGE, "It has more than 20 MB.")


@dataclass(frozen=True)
class Wish:
    """What is wanted of a tar.

    Attributes
    ----------
    address
        Of the tar, as it is shown.
    only_annotated
        Whether images without an annotation are left out.
    limit
        How many candidates are wanted at most, from its front; -1 for all.
    among
        The image codes that are wanted; None for all.
    """

    address: str
    only_annotated: bool
    limit: int = -1
    among: frozenset[str] | None = None


@dataclass(frozen=True)
class ReadThrough:
    """How far a tar has been read.

    Attributes
    ----------
    address
        Of the tar.
    only_annotated, candidates
        How many candidates were taken from its front, and whether those without boxes were left out.
    whole
        Whether all of it was read, for whatever it holds.
    absent
        Image codes that were looked for, and are not in it.
    """

    address: str = ""
    only_annotated: bool = False
    candidates: int = 0
    whole: bool = False
    absent: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> ReadThrough:
        """Read what is kept; whatever is no such note counts as none."""
        try:
            note = cls(**json.loads(path.read_bytes()))
            return cls(**(asdict(note) | {"candidates": int(note.candidates), "absent": tuple(note.absent)}))
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Keep it.

        Raises
        ------
        DiskError, FolderError
            If it cannot be written.
        """
        try:
            write_whole(path, json.dumps(asdict(self)).encode())
        except OSError as error:
            raise disk_error(path, error) from error

    def covers(self, wish: Wish) -> bool:
        """Whether reading the tar once more would bring nothing new."""
        if self.address != wish.address:
            return False
        if wish.among is not None:
            return wish.among.issubset(self.absent)
        as_far = 0 <= wish.limit <= self.candidates and self.only_annotated == wish.only_annotated
        return as_far or (self.whole and (wish.only_annotated or not self.only_annotated))


class ArchiveOffer:
    """The candidates of one tar.

    Parameters
    ----------
    open_feed
        Asks for the tar; called when the first candidate is asked for.
    annotations
        Of the category's archive of boxes, by image code.
    note
        Where it is kept how far the tar has been read.
    """

    def __init__(
        self, wish: Wish, open_feed: Callable[[], Feed], annotations: Mapping[str, Annotation], note: Path
    ) -> None:
        self._wish, self._open_feed, self._annotations, self._note = wish, open_feed, annotations, note
        self._feed: Feed | None = None
        self._members: deque[Member] = deque()
        self._given: set[str] = set()
        self._closed = False

    @property
    def exhausted(self) -> bool:
        """Whether no more will come."""
        return self._closed or 0 <= self._most <= len(self._given) or self._has_ended

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
        return self._feed is not None and self._feed.ended and not self._members

    @property
    def _most(self) -> int:
        return self._wish.limit if self._wish.among is None else len(self._wish.among)

    def _read_through(self) -> ReadThrough:
        wish, ended_well = self._wish, self._has_ended and not self.problem
        absent = wish.among.difference(self._given) if wish.among and ended_well else frozenset()
        return ReadThrough(
            wish.address,
            wish.only_annotated,
            candidates=len(self._given) if wish.among is None else 0,
            whole=ended_well and wish.among is None,
            absent=tuple(sorted(absent)),
        )

    def _next_member(self, feed: Feed) -> Member | None:
        if not self._members:
            self._members.extend(feed.poll())
        if feed.error:
            raise feed.error
        return self._members.popleft() if self._members else None

    def _is_asked_for(self, member: Member) -> bool:
        """Whether a member is a candidate; it may have been given before, if its tar was begun anew."""
        if member.image_code in self._given:
            return False
        if self._wish.only_annotated and member.image_code not in self._annotations:
            return False
        return self._wish.among is None or member.image_code in self._wish.among

    def _candidate(self, feed: Feed, member: Member) -> Candidate:
        place = BEHIND_THE_TABLE + member.offset
        return Candidate(
            row=UrlRow(place, member.image_code, f"{self._wish.address}#{member.name}"),
            refusal=TOO_LARGE if member.size > MAX_IMAGE_BYTES else None,
            annotation=self._annotations.get(member.image_code),
            piece=Piece(feed.path, member),
        )
