"""The input files of our script: categories, URL table, and boxes for a third of the images."""

from __future__ import annotations

import csv
import io
import itertools
import tarfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from .pictures import size_of

IMAGES_EACH = 1000  # per category, as in common categories of ImageNet
BOXES_EVERY = 3  # one image in three has boxes
XML = """<annotation>
	<folder>{wnid}</folder>
	<filename>{code}</filename>
	<source>
		<database>ImageNet database</database>
	</source>
	<size>
		<width>{width}</width>
		<height>{height}</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>{wnid}</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>0</difficult>
		<bndbox>
			<xmin>20</xmin>
			<ymin>30</ymin>
			<xmax>300</xmax>
			<ymax>310</ymax>
		</bndbox>
	</object>
</annotation>"""


def write(folder: Path, urls: Sequence[str]) -> None:
    """Write all files for a list of URLs; image codes end with the number in the list."""
    codes = [f"{wnid(number // IMAGES_EACH)}_{number}" for number in range(len(urls))]
    categories = {code[:9]: f"thing {code[1:9]}" for code in codes}
    write_categories(folder / "ncodes.csv", categories, categories)
    rows = [[code, url, code[:9]] for code, url in zip(codes, urls, strict=True)]
    _write_csv(folder / "imageNetURLs.csv", ["img_code", "img_url", "code"], rows)
    _write_boxes(folder / "annotation", codes)


def wnid(number: int) -> str:
    """Return the code of a category."""
    return f"n{number:08}"


def number_of(image: Path) -> int:
    """Return the number in the name of an image."""
    return _number(image.stem)


def _number(code: str) -> int:
    return int(code.rpartition("_")[2])


def write_categories(file: Path, categories: Mapping[str, str], marked: Collection[str]) -> None:
    """Write `ncodes.csv`; `marked` are the codes to download."""
    rows = [[code, name, str(code in marked), "-1"] for code, name in categories.items()]
    _write_csv(file, ["code", "name", "to_download", "how_many"], rows)


def _write_csv(file: Path, header: list[str], rows: list[list[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def _write_boxes(folder: Path, codes: Sequence[str]) -> None:
    folder.mkdir()
    for name, images in itertools.groupby(codes, lambda code: code[:9]):
        with tarfile.open(folder / f"{name}.tar.gz", "w:gz", compresslevel=1) as archive:
            for code in itertools.islice(images, 0, None, BOXES_EVERY):
                _add(archive, name, code)


def _add(archive: tarfile.TarFile, name: str, code: str) -> None:
    width, height = size_of(_number(code))
    xml = XML.format(wnid=name, code=code, width=width, height=height).encode("ascii")
    member = tarfile.TarInfo(f"Annotation/{name}/{code}.xml")
    member.size = len(xml)
    archive.addfile(member, io.BytesIO(xml))
