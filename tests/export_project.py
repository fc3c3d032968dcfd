"""A result folder made for a test of exports, without downloading: images, XML files, journals."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from utils.annotations import voc_xml
from utils.catalog.folder_names import folder_names
from utils.export import build_dataset, exporter
from utils.export.dataset import Dataset
from utils.models.images import Annotation, Box, ImageFormat, Picture
from utils.models.rows import Category, UrlRow
from utils.models.settings import Settings
from utils.models.tasks import Outcome
from utils.reasons import Status
from utils.results.journal import Journal
from utils.results.paths import FINGERPRINTS_NAME, RESULT_FOLDER, CategoryFolder
from utils.results.reader import collect

Corners = tuple[int, int, int, int]
FORMATS = {ImageFormat.JPEG: "JPEG", ImageFormat.PNG: "PNG", ImageFormat.GIF: "GIF", ImageFormat.WEBP: "WEBP"}


def draw(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """Draw a picture that looks like no other: soft spots, as a photograph seen from afar."""
    spots = Image.frombytes("L", (8, 8), random.Random(seed).randbytes(64))
    return spots.resize(size, Image.Resampling.BICUBIC).convert("RGB")


def stored(image: Image.Image, kind: ImageFormat = ImageFormat.JPEG, **options: Any) -> bytes:
    """Store a picture in a format."""
    data = io.BytesIO()
    image.save(data, FORMATS[kind], **options)
    return data.getvalue()


@dataclass
class ExportProject:
    """The folder in which a result folder is made; `names` are those of categories by their codes."""

    path: Path
    names: dict[str, str]
    _positions: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def categories(self) -> list[Category]:
        """The rows of `ncodes.csv`."""
        folders = folder_names(self.names)
        return [Category(code, name, folders[code]) for code, name in self.names.items()]

    def add(
        self,
        code: str,
        image_code: str,
        data: bytes | None = None,
        *corners: Corners,
        kind: ImageFormat = ImageFormat.JPEG,
        label: str = "",
    ) -> Path:
        """Let an image stand in a category's folder, drawn from its name if no bytes are given."""
        (category,) = (one for one in self.categories if one.code == code)
        folder = CategoryFolder(self.path / RESULT_FOLDER / category.folder)
        folder.make()
        data = stored(draw(hash_of(image_code)), kind) if data is None else data
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
        picture = Picture(kind, *size, len(data), hashlib.sha256(data).hexdigest())
        path = folder.image(image_code, kind)
        path.write_bytes(data)
        if corners:
            boxes = tuple(Box(label or category.folder, *corner) for corner in corners)
            xml = voc_xml.to_xml(
                Annotation(image_code, *size, boxes),
                folder=category.folder,
                filename=path.name,
                picture=picture,
            )
            folder.annotation(image_code).write_bytes(xml)
        self._positions += 1
        row = UrlRow(self._positions, image_code, f"http://images.test/{image_code}?of={code}")
        outcome = Outcome(row, Status.DOWNLOADED, file=folder.relative(path), picture=picture)
        Journal(folder.journal).append(replace(outcome, boxes=len(corners) or None))
        return path

    def settings(self, **flags: Any) -> Settings:
        """Give the settings of a run into this folder."""
        return Settings(self.path, self.path, self.path, self.path, **flags)

    def gather(self, **flags: Any) -> Dataset:
        """Gather what would be exported."""
        root = self.path / RESULT_FOLDER
        return build_dataset.gather(
            collect(root, self.categories),
            {category.folder: category.code for category in self.categories},
            self.settings(**flags),
            memory=root / FINGERPRINTS_NAME,
            tell=self.said.append,
        )

    def export(self, format_name: str, **flags: Any) -> Path:
        """Export in a format; gives its folder."""
        return exporter.export(self.gather(**flags), format_name, self.settings(**flags)).folder


def hash_of(text: str) -> int:
    """Give a number that depends on a text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def sides(dataset: Dataset) -> dict[str, str]:
    """Say on which side each image is."""
    return {item.sample.image_code: item.side.value for item in dataset.items}


def files(folder: Path, *suffixes: str) -> list[str]:
    """Name the files below a folder, hidden ones as well."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.relative_to(folder).as_posix() for path in found if not suffixes or path.suffix in suffixes
    )


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def lines(path: Path) -> Sequence[str]:
    """Read the lines of a text."""
    return path.read_text(encoding="utf-8").splitlines()
