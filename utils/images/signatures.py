"""Detects file formats by their first bytes.

Content types and file extensions are ignored: 97 % of the URLs end in `.jpg`, whatever they return.
"""

from __future__ import annotations

import re

from ..models.images import ImageFormat

_SEARCHED_BYTES = 1024
"""From the start; a web page can begin with long comments."""

_ACCEPTED = {
    ImageFormat.JPEG: re.compile(rb"\xff\xd8\xff"),
    ImageFormat.PNG: re.compile(rb"\x89PNG\r\n\x1a\n"),
    ImageFormat.GIF: re.compile(rb"GIF8[79]a"),
    # Videos and sounds can begin with RIFF, too. A file that ends before the difference is a truncated image.
    ImageFormat.WEBP: re.compile(rb"RIFF(?:[\s\S]{4}WEBP|[\s\S]{0,7}\Z)"),
    # Texts can begin with "BM": the size of the second header, one of seven, must follow.
    ImageFormat.BMP: re.compile(rb"BM[\s\S]{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ImageFormat.TIFF: re.compile(rb"(?:II\*\0|MM\0\*)(?!\x10\0\0\0CR)"),  # CR: Canon's raw format
}

_BEFORE_MARKUP = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->)[\s\S])*-->\s*)*"
_HTML_TAG = rb"<(?:!doctype\s+)?(?:html|head|body|script|meta|title|div|p\b|h1)"
_OTHERS = tuple(
    (re.compile(start, re.IGNORECASE), name)
    for start, name in (
        (rb"\Z", "nothing at all"),
        (_BEFORE_MARKUP + rb"<(?:!doctype\s+)?svg", "an SVG drawing"),
        (_BEFORE_MARKUP + _HTML_TAG, "an HTML page"),
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


def detect_format(data: bytes) -> ImageFormat | None:
    """Return the format of an image; None if it is not one of the accepted formats."""
    return next((image_format for image_format, start in _ACCEPTED.items() if start.match(data)), None)


def describe(data: bytes) -> str:
    """Describe data that is not an accepted image, for a sentence in the report."""
    head = data[:_SEARCHED_BYTES]
    name = next((name for start, name in _OTHERS if start.match(head)), None)
    return name or f"unknown bytes that begin with {head[:8].hex(' ')}"
