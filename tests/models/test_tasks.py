"""Outcomes, the keys of rows, and the immutability of all models."""

from __future__ import annotations

import dataclasses
import pkgutil
from importlib import import_module

from utils import models
from utils.models.rows import Category, UrlRow
from utils.models.settings import Settings
from utils.models.tasks import Outcome
from utils.reasons import Reason, RetryPolicy, Status

ROW = UrlRow(0, "n00000001_1", "http://host/1.jpg")


def failed(reason: Reason, http_status: int = 0) -> Outcome:
    """Return the outcome of a failure."""
    return Outcome(ROW, Status.FAILED, reason, http_status=http_status)


def test_reason_word() -> None:
    """An HTTP error is reported with its status, other reasons with their word, a saved image with none."""
    assert failed(Reason.HTTP_STATUS, 404).reason_word == "http_404"
    assert failed(Reason.TIMEOUT, 200).reason_word == "timeout"
    assert Outcome(ROW, Status.DOWNLOADED).reason_word == ""


def test_retry_policy() -> None:
    """The retry policy of an HTTP error depends on its status, that of other failures on the reason."""
    assert failed(Reason.HTTP_STATUS, 404).retry_policy is RetryPolicy.PERMANENT
    assert failed(Reason.HTTP_STATUS, 503).retry_policy is RetryPolicy.TEMPORARY
    assert failed(Reason.CORRUPT, 503).retry_policy is RetryPolicy.PERMANENT
    assert Outcome(ROW, Status.DOWNLOADED).retry_policy is None


def test_row_key() -> None:
    """The key does not depend on the position in the table; a repeated row has a key of its own."""
    assert ROW.key == dataclasses.replace(ROW, position=99).key
    others = [{"image_code": "n00000001_2"}, {"url": "http://host/2.jpg"}, {"repeat": 1}]
    assert len({ROW.key, *(dataclasses.replace(ROW, **other).key for other in others)}) == 4


def test_models_are_frozen() -> None:
    """All dataclasses of `utils.models` are immutable."""
    modules = [import_module(f"utils.models.{found.name}") for found in pkgutil.iter_modules(models.__path__)]
    classes = [one for module in modules for one in vars(module).values() if dataclasses.is_dataclass(one)]
    assert {Category, Outcome, Settings, UrlRow} <= set(classes)
    for one in classes:
        assert one.__dataclass_params__.frozen, one
