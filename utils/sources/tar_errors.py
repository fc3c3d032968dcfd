"""Why a category's tar cannot be had or read, in words that say what to do.

This module alone knows what the refusals of an archive of images mean.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from ..errors import OneSourceError
from ..fetch.archive_stream import check_start
from ..fetch.credentials import COOKIE_VARIABLE, TOKEN_VARIABLE
from ..tar_reader import BLOCK, is_header

_LOG_IN = {
    False: f"log in at {{host}}, accept the terms, and put the token into {TOKEN_VARIABLE}, "
    f"or the cookie that your browser sends there into {COOKIE_VARIABLE}",
    True: f"what {TOKEN_VARIABLE} or {COOKIE_VARIABLE} holds is not accepted; "
    "log in at {host}, accept the terms, and set it anew",
}
"""By whether anything was shown."""
_LOCKED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_log = logging.getLogger(__name__)


class DamageError(Exception):
    """It is no tar, or not all of one."""


@dataclass(frozen=True)
class Teller:
    """Tells what is wrong with one tar: how it is called, and whether anything was shown to be let in."""

    name: str
    has_credentials: bool

    def of_beginning(self, beginning: bytes) -> str:
        """Say what is wrong with what begins so; nothing if it may be a tar."""
        if check_start(beginning):
            return f"it sends a web page in place of the archive: {self._advice()}"
        block = beginning[:BLOCK]  # all zeros: a tar with nothing in it
        return "it is no tar archive" if len(block) == BLOCK and any(block) and not is_header(block) else ""

    def sentence(self, error: Exception) -> str:
        """Make a sentence of what ended it."""
        return f"{self.name}: {self._words(error)}."

    def _words(self, error: Exception) -> str:
        if isinstance(error, OneSourceError) and error.status in _LOCKED:
            return f"it answers {error.status}: {self._advice()}"
        if isinstance(error, OneSourceError) and error.status in _ABSENT:
            return f"no such synset in the archive (it answers {error.status})"
        if isinstance(error, (OneSourceError, DamageError)):
            return str(error)
        if isinstance(error, FileNotFoundError):
            return "no such file"
        _log.debug("%s", self.name, exc_info=error)
        return f"it cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"

    def _advice(self) -> str:
        return _LOG_IN[self.has_credentials].format(host=urlsplit(self.name).hostname)


def cut_off(size: int) -> DamageError:
    """Say that a tar ends, after so many bytes, where it should not."""
    if not size:
        return DamageError("it is empty")
    return DamageError(f"it is cut off after {size:,} bytes; what came before that is used")
