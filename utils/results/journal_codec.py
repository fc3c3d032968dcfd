"""One line of a journal: an outcome as JSON, and back; and files of lines to which others are adding."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from ..models.enums import ImageFormat, Status
from ..models.images import BoxCounts, Picture
from ..models.rows import UrlRow
from ..models.tasks import Outcome
from ..reasons import Reason

ALWAYS = frozenset({"image_code", "url", "position", "boxes"})
"""What is written even if it is 0 or empty; no boxes at all is None."""
STATUSES = {status.value: status for status in Status}
REASONS = {reason.word: reason for reason in Reason}
GONE = frozenset({errno.ENOENT, errno.ESTALE})
"""What the system says of a file that is not there any more."""
spell = json.JSONEncoder(separators=(",", ":")).encode
_parse = json.JSONDecoder().decode


class Tail:
    """Reads the lines that are added to a file, as they come; a line counts when its end is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> list[bytes]:
        """Give the lines that were added since it was last asked; none if the file is gone.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                # Another machine may see zeros where lines are on their way.
                whole = file.read().partition(b"\0")[0].rpartition(b"\n")[0]
        except OSError as error:
            if error.errno in GONE:
                return []
            raise
        self._read += len(whole) + bool(whole)
        return whole.splitlines()


def parse(line: bytes) -> dict[str, Any]:
    """Read a line as JSON; what is torn, or no object, counts as nothing."""
    try:
        found = _parse(line.decode())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def record(line: bytes) -> dict[str, Any]:
    """Read a line; one that is not ours (a file replaced by garbage) counts as nothing."""
    found = parse(line)
    ours = isinstance(found.get("position"), int) and {"image_code", "url", "status"} <= found.keys()
    return found if ours or "run" in found else {}


def outcome(record: dict[str, Any], *, earlier: bool) -> Outcome | None:
    """Decode what a line says; None if it is not as we write them."""
    try:
        return _decode(record, earlier=earlier)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None


def encode(outcome: Outcome) -> dict[str, Any]:
    """Spell an outcome out; what has its default is left out."""
    record: dict[str, Any] = {
        "image_code": outcome.row.image_code,
        "url": outcome.row.url,
        "position": outcome.row.position,
        "repeat": outcome.row.repeat,
        "status": outcome.status.value,
        "reason": outcome.reason.word if outcome.reason else "",
        "description": outcome.description,
        "http_status": outcome.http_status,
        "attempts": outcome.attempts,
        "seconds": round(outcome.seconds, 3),
        "file": outcome.file,
        "boxes": outcome.boxes,
        "fitted": _counts(outcome.fitted) if outcome.fitted else None,
        "modified_ns": outcome.modified_ns,
        "judged_with": outcome.judged_with,
        "answered_by": outcome.answered_by,
    }
    picture = outcome.picture
    if picture:
        record |= {
            "format": picture.format.value,
            "width": picture.width,
            "height": picture.height,
            "bytes": picture.bytes,
            "sha256": picture.sha256,
        }
    return {key: value for key, value in record.items() if value or (key in ALWAYS and value is not None)}


def _decode(record: dict[str, Any], *, earlier: bool) -> Outcome:
    status = STATUSES[record["status"]]
    row = UrlRow(
        int(record["position"]), str(record["image_code"]), str(record["url"]), int(record.get("repeat", 0))
    )
    return Outcome(
        row=row,
        status=Status.ALREADY_PRESENT if earlier and status.is_saved else status,
        reason=REASONS[record["reason"]] if record.get("reason") else None,
        description=str(record.get("description", "")),
        http_status=int(record.get("http_status", 0)),
        attempts=int(record.get("attempts", 0)),
        seconds=float(record.get("seconds", 0.0)),
        file=str(record.get("file", "")),
        picture=_picture(record) if "sha256" in record else None,
        boxes=int(record["boxes"]) if "boxes" in record else None,
        fitted=_box_counts(record["fitted"]) if record.get("fitted") else None,
        modified_ns=int(record.get("modified_ns", 0)),
        judged_with=str(record.get("judged_with", "")),
        answered_by=str(record.get("answered_by", "")),
    )


def _counts(fitted: BoxCounts) -> dict[str, int]:
    return {name: getattr(fitted, name) for name in BoxCounts.__slots__}


def _box_counts(record: dict[str, Any]) -> BoxCounts:
    return BoxCounts(**{name: int(count) for name, count in record.items()})


def _picture(record: dict[str, Any]) -> Picture:
    return Picture(
        format=ImageFormat(record["format"]),
        width=int(record["width"]),
        height=int(record["height"]),
        bytes=int(record["bytes"]),
        sha256=str(record["sha256"]),
    )
