"""Helpers for the tests of readers of copies."""

from __future__ import annotations

from pathlib import Path

from utils.copies.members import Kind, Member
from utils.copies.reader import Reader
from utils.copies.registry import open_file


def put(folder: Path, data: bytes, name: str = "x") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(data)
    return path


def reader_of(path: Path) -> Reader:
    """Open a file whose layout is known."""
    reader = open_file(path, path.name)
    assert reader is not None
    return reader


def listed(path: Path) -> tuple[list[Member], list[str]]:
    """List the members of a file; returns them, and what is damaged."""
    reader = reader_of(path)
    return list(reader.scan()), reader.problems


def images(path: Path) -> dict[str, bytes]:
    """Read all images of a file without damage, by image code."""
    members, problems = listed(path)
    assert problems == []
    reader = reader_of(path)
    return {one.image_code: reader.image(one).read() for one in members if one.kind is Kind.IMAGE}
