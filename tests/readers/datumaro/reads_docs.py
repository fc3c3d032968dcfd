"""Snippets of docs/exports.md for datumaro."""

from __future__ import annotations

import pytest

from tests.export.export_project import ExportProject
from tests.readers import snippets
from tests.readers.snippets import DATUMARO


@pytest.mark.parametrize("package", DATUMARO)
def test_snippets(project: ExportProject, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippets run as they are."""
    snippets.run(package, project, monkeypatch)
