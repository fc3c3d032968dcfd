"""The folder in which the machines that work on one run meet; this module alone knows its files' names."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

SHARDS_NAME = ".shards"
LEASE_SUFFIX, MAIL_SUFFIX, SEGMENT_SUFFIX = ".lease", ".mail", ".jsonl"


@dataclass(frozen=True)
class ShardFolder:
    """Where the machines that work on one run meet: what each may do, and what it has done."""

    path: Path

    def lease(self, shard: str) -> Path:
        """Say where the file lies while a shard may be worked on."""
        return self.path / f"{shard}{LEASE_SUFFIX}"

    def mail(self, shard: str) -> Path:
        """Say where the file lies that tells whoever works on a shard what is wanted of it."""
        return self.path / f"{shard}{MAIL_SUFFIX}"

    def segment(self, shard: str) -> Path:
        """Say where the file lies that tells what became of a shard."""
        return self.path / f"{shard}{SEGMENT_SUFFIX}"

    def segment_so_far(self, shard: str) -> Path:
        """Say where that is written while the shard is worked on."""
        return self.path / f".{shard}{SEGMENT_SUFFIX}"

    @property
    def scratch(self) -> Path:
        """A folder for what only this run needs."""
        return self.path / "scratch"

    def leases(self) -> list[Path]:
        """Find the leases of all shards."""
        return sorted(self.path.glob(f"*{LEASE_SUFFIX}"))

    def segments(self) -> list[Path]:
        """Find the segments that are there, also those of shards that were not done."""
        return sorted(self.path.glob(f"*{SEGMENT_SUFFIX}"))

    def remove(self) -> None:
        """Remove it, unless a segment has just come into it."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            for mail in self.path.glob(f"*{MAIL_SUFFIX}"):
                mail.unlink()
            self.path.rmdir()
            self.path.parent.rmdir()


def shard_folders(result: Path) -> list[ShardFolder]:
    """Find what runs on several machines have left in a result folder."""
    return [ShardFolder(path) for path in sorted((result / SHARDS_NAME).glob("*")) if path.is_dir()]
