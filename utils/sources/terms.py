"""ImageNet's terms, which whoever takes images from its archive must accept, and the archive opened then."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, disk_error
from ..fetch.credentials import Credentials
from ..models.settings import ImageSource, Settings
from .tar_address import template

if TYPE_CHECKING:
    from .tar_download_queue import TarDownloadQueue

PLACE = ".archive"
"""The folder, in the result folder, where tars grow; it is gone when nothing is left in it."""
TEXT = (
    "ImageNet gives the images of its archive to researchers and teachers only, for non-commercial research "
    "and education: https://image-net.org/download.php"
)


def require(settings: Settings) -> None:
    """See that the archive may be used, if it is to be.

    Raises
    ------
    InputError
        If the terms are not accepted, or the address is none.
    """
    if settings.source is ImageSource.URLS:
        return
    template(settings.archive_url)
    if not settings.accept_imagenet_terms:
        raise InputError(f"{TEXT}\nIf you accept that, add --accept_imagenet_terms True.")


@contextlib.contextmanager
def feeds(settings: Settings, folder: Path) -> Iterator[TarDownloadQueue | None]:
    """Open the archive for a run, if it is wanted; its downloads grow in the result folder.

    Raises
    ------
    InputError
        If the credentials in the environment cannot be sent.
    FolderError, DiskError
        If the folder cannot be made.
    """
    if settings.source is ImageSource.URLS:
        yield None
        return
    from .tar_download import TERMS  # here, for only who wants the archive needs requests
    from .tar_download_queue import TarDownloadQueue

    terms = replace(TERMS, credentials=Credentials.from_environment(os.environ))
    place = folder / PLACE
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise disk_error(place, error) from error
    try:
        yield TarDownloadQueue(settings.archive_url, place, terms=terms)
    finally:
        with contextlib.suppress(OSError):  # parts of tars are left, for the next run
            place.rmdir()
