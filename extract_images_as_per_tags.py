#!/usr/bin/env python3
"""Download the images of the categories marked in ncodes.csv, with their bounding boxes.

`python extract_images_as_per_tags.py --help` lists the flags.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    # Not imported at the top: every worker process imports this file again, and does not need it.
    from utils.cli import extract

    return extract.main(argv)


if __name__ == "__main__":
    # With `python -P` and PYTHONSAFEPATH, which embedded Pythons imply, the path lacks the script's folder.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from utils.entrypoint import run_main

    sys.exit(run_main(main))
