"""The sources that `--source` can name."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Source
from .copy_source import CopySource
from .tar_source import TarSource
from .url_source import UrlSource

SOURCES: dict[str, type[Source]] = {one.name: one for one in (UrlSource, TarSource, CopySource)}
ALIASES: dict[str, tuple[str, ...]] = {"both": (UrlSource.name, TarSource.name)}
"""Words for several sources, in their order."""


def source_names(words: Sequence[str]) -> tuple[str, ...]:
    """Resolve the words of `--source` into names of sources, each once."""
    return tuple(dict.fromkeys(name for word in words for name in ALIASES.get(word, (word,))))


def source_types(names: Sequence[str]) -> list[type[Source]]:
    """Return the sources with these names."""
    return [SOURCES[name] for name in names]
