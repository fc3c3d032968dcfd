"""A run with real URLs, annotations and photos, if they are available."""

from __future__ import annotations

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.project import ROOT, SCRIPT

SHARED = ROOT.parent / "shared"
DATA, WEB = SHARED / "data", SHARED / "tools" / "old_web.py"
CATEGORIES = ("n02391049", "n04557648")
ALIVE = 0.6
pytestmark = pytest.mark.skipif(not WEB.exists(), reason="the real data is not available")


@pytest.fixture(scope="module")
def old_web() -> ModuleType:
    """Load the module of the web server, which knows the response to each URL."""
    spec = importlib.util.spec_from_file_location("old_web", WEB)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the archives of the two categories; the web server reads all that it is given."""
    folder = tmp_path_factory.mktemp("annotation")
    for code in CATEGORIES:
        shutil.copyfile(DATA / "annotation" / f"{code}.tar.gz", folder / f"{code}.tar.gz")
    return folder


@pytest.fixture(scope="module")
def proxy(annotations: Path) -> Iterator[str]:
    """Start the web server as a proxy, and return its address."""
    flags = ("--alive", str(ALIVE), "--latency", "0.1", "--annotations", str(annotations))
    command = [sys.executable, str(WEB), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split(",")[0].removeprefix("old web on ").strip()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def result(proxy: str, annotations: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the script on two real categories; return the result folder."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "imageNetURLs.csv").write_bytes((DATA / "imageNetURLs.csv").read_bytes())
    places = {
        "--ncode_data": ROOT / "ncodes.csv",
        "--url_data": folder / "imageNetURLs.csv",
        "--annotations_dir": annotations,
        "--save_dir": folder,
    }
    flags = [str(part) for pair in places.items() for part in pair]
    command = [sys.executable, str(SCRIPT), *flags, "--speed_test", "False", "--timeout", "8"]
    finished = subprocess.run(
        [*command, "--retries", "1", "--how_many", "25", "--categories", *CATEGORIES],
        env=dict(os.environ, http_proxy=proxy),
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert finished.returncode == 0, finished.stderr
    return folder / "partial_imagenet"


def rows(result: Path) -> list[dict[str, str]]:
    """Return the rows of all reports."""
    found = []
    for path in result.glob("*/*_download_report.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            found += list(csv.DictReader(file))
    return found


def test_saved_images(result: Path, old_web: ModuleType) -> None:
    """All living images are saved, and no dead ones except pictures of parked hosts with one or two URLs."""
    files = {"urls": DATA / "imageNetURLs.csv", "annotations": result, "photos": DATA / "photos"}
    server = old_web.OldWeb(Namespace(**files, alive=ALIVE, truth=None))
    considered = [row for row in rows(result) if row["url"].startswith("http://") and row["url"].isascii()]
    assert len(considered) > 40
    responses = {row["image_code"]: server.fate(row["url"]) for row in considered}
    saved = {row["image_code"] for row in considered if row["status"] == "downloaded"}
    living = {code for code, response in responses.items() if response in ("ok", "429", "503")}
    assert living - saved == set()
    assert {responses[code] for code in saved - living} <= {"parked"}
    assert len(saved - living) < 10


def test_annotations(result: Path) -> None:
    """Each XML has the name and size of its image, and boxes inside the image."""
    xmls = list(result.glob("*/Annotation/*.xml"))
    assert len(xmls) > 3
    for path in xmls:
        xml = ElementTree.parse(path).getroot()
        with Image.open(path.parents[1] / "Images" / (xml.findtext("filename") or "")) as image:
            width, height = image.size
        assert (xml.findtext("size/width"), xml.findtext("size/height")) == (str(width), str(height))
        assert xml.findtext("folder") == path.parents[1].name
        for box in xml.iter("bndbox"):
            xmin, ymin, xmax, ymax = (
                int(box.findtext(side) or -1) for side in ("xmin", "ymin", "xmax", "ymax")
            )
            assert 0 <= xmin < xmax < width
            assert 0 <= ymin < ymax < height
