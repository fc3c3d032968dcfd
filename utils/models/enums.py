"""The words of the report: statuses, reasons and how long each is believed, formats."""

from __future__ import annotations

from enum import Enum


class Status(str, Enum):
    """What became of one URL: the `status` column of the report."""

    DOWNLOADED = "downloaded"
    ALREADY_PRESENT = "already_present"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_ATTEMPTED = "not_attempted"

    @property
    def is_saved(self) -> bool:
        """Whether the image lies in `Images/`."""
        return self in (Status.DOWNLOADED, Status.ALREADY_PRESENT)


class ImageFormat(str, Enum):
    """The image formats that are kept; the value is the file's extension."""

    JPEG = "jpg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    BMP = "bmp"
    TIFF = "tiff"
