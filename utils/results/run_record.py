"""`run.json`: the last run in numbers, for other programs."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..fetch.credentials import redact
from ..fetch.locations import redacted
from ..files import write_atomic
from ..models.settings import Settings
from ..reasons import Status
from .paths import RUN_NAME
from .statistics import Summary, total

SCHEMA = 1
NO_FLAGS = frozenset({"command", "list_digest"})
"""Fields of the settings that are left out, as they are no flags."""


@dataclass
class RunRecord:
    """A run, from its start to its end.

    Attributes
    ----------
    summaries
        The numbers of each selected category, by its code.
    images
        With `--images`, how many of the listed images are there.
    started, begun
        Its start in UTC, and as monotonic time in seconds.
    """

    settings: Settings
    version: str
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    begun: float = field(default_factory=time.monotonic)
    exit_code: int = 1

    def write(self, folder: Path, signal_exit: int | None) -> None:
        """Write the file into the result folder.

        Parameters
        ----------
        signal_exit
            The exit code of the signal that interrupted the run, which precedes that of its work.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        summaries = list(self.summaries.values())
        content = {
            "schema": SCHEMA,
            "version": self.version,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.begun, 3),
            "settings": _public(self.settings),
            "categories": {one.name: {"code": one.code, **_numbers(one)} for one in summaries},
            "total": _numbers(total(summaries)),
            **({"images": self.images} if self.images else {}),
            "exit_code": self.exit_code if signal_exit is None else signal_exit,
        }
        write_atomic(folder / RUN_NAME, json.dumps(content, indent=2).encode() + b"\n")


def _numbers(summary: Summary) -> dict[str, Any]:
    return {
        "statuses": {status.value: summary.statuses[status] for status in Status},
        "reasons": dict(sorted(summary.reasons.items())),
        "saved": summary.images,
        "boxed": summary.annotated,
        "own": summary.own,
    }


def _public(settings: Settings) -> dict[str, Any]:
    """Return the settings as JSON, without secrets."""
    values = {one.name: getattr(settings, one.name) for one in dataclasses.fields(settings)}
    return {name: _json(value) for name, value in values.items() if name not in NO_FLAGS}


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return redact(redacted(str(value))) if isinstance(value, (str, Path)) else value
