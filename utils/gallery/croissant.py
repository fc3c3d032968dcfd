"""`croissant.json`: metadata of a result folder in the Croissant format (http://mlcommons.org/croissant/1.0)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..files import read_bytes, write_atomic
from ..results.manifest import COLUMNS
from ..results.paths import MANIFEST_NAME
from ..text import pluralize
from .category_stats import CategoryStats, total

_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet"),
    *("format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
    *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField"),
    "transform",
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "conformsTo": "dct:conformsTo",
    **{term: f"cr:{term}" for term in _TERMS},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
CITATION = (
    "Jia Deng, Wei Dong, Richard Socher, Li-Jia Li, Kai Li and Li Fei-Fei. ImageNet: A Large-Scale "
    "Hierarchical Image Database. CVPR 2009."
)
IMAGES = "images"
PATTERNS = [f"*/Images/n{'[0-9]' * 8}_[0-9]*.*", "*/Images/ILSVRC2012_val_[0-9]*.*"]
"""Of downloaded images, without own photos."""
MIME_TYPES = [f"image/{name}" for name in ("jpeg", "png", "gif", "webp", "bmp", "tiff")]
TYPES = {"url": "sc:URL"} | dict.fromkeys(("width", "height", "bytes", "boxes"), "sc:Integer")
"""Types of the columns of the manifest that are no text."""


def write(path: Path, stats: Sequence[CategoryStats], *, version: str, date: str) -> None:
    """Write the metadata; the manifest must have been written.

    Raises
    ------
    OSError
        If they cannot be written, or the manifest cannot be read.
    """
    whole = total(stats)
    checksum = hashlib.sha256(read_bytes(path.with_name(MANIFEST_NAME))).hexdigest()
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "A part of ImageNet",
        "description": f"{pluralize(whole.saved - whole.own, 'image')} of ImageNet in "
        f"{pluralize(len(stats), 'category')}, with Pascal VOC XML for those with bounding boxes. For "
        "non-commercial research and education only.",
        "url": "https://image-net.org/",
        "license": "https://image-net.org/download.php",
        "citeAs": CITATION,
        "creator": {"@type": "sc:Organization", "name": f"part-of-imagenet {version}".rstrip()},
        "version": "1.0.0",
        "datePublished": date,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": MANIFEST_NAME,
                "name": MANIFEST_NAME,
                "contentUrl": MANIFEST_NAME,
                "encodingFormat": "text/csv",
                "sha256": checksum,
            },
            {
                "@type": "cr:FileSet",
                "@id": "files",
                "name": "files",
                "encodingFormat": MIME_TYPES,
                "includes": PATTERNS,
            },
        ],
        "recordSet": [_manifest(), _images()],
    }
    write_atomic(path, json.dumps(content, indent=2, ensure_ascii=False).encode(errors="replace") + b"\n")


def _manifest() -> dict[str, Any]:
    """Describe the rows of the manifest."""
    file = {"fileObject": {"@id": MANIFEST_NAME}}
    sources = {column: {**file, "extract": {"column": column}} for column in COLUMNS}
    fields = [
        _field("manifest", name, TYPES.get(name, "sc:Text"), source) for name, source in sources.items()
    ]
    return _record_set("manifest", fields)


def _images() -> dict[str, Any]:
    """Describe the image files; their paths contain category and image code."""
    files = {"fileSet": {"@id": "files"}}
    path = {**files, "extract": {"fileProperty": "fullpath"}}
    category, code = (
        {**path, "transform": {"regex": regex}} for regex in ("^(.*)/Images/", r"^.*/Images/(.*)\.")
    )
    fields = [
        _field(IMAGES, "image", "sc:ImageObject", {**files, "extract": {"fileProperty": "content"}}),
        _field(IMAGES, "category", "sc:Text", category),
        _field(IMAGES, "image_code", "sc:Text", code),
    ]
    return _record_set(IMAGES, fields)


def _record_set(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _field(record_set: str, name: str, data_type: str, source: dict[str, Any]) -> dict[str, Any]:
    identifier = f"{record_set}/{name}"
    return {"@type": "cr:Field", "@id": identifier, "name": name, "dataType": data_type, "source": source}
