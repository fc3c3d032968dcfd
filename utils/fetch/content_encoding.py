"""Decodes bodies that servers send compressed although this is not asked for.

libcurl would decode a body while it arrives, and keep the decoded bytes of paused transfers in memory without
a limit. It would also reject responses whose Content-Encoding is no coding, such as `UTF-8`, or not that of
the body.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ..models.http_defaults import MAX_IMAGE_BYTES
from ..reasons import Reason

MAX_CODINGS = 5
_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's numbers of the formats
FORMATS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}
"""The formats of a coding, in the order to try them; some servers send "deflate" without zlib's header."""
GZIP_MAGIC = b"\x1f\x8b"


def decode(body: bytes, content_encodings: Sequence[str]) -> bytes | Reason:
    """Return a body as it was before it was compressed, or the reason why it cannot be used.

    Parameters
    ----------
    body
        The complete body.
    content_encodings
        The values of the Content-Encoding headers; names that are no known coding are ignored.
    """
    names = [name.strip().lower() for name in ",".join(content_encodings).split(",")]
    codings = [name for name in names if name in FORMATS]
    if len(codings) > MAX_CODINGS:
        return Reason.CONNECTION_ERROR
    for coding in reversed(codings):
        if not body:
            break
        decoded = _decompress(body, FORMATS[coding])
        if isinstance(decoded, Reason):
            return decoded
        body = decoded
    return body


def _decompress(body: bytes, formats: Sequence[int]) -> bytes | Reason:
    """Decompress one stream; bytes behind its end are ignored, as browsers do.

    A body that is not compressed is returned as it is: some servers send the header with an image file.
    """
    for wbits in formats:
        decoder = zlib.decompressobj(wbits)
        try:
            decoded = decoder.decompress(body, MAX_IMAGE_BYTES + 1)
        except zlib.error:
            continue
        if len(decoded) > MAX_IMAGE_BYTES:
            return Reason.TOO_LARGE
        return decoded if decoder.eof else Reason.TRUNCATED
    return Reason.CONNECTION_ERROR if body.startswith(GZIP_MAGIC) else body
