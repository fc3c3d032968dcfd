"""How long it is believed what an earlier run found of an image, and which flag that depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..models.enums import Status
from ..models.tasks import Outcome
from ..reasons import NOT_NEEDED, Reason, RetryPolicy

if TYPE_CHECKING:  # a worker loads only what it needs
    from ..models.settings import Settings
    from .messages import WorkerConfig


def holds(known: Outcome, settings: Settings) -> bool:
    """Whether what an earlier run found holds without trying again."""
    if known.status.is_saved:
        return True
    if known.status is not Status.FAILED or known.reason is None or settings.retry_failed:
        return False
    if known.retry_policy is RetryPolicy.FLAG_DEPENDENT:
        return known.judged_with == deciding_flag(known.reason, settings)
    return known.retry_policy is RetryPolicy.PERMANENT


def was_cut_short(known: Outcome) -> bool:
    """Whether an earlier run ended before the image was there, and it has never been there."""
    return known.reason is Reason.INTERRUPTED and known.picture is None


def needless(cut_short: Outcome) -> Outcome:
    """Say of an image that was not there when an earlier run ended that it is not needed any more."""
    status, reason, description = NOT_NEEDED
    return replace(cut_short, status=status, reason=reason, description=description)


def deciding_flag(reason: Reason, flags: Settings | WorkerConfig) -> str:
    """Name the flag, with its value, that decides whether there is such a refusal; "" where none does."""
    deciding = {
        Reason.TOO_SMALL: f"min_side={flags.min_side}",
        Reason.OPTED_OUT: f"honour_opt_out={flags.honour_opt_out}",
        Reason.ANNOTATION_MISMATCH: f"with_annotation={flags.with_annotation}",
    }
    return deciding.get(reason, "")
