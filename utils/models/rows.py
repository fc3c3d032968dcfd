"""Categories, rows of the URL table, and images on disk."""

from __future__ import annotations

import abc
from dataclasses import dataclass

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
        The name of its folder, and the label of its boxes.
    selected
        Whether the user marked it for download.
    how_many
        The number of URLs or images (see `Settings.fill`); -1 for all.
    line
        Its line in the file, from 1; 0 if unknown.
    class_name
        The class that the user gave it in exports; empty for a class of its own.
    """

    code: str
    name: str
    folder: str
    selected: bool = False
    how_many: int = -1
    line: int = 0
    class_name: str = ""


@dataclass(frozen=True, slots=True)
class UrlRow(FastPickle):
    """One row of the URL table.

    Attributes
    ----------
    position
        Offset of the row in the table, in bytes; it gives the order of the report.
    image_code, url
        As in the table, not validated.
    repeat
        The number of earlier rows of the category with the same image code.
    """

    position: int
    image_code: str
    url: str
    repeat: int = 0

    @property
    def key(self) -> str:
        """Identifies the row in later runs, even if the table was created again."""
        return f"{self.image_code} {self.url} {self.repeat}"


@dataclass(frozen=True, slots=True)
class TarMember(FastPickle):
    """An image in a tar.

    Attributes
    ----------
    image_code
        From its name.
    name
        The last component of its path, with the extension.
    offset, size
        Of its content in the file, in bytes.
    stamp
        A checksum of its header, to detect that the file was replaced.
    """

    image_code: str
    name: str
    offset: int
    size: int
    stamp: int

    @property
    def end(self) -> int:
        """The offset of the first byte after its content."""
        return self.offset + self.size


class LocalImage(abc.ABC):
    """An image that is on disk and need not be downloaded; it is sent to workers, which read it."""

    __slots__ = ()

    @property
    def group(self) -> int | None:
        """The same number for images that one worker should read together; None for no preference."""
        return None

    @abc.abstractmethod
    def read(self) -> bytes:
        """Return its bytes.

        Raises
        ------
        OSError, EOFError, ValueError
            If they cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that a source yields.

    Attributes
    ----------
    rejection
        Why it cannot be tried; None if it can.
    local_image
        The image on disk; None if it has to be downloaded.
    """

    row: UrlRow
    rejection: Rejection | None
    annotation: Annotation | None
    local_image: LocalImage | None = None
