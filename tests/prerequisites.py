"""What the tests of the prerequisites share: what is packed in every way, a screen that remembers."""

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
from utils.fetch.file_download import DownloadOptions
from utils.prerequisites.first_available import Advance
from utils.prerequisites.prepare import prepare
from utils.prerequisites.prerequisite import Order, PrerequisiteName
from utils.sources.url_table import open_table

SCRIPT = Path(__file__).resolve().parents[1] / "download_imagenet_prerequisites.py"
WHOLE = ["annotation", "imageNetURLs.csv", "imageNetURLs.csv.index", "ncodes.csv"]
"""What lies there when all is there."""
FIRST, SECOND = "n00000001", "n00000002"
HUSKY, CARTON = "n02110185", "n02971356"
"""Categories that exist."""
TXT = b"".join(
    b"%b_%d\thttp://a.example/%d.jpg\n" % (code, number, number)
    for code in (b"n00000001", b"n00000002")
    for number in range(500)
)
"""A list as it is published."""
AS_CSV = b"img_code,img_url,code\n" + b"".join(
    line.replace(b"\t", b",") + b"," + line[:9] + b"\n" for line in TXT.splitlines()
)
"""The table that comes of it."""
ROWS = [(f"{FIRST}_{number}", f"http://a.example/{number}.jpg") for number in range(500)]
"""What that table says of its first category."""
QUICK = DownloadOptions(retry_delays=(0.01, 0.01))


class Lines:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def print(self, text: str) -> None:
        """Remember a line."""
        self.said.append(text)

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Advance]:
        """Remember that something took its time."""
        yield lambda _done, _total: self.said.append(title)


def zipped(**members: bytes) -> bytes:
    """Pack a zip; "__" in a name stands for a dot."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return packed.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """Pack a tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


TGZ = tarred({"fall11_urls.txt": TXT})


def boxes(code: str) -> bytes:
    """Pack the annotations of one category."""
    return tarred({f"Annotation/{code}/{code}_1.xml": b"<annotation/>"})


def collection(*codes: str) -> bytes:
    """Pack archives of annotated categories as they are published."""
    return tarred({f"bboxes_annotations/{code}.tar.gz": boxes(code) for code in codes})


def with_bad_trailer(data: bytes) -> bytes:
    """Spoil the checksum at the end of a gzip file."""
    return data[:-8] + b"\0\0\0\0" + data[-4:]


def rows_in(home: Path, code: str = FIRST) -> list[tuple[str, str]]:
    """Read a category from the table in a folder."""
    return [(row.image_code, row.url) for row in open_table(home / "imageNetURLs.csv").rows(code)]


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


def get_urls(home: Path, *sources: str, force: bool = False) -> list[str]:
    """Get the URL table alone; give what was said."""
    screen = Lines()
    prepare(Order(home, frozenset({PrerequisiteName.URLS}), urls_source=sources, force=force), screen, QUICK)
    return screen.said


def get_annotations(home: Path, address: str, *, force: bool = False) -> list[str]:
    """Get the annotations alone; give what was said."""
    screen = Lines()
    order = Order(home, frozenset({PrerequisiteName.ANNOTATIONS}), annotations_source=address, force=force)
    prepare(order, screen, QUICK)
    return screen.said


def source(home: Path, data: bytes) -> str:
    """Write a source beside the folder, under a name that tells nothing; give its path."""
    path = home.parent / "source.bin"
    path.write_bytes(data)
    return str(path)


@dataclass(frozen=True)
class TaskFinished:
    """What a run came to."""

    code: int
    out: str
    err: str


def start(home: Path, *flags: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the script as a user would."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(SCRIPT), "--ncodes_dir", str(home), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **(environment or {})},
    )


def ended(process: subprocess.Popen[str]) -> TaskFinished:
    """Wait for the end; whatever it is, it is no traceback."""
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in f"{out}{err}"
    return TaskFinished(process.returncode, out, err)


def run(home: Path, *flags: str, **environment: str) -> TaskFinished:
    """Run the script to its end."""
    return ended(start(home, *flags, environment=environment))


def offer(web: Web, data: bytes = TXT) -> tuple[str, ...]:
    """Offer list and archives; give the flags that name them."""
    web.answer("/list", resumable(data))
    web.answer("/boxes", resumable(collection(HUSKY, CARTON)))
    return ("--urls_source", web.url("/list"), "--annotations_source", web.url("/boxes"))
