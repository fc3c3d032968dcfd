"""What lets us in where an archive wants it: kept out of everything that is shown, logged or written.

This module alone knows where credentials come from and how they are spelled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from ..errors import InputError

TOKEN_VARIABLE, COOKIE_VARIABLE = "PART_OF_IMAGENET_TOKEN", "PART_OF_IMAGENET_COOKIE"
_SENDABLE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True)
class Credentials:
    """What lets us in; shown to the server it is meant for, and nowhere else.

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
            if not _SENDABLE.fullmatch(value):  # told here: whoever else finds it would show it
                raise InputError(
                    f"{variable} holds something that no header may, e.g. a line break. Set it anew."
                )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Credentials | None:
        """Take them from the environment, if there are any.

        Raises
        ------
        InputError
            If they cannot be sent.
        """
        token = environment.get(TOKEN_VARIABLE, "").strip().removeprefix("Bearer ").lstrip()
        cookie = environment.get(COOKIE_VARIABLE, "").strip().removeprefix("Cookie:").lstrip()
        return cls(token, cookie) if token or cookie else None

    def headers(self) -> dict[str, str]:
        """Spell them as a request carries them."""
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return token | ({"Cookie": self.cookie} if self.cookie else {})


def without_secrets(url: str) -> str:
    """Spell a URL as it may be shown: a user's name, a password or a signed query stay out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
