"""Runs commands on a pseudo-terminal, and interprets what they write there."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence

import pytest

pty, fcntl, termios = (
    pytest.importorskip(name, reason="Windows has no pseudo-terminals")
    for name in ("pty", "fcntl", "termios")
)


def run_on_terminal(
    command: Sequence[str],
    *,
    columns: int,
    environment: Mapping[str, str] | None = None,
    ctrl_c_at: str | None = None,
) -> tuple[int, str]:
    """Run a command on a terminal of 40 lines; returns its exit code and all that it writes.

    Parameters
    ----------
    ctrl_c_at
        Press Ctrl-C when this text appears.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    # The leader of the session opens the terminal, so that Ctrl-C reaches it.
    shell = ["sh", "-c", f'exec "$0" "$@" <>{os.ttyname(theirs)} >&0 2>&0', *command]
    written = b""
    deadline = time.monotonic() + 60
    with subprocess.Popen(shell, start_new_session=True, env=environment) as process:
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            assert time.monotonic() < deadline, written
            if select.select([ours], [], [], 0.05)[0]:
                written += os.read(ours, 65536)
            if ctrl_c_at and ctrl_c_at.encode() in written:
                os.write(ours, b"\x03")
                ctrl_c_at = None
    os.close(ours)
    os.close(theirs)
    return process.returncode, written.decode()


def final_lines(written: str) -> list[str]:
    """Return the lines that a terminal shows at the end, after carriage returns and cursor movements."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part == "\x1b[A":
            row = max(0, row - 1)
        elif part in ("\x1b[K", "\x1b[0K"):
            lines[row] = lines[row][:column]
        elif not part.startswith("\x1b"):
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]
