"""Images taken back late, and the report that says so."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from demo.pictures import jpeg
from tests.result_folder import RED, ResultFolder
from utils.errors import FolderError
from utils.images import placeholders
from utils.results.journal import Journal
from utils.results.report_writer import ReportWriter


def test_an_image_that_cannot_be_taken_back_costs_its_category(tmp_path: Path) -> None:
    """It is said which file is in the way, and the report has what was taken back before it."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    folder = made.category(RED, "red")
    images = [made.image(folder, f"{RED}_{number}", data=jpeg(seed=7)) for number in range(3)]
    folder.annotation(f"{RED}_1").mkdir()
    found = {placeholders.content_key(outcome) for outcome in Journal(folder.journal).outcomes()}

    in_the_way = pytest.raises(FolderError, match=re.escape(str(folder.annotation(f"{RED}_1"))))
    with in_the_way:
        ReportWriter(lambda _: folder).retract(made.categories[0], found)

    assert [path.exists() for path in images] == [False, True, True]
    with folder.report.open(newline="", encoding="utf-8") as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    assert statuses == ["failed", "downloaded", "downloaded"]
