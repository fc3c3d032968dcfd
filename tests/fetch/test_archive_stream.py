"""Texts are read from containers of all kinds, valid and hostile, as streams and within limits."""

from __future__ import annotations

import gzip
import os
import random
import socket
from pathlib import Path

import pytest

from tests.prerequisites.helpers import TGZ, TXT, zipped
from tests.tars import claim
from utils.errors import OneSourceError
from utils.fetch import archive_stream
from utils.fetch.archive_stream import open_regular_file, open_text

CONTAINERS = {"tgz": TGZ, "zip": zipped(a__txt=TXT), "gz": gzip.compress(TXT)}


def text_of(folder: Path, data: bytes) -> bytes:
    """Read the text in a container."""
    path = folder / "file"
    path.write_bytes(data)
    with open_text(path) as text:
        return text.stream.read()


@pytest.mark.parametrize("data", CONTAINERS.values(), ids=CONTAINERS)
def test_containers(tmp_path: Path, data: bytes) -> None:
    """The text is found in any container, whatever its name."""
    assert text_of(tmp_path, data) == TXT


def test_size_beyond_the_end(tmp_path: Path) -> None:
    """A text that claims more bytes than the archive has is damaged."""
    with pytest.raises(OneSourceError, match="ends too early"):
        text_of(tmp_path, gzip.compress(claim(10**10, "x.txt") + bytes(10**6)))


def test_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tar that unpacks to more than the limit is rejected."""
    monkeypatch.setattr(archive_stream, "MAX_UNPACKED", 10**6)
    with pytest.raises(OneSourceError, match=r"^it unpacks to more than"):
        text_of(tmp_path, gzip.compress(claim(10**7, "x.txt") + bytes(10**7)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("data", CONTAINERS.values(), ids=CONTAINERS)
def test_truncated(tmp_path: Path, data: bytes, share: float) -> None:
    """A truncated container is never read as complete."""
    with pytest.raises(OneSourceError, match="damaged or cut"):
        text_of(tmp_path, data[: int(share * len(data))])


@pytest.mark.parametrize("data", CONTAINERS.values(), ids=CONTAINERS)
def test_random_changes(tmp_path: Path, data: bytes) -> None:
    """A container with changed bytes is read or raises OneSourceError."""
    dice = random.Random(1)
    errors = 0
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(dice.choice((1, 2, 9))):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        try:
            text_of(tmp_path, bytes(changed))
        except OneSourceError:
            errors += 1
    assert errors > 30


def test_not_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders, pipes, devices, sockets and invalid paths are rejected without reading."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        listener.bind("socket")
        for name, message in {
            "folder": "it is a folder",
            "pipe": "it is a pipe or a device",
            "socket": "it is a pipe or a device",
            "/dev/zero": "it is a pipe or a device",
            "nothing": "it cannot be opened .No such file",
            "x" * 5000: "it cannot be opened .File name too long",
            "folder\0": "it cannot be opened .embedded null byte",
            "/dev/null/x": "it cannot be opened .Not a directory",
        }.items():
            with pytest.raises(OneSourceError, match=message), open_regular_file(Path(name)):
                pytest.fail("it was opened")
