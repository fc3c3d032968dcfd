"""Where an archive keeps a category's tar, as the user says it."""

from __future__ import annotations

from ..downloads.addresses import is_in_web, local_path
from ..errors import InputError, OneSourceError

CODE = "{code}"
"""Stands in an address for the category's code."""
IMAGENET = f"https://image-net.org/data/winter21_whole/{CODE}.tar"
"""ImageNet's own tars, which are meant if the user says nothing else."""


def template(source: str) -> str:
    """Make an address with `CODE` of what the user gave: a folder, a path or a URL, with or without it.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if not source.strip():
        raise InputError(f"--archive_url is empty. Give a folder, or an address with {CODE} in it.")
    if not is_in_web(source):
        try:
            local_path(source)
        except OneSourceError as error:
            raise InputError(f"{source}: {error}. Give a folder, or an address with {CODE} in it.") from error
    return source if CODE in source else f"{source.rstrip('/')}/{CODE}.tar"
