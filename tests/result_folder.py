"""Makes result folders for tests, without a run: journals, images, XML files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.pictures import jpeg
from utils.annotations import voc_xml
from utils.gallery.output_writer import OutputWriter
from utils.models.images import Annotation, Box, ImageFormat, Picture
from utils.models.rows import Category, UrlRow
from utils.models.settings import Settings
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.journal import Journal
from utils.results.paths import CategoryFolder


@dataclass
class ResultFolder:
    """A result folder, and the rows of its `ncodes.csv`."""

    root: Path
    categories: tuple[Category, ...] = ()
    _position: int = 0

    def category(self, code: str, folder: str, name: str = "", *, class_name: str = "") -> CategoryFolder:
        """Add a category without images."""
        self.categories += (Category(code, name or folder, folder, class_name=class_name),)
        made = CategoryFolder(self.root / folder)
        made.make()
        Journal(made.journal).begin_run()
        return made

    def image(
        self,
        folder: CategoryFolder,
        image_code: str,
        *boxes: Box,
        url: str = "http://a.example/1.jpg",
        size: tuple[int, int] = (64, 48),
        data: bytes = b"",
    ) -> Path:
        """Add a saved image with boxes."""
        data = data or jpeg(*size, seed=self._position)
        picture = Picture(ImageFormat.JPEG, *size, len(data), hashlib.sha256(data).hexdigest())
        path = folder.image(image_code, ImageFormat.JPEG)
        path.write_bytes(data)
        if boxes:
            xml = voc_xml.to_xml(
                Annotation(image_code, *size, boxes),
                folder=folder.path.name,
                filename=path.name,
                picture=picture,
            )
            folder.annotation(image_code).write_bytes(xml)
        row = UrlRow(self._next(), image_code, url)
        outcome = Outcome(
            row,
            Status.DOWNLOADED,
            file=folder.relative(path),
            picture=picture,
            boxes=len(boxes) or None,
            modified_ns=path.stat().st_mtime_ns,
        )
        Journal(folder.journal).append(outcome)
        return path

    def fail(self, folder: CategoryFolder, reason: Reason, *, http_status: int = 0, times: int = 1) -> None:
        """Add URLs that failed."""
        positions = [self._next() for _ in range(times)]
        rows = [UrlRow(position, f"n00000001_{position}00", "http://b.example/") for position in positions]
        outcomes = [Outcome(row, Status.FAILED, reason, "No.", http_status=http_status) for row in rows]
        Journal(folder.journal).append_all(outcomes)

    def settings(self, **more: Any) -> Settings:
        """Return the settings of a run into the folder."""
        home = self.root.parent
        return Settings(home, home / "annotation", home / "imageNetURLs.csv", home / "ncodes.csv", **more)

    def write(self, **more: Any) -> OutputWriter:
        """Write page and card, as a run with these settings does."""
        writer = OutputWriter(self.root, self.categories, self.settings(**more))
        writer.write()
        return writer

    @property
    def page(self) -> str:
        """The text of the page."""
        return (self.root / "index.html").read_text(encoding="utf-8")

    @property
    def card(self) -> str:
        """The text of the card."""
        return (self.root / "dataset_card.md").read_text(encoding="utf-8")

    def data(self) -> dict[str, Any]:
        """Return the JSON that the script of the page reads."""
        found: dict[str, Any] = json.loads(self.page.split('id="data">')[1].split("</script>")[0])
        return found

    def images(self) -> list[Sequence[Any]]:
        """Return the images in that JSON."""
        return [image for category in self.data()["categories"] for image in category["images"]]

    def _next(self) -> int:
        self._position += 1
        return self._position


RED, BLUE = "n00000001", "n00000002"


def with_red_and_blue(made: ResultFolder) -> ResultFolder:
    """Add two categories: three images, two of them with boxes, and five failures."""
    red = made.category(RED, "red", "red, scarlet")
    made.image(
        red, f"{RED}_1", Box("red", 0, 0, 31, 47), Box("blue", 10, 10, 10, 10), url="http://a.example/ü?1"
    )
    made.image(red, f"{RED}_2", size=(400, 300))
    made.fail(red, Reason.HTTP_STATUS, http_status=404, times=3)
    made.fail(red, Reason.TIMEOUT, times=2)
    made.image(made.category(BLUE, "blue"), f"{BLUE}_1", Box("blue", 0, 0, 63, 47))
    return made
