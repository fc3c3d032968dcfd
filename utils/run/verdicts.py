"""How long it is believed what an earlier run found of an image."""

from __future__ import annotations

from ..models.settings import Settings
from ..models.tries import Outcome
from ..models.words import Lasting, Reason, Status
from .worker import deciding_flag


def holds(known: Outcome, settings: Settings) -> bool:
    """Whether what an earlier run found holds without trying again."""
    if known.status.stands:
        return True
    if known.status is not Status.FAILED or known.reason is None or settings.retry_failed:
        return False
    if known.lasting is Lasting.BY_FLAG:
        return known.judged_with == _flag_now(known.reason, settings)
    return known.lasting is Lasting.FOR_GOOD


def _flag_now(reason: Reason, settings: Settings) -> str:
    in_force = {
        Reason.OPTED_OUT: settings.honour_opt_out,
        Reason.ANNOTATION_MISMATCH: settings.with_annotation,
    }
    return deciding_flag(reason, min_side=settings.min_side) if in_force.get(reason, True) else ""
