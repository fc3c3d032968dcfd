"""Fixtures of all readers: one result folder, and no internet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

from tests.export.export_project import ExportProject
from tests.readers import truth


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> ExportProject:
    """Make the result folder from which all exports are made."""
    return truth.make(tmp_path_factory.mktemp("readers"))


@pytest.fixture
def cache(tmp_path: Path) -> str:
    """Return a folder for a reader's cache."""
    return str(tmp_path / "cache")
