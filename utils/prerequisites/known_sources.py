"""Where ImageNet's files are in the web, when each address last worked, and whom to ask when none does.

This module alone knows the addresses. They die; they are tried in the order given here.
"""

from __future__ import annotations

from dataclasses import dataclass

_FALL_2011 = "f5fd118232b871727fe333778be81df6c6fec372"
_LEAST_ROWS = 14_000_000  # of 14,197,122


@dataclass(frozen=True)
class KnownSource:
    """Where a prerequisite is to be had.

    Attributes
    ----------
    address
        A URL, or a path.
    what
        What lies there, in words.
    sha1
        Of the file, in hex; empty if unknown.
    reported
        The year in which it was last reported to work; 0 if unknown.
    least
        Rows or archives; with fewer, it is not what it was.
    """

    address: str
    what: str = ""
    sha1: str = ""
    reported: int = 0
    least: int = 1

    @property
    def described(self) -> str:
        """What lies there and since when that may no longer be so; empty for a source of the user's own."""
        last = f"last reported working in {self.reported}" if self.reported else ""
        return ", ".join(filter(None, (self.what, last)))


URL_SOURCES = (
    KnownSource(
        "http://web.archive.org/web/20190130005544id_/http://image-net.org/imagenet_data/urls/imagenet_fall11_urls.tgz",
        what="the list of fall 2011 as the Internet Archive keeps it, 334 MB",
        sha1=_FALL_2011,
        reported=2020,
        least=_LEAST_ROWS,
    ),
    KnownSource(
        "https://model-specific-public-storage.s3.amazonaws.com/part-of-imagenet/imageNetUrls.zip",
        what="the same list as a table, zipped",
        least=_LEAST_ROWS,
    ),
    KnownSource(
        "http://image-net.org/imagenet_data/urls/imagenet_fall11_urls.tgz",
        what="the list at its first address, gone since 2019",
        sha1=_FALL_2011,
        reported=2018,
        least=_LEAST_ROWS,
    ),
)
ANNOTATION_SOURCES = (
    KnownSource(
        "https://image-net.org/data/bboxes_annotations.tar.gz",
        what="the bounding boxes of all 3,627 annotated categories, 48 MB",
        reported=2021,
        least=3_000,
    ),
)
URLS_BY_HAND = f"""\
Otherwise get the file imagenet_fall11_urls.tgz by hand (334 MB, SHA-1 {_FALL_2011}):
try the addresses above in a browser, look for them in other web archives, ask whoever has worked with
ImageNet, or its team (https://image-net.org/about.php). A zip, tgz, gz, txt or csv of them will do."""
ANNOTATIONS_BY_HAND = """\
Otherwise get the file bboxes_annotations.tar.gz by hand (48 MB): log in at https://image-net.org/download.php,
where the bounding boxes are offered, look for it in web archives, ask whoever has worked with ImageNet, or
its team (https://image-net.org/about.php). A folder of archives <wnid>.tar.gz will do."""
