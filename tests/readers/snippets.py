"""The Python snippets of docs/exports.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.export.export_project import ExportProject
from tests.readers.truth import VAL_FRACTION
from utils.export.formats import FORMATS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "exports.md"

WITHOUT_TORCH = ("pycocotools", "datasets", "webdataset")
WITH_TORCH = ("torchvision", "timm", "keras", "albumentations")
DATUMARO = ("datumaro",)
NOT_RUN = ("fiftyone",)
"""It downloads a database server."""


def snippets() -> list[str]:
    """Return all snippets."""
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def importing(package: str) -> list[str]:
    """Return the snippets that import a package."""
    return [one for one in snippets() if re.search(rf"^(from|import) {package}\b", one, re.MULTILINE)]


def run(package: str, project: ExportProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the snippets that import a package, in the folder that contains the exports."""
    for name in FORMATS:
        project.export(name, val_fraction=VAL_FRACTION)
    monkeypatch.chdir(project.path)
    found = importing(package)
    assert found
    for snippet in found:
        exec(snippet, {})
