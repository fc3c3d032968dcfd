"""Keeps the magic bytes: which of the formats that are taken something is, or what else it is.

The server's word and the URL's ending are not asked; 97 % of the URLs say `.jpg`, whatever they bring.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..models.enums import ImageFormat

_LOOKED_AT = 1024
"""Bytes from the beginning; a page's head may hold comments before anything telling."""


@dataclass(frozen=True, slots=True)
class _Signature:
    """Something that is no image for us: how it begins, and its name in a sentence."""

    beginning: re.Pattern[bytes]
    name: str


_TAKEN = {
    ImageFormat.JPEG: re.compile(rb"\xff\xd8\xff"),
    ImageFormat.PNG: re.compile(rb"\x89PNG\r\n\x1a\n"),
    ImageFormat.GIF: re.compile(rb"GIF8[79]a"),
    # A video or a sound may begin with RIFF, too; what ends before that shows is taken for a cut image.
    ImageFormat.WEBP: re.compile(rb"RIFF(?:[\s\S]{4}WEBP|[\s\S]{0,7}\Z)"),
    # "BM" alone begins many a text: the size of the second header, one of seven, must follow.
    ImageFormat.BMP: re.compile(rb"BM[\s\S]{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ImageFormat.TIFF: re.compile(rb"(?:II\*\0|MM\0\*)(?!\x10\0\0\0CR)"),  # CR: Canon's raw format
}

_BEFORE_MARKUP = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*)*"
_OTHERS = tuple(
    _Signature(re.compile(beginning, re.IGNORECASE), name)
    for beginning, name in (
        (rb"\Z", "nothing at all"),
        (_BEFORE_MARKUP + rb"<(?:!doctype\s+)?svg", "an SVG drawing"),
        (
            _BEFORE_MARKUP + rb"<(?:!doctype\s+)?(?:html|head|body|script|meta|title|div|p\b|h1)",
            "an HTML page",
        ),
        (_BEFORE_MARKUP + rb"<[a-z?]", "an XML or HTML document"),
        (rb"%PDF-", "a PDF document"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file"),
        (rb"8BPS", "a Photoshop file"),
        (rb"[\s\S]{4}ftyp(?:hei|hev|mif1|msf1)", "a HEIC image"),
        (rb"[\s\S]{4}ftypavi[fs]", "an AVIF image"),
        (rb"[\s\S]{4}ftyp", "a video"),
        (rb"\0\0\x01\0", "an icon file"),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image"),
        (rb"\0\0\0\x0cJXL |\xff\x0a", "a JPEG XL image"),
        (rb"(?:II\*\0|MM\0\*|II\x55\0|IIU\0|FUJIFILM)", "a camera's raw file"),
        (rb"II\+\0|MM\0\+", "a BigTIFF image"),
        (rb"RIFF|\x1a\x45\xdf\xa3|\0\0\x01\xba|FLV", "a video or sound file"),
        (rb"ID3|OggS|fLaC", "a sound file"),
        (rb"[FCZ]WS[\x01-\x40]", "a Flash film"),
        (rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf|BZh", "a packed archive"),
        (rb"\s*[{\[]\s*[\"{\[\]}]", "a JSON document"),
        (rb"[\t\n\r\x20-\x7e]+\Z", "plain text"),
    )
)


def recognise(data: bytes) -> ImageFormat | None:
    """Tell the format of an image by its first bytes; None if it is none that is taken."""
    return next((image_format for image_format, magic in _TAKEN.items() if magic.match(data)), None)


def describe(data: bytes) -> str:
    """Say in words what something is that is no image, as far as its first bytes tell."""
    start = data[:_LOOKED_AT]
    known = next((other.name for other in _OTHERS if other.beginning.match(start)), None)
    return known or f"unknown bytes that begin with {start[:8].hex(' ')}"
