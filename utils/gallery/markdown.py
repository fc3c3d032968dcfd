"""Text of anybody's in Markdown: names that break no table, lines that break no code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$&<>-])")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
CODE_INDENT = "    "
"""No text can end a block that is made by indenting, as long as it has no line breaks."""


def literal(text: str) -> str:
    """Spell a text that shall be read as it is."""
    return _MARKUP.sub(r"\\\1", one_line(text))


def one_line(text: str) -> str:
    """Put a blank in place of what is no letter, sign or blank."""
    return _UNPRINTABLE.sub(" ", text)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Set a table; columns after the first are numbers if all that is in them is."""
    cells = [[one if isinstance(one, int) else literal(str(one)) for one in row] for row in rows]
    rules = [
        "---:" if column and all(isinstance(row[column], int) for row in cells) else "---"
        for column in range(len(header))
    ]
    lines = [list(header), rules, *([str(cell) for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(lines: Iterable[str]) -> str:
    """Set lines as code."""
    return "\n".join(CODE_INDENT + one_line(line) for line in lines)
