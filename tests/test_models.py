"""The nouns hold still, and the report's words are the promised ones."""

from __future__ import annotations

import dataclasses
import pkgutil
from importlib import import_module

import pytest

from utils import models
from utils.models.rows import Category, UrlRow
from utils.models.settings import Settings
from utils.models.tasks import Outcome
from utils.reasons import Reason, RetryPolicy, Status, is_passing_http

ROW = UrlRow(0, "n00000001_1", "http://host/1.jpg")
PERMANENT = """invalid_url invalid_image_code duplicate_image_code forbidden_redirect not_an_image corrupt
    too_large placeholder too_many_redirects http_status"""
TEMPORARY = "connect_timeout timeout connection_error truncated rate_limited disk_error"
NEXT_RUN = "dns_error connection_refused tls_error dead_host crashed interrupted filled"
FLAG_DEPENDENT = "too_small annotation_mismatch opted_out"


def failed(reason: Reason, http_status: int = 0) -> Outcome:
    """Give a failure."""
    return Outcome(ROW, Status.FAILED, reason, http_status=http_status)


@pytest.mark.parametrize(
    ("words", "retry_policy"),
    [
        (PERMANENT, RetryPolicy.PERMANENT),
        (TEMPORARY, RetryPolicy.TEMPORARY),
        (NEXT_RUN, RetryPolicy.NEXT_RUN),
        (FLAG_DEPENDENT, RetryPolicy.FLAG_DEPENDENT),
    ],
)
def test_each_reason_lasts_as_promised(words: str, retry_policy: RetryPolicy) -> None:
    """For good, in passing, tried once a run, or until a flag changes; there are no others."""
    assert {reason.word for reason in Reason if reason.retry_policy is retry_policy} == set(words.split())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 407, 418, 451, 499])
def test_a_no_is_for_good(status: int) -> None:
    """An HTTP status below 500 says that asking again is no use."""
    assert failed(Reason.HTTP_STATUS, status).retry_policy is RetryPolicy.PERMANENT
    assert not is_passing_http(status)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_not_now_is_in_passing(status: int) -> None:
    """Too late, too early, too many, and whatever is the server's own trouble."""
    assert failed(Reason.HTTP_STATUS, status).retry_policy is RetryPolicy.TEMPORARY


def test_an_http_failure_is_called_by_its_number() -> None:
    """Every other reason by its word, and none where there is no failure."""
    assert failed(Reason.HTTP_STATUS, 404).reason_word == "http_404"
    assert failed(Reason.TIMEOUT, 200).reason_word == "timeout"
    saved = Outcome(ROW, Status.DOWNLOADED)
    assert (saved.reason_word, saved.retry_policy) == ("", None)


def test_two_statuses_mean_that_the_image_is_there() -> None:
    """And the words are those of the report."""
    assert {status.value for status in Status if status.is_saved} == {"downloaded", "already_present"}
    assert {status.value for status in Status if not status.is_saved} == {
        "failed",
        "skipped",
        "not_attempted",
    }


def test_a_row_is_known_by_what_it_says() -> None:
    """Not by its place in the table, which another table may put elsewhere; a repeated row is its own."""
    assert ROW.key == dataclasses.replace(ROW, position=99).key
    others = [{"image_code": "n00000001_2"}, {"url": "http://host/2.jpg"}, {"repeat": 1}]
    assert len({ROW.key, *(dataclasses.replace(ROW, **other).key for other in others)}) == 4


def test_nouns_are_frozen() -> None:
    """Nobody changes a value under another's hands."""
    modules = [import_module(f"utils.models.{found.name}") for found in pkgutil.iter_modules(models.__path__)]
    nouns = [noun for module in modules for noun in vars(module).values() if dataclasses.is_dataclass(noun)]
    assert {Category, Outcome, Settings, UrlRow} <= set(nouns)
    for noun in nouns:
        assert noun.__dataclass_params__.frozen, noun
