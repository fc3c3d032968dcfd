"""Fixtures of all readers: result folders, and no internet."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.export.export_project import ExportProject
from tests.readers import truth

CACHE = tempfile.TemporaryDirectory()  # in place of folders of the user
os.environ |= {
    "HF_HOME": CACHE.name,
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "KERAS_BACKEND": "torch",
    "YOLO_AUTOINSTALL": "False",
    "YOLO_CONFIG_DIR": CACHE.name,
    "YOLO_OFFLINE": "True",
}

collect_ignore = [name for name in ("torch", "datumaro") if find_spec(name) is None]
"""Folders of readers that another virtual environment has; nothing is collected if such a folder is named."""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> ExportProject:
    """Make the result folder with all kinds of images."""
    return truth.make(tmp_path_factory.mktemp("readers"))


@pytest.fixture(scope="session", params=truth.PROJECTS)
def any_project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ExportProject:
    """Make each of the result folders."""
    return truth.PROJECTS[request.param](tmp_path_factory.mktemp("readers"))


@pytest.fixture
def cache(tmp_path: Path) -> str:
    """Return a folder for a reader's cache."""
    return str(tmp_path / "cache")
