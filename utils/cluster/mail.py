"""What whoever works on a shard is told: commands, as worker processes get them, in a file that only grows.

A second try reads it from its beginning, and so knows all that the first was told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from ..models.images import Annotation, Box
from ..models.rows import UrlRow
from ..models.tasks import ImageTask
from ..pipeline.messages import CancelTasks, Command, Save, StartTasks
from ..results import journal_codec


def send(path: Path, commands: Iterable[Command]) -> None:
    """Add commands.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    with path.open("ab") as file:
        file.write("".join(f"{journal_codec.spell(_spelled(command))}\n" for command in commands).encode())


class Mailbox:
    """Where the commands for a shard arrive."""

    def __init__(self, path: Path) -> None:
        self._tail = journal_codec.Tail(path)

    def new(self) -> list[Command]:
        """Give the commands that have come since it was last asked; none if it was taken away.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        records = [journal_codec.parse(line) for line in self._tail.new()]
        return [READ[kind](some) for record in records for kind, some in record.items()]


def _spelled(command: Command) -> dict[str, list[Any]]:
    if isinstance(command, StartTasks):
        return {"start": [_record(task) for task in command.tasks]}
    return {"save" if isinstance(command, Save) else "drop": list(command.numbers)}


READ: Mapping[str, Callable[[list[Any]], Command]] = {
    "start": lambda records: StartTasks(tuple(_task(record) for record in records)),
    "save": lambda numbers: Save(tuple(numbers)),
    "drop": lambda numbers: CancelTasks(tuple(numbers)),
}


def _record(task: ImageTask) -> dict[str, Any]:
    """Spell out what a task is before anybody has tried it."""
    return {
        "number": task.number,
        "folder": task.folder,
        "row": astuple(task.row),
        "annotation": astuple(task.annotation) if task.annotation else None,
        "asks": task.ask_before_saving,
    }


def _task(record: dict[str, Any]) -> ImageTask:
    return ImageTask(
        number=record["number"],
        folder=record["folder"],
        row=UrlRow(*record["row"]),
        annotation=_annotation(*record["annotation"]) if record["annotation"] else None,
        ask_before_saving=record["asks"],
    )


def _annotation(image_code: str, width: int, height: int, boxes: list[list[Any]]) -> Annotation:
    return Annotation(image_code, width, height, tuple(Box(*box) for box in boxes))
