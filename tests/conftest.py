"""What all tests share: a real web on loopback, one host or several."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or hundreds of scripts would compile the same modules

from demo.web import Web
from tests import warm_start
from tests.project import ALONE, Project

for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(variable, None)  # tests have authorities of their own
gc.disable()  # until the tests are collected, which makes a million objects that stay
settings.register_profile("patient", deadline=None, max_examples=50)  # a busy machine is no fault
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Collect garbage again, but not among the tests."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def environment() -> None:
    """Let runs that start warm know it as it is."""
    warm_start.initial_environment()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's proxy away from tests that never leave the machine."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def web() -> Iterator[Web]:
    """Give a web server of one host."""
    with Web() as server:
        yield server


@pytest.fixture
def make_web() -> Iterator[Callable[[], Web]]:
    """Give a maker of hosts; all of them stop with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(Web())


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """Give an empty user's folder; where a test is marked so, its runs start no workers."""
    return Project(tmp_path, always=ALONE if request.node.get_closest_marker("alone") else ())
