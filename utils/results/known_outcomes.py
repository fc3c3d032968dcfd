"""Which results of earlier runs are final, and on which flags they depend."""

from __future__ import annotations

from ..models.settings import Settings
from ..models.tasks import Outcome
from ..reasons import NOT_NEEDED, Reason, RetryPolicy, Status

DECIDING_FLAGS = {
    Reason.TOO_SMALL: "min_side",
    Reason.OPTED_OUT: "honour_opt_out",
    Reason.ANNOTATION_MISMATCH: "with_annotation",
}
"""The flags on which rejections depend."""


def is_final(known: Outcome, settings: Settings) -> bool:
    """Whether an image is saved, or a failure is permanent under these settings.

    An excluded image is final: `reconcile` has changed the outcomes of images that are no longer listed.
    """
    if known.status.is_saved or known.reason is Reason.EXCLUDED:
        return True
    if known.status is not Status.FAILED or known.reason is None or settings.retry_failed:
        return False
    if known.reason is Reason.NOT_AS_LISTED:
        return known.decided_by == list_flag(settings.list_digest)
    if known.retry_policy is RetryPolicy.FLAG_DEPENDENT:
        return known.decided_by == deciding_flag(known.reason, settings)
    return known.retry_policy is RetryPolicy.PERMANENT


def list_flag(digest: str) -> str:
    """Return the flag on which `not_as_listed` depends; `digest` is that of the list."""
    return f"images={digest}"


def was_interrupted(known: Outcome) -> bool:
    """Whether an earlier run ended before the image was saved, and it has never been saved."""
    return known.reason is Reason.INTERRUPTED and known.picture is None


def not_needed(outcome: Outcome) -> Outcome:
    """Turn an outcome into that of an image that is not needed any more."""
    return Outcome(
        outcome.row,
        *NOT_NEEDED,
        http_status=outcome.http_status,
        attempts=outcome.attempts,
        seconds=outcome.seconds,
    )


def deciding_flag(reason: Reason, flags: object) -> str:
    """Return the flag on which a rejection depends, with its value; empty if it depends on none.

    Parameters
    ----------
    flags
        The settings, or another object with the attributes in `DECIDING_FLAGS`.
    """
    name = DECIDING_FLAGS.get(reason)
    return f"{name}={getattr(flags, name)}" if name else ""
