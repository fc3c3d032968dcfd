"""The URL list and the annotation archives of the demo, in ImageNet's formats."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping

from utils.models.images import Box

from .photos import Photo
from .pictures import Drawing, Kind


def url_list(photos: tuple[Photo, ...]) -> bytes:
    """Return a zip of ImageNet's URL list: lines of image code, tab, URL."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fall11_urls.txt", "".join(f"{photo.code}\t{photo.url}\n" for photo in photos))
    return buffer.getvalue()


def annotation_archives(photos: tuple[Photo, ...]) -> bytes:
    """Return a tar.gz of one tar.gz of XML files for each category.

    The archive of a category has all pictures with a box of that category, also those of other categories.
    """
    archives = {}
    for kind in Kind:
        xmls = {
            f"Annotation/{kind.value}/{photo.code}.xml": annotation_xml(
                photo.code, photo.kind, photo.drawing
            ).encode("ascii")
            for photo in photos
            if photo.annotated and any(box.label == kind.value for box in photo.drawing.boxes)
        }
        archives[f"{kind.value}.tar.gz"] = gzip.compress(tar(xmls), mtime=0)
    return gzip.compress(tar(archives), mtime=0)


def _xml(photo: Photo) -> bytes:
    return annotation_xml(photo.code, photo.kind, photo.drawing).encode("ascii")


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def annotation_xml(image_code: str, kind: Kind, drawing: Drawing) -> str:
    """Return the boxes of a picture as ImageNet's XML, with the same whitespace."""
    objects = "".join(_object(box) for box in drawing.boxes)
    return (
        f"<annotation>\n\t<folder>{kind.value}</folder>\n\t<filename>{image_code}</filename>\n"
        "\t<source>\n\t\t<database>ImageNet database</database>\n\t</source>\n"
        f"\t<size>\n\t\t<width>{drawing.width}</width>\n\t\t<height>{drawing.height}</height>\n"
        f"\t\t<depth>3</depth>\n\t</size>\n\t<segmented>0</segmented>\n{objects}</annotation>"
    )


def _object(box: Box) -> str:
    sides = "".join(
        f"\t\t\t<{side}>{getattr(box, side)}</{side}>\n" for side in ("xmin", "ymin", "xmax", "ymax")
    )
    return (
        f"\t<object>\n\t\t<name>{box.label}</name>\n\t\t<pose>{box.pose}</pose>\n"
        f"\t\t<truncated>{box.truncated}</truncated>\n\t\t<difficult>{box.difficult}</difficult>\n"
        f"\t\t<bndbox>\n{sides}\t\t</bndbox>\n\t</object>\n"
    )
