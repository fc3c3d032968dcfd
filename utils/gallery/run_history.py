"""What was asked of the runs into a folder: their command lines with their dates, without any secret.

The card itself is where they are kept, so that a folder which several runs have filled names them all.
Behind each command stands, as a shell's comment, how often it was run and how many images that saved.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..fetch.credentials import Credentials
from ..fetch.locations import shown

SCRIPT = "extract_images_as_per_tags.py"
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
MOST = 40
"""Commands that a card names; those that saved nothing go first, of both kinds the oldest."""
_RUN = re.compile(
    r"^    (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d) UTC  (?P<command>python .*?)"
    r"(?P<note>  # (?:(?P<times>\d{1,9}) times, )?saved (?:(?P<saved>\d{1,9}) images?|nothing))?$",
    re.MULTILINE,
)
_OTHERS = re.compile(r"^    # and (\d{1,9}) other runs?$", re.MULTILINE)
_ADDRESS = re.compile(r"https?://.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class RunHistory:
    """A command, and the runs that had it.

    Attributes
    ----------
    at
        The date and time of the latest.
    saved
        Images that they saved in all; None if cards did not say that yet.
    times
        How many they were.
    """

    at: str
    command: str
    saved: int | None
    times: int = 1

    def after(self, earlier: RunHistory) -> RunHistory:
        """Add the earlier runs of the same command."""
        saved = None if None in (self.saved, earlier.saved) else (self.saved or 0) + (earlier.saved or 0)
        return RunHistory(self.at, self.command, saved, self.times + earlier.times)

    def line(self) -> str:
        """Spell it for the card."""
        if self.saved is None:
            return f"{self.at} UTC  {self.command}"
        times = f"{self.times} times, " if self.times > 1 else ""
        images = f"{self.saved} image{'' if self.saved == 1 else 's'}" if self.saved else "nothing"
        return f"{self.at} UTC  {self.command}  # {times}saved {images}"


def now() -> str:
    """Give the date and time, in UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")


def version() -> str:
    """Give the version of the tool, as `pyproject.toml` states it; empty where that is not kept."""
    try:
        found = re.search(r'^version = "(.+)"$', PYPROJECT.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def command_line(arguments: Sequence[str], credentials: Credentials | None = None) -> str:
    """Spell a command as a shell would take it, in one line, and without any secret."""
    return " ".join(["python", SCRIPT, *(_quoted(_without_secrets(one, credentials)) for one in arguments)])


def runs(card: Path, this: RunHistory) -> list[str]:
    """Give the lines for the runs that an earlier card names, and for this one; each command once.

    Raises
    ------
    OSError
        If the card is there and cannot be read.
    """
    earlier = card.read_text(encoding="utf-8", errors="replace") if card.exists() else ""
    named: dict[str, RunHistory] = {}
    for one in [*_named(earlier), this]:
        before = named.pop(one.command, None)  # so that the latest come last
        named[one.command] = one.after(before) if before else one
    lines = list(named.values())
    others = sum(int(count) for count in _OTHERS.findall(earlier)[:1])
    while len(lines) > MOST:
        dropped = next((one for one in lines if one.saved == 0), lines[0])
        lines.remove(dropped)
        others += dropped.times
    more = [f"# and {others} other run{'' if others == 1 else 's'}"] if others else []
    return [one.line() for one in lines] + more


def _named(card: str) -> Iterator[RunHistory]:
    """Read the commands that a card names."""
    for found in _RUN.finditer(card):
        saved = int(found["saved"] or 0) if found["note"] else None
        yield RunHistory(found["at"], found["command"], saved, int(found["times"] or 1))


def _without_secrets(argument: str, credentials: Credentials | None) -> str:
    text = _ADDRESS.sub(lambda found: shown(found[0]), argument)
    for secret in filter(None, (credentials.token, credentials.cookie) if credentials else ()):
        text = text.replace(secret, "...")
    return text


def _quoted(argument: str) -> str:
    if argument.isprintable():
        return shlex.quote(argument)
    escaped = argument.encode(errors="surrogateescape").decode("latin-1").encode("unicode_escape").decode()
    return "$'" + escaped.replace("'", "\\'") + "'"
