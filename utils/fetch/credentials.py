"""Credentials for archives that need a log-in, from environment variables.

They are never shown, logged or written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import InputError

TOKEN_VARIABLE, COOKIE_VARIABLE = "PART_OF_IMAGENET_TOKEN", "PART_OF_IMAGENET_COOKIE"
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


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
