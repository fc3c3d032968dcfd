"""Result folders of version 0.1 are read as they are: nothing is downloaded or decoded again."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest

from demo.web import Web
from tests.project import ALONE, Project
from utils.export import fingerprints
from utils.models.images import BoxCounts
from utils.reasons import Reason, Status
from utils.results.journal import read_outcomes
from utils.results.paths import FINGERPRINTS_NAME

FOLDER = Path(__file__).resolve().parents[1] / "data" / "first_version" / "partial_imagenet"
SKY, HUSKY = "n09436708", "n02110185"
SAVED = {f"{HUSKY}_547", f"{SKY}_892", f"{SKY}_1778", f"{SKY}_7890"}
TO_RETRY = {"connection_refused", "filled", "annotation_mismatch"}


@pytest.fixture
def copied(project: Project, web: Web) -> Project:
    """Copy the folder with the times of its images; all hosts are reached through a proxy, which counts."""
    shutil.copytree(FOLDER, project.result)
    images = project.result / "sky"
    for outcome in read_outcomes(images / ".journal.jsonl"):
        project.url(outcome.row.image_code, outcome.row.url)
        if outcome.file:
            os.utime(images / outcome.file, ns=(outcome.modified_ns, outcome.modified_ns))
    project.category(SKY, "sky")
    project.category(HUSKY, "Siberian husky", marked=False)
    project.always = ALONE
    project.environment = {"http_proxy": web.url("/"), "no_proxy": "nowhere"}
    return project


def statuses(project: Project) -> dict[str, tuple[str, str]]:
    """Return status and reason by image code."""
    return {row["image_code"]: (row["status"], row["reason"]) for row in project.report("sky")}


def test_journal() -> None:
    """Every line is read, with all of its fields."""
    path = FOLDER / "sky" / ".journal.jsonl"
    outcomes = {outcome.row.image_code: outcome for outcome in read_outcomes(path)}
    assert len(outcomes) == sum(b"image_code" in line for line in path.read_bytes().splitlines())
    with (FOLDER / "sky" / "sky_download_report.csv").open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            outcome = outcomes[row["image_code"]]
            assert (outcome.row.url, outcome.status.value) == (row["url"], row["status"])
            assert (outcome.reason_word, outcome.description) == (row["reason"], row["description"])
            assert (str(outcome.boxes or ""), outcome.file) == (row["boxes"], row["file"])
    mismatch = outcomes[f"{SKY}_11081"]
    assert (mismatch.reason, mismatch.decided_by) == (Reason.ANNOTATION_MISMATCH, "with_annotation=True")
    saved = outcomes[f"{SKY}_1778"]
    assert (saved.status, saved.final_host) == (Status.DOWNLOADED, "photos.example")
    assert saved.picture
    assert (saved.picture.width, saved.picture.height, saved.picture.bytes) == (375, 500, 22962)
    assert saved.fitted == BoxCounts(kept=1, scaled=0, mended=0, dropped=0)


def test_run(copied: Project, web: Web) -> None:
    """Saved images are already present; of the category's URLs only those not decided are requested."""
    before = statuses(copied)
    files = {path: path.read_bytes() for path in (copied.result / "sky").glob("*/*")}
    finished = copied.run("--retries", "0")
    assert finished.code == 0, finished.err
    after = statuses(copied)
    assert after.keys() == before.keys()
    assert {code for code, (status, _) in after.items() if status == "already_present"} == SAVED
    to_retry = {code for code, (_, reason) in before.items() if reason in TO_RETRY and code.startswith(SKY)}
    kept = before.keys() - to_retry - SAVED
    assert {code: after[code] for code in kept} == {code: before[code] for code in kept}
    paths = {row[1].removeprefix("http://photos.example"): row[0] for row in copied.rows}
    assert {paths[request.path.removeprefix("http://photos.example")] for request in web.requests} == to_retry
    assert {path: path.read_bytes() for path in files} == files


def test_verify(copied: Project, web: Web) -> None:
    """Everything is as recorded."""
    before = (copied.result / "sky" / ".journal.jsonl").read_bytes()
    finished = copied.run("--verify")
    assert finished.code == 0, finished.out
    assert (copied.result / "sky" / ".journal.jsonl").read_bytes().startswith(before)
    assert {code for code, (status, _) in statuses(copied).items() if status == "already_present"} == SAVED
    assert not web.requests


def test_classes(copied: Project, web: Web) -> None:
    """A class is in export, page and card; the report and the folder are as they were."""
    report = statuses(copied).keys()
    copied.categories = []
    copied.category(SKY, "sky", class_name="blue thing")
    finished = copied.run("--export", "coco", "imagefolder", "--how_many", "0")
    assert finished.code == 0, finished.err
    for name in ("coco", "imagefolder"):
        images = (copied.path / f"partial_imagenet_{name}" / "images.csv").read_text(encoding="utf-8")
        assert images.count(f",blue thing,{SKY},") == len(SAVED)
    assert '"class":"blue thing"' in (copied.result / "index.html").read_text(encoding="utf-8")
    assert "| blue thing | sky | 4 |" in (copied.result / "dataset_card.md").read_text(encoding="utf-8")
    assert statuses(copied).keys() == report
    assert copied.folders() >= {"sky"}
    assert not web.requests


def test_export(copied: Project, web: Web) -> None:
    """All images are exported; their hashes are computed once more, and differ little from those recorded."""
    path = copied.result / FINGERPRINTS_NAME
    before, lines = fingerprints.read(path), path.read_text()
    finished = copied.run("--export", "coco", "--how_many", "0")
    assert finished.code == 0, finished.err
    exported = list((copied.path / "partial_imagenet_coco").rglob("*.jpg"))
    assert len(exported) == len(SAVED)
    assert path.read_text().startswith(lines)
    after = fingerprints.read(path)
    assert list(after) == list(before)
    for checksum, one in before.items():
        assert one.is_outdated
        assert after[checksum].needs_rewrite is False
        assert ((one.hash or 0) ^ (after[checksum].hash or 0)).bit_count() <= fingerprints.MAX_DISTANCE
    assert not web.requests


def test_excluded(copied: Project, web: Web) -> None:
    """Images in `excluded.txt` are removed, and their rows say so; nothing is requested."""
    (copied.result / "excluded.txt").write_text(f"{SKY}_892\n{HUSKY}_547.jpg shows a dog\n")
    finished = copied.run("--how_many", "0")
    assert "sky: 2 images listed in excluded.txt were removed." in finished.out
    assert copied.images("sky") == {f"{SKY}_1778.jpg", f"{SKY}_7890.jpg"}
    assert copied.xmls("sky") == {f"{SKY}_1778.xml", f"{SKY}_7890.xml"}
    assert statuses(copied)[f"{SKY}_892"] == statuses(copied)[f"{HUSKY}_547"] == ("failed", "excluded")
    assert not web.requests
