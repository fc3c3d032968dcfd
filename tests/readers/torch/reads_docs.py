"""Snippets of docs/exports.md for tools that need PyTorch."""

from __future__ import annotations

import pytest

from tests.export.export_project import ExportProject
from tests.readers import snippets
from tests.readers.snippets import WITH_TORCH


@pytest.mark.parametrize("package", WITH_TORCH)
def test_snippets(project: ExportProject, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippets run as they are."""
    snippets.run(package, project, monkeypatch)
