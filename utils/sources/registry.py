"""The sources that `--source` can name."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Source
from .tar_source import TarSource
from .url_source import UrlSource

SOURCES: dict[str, type[Source]] = {one.name: one for one in (UrlSource, TarSource)}
ALIASES: dict[str, tuple[str, ...]] = {"both": (UrlSource.name, TarSource.name)}
"""Words for several sources, in their order."""


def source_names(word: str) -> tuple[str, ...]:
    """Resolve a word of `--source` into names of sources."""
    return ALIASES.get(word, (word,))


def source_types(names: Sequence[str]) -> list[type[Source]]:
    """Return the sources with these names."""
    return [SOURCES[name] for name in names]
