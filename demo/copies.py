"""A small copy of ImageNet in two layouts: a tar of tars for training, and class folders with boxes."""

from __future__ import annotations

from pathlib import Path

from .input_files import annotation_xml, tar
from .pictures import Drawing, Kind, draw

KINDS = (Kind.CARTON, Kind.HUSKY)
TRAINING, VALIDATION = 8, 4
"""Images of each category in the tar, and in class folders."""
SIZE = (400, 300)


def write(folder: Path) -> None:
    """Write the copy: `ILSVRC2012_img_train.tar`, and `val/<wnid>/` with JPEGs and XML."""
    folder.mkdir(parents=True)
    tars = {}
    for kind in KINDS:
        images = {f"{kind.value}_{number}.JPEG": _draw(kind, number).jpeg for number in range(TRAINING)}
        tars[f"{kind.value}.tar"] = tar(images)
        for number in range(1, VALIDATION + 1):
            image_code, drawing = (
                f"ILSVRC2012_val_{10 * number + KINDS.index(kind):08d}",
                _draw(kind, -number),
            )
            path = folder / "val" / kind.value / f"{image_code}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(drawing.jpeg)
            path.with_suffix(".xml").write_text(annotation_xml(image_code, kind, drawing), encoding="ascii")
    (folder / "ILSVRC2012_img_train.tar").write_bytes(tar(tars))


def _draw(kind: Kind, number: int) -> Drawing:
    return draw(kind, 10_000 + number, SIZE)
