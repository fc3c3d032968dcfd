"""The categories of validation images whose paths do not tell them, from tables of labels."""

from __future__ import annotations

from collections.abc import Iterator

from ..urls import VALIDATION_PREFIX
from . import ilsvrc
from .members import DEVKIT_LABELS, KAGGLE_LABELS, TINY_LABELS, WNID, parse_stem


def parse(name: str, data: bytes) -> dict[str, str]:
    """Return the wnids by image code that a table of labels gives.

    Parameters
    ----------
    name
        The path of the table; its last component is one of `LABEL_FILES`.
    """
    lines = data.decode("utf-8", "replace").splitlines()
    parser = {KAGGLE_LABELS: _kaggle, DEVKIT_LABELS: _devkit, TINY_LABELS: _tiny}[name.rpartition("/")[2]]
    return {image_code: code for image_code, code in parser(lines) if WNID.fullmatch(code)}


def _kaggle(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Parse `ImageId,PredictionString`, where the latter is `wnid xmin ymin xmax ymax` for each box."""
    for line in lines:
        image_id, _, prediction = line.partition(",")
        yield parse_stem(image_id)[0], prediction.partition(" ")[0]


def _devkit(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Parse an id for each image, in the order of their numbers from 1."""
    for number, line in enumerate(lines, 1):
        yield f"{VALIDATION_PREFIX}{number:08d}", ilsvrc.code_of_id(line.strip())


def _tiny(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Parse file name and wnid, separated by tabs."""
    for line in lines:
        name, code, *_ = [*line.split("\t"), "", ""]
        yield parse_stem(name.partition(".")[0])[0], code
