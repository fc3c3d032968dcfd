"""Statuses and reasons of the report."""

from __future__ import annotations

import pytest

from utils.reasons import Reason, RetryPolicy, Status, is_temporary_status, meaning

PERMANENT = """invalid_url invalid_image_code duplicate_image_code forbidden_redirect not_an_image corrupt
    too_large placeholder too_many_redirects http_status"""
TEMPORARY = "connect_timeout timeout connection_error truncated rate_limited"
NEXT_RUN = "dns_error connection_refused tls_error dead_host disk_error crashed interrupted filled"
FLAG_DEPENDENT = "too_small annotation_mismatch opted_out"
LIST_DEPENDENT = "excluded not_as_listed"


@pytest.mark.parametrize(
    ("words", "retry_policy"),
    [
        (PERMANENT, RetryPolicy.PERMANENT),
        (TEMPORARY, RetryPolicy.TEMPORARY),
        (NEXT_RUN, RetryPolicy.NEXT_RUN),
        (FLAG_DEPENDENT, RetryPolicy.FLAG_DEPENDENT),
        (LIST_DEPENDENT, RetryPolicy.LIST_DEPENDENT),
    ],
)
def test_retry_policies(words: str, retry_policy: RetryPolicy) -> None:
    """Each reason of the report has one of five retry policies; there are no other reasons."""
    assert {reason.word for reason in Reason if reason.retry_policy is retry_policy} == set(words.split())


def test_statuses() -> None:
    """An image is saved if it was downloaded in this run or an earlier one."""
    assert {status.value for status in Status if status.is_saved} == {"downloaded", "already_present"}
    assert {status.value for status in Status if not status.is_saved} == {
        "failed",
        "skipped",
        "not_attempted",
    }


def test_meanings() -> None:
    """Every word of the report has a meaning, a sentence; so has every HTTP status."""
    assert all(meaning(reason.word) == reason.meaning for reason in Reason)
    assert all(reason.meaning[0].isupper() and reason.meaning.endswith(".") for reason in Reason)
    assert meaning("http_410") == "The server answered 410 Gone."
    assert meaning("http_999") == meaning("http_x") == Reason.HTTP_STATUS.meaning


@pytest.mark.parametrize("http_status", [400, 401, 403, 404, 407, 410, 418, 451, 499])
def test_permanent_http_statuses(http_status: int) -> None:
    """Other statuses below 500 are permanent."""
    assert not is_temporary_status(http_status)


@pytest.mark.parametrize("http_status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_temporary_http_statuses(http_status: int) -> None:
    """408, 425, 429 and errors of the server are temporary."""
    assert is_temporary_status(http_status)
