"""What an address of a big file may be, a URL or a path, and how it may be shown."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import OneSourceError
from .credentials import without_secrets

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")
_WEB = ("http://", "https://")


def is_in_web(address: str) -> bool:
    """Whether an address is to be downloaded; if not, it is a path."""
    return address.lower().startswith(_WEB)


def shown(address: str) -> str:
    """Spell an address as it may be shown, logged and kept."""
    return without_secrets(address) if is_in_web(address) else address


def local_path(address: str) -> Path:
    """Say which path an address means that is none in the web.

    Raises
    ------
    OneSourceError
        If it means none.
    """
    scheme = _SCHEME.match(address)
    try:
        if scheme is None:
            return Path(address).expanduser()
        if scheme[1].lower() == "file":
            from urllib.request import url2pathname  # loads much, and is hardly ever needed

            return Path(url2pathname(urlsplit(address).path))
    except (ValueError, RuntimeError) as error:  # brackets that are none; a user without a home
        raise OneSourceError(f"this is no path that can be opened ({error})") from error
    raise OneSourceError(f"{scheme[1]}: is neither http nor https, nor is this a path")
