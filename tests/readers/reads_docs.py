"""Snippets of docs/exports.md for tools that do not need PyTorch."""

from __future__ import annotations

import pytest

from tests.export.export_project import ExportProject
from tests.readers import snippets
from tests.readers.snippets import DATUMARO, NOT_RUN, WITH_TORCH, WITHOUT_TORCH


@pytest.mark.parametrize("package", WITHOUT_TORCH)
def test_snippets(project: ExportProject, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippets run as they are."""
    snippets.run(package, project, monkeypatch)


def test_all_snippets_are_known() -> None:
    """One of the tests runs each snippet."""
    packages = [*WITHOUT_TORCH, *WITH_TORCH, *DATUMARO, *NOT_RUN]
    known = {snippet for package in packages for snippet in snippets.importing(package)}
    assert set(snippets.snippets()) == known
