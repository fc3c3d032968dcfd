"""Placeholder images are removed, and reported as failed."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from demo.pictures import jpeg
from tests.result_folder import RED, ResultFolder
from utils.errors import FolderError
from utils.images import placeholders
from utils.results.exclusions import Exclusions
from utils.results.journal import Journal
from utils.results.report import ReportWriter


def test_image_that_cannot_be_removed(tmp_path: Path) -> None:
    """The error names the file in the way, and the report has the images that were removed before."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    folder = made.category(RED, "red")
    images = [made.image(folder, f"{RED}_{number}", data=jpeg(seed=7)) for number in range(3)]
    folder.annotation(f"{RED}_1").mkdir()
    found = {placeholders.content_key(outcome) for outcome in Journal(folder.journal).outcomes()}

    with pytest.raises(FolderError, match=re.escape(str(folder.annotation(f"{RED}_1")))):
        ReportWriter(lambda _: folder, Exclusions()).retract(made.categories[0], found)

    assert [path.exists() for path in images] == [False, True, True]
    with folder.report.open(newline="", encoding="utf-8") as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    assert statuses == ["failed", "downloaded", "downloaded"]


def test_lines_that_name_another_file(tmp_path: Path) -> None:
    """Only images in `Images/` are removed, whatever file a line of the journal names."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    folder = made.category(RED, "red")
    for number in range(3):
        made.image(folder, f"{RED}_{number}", data=jpeg(seed=7))
    found = {placeholders.content_key(outcome) for outcome in Journal(folder.journal).outcomes()}
    others = [tmp_path / "precious.jpg", folder.report, folder.images / "mine.jpg"]
    for path in others:
        path.write_bytes(b"mine")
    lines = folder.journal.read_text(encoding="utf-8")
    for number, path in enumerate(others):
        lines = lines.replace(
            f"Images/{RED}_{number}.jpg", Path(os.path.relpath(path, folder.path)).as_posix()
        )
    folder.journal.write_text(lines, encoding="utf-8")

    assert ReportWriter(lambda _: folder, Exclusions()).retract(made.categories[0], found) == []

    assert [path.read_bytes() for path in others] == [b"mine"] * 3
