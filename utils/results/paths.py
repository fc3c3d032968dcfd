"""Names and paths of the files in a result folder."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import InputError, wrap_os_errors
from ..files import PARTIAL_PREFIX, PARTIAL_SUFFIX, make_folder, refuse_link
from ..models.images import ImageFormat
from ..urls import IMAGE_CODE

RESULT_FOLDER = "partial_imagenet"
FINGERPRINTS_NAME = ".fingerprints.csv"
SPLITS_NAME = ".splits.csv"
GALLERY_STATE_NAME = ".gallery.jsonl"
MANIFEST_NAME = "manifest.csv"
CROISSANT_NAME = "croissant.json"
RUN_NAME = "run.json"
_SAVED_FILE = re.compile(
    rf"Images/({IMAGE_CODE.pattern})\.(?:{'|'.join(image_format.value for image_format in ImageFormat)})"
)


@dataclass(frozen=True)
class CategoryFolder:
    """The folder of a category, and the paths in it."""

    path: Path
    IMAGES: ClassVar[str] = "Images"

    @functools.cached_property
    def images(self) -> Path:
        """The folder of the images."""
        return self.path / self.IMAGES

    @functools.cached_property
    def annotations(self) -> Path:
        """The folder of the XML files."""
        return self.path / "Annotation"

    @property
    def journal(self) -> Path:
        """The journal, to which runs append results."""
        return self.path / ".journal.jsonl"

    @property
    def report(self) -> Path:
        """The report for the user."""
        return self.path / f"{self.path.name}_download_report.csv"

    @property
    def own_images(self) -> Path:
        """The validation of own photos; see `own_images`."""
        return self.path / ".own_images.json"

    @property
    def tar_progress(self) -> Path:
        """The progress in the category's tar; see `sources.tar_source.TarProgress`."""
        return self.path / ".archive.json"

    def image(self, image_code: str, image_format: ImageFormat) -> Path:
        """Return the path of an image; `image_code` must be valid, because it becomes part of the path."""
        return self.images / f"{image_code}.{image_format.value}"

    def annotation(self, image_code: str) -> Path:
        """Return the path of the XML of an image."""
        return self.annotations / f"{image_code}.xml"

    def relative(self, path: Path) -> str:
        """Return a path in this folder as in the report, with slashes on every system."""
        return path.relative_to(self.path).as_posix()

    @staticmethod
    def is_saved_file(file: str, image_code: str) -> bool:
        """Whether a recorded `file` is that of an image; anything else could lead out of the folder."""
        match = _SAVED_FILE.fullmatch(file)
        return match is not None and match[1] == image_code

    def make(self) -> None:
        """Create the missing folders.

        Raises
        ------
        DiskError, FolderError
            If they cannot be created, or one of them is a link.
        """
        with wrap_os_errors(self.path):
            for folder in self._folders:
                make_folder(folder)

    def check(self) -> None:
        """Check that none of the folders is a link: files behind it are not those of a run.

        Raises
        ------
        DiskError, FolderError
            If one is, or if that cannot be found out.
        """
        with wrap_os_errors(self.path):
            for folder in self._folders:
                refuse_link(folder)

    @property
    def _folders(self) -> tuple[Path, Path, Path]:
        return self.path, self.images, self.annotations

    def remove_partials(self) -> None:
        """Delete incomplete files of a killed run."""
        for folder in (self.images, self.annotations, self.path):
            for partial in folder.glob(f"{PARTIAL_PREFIX}*{PARTIAL_SUFFIX}"):
                if not partial.is_dir():  # no run makes such a folder
                    partial.unlink(missing_ok=True)


def result_folder(save_dir: Path) -> Path:
    """Create the result folder in `save_dir` if it does not exist.

    Raises
    ------
    InputError
        If it cannot be created or written to.
    """
    folder = save_dir / RESULT_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--save_dir {save_dir}: {folder} cannot be created ({error.strerror}). Choose another folder."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--save_dir {save_dir}: {folder} cannot be written to. Choose another folder.")
    return folder
