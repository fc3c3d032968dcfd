"""What is offered: categories, rows of the URL table, images in tars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..reasons import Rejection
from .fast_pickle import FastPickle
from .images import Annotation


@dataclass(frozen=True)
class Category:
    """One row of `ncodes.csv`.

    Attributes
    ----------
    code
        The wnid, `n` and eight digits.
    name
        ImageNet's name: WordNet's words joined by ", ".
    folder
        The name of its folder, which is the label of its boxes, too.
    selected
        Whether the user marked it.
    how_many
        -1 for all, else a number of URLs or images (see `Settings.fill`).
    line
        Its line in the file, from 1; 0 where there is none.
    """

    code: str
    name: str
    folder: str
    selected: bool = False
    how_many: int = -1
    line: int = 0


@dataclass(frozen=True, slots=True)
class UrlRow(FastPickle):
    """One row of the URL table.

    Attributes
    ----------
    position
        Where the row begins in the table, in bytes: the table's order.
    image_code, url
        As the table has them; nothing is checked yet.
    repeat
        How many rows of the same category had this image code before it.
    """

    position: int
    image_code: str
    url: str
    repeat: int = 0

    @property
    def key(self) -> str:
        """What names the row from run to run, even if the table is made anew."""
        return f"{self.image_code} {self.url} {self.repeat}"


@dataclass(frozen=True, slots=True)
class TarMember(FastPickle):
    """An image in a tar.

    Attributes
    ----------
    image_code
        What its name says.
    name
        The last part of its path, extension and all.
    offset, size
        Where its bytes lie in the file, and how many there are.
    stamp
        A checksum of its header, by which it is told that another file lies there by now.
    """

    image_code: str
    name: str
    offset: int
    size: int
    stamp: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class TarMemberRef(FastPickle):
    """An image that lies in a tar on disk already."""

    path: Path
    member: TarMember


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row to be considered.

    Attributes
    ----------
    refusal
        Why it cannot even be tried; None if it can.
    tar_member
        Where its bytes lie, if they need not be fetched.
    """

    row: UrlRow
    rejection: Rejection | None
    annotation: Annotation | None
    tar_member: TarMemberRef | None = None
