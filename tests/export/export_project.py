"""Makes result folders for tests of exports, without a run: images, XML files, journals."""

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
from utils.export import exporter
from utils.export.build_dataset import build_dataset
from utils.export.dataset import Dataset
from utils.images.validation import validate
from utils.models.images import Annotation, Box, ImageFormat, Picture
from utils.models.rows import Category, UrlRow
from utils.models.settings import Settings
from utils.models.tasks import Outcome
from utils.reasons import Status
from utils.results.journal import Journal
from utils.results.paths import RESULT_FOLDER, CategoryFolder
from utils.results.reader import read_categories

Corners = tuple[int, int, int, int]


def draw(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """Draw a picture with soft spots, unlike that of any other seed."""
    spots = Image.frombytes("L", (8, 8), random.Random(seed).randbytes(64))
    return spots.resize(size, Image.Resampling.BICUBIC).convert("RGB")


def stored(image: Image.Image, kind: ImageFormat = ImageFormat.JPEG, **options: Any) -> bytes:
    """Encode a picture."""
    data = io.BytesIO()
    image.save(data, kind.name, **options)
    return data.getvalue()


@dataclass
class ExportProject:
    """The folder of a result folder.

    `names` are the names of the selected categories by their codes, `others` those of other categories, and
    `classes` the classes of categories that have one.
    """

    path: Path
    names: dict[str, str]
    others: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    _positions: int = 0
    messages: list[str] = field(default_factory=list)

    @property
    def everything(self) -> list[Category]:
        """The rows of `ncodes.csv`."""
        names = self.names | self.others
        folders = folder_names(names)
        return [
            Category(code, name, folders[code], class_name=self.classes.get(code, ""))
            for code, name in names.items()
        ]

    @property
    def categories(self) -> list[Category]:
        """The selected categories."""
        return [category for category in self.everything if category.code in self.names]

    def add(
        self,
        code: str,
        image_code: str,
        data: bytes | None = None,
        *corners: Corners,
        kind: ImageFormat = ImageFormat.JPEG,
        label: str = "",
    ) -> Path:
        """Add a saved image to a category; without bytes it is drawn, with its name as the seed."""
        (category,) = (one for one in self.categories if one.code == code)
        folder = CategoryFolder(self.path / RESULT_FOLDER / category.folder)
        folder.make()
        data = stored(draw(number_of(image_code)), kind) if data is None else data
        picture = validate(data, min_side=1, length_known=True)
        assert isinstance(picture, Picture)
        path = folder.image(image_code, picture.format)
        path.write_bytes(data)
        if corners:
            boxes = tuple(Box(label or category.folder, *corner) for corner in corners)
            xml = voc_xml.to_xml(
                Annotation(image_code, picture.width, picture.height, boxes),
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
        """Return the settings of a run into this folder, by default with images without boxes."""
        flags = {"export_unannotated": True} | flags
        return Settings(self.path, self.path, self.path, self.path, **flags)

    def dataset(self, **flags: Any) -> Dataset:
        """Build the dataset to export."""
        root = self.path / RESULT_FOLDER
        return build_dataset(
            read_categories(root, self.categories, {category.code for category in self.categories}),
            self.categories,
            self.everything,
            self.settings(**flags),
            folder=root,
            print_line=self.messages.append,
        )

    def export(self, format_name: str, **flags: Any) -> Path:
        """Export in a format, and return the folder."""
        return exporter.export(self.dataset(**flags), format_name, self.settings(**flags)).folder


def number_of(text: str) -> int:
    """Return a number that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def splits(dataset: Dataset) -> dict[str, str]:
    """Return the split of each image code."""
    return {item.record.image_code: item.split.value for item in dataset.items}


def files(folder: Path, *suffixes: str) -> list[str]:
    """List the files below a folder, including hidden ones."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.relative_to(folder).as_posix() for path in found if not suffixes or path.suffix in suffixes
    )


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def lines(path: Path) -> Sequence[str]:
    """Read the lines of a text file."""
    return path.read_text(encoding="utf-8").splitlines()
