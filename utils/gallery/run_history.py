"""The history of runs into a result folder: command lines without secrets, dates, numbers of images saved."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..fetch.credentials import Credentials
from ..fetch.locations import redacted
from ..files import read_bytes

SCRIPT = "extract_images_as_per_tags.py"
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
MAX_VALUES = 20
"""Values of a flag that are shown."""
MAX_COMMANDS = 40
"""Commands that are kept; of more, the oldest that saved nothing are dropped first, then the oldest."""
_RUN = re.compile(
    r"^    (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d) UTC  (?P<command>python .*?)"
    r"(?P<note>  # (?:(?P<times>\d{1,9}) times, )?saved (?:(?P<saved>\d{1,9}) images?|nothing))?$",
    re.MULTILINE,
)
_OTHERS = re.compile(r"^    # and (\d{1,9}) other runs?$", re.MULTILINE)
_URL = re.compile(r"https?://.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class CommandRuns:
    """A command and its runs.

    Attributes
    ----------
    at
        Date and time of the last run.
    saved
        Images saved by all of them; None if unknown (old cards do not state it).
    times
        Number of runs.
    """

    at: str
    command: str
    saved: int | None
    times: int = 1

    def after(self, earlier: CommandRuns) -> CommandRuns:
        """Add the earlier runs of the same command."""
        saved = None if self.saved is None or earlier.saved is None else self.saved + earlier.saved
        return CommandRuns(self.at, self.command, saved, self.times + earlier.times)

    def line(self) -> str:
        """Format the command as a shell command with a comment."""
        if self.saved is None:
            return f"{self.at} UTC  {self.command}"
        times = f"{self.times} times, " if self.times > 1 else ""
        images = f"{self.saved} image{'' if self.saved == 1 else 's'}" if self.saved else "nothing"
        return f"{self.at} UTC  {self.command}  # {times}saved {images}"


@dataclass(frozen=True)
class RunHistory:
    """All runs into a folder, oldest first: each command once, and the number of runs no longer listed."""

    commands: tuple[CommandRuns, ...] = ()
    others: int = 0

    @classmethod
    def from_card(cls, path: Path) -> RunHistory:
        """Read the history from the card, where the first version kept it; empty if there is none."""
        try:
            card = read_bytes(path).decode(errors="replace")
        except OSError:
            return cls()
        commands = []
        for found in _RUN.finditer(card):
            saved = int(found["saved"] or 0) if found["note"] else None
            commands.append(CommandRuns(found["at"], found["command"], saved, int(found["times"] or 1)))
        others = _OTHERS.search(card)
        return cls(tuple(commands), int(others[1]) if others else 0)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> RunHistory:
        """Restore a history from `record`."""
        return cls(tuple(CommandRuns(**one) for one in record["commands"]), record["others"])

    def record(self) -> dict[str, Any]:
        """Return the data that `from_record` needs, for JSON."""
        return asdict(self)

    def add(self, latest: CommandRuns) -> RunHistory:
        """Add a run as the latest one."""
        commands = {one.command: one for one in self.commands}
        earlier = commands.pop(latest.command, None)
        kept = [*commands.values(), latest.after(earlier) if earlier else latest]
        others = self.others
        while len(kept) > MAX_COMMANDS:
            dropped = next((one for one in kept if one.saved == 0), kept[0])
            kept.remove(dropped)
            others += dropped.times
        return RunHistory(tuple(kept), others)

    def lines(self) -> list[str]:
        """Format the history, a line for each command."""
        others = [f"# and {self.others} other run{'' if self.others == 1 else 's'}"] if self.others else []
        return [*(one.line() for one in self.commands), *others]


def now() -> str:
    """Return date and time in UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")


def version() -> str:
    """Read the version from `pyproject.toml`; empty if there is no such file."""
    try:
        found = re.search(r'^version = "(.+)"$', PYPROJECT.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def command_line(arguments: Sequence[str], credentials: Credentials | None = None) -> str:
    """Format a command as one line for a shell, without passwords, query strings and `credentials`.

    Of the values of a flag only the first `MAX_VALUES` are shown: a pattern may stand for thousands of files.
    """
    secrets = [one for one in (credentials.token, credentials.cookie) if one] if credentials else []
    words = []
    values = 0
    for argument in arguments:
        values = 0 if argument.startswith("-") else values + 1
        if values > MAX_VALUES:
            words += ["..."] if values == MAX_VALUES + 1 else []
            continue
        word = _URL.sub(lambda found: redacted(found[0]), argument)
        for secret in secrets:
            word = word.replace(secret, "...")
        words.append(_shell_quoted(word))
    return " ".join(["python", SCRIPT, *words])


def _shell_quoted(argument: str) -> str:
    if argument.isprintable():
        return shlex.quote(argument)
    escaped = argument.encode(errors="surrogateescape").decode("latin-1").encode("unicode_escape").decode()
    return "$'" + escaped.replace("'", "\\'") + "'"
