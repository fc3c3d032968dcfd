"""Known addresses of the files of ImageNet, in the order to try them, and what to do if none works."""

from __future__ import annotations

from dataclasses import dataclass

_FALL_2011 = "f5fd118232b871727fe333778be81df6c6fec372"
_MIN_ROWS = 14_000_000  # of 14,197,122


@dataclass(frozen=True)
class KnownSource:
    """A source of a prerequisite.

    Attributes
    ----------
    address
        A URL, or a path.
    content
        Describes the file.
    sha1
        Of the file, in hex; empty if unknown.
    last_reported
        The year in which it was last reported to work; 0 if unknown.
    min_count
        Rows or archives that it must have to be complete.
    """

    address: str
    content: str = ""
    sha1: str = ""
    last_reported: int = 0
    min_count: int = 1

    @property
    def description(self) -> str:
        """The content, and when the source last worked; empty for a source given by the user."""
        reported = f"last reported working in {self.last_reported}" if self.last_reported else ""
        return ", ".join(filter(None, (self.content, reported)))


URL_SOURCES = (
    KnownSource(
        "http://web.archive.org/web/20190130005544id_/http://image-net.org/imagenet_data/urls/imagenet_fall11_urls.tgz",
        content="the list of fall 2011 in the Internet Archive, 334 MB",
        sha1=_FALL_2011,
        last_reported=2020,
        min_count=_MIN_ROWS,
    ),
    KnownSource(
        "https://model-specific-public-storage.s3.amazonaws.com/part-of-imagenet/imageNetUrls.zip",
        content="the same list as a table, zipped",
        min_count=_MIN_ROWS,
    ),
    KnownSource(
        "http://image-net.org/imagenet_data/urls/imagenet_fall11_urls.tgz",
        content="the list at its original address, gone since 2019",
        sha1=_FALL_2011,
        last_reported=2018,
        min_count=_MIN_ROWS,
    ),
)
ANNOTATION_SOURCES = (
    KnownSource(
        "https://image-net.org/data/bboxes_annotations.tar.gz",
        content="the bounding boxes of all 3,627 annotated categories, 48 MB",
        last_reported=2021,
        min_count=3_000,
    ),
)
URLS_BY_HAND = f"""\
Otherwise, download imagenet_fall11_urls.tgz by hand (334 MB, SHA-1 {_FALL_2011}):
try the addresses above in a browser, search other web archives, or ask colleagues or the ImageNet team
(https://image-net.org/about.php). It can be a zip, tgz, gz, txt or csv file."""
ANNOTATIONS_BY_HAND = """\
Otherwise, download bboxes_annotations.tar.gz by hand (48 MB): log in at https://image-net.org/download.php,
which offers the bounding boxes, search web archives, or ask colleagues or the ImageNet team
(https://image-net.org/about.php). A folder of archives <wnid>.tar.gz can be used, too."""
