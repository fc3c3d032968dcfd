"""Escaping of any text for Markdown, tables and code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$&<>-])")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
CODE_INDENT = "    "
"""A line without line breaks cannot end an indented code block."""


def literal(text: str) -> str:
    """Escape a text, so that it is shown as it is."""
    return _MARKUP.sub(r"\\\1", one_line(text))


def one_line(text: str) -> str:
    """Replace control characters, line breaks and lone surrogates by blanks."""
    return _UNPRINTABLE.sub(" ", text)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a table; columns of numbers, except the first, are aligned to the right."""
    cells = [[one if isinstance(one, int) else literal(str(one)) for one in row] for row in rows]
    rules = [
        "---:" if column and all(isinstance(row[column], int) for row in cells) else "---"
        for column in range(len(header))
    ]
    lines = [list(header), rules, *([str(cell) for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(lines: Iterable[str]) -> str:
    """Format lines as an indented code block."""
    return "\n".join(CODE_INDENT + one_line(line) for line in lines)
