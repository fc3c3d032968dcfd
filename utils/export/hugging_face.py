"""`README.md` for Hugging Face's `datasets`: the files of each split, and the types of columns.

Without it, `datasets` guesses splits from names, and takes a class "test_tube" for a test split. Its cache
identifies a folder by its name and by the configuration in this file only, so the name of the configuration
is a checksum of the contents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .dataset import Split

SPLIT_NAMES = {Split.TRAIN: "train", Split.VAL: "validation"}
"""Names of splits in `datasets`."""


def readme(text: str, files: Mapping[Split, str], checksum: str, features: Sequence[Any] = ()) -> str:
    """Return the contents of `README.md`.

    Parameters
    ----------
    text
        What the export is.
    files
        The pattern of file names of each split.
    checksum
        A checksum of the contents, in hexadecimal.
    features
        The columns, as in `dataset_info`; empty if `datasets` finds them by itself.
    """
    name = f"content-{checksum[:16]}"
    splits = "".join(f"  - split: {SPLIT_NAMES[split]}\n    path: {path}\n" for split, path in files.items())
    info = f"dataset_info:\n  config_name: {name}\n  features: {json.dumps(features)}\n" if features else ""
    return (
        f"---\nconfigs:\n- config_name: {name}\n  default: true\n  data_files:\n{splits}{info}---\n\n"
        f"{text} Hugging Face's `datasets` loads it by the path of this folder: `load_dataset(PATH)`.\n"
    )
