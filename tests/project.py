"""A project folder for tests: categories, URL table, annotations; and runs of the script in it."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests import warm_start
from tests.warm_start import ForkedRun

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "extract_images_as_per_tags.py"
RunningScript = subprocess.Popen[str] | ForkedRun
ALONE = ("--parallel", "False")
GALLERY_FILES = (
    "index.html",
    "dataset_card.md",
    "manifest.csv",
    "croissant.json",
    "run.json",
    ".fingerprints.csv",
    ".gallery.jsonl",
)
"""Files that every run writes into the result folder."""
XML = """<annotation>
	<folder>{wnid}</folder>
	<filename>{image_code}</filename>
	<source><database>ImageNet database</database></source>
	<size><width>{width}</width><height>{height}</height><depth>3</depth></size>
	<segmented>0</segmented>
{objects}</annotation>"""
OBJECT = """	<object><name>{name}</name><pose>Unspecified</pose>
	<truncated>0</truncated><difficult>0</difficult>
	<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>
"""


@dataclass(frozen=True)
class Finished:
    """The result of a run of the script."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class Project:
    """A project folder; `write` creates the files, `run` does so before it runs the script.

    `always` precedes the flags of each run, which override it; `environment` is added to the environment of
    runs.
    """

    path: Path
    categories: list[list[str]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    annotations: dict[str, dict[str, bytes]] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def category(
        self, code: str, name: str, *, marked: bool = True, how_many: int | str = -1, class_name: str = ""
    ) -> None:
        """Add a row to ncodes.csv; the table has the column `class` if a row has a class."""
        self.categories.append([code, name, str(marked), str(how_many), *[class_name] * bool(class_name)])

    def url(self, image_code: str, url: str, *, code: str = "") -> None:
        """Add a row to the URL table."""
        self.rows.append([image_code, url, code or image_code[:9]])

    def annotate(
        self,
        image_code: str,
        *boxes: tuple[int, int, int, int],
        size: tuple[int, int] = (64, 48),
        archive: str = "",
        name: str = "",
    ) -> None:
        """Add an XML to an archive, by default that of its own category."""
        wnid = archive or image_code[:9]
        objects = "".join(OBJECT.format(*box, name=name or wnid) for box in boxes)
        xml = XML.format(wnid=wnid, image_code=image_code, width=size[0], height=size[1], objects=objects)
        self.annotations.setdefault(wnid, {})[image_code] = xml.encode()

    def write(self) -> None:
        """Write the three files."""
        header = ["code", "name", "to_download", "how_many", "class"]
        width = max([4, *map(len, self.categories)])
        rows = [[*row, *[""] * (width - len(row))] for row in self.categories]
        self._write_csv("ncodes.csv", header[:width], rows)
        self._write_csv("imageNetURLs.csv", ["img_code", "img_url", "code"], self.rows)
        (self.path / "annotation").mkdir(exist_ok=True)
        for wnid, files in self.annotations.items():
            with tarfile.open(self.path / "annotation" / f"{wnid}.tar.gz", "w:gz") as tar:
                for image_code, xml in files.items():
                    member = tarfile.TarInfo(f"Annotation/{wnid}/{image_code}.xml")
                    member.size = len(xml)
                    tar.addfile(member, io.BytesIO(xml))

    def arguments(self, *flags: str) -> list[str]:
        """Return the arguments of a run: paths, flags of all runs, and its own flags."""
        names = {
            "--ncode_data": "ncodes.csv",
            "--url_data": "imageNetURLs.csv",
            "--annotations_dir": "annotation",
            "--save_dir": ".",
        }
        places = [part for flag, name in names.items() for part in (flag, str(self.path / name))]
        return [*places, "--speed_test", "False", *self.always, *flags]

    def variables(self) -> dict[str, str]:
        """Return the environment of a run, without a terminal width set outside the tests."""
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        return kept | {"XDG_CACHE_HOME": str(self.path / "cache")} | self.environment

    def start(self, *flags: str, prefix: tuple[str, ...] = ()) -> RunningScript:
        """Start the script in its own session; without a `prefix` it is forked (see `warm_start`)."""
        self.write()
        command = [str(SCRIPT), *self.arguments(*flags)]
        if not prefix and (forked := warm_start.start(command, self.variables())):
            return forked
        return subprocess.Popen(
            [*prefix, sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=self.variables(),
        )

    def run(self, *flags: str, prefix: tuple[str, ...] = (), timeout: float = 60) -> Finished:
        """Run the script to its end."""
        begun = time.monotonic()
        with self.start(*flags, prefix=prefix) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            finally:
                process.kill()
        return Finished(process.returncode, out, err, time.monotonic() - begun)

    @property
    def result(self) -> Path:
        """The result folder."""
        return self.path / "partial_imagenet"

    def folders(self) -> set[str]:
        """Return the names in the result folder, except those of the gallery."""
        return {path.name for path in self.result.iterdir()} - set(GALLERY_FILES)

    def report(self, folder: str) -> list[dict[str, str]]:
        """Read a category's report."""
        with (self.result / folder / f"{folder}_download_report.csv").open(
            newline="", encoding="utf-8"
        ) as file:
            return list(csv.DictReader(file))

    def images(self, folder: str) -> set[str]:
        """Return the names in a category's Images folder, including hidden files."""
        return {path.name for path in (self.result / folder / "Images").iterdir()}

    def xmls(self, folder: str) -> set[str]:
        """Return the names in a category's Annotation folder."""
        return {path.name for path in (self.result / folder / "Annotation").iterdir()}

    def _write_csv(self, name: str, header: list[str], rows: list[list[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        path = self.path / name
        if not path.exists() or path.read_text(encoding="utf-8") != text.getvalue():
            path.write_text(text.getvalue(), encoding="utf-8", newline="")
