#!/usr/bin/env python3
"""Download what the extraction needs: ncodes.csv, imageNetURLs.csv with its index, and annotation/.

`python download_imagenet_prerequisites.py --help` lists the flags.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    from utils.cli import prerequisites_command

    return prerequisites_command.main(argv)


if __name__ == "__main__":
    # With `python -P` and PYTHONSAFEPATH, which embedded Pythons imply, the path lacks the script's folder.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from utils.entrypoint import run_main

    sys.exit(run_main(main))
