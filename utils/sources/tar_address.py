"""Addresses of tars: a URL or path with `{code}` in the place of the category's code."""

from __future__ import annotations

import re

from ..errors import InputError, OneSourceError
from ..fetch.locations import is_url, local_path, redacted

CODE = "{code}"
IMAGENET = f"https://image-net.org/data/winter21_whole/{CODE}.tar"
"""ImageNet's own tars, the default of `--archive_url`."""
_SINGLE_FILE = re.compile(r"\.tar$|\?")  # in a URL that cannot be a folder


def address_template(address: str) -> str:
    """Return an address with `CODE` in it, for the value of `--archive_url`: a folder, a path or a URL.

    Raises
    ------
    InputError
        If it is none of these, or a single file.
    """
    if not address.strip():
        raise InputError(f"--archive_url is empty. Give a folder, or an address with {CODE} in it.")
    if CODE in address:
        template = address
    else:
        template = f"{address.rstrip('/')}/{CODE}.tar"
        if is_url(address) and _SINGLE_FILE.search(address):
            raise InputError(
                f"--archive_url {redacted(address)} names one file, but each category has its own. "
                f"Put {CODE} where the category's code belongs."
            )
    if not is_url(address):
        try:
            local_path(address)
        except OneSourceError as error:
            raise InputError(
                f"{address}: {error}. Give a folder, or an address with {CODE} in it."
            ) from error
    return template
