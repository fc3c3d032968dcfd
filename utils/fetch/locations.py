"""Locations of big files: a URL or a path."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ..errors import OneSourceError

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")


def is_url(location: str) -> bool:
    """Whether a location is an http or https URL; otherwise it is a path."""
    return location.lower().startswith(("http://", "https://"))


def redacted(location: str) -> str:
    """Return a location that can be shown and logged: a URL without user, password, query and fragment."""
    if not is_url(location):
        return location
    try:
        parts = urlsplit(location)
    except ValueError:
        return "the address"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def local_path(location: str) -> Path:
    """Return the path of a location that is no http or https URL.

    Raises
    ------
    OneSourceError
        If it is no path.
    """
    scheme = _SCHEME.match(location)
    try:
        if scheme is None:
            return Path(location).expanduser()
        if scheme[1].lower() == "file":
            from urllib.request import url2pathname  # here, because it loads many modules

            return Path(url2pathname(urlsplit(location).path))
    except (ValueError, RuntimeError) as error:  # unbalanced brackets; a user without a home
        raise OneSourceError(f"this is not a valid path ({error})") from error
    raise OneSourceError(f"{scheme[1]}: is neither http nor https, nor is this a path")
