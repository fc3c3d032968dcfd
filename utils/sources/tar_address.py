"""Where an archive keeps a category's tar, as the user says it."""

from __future__ import annotations

import re

from ..errors import InputError, OneSourceError
from ..fetch.locations import is_url, local_path, redacted

CODE = "{code}"
"""Stands in an address for the category's code."""
IMAGENET = f"https://image-net.org/data/winter21_whole/{CODE}.tar"
"""ImageNet's own tars, which are meant if the user says nothing else."""
_NO_FOLDER = re.compile(r"\.tar$|\?")
"""How an address in the web shows that nothing can lie below it."""


def template(source: str) -> str:
    """Make an address with `CODE` of what the user gave: a folder, a path or a URL, with or without it.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if not source.strip():
        raise InputError(f"--archive_url is empty. Give a folder, or an address with {CODE} in it.")
    if is_url(source):
        if CODE not in source and _NO_FOLDER.search(source):
            raise InputError(
                f"--archive_url {redacted(source)} names one file, and each category has its own. "
                f"Put {CODE} where the category's code belongs."
            )
    else:
        try:
            local_path(source)
        except OneSourceError as error:
            raise InputError(f"{source}: {error}. Give a folder, or an address with {CODE} in it.") from error
    return source if CODE in source else f"{source.rstrip('/')}/{CODE}.tar"
