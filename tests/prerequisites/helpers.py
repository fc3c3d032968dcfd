"""Helpers for the tests of the prerequisites: lists and archives in all formats, and a recording console."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.web import Web, resumable
from tests import warm_start
from tests.project import RunningScript
from utils.fetch.file_download import DownloadOptions
from utils.prerequisites.first_available import Advance
from utils.prerequisites.prepare import Options, PrerequisiteName, prepare
from utils.sources.url_table import open_table

SCRIPT = Path(__file__).resolve().parents[2] / "download_imagenet_prerequisites.py"
WHOLE = ["annotation", "imageNetURLs.csv", "imageNetURLs.csv.index", "ncodes.csv"]
"""All files and folders."""
FIRST, SECOND = "n00000001", "n00000002"
HUSKY, CARTON = "n02110185", "n02971356"
"""Existing categories."""
TXT = b"".join(
    b"%b_%d\thttp://a.example/%d.jpg\n" % (code, number, number)
    for code in (b"n00000001", b"n00000002")
    for number in range(500)
)
"""A list in the published format."""
AS_CSV = b"img_code,img_url,code\n" + b"".join(
    line.replace(b"\t", b",") + b"," + line[:9] + b"\n" for line in TXT.splitlines()
)
"""The same list as a table."""
ROWS = [(f"{FIRST}_{number}", f"http://a.example/{number}.jpg") for number in range(500)]
"""The rows of its first category."""
QUICK = DownloadOptions(retry_delays=(0.01, 0.01))


class RecordingConsole:
    """Records all lines and the titles of progress bars."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, text: str) -> None:
        """Record a line."""
        self.lines.append(text)

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Advance]:
        """Record the title at each progress."""
        yield lambda _done, _total: self.lines.append(title)


def zipped(**members: bytes) -> bytes:
    """Return a zip; "__" in a name stands for a dot."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return packed.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """Return a tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


TGZ = tarred({"fall11_urls.txt": TXT})


def boxes(code: str) -> bytes:
    """Return the annotation archive of a category."""
    return tarred({f"Annotation/{code}/{code}_1.xml": b"<annotation/>"})


def collection(*codes: str) -> bytes:
    """Return a collection of annotation archives in the published format."""
    return tarred({f"bboxes_annotations/{code}.tar.gz": boxes(code) for code in codes})


def with_bad_trailer(data: bytes) -> bytes:
    """Change the checksum at the end of a gzip file."""
    return data[:-8] + b"\0\0\0\0" + data[-4:]


def rows_in(home: Path, code: str = FIRST) -> list[tuple[str, str]]:
    """Read the rows of a category from the table in a folder."""
    return [(row.image_code, row.url) for row in open_table(home / "imageNetURLs.csv").rows(code)]


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


def get_urls(home: Path, *sources: str, force: bool = False) -> list[str]:
    """Create the URL table; return the lines on the console."""
    console = RecordingConsole()
    options = Options(home, frozenset({PrerequisiteName.URLS}), urls_source=sources, force=force)
    prepare(options, console, QUICK)
    return console.lines


def get_annotations(home: Path, address: str, *, force: bool = False) -> list[str]:
    """Create the annotations; return the lines on the console."""
    console = RecordingConsole()
    options = Options(
        home, frozenset({PrerequisiteName.ANNOTATIONS}), annotations_source=address, force=force
    )
    prepare(options, console, QUICK)
    return console.lines


def source(home: Path, data: bytes) -> str:
    """Write a source with an uninformative name, and return its path."""
    path = home.parent / "source.bin"
    path.write_bytes(data)
    return str(path)


@dataclass(frozen=True)
class Finished:
    """The result of a run."""

    code: int
    out: str
    err: str


def start(home: Path, *flags: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the script as a user would; warnings are errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(SCRIPT), "--ncodes_dir", str(home), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **(environment or {})},
    )


def ended(process: RunningScript) -> Finished:
    """Wait for the end of a run, which must not print a traceback."""
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in f"{out}{err}"
    return Finished(process.returncode, out, err)


def fork(home: Path, *flags: str, **environment: str) -> RunningScript:
    """Start the script; if possible, it is forked."""
    command = [str(SCRIPT), "--ncodes_dir", str(home), *flags]
    forked = warm_start.start(command, os.environ | environment)
    return forked or start(home, *flags, environment=environment)


def run(home: Path, *flags: str, **environment: str) -> Finished:
    """Run the script to its end; if possible, it is forked."""
    with fork(home, *flags, **environment) as process:
        return ended(process)


def offer(web: Web, data: bytes = TXT) -> tuple[str, ...]:
    """Serve list and archives; return the flags for them."""
    web.answer("/list", resumable(data))
    web.answer("/boxes", resumable(collection(HUSKY, CARTON)))
    return ("--urls_source", web.url("/list"), "--annotations_source", web.url("/boxes"))
