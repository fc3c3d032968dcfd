"""Credentials for archives that need a log-in, from environment variables.

They are never shown, logged or written.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from ..errors import InputError

TOKEN_VARIABLE, COOKIE_VARIABLE = "PART_OF_IMAGENET_TOKEN", "PART_OF_IMAGENET_COOKIE"
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_REDACTED = "***"
_SHORTEST_SECRET = 6
"""Characters; a shorter value of a cookie is no secret, and may be part of any text."""


@dataclass(frozen=True)
class Credentials:
    """A token, a cookie, or both.

    Attributes
    ----------
    token
        Sent as `Authorization: Bearer <token>`; empty if there is none.
    cookie
        Sent as `Cookie: <cookie>`; empty if there is none.
    """

    token: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for variable, value in ((TOKEN_VARIABLE, self.token), (COOKIE_VARIABLE, self.cookie)):
            if not _HEADER_VALUE.fullmatch(value):  # checked here: an error of requests would show the value
                raise InputError(
                    f"{variable} contains a character that no header may have, e.g. a line break. "
                    "Set it again."
                )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Credentials | None:
        """Read the credentials; None if none are set.

        Raises
        ------
        InputError
            If they cannot be sent in a header.
        """
        token = environment.get(TOKEN_VARIABLE, "").strip().removeprefix("Bearer ").lstrip()
        cookie = environment.get(COOKIE_VARIABLE, "").strip().removeprefix("Cookie:").lstrip()
        return cls(token, cookie) if token or cookie else None

    def headers(self) -> dict[str, str]:
        """Return the headers of a request."""
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return token | ({"Cookie": self.cookie} if self.cookie else {})


def redact(text: str) -> str:
    """Replace the credentials of the environment in a text, which may be an answer of a server."""
    secrets = _secrets(os.environ.get(TOKEN_VARIABLE, ""), os.environ.get(COOKIE_VARIABLE, ""))
    return secrets.sub(_REDACTED, text) if secrets else text


@functools.cache
def _secrets(token: str, cookie: str) -> re.Pattern[str] | None:
    """Return a pattern of the token and the values of the cookie, also percent-encoded and in any case."""
    values = [cookie, *(pair.partition("=")[2] for pair in cookie.split(";")), *token.split()]
    secrets = {value.strip() for value in values if len(value.strip()) >= _SHORTEST_SECRET}
    spellings = {
        spelling for secret in secrets for spelling in (secret, quote(secret), quote(secret, safe=""))
    }
    longest_first = sorted(map(re.escape, spellings), key=len, reverse=True)
    return re.compile("|".join(longest_first), re.IGNORECASE) if spellings else None
