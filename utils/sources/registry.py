"""The sources that `--source` can name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..fetch.locations import is_url
from .base import Source
from .copy_source import CopySource
from .tar_source import TarSource
from .url_source import UrlSource

SOURCES: dict[str, type[Source]] = {one.name: one for one in (UrlSource, TarSource, CopySource)}
ALIASES: dict[str, tuple[str, ...]] = {"both": (UrlSource.name, TarSource.name)}
"""Words for several sources, in their order."""
_MEMBER = re.compile(r"#n[0-9]{8}_[0-9]+\.[A-Za-z0-9]+$")


def source_names(words: Sequence[str]) -> tuple[str, ...]:
    """Resolve the words of `--source` into names of sources, each once."""
    return tuple(dict.fromkeys(name for word in words for name in ALIASES.get(word, (word,))))


def source_of(url: str) -> str:
    """Return the name of the source from which an image came, by its URL in the report."""
    if not is_url(url):
        return CopySource.name
    return TarSource.name if _MEMBER.search(url) else UrlSource.name


def source_types(names: Sequence[str]) -> list[type[Source]]:
    """Return the sources with these names."""
    return [SOURCES[name] for name in names]
