"""What was asked of the runs into a folder: their command lines with their dates, without any secret.

The card itself is where they are kept, so that a folder which several runs have filled names them all.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from ..downloads.addresses import shown
from ..downloads.credentials import Credentials

SCRIPT = "extract_images_as_per_tags.py"
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
MOST = 20
"""Runs that a card names; the latest."""
_RUN = re.compile(r"^    (\d{4}-\d\d-\d\d \d\d:\d\d) UTC  (python .*)$", re.MULTILINE)
_ADDRESS = re.compile(r"https?://.*", re.IGNORECASE | re.DOTALL)


def now() -> str:
    """Give the date and time, in UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")


def version() -> str:
    """Give the version of the tool, which `pyproject.toml` alone states; empty where that is not kept."""
    try:
        found = re.search(r'^version = "(.+)"$', PYPROJECT.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def command_line(arguments: Sequence[str], credentials: Credentials | None = None) -> str:
    """Spell a command as a shell would take it, in one line, and without any secret."""
    return " ".join(["python", SCRIPT, *(_quoted(_without_secrets(one, credentials)) for one in arguments)])


def runs(card: Path, command: str, at: str) -> list[str]:
    """Give the lines for the runs that an earlier card names, and for this one; each command once.

    Raises
    ------
    OSError
        If the card is there and cannot be read.
    """
    earlier = card.read_text(encoding="utf-8", errors="replace") if card.exists() else ""
    others = [(date, line) for date, line in _RUN.findall(earlier) if line != command]
    return [f"{date} UTC  {line}" for date, line in [*others, (at, command)][-MOST:]]


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
