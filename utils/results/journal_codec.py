"""One line of a journal: an outcome as JSON, and back. Lines of all earlier versions can be read."""

from __future__ import annotations

import json
from typing import Any

from ..models.fast_pickle import FastPickle
from ..models.images import BoxCounts, Picture
from ..models.rows import UrlRow
from ..models.tasks import TRANSIENT, Outcome
from ..reasons import REASONS, Status
from .paths import CategoryFolder

ALWAYS = frozenset({"image_code", "url", "position"})
"""Written even if empty or 0. `boxes` 0 (no box is left) is written, too; None (no XML) is not."""
STATUSES = {status.value: status for status in Status}
NUMBERS = ("http_status", "attempts", "modified_ns")
TEXTS = {
    "description": "description",
    "file": "file",
    "decided_by": "judged_with",
    "final_host": "answered_by",
}
"""Text fields of `Outcome`, and their keys in the journal."""
dumps = json.JSONEncoder(separators=(",", ":")).encode
_loads = json.JSONDecoder().decode


def parse(line: bytes) -> dict[str, Any]:
    """Read a line; anything that is not a line of a journal gives an empty record."""
    try:
        record = _loads(line.decode())
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    is_outcome = isinstance(record.get("position"), int) and {"image_code", "url", "status"} <= record.keys()
    return record if is_outcome or "run" in record else {}


def encode(outcome: Outcome) -> dict[str, Any]:
    """Return the record of an outcome: its fields, and those of its row and picture, without defaults."""
    record = _values(outcome.row) | _values(outcome)
    picture, fitted = record.pop("picture"), record.pop("fitted")
    del record["row"]
    record["status"] = outcome.status.value
    record["reason"] = outcome.reason.word if outcome.reason else ""
    record["seconds"] = round(outcome.seconds, 3)
    if fitted:
        record["fitted"] = _values(fitted)
    if picture:
        record |= _values(picture) | {"format": picture.format.value}
    return {
        TEXTS.get(key, key): value
        for key, value in record.items()
        if (value or key in ALWAYS or (key == "boxes" and value is not None)) and key not in TRANSIENT
    }


def decode(record: dict[str, Any], *, of_earlier_run: bool) -> Outcome | None:
    """Return the outcome of a record; None if it is not a record of `encode`, or names another file."""
    try:
        status = STATUSES[record["status"]]
        file, image_code = str(record.get("file", "")), str(record["image_code"])
        if (file or status.is_saved) and not CategoryFolder.is_saved_file(file, image_code):
            return None
        plain: dict[str, Any] = {name: int(record.get(name, 0)) for name in NUMBERS}
        fitted = {name: int(count) for name, count in (record.get("fitted") or {}).items()}
        plain |= {name: str(record.get(key, "")) for name, key in TEXTS.items()}
        return Outcome(
            row=UrlRow(int(record["position"]), image_code, str(record["url"]), int(record.get("repeat", 0))),
            status=Status.ALREADY_PRESENT if of_earlier_run and status.is_saved else status,
            reason=REASONS[record["reason"]] if record.get("reason") else None,
            seconds=float(record.get("seconds", 0.0)),
            picture=Picture.from_record(record) if "sha256" in record else None,
            boxes=int(record["boxes"]) if "boxes" in record else None,
            fitted=BoxCounts(**fitted) if fitted else None,
            **plain,
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None


def _values(data: FastPickle) -> dict[str, Any]:
    """Return the fields of a dataclass; `dataclasses.asdict` takes several times as long."""
    names: tuple[str, ...] = data.__slots__
    return {name: getattr(data, name) for name in names}
