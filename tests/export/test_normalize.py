"""Readers see the stored pixels in exported images, whatever the format and the metadata."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.export.export_project import draw, stored
from tests.pictures import GOOD, encode
from utils.export import fingerprints, image_hash, normalize
from utils.images.signatures import detect_format
from utils.models.images import ImageFormat

PICTURE = draw(1)
JPEG, PNG = stored(PICTURE), stored(PICTURE, ImageFormat.PNG)
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'
XMP_ELEMENT = "<x:xmpmeta><tiff:Orientation>{}</tiff:Orientation></x:xmpmeta>"
NO_EXIF = b"ASCII\0\0\0no header"
ROTATIONS = range(2, 9)


def exif(orientation: int) -> bytes:
    """Encode EXIF data with an orientation, and a thumbnail that contains an end marker."""
    fields = Image.Exif()
    fields[0x0112] = orientation
    fields[0x010E] = f"\xff\xd9{orientation}"
    return fields.tobytes()


def segment(marker: int, content: bytes) -> bytes:
    """Encode a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_with(*segments: bytes, data: bytes = JPEG) -> bytes:
    """Insert segments at the start of a JPEG."""
    return data[:2] + b"".join(segments) + data[2:]


def xmp_segment(text: str) -> bytes:
    """Encode a segment of XMP."""
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + text.encode())


def chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> bytes:
    """Encode a chunk of a PNG, with the right checksum by default."""
    checksum = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png_with(*chunks: bytes, after: bool = False) -> bytes:
    """Insert chunks before or after the pixels of a PNG."""
    offset = len(PNG) - 12 if after else 33
    return PNG[:offset] + b"".join(chunks) + PNG[offset:]


def raw_profile(data: bytes) -> bytes:
    """Encode EXIF data as ImageMagick writes them into a text of a PNG."""
    return b"Raw profile type exif\0\0" + zlib.compress(f"\nexif\n{len(data):8}\n{data.hex()}\n".encode())


def itxt(text: str) -> bytes:
    """Encode XMP as an international text of a PNG."""
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text.encode())


def pixels(data: bytes, mode: str = "RGBA") -> NDArray[np.uint8]:
    """Decode an image as readers do that rotate it by its metadata."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert(mode))


def animation(kind: str, **options: object) -> bytes:
    """Encode an animation that begins with the picture."""
    return encode(kind, PICTURE, save_all=True, append_images=[draw(2), draw(3)], **options)


REWRITTEN_JPEGS: dict[str, Callable[[], bytes]] = {
    **{
        f"EXIF orientation {number}": lambda number=number: jpeg_with(segment(0xE1, exif(number)))
        for number in ROTATIONS
    },
    "XMP orientation": lambda: jpeg_with(xmp_segment(XMP.format(6))),
    "XMP orientation as an element": lambda: jpeg_with(xmp_segment(XMP_ELEMENT.format(8))),
    "EXIF without a header": lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + NO_EXIF)),
    "EXIF that is cut off": lambda: jpeg_with(segment(0xE1, exif(1)[:12])),
    "a Photoshop block that is cut off": lambda: jpeg_with(segment(0xED, b"Photoshop 3.0\x008BIM\4\4")),
    "a colour profile that is cut off": lambda: jpeg_with(segment(0xE2, b"ICC_PROFILE\0")),
    "a JFIF header that is cut off": lambda: jpeg_with(segment(0xE0, b"JFIF\0")),
    "several pictures": lambda: animation("MPO"),
    "several pictures, but one is left": lambda: (
        normalize.rewritten(animation("MPO"))[:2]
        + segment(0xE2, b"MPF\0" + animation("MPO").partition(b"MPF\0")[2][:82])
        + normalize.rewritten(animation("MPO"))[2:]
    ),
    **{
        f"{name} after the end": lambda tail=tail: JPEG + tail
        for name, tail in {
            "a line end": b"\r\n",
            "zeros": bytes(9),
            "padding": b"\xff\xff",
            "a page": b"<html></html>",
            "an end marker": b"\xff\xd9",
            "another picture": stored(draw(2)),
        }.items()
    },
    "stray bytes in the header": lambda: JPEG[:20] + b"abc" + JPEG[20:],
    "zeros before the end": lambda: JPEG[:-2] + bytes(99) + JPEG[-2:],
    "bytes after the end, and a thumbnail": lambda: jpeg_with(segment(0xE1, exif(1) + JPEG)) + b"\n",
}
REWRITTEN_PNGS: dict[str, Callable[[], bytes]] = {
    **{
        f"EXIF orientation {number}": lambda number=number: png_with(chunk(b"eXIf", exif(number)[6:]))
        for number in ROTATIONS
    },
    "EXIF orientation after the pixels": lambda: png_with(chunk(b"eXIf", exif(6)[6:]), after=True),
    "EXIF without a header": lambda: png_with(chunk(b"eXIf", NO_EXIF)),
    "a raw profile": lambda: png_with(chunk(b"zTXt", raw_profile(exif(6)))),
    "a raw profile that is no number": lambda: png_with(
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n1\nxy")
    ),
    "XMP orientation": lambda: png_with(itxt(XMP.format(6))),
    "a text of 30 MB": lambda: png_with(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(30_000_000)))),
    "a wrong checksum of metadata": lambda: png_with(chunk(b"tEXt", b"Comment\0hello", checksum=1)),
    "a wrong checksum after the pixels": lambda: png_with(
        chunk(b"tEXt", b"Comment\0hello", checksum=1), after=True
    ),
    "metadata that are cut off": lambda: png_with(chunk(b"pHYs", b"\0\0\1")),
    "bytes after the end": lambda: PNG + b"\r\n",
    "an animation": lambda: animation("PNG"),
    "an animation without the picture": lambda: animation("PNG", default_image=True),
}
OTHERS: dict[str, Callable[[], bytes]] = {
    "gif": lambda: encode("GIF", PICTURE.convert("L")),
    "gif animated": lambda: encode("GIF", PICTURE.convert("L"), save_all=True, append_images=[draw(2)]),
    "bmp": lambda: encode("BMP", PICTURE),
    "webp": lambda: encode("WEBP", PICTURE, lossless=True),
    "webp rotated": lambda: encode("WEBP", PICTURE, lossless=True, exif=exif(6)),
    "webp rotated by XMP": lambda: encode("WEBP", PICTURE, lossless=True, xmp=XMP.format(6).encode()),
    "webp with unreadable EXIF": lambda: encode("WEBP", PICTURE, lossless=True, exif=NO_EXIF),
    "webp animated": lambda: animation("WEBP", lossless=True),
    "tiff": lambda: encode("TIFF", PICTURE),
    "tiff of several pages": lambda: animation("TIFF"),
    **{
        f"tiff orientation {number} {compression}": lambda number=number, compression=compression: encode(
            "TIFF", PICTURE, tiffinfo={274: number}, compression=compression
        )
        for number in ROTATIONS
        for compression in ("raw", "tiff_lzw")
    },
    "tiff rotated by XMP": lambda: encode("TIFF", PICTURE, tiffinfo={700: XMP.format(6).encode()}),
}
REWRITTEN = {
    **{f"jpg {name}": make for name, make in REWRITTEN_JPEGS.items()},
    **{f"png {name}": make for name, make in REWRITTEN_PNGS.items()},
    **OTHERS,
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_rewritten(name: str) -> None:
    """Readers that rotate images see the stored pixels, and need no other format than JPEG and PNG."""
    data = REWRITTEN[name]()
    assert normalize.needs_rewrite(data)
    result = normalize.rewritten(data)
    is_jpeg = name.startswith("jpg")
    assert detect_format(result) is (ImageFormat.JPEG if is_jpeg else ImageFormat.PNG)
    assert not normalize.needs_rewrite(result)
    expected = pixels(normalize.rewritten(JPEG)) if is_jpeg else pixels(PNG)
    assert np.array_equal(pixels(result), expected)


@pytest.mark.parametrize("name", REWRITTEN)
def test_metadata_do_not_change_the_hash(name: str) -> None:
    """The perceptual hash is that of the stored pixels, even if the metadata cannot be read."""
    computed = image_hash.compute(REWRITTEN[name]())
    plain = image_hash.compute(JPEG if name.startswith("jpg") else PNG)
    assert computed.hash is not None
    assert plain.hash is not None
    assert (computed.hash ^ plain.hash).bit_count() <= 1
    assert (computed.needs_rewrite, plain.needs_rewrite) == (True, False)


PLAIN: dict[str, Callable[[], bytes]] = {
    "jpg": lambda: JPEG,
    "jpg with EXIF": lambda: jpeg_with(segment(0xE1, exif(1) + JPEG)),
    "jpg with XMP": lambda: jpeg_with(xmp_segment(XMP.format(1)), xmp_segment(XMP_ELEMENT.format(1))),
    "jpg with a colour profile": lambda: stored(PICTURE, icc_profile=bytes(100_000), comment=b"hello"),
    "jpg of one end marker in a comment": lambda: jpeg_with(segment(0xFE, b"\xff\xd9")),
    "jpg with restarts": lambda: stored(PICTURE, restart_marker_blocks=1),
    "png with texts": lambda: png_with(chunk(b"tEXt", b"Software\0hello"), chunk(b"pHYs", bytes(9))),
    "png with EXIF": lambda: png_with(chunk(b"eXIf", exif(1)[6:]), itxt(XMP.format(1))),
    **{
        kind: GOOD[kind]
        for kind in (
            "jpg progressive",
            "jpg gray",
            "jpg CMYK",
            "jpg RGB",
            "png palette",
            "png alpha",
            "png 1 bit",
        )
    },
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_images_are_not_rewritten(name: str) -> None:
    """An image that all readers show in the same way is exported as it is."""
    assert not normalize.needs_rewrite(PLAIN[name]())


def test_jpegs_are_not_encoded_again() -> None:
    """Segments are copied; of the application segments, those that decoders need are kept."""
    plain = stored(PICTURE, icc_profile=bytes(100_000), comment=b"hello", progressive=True)
    data = jpeg_with(
        segment(0xE1, exif(6)), segment(0xE2, b"MPF\0"), segment(0xEC, b"Ducky"), xmp_segment("x"), data=plain
    )
    assert normalize.rewritten(data + b"junk") == plain
    cmyk = GOOD["jpg CMYK"]()
    assert normalize.rewritten(cmyk + b"junk") == cmyk


def test_jpeg_without_an_end_gets_one() -> None:
    """An end marker is added, so that no trainer repairs the file."""
    assert normalize.needs_rewrite(JPEG[:-2])
    assert normalize.rewritten(JPEG[:-2]) == JPEG


def png_16_bit(colour_type: int, values: NDArray[np.uint16]) -> bytes:
    """Encode a PNG of 16 bits per value, which Pillow writes only in gray."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize(("colour_type", "mode"), [(0, "L"), (2, "RGB"), (4, "LA"), (6, "RGBA")])
def test_png_of_16_bits(colour_type: int, mode: str) -> None:
    """Values are divided by 256, as OpenCV does; no value is clipped."""
    values = np.random.default_rng(0).integers(0, 1 << 16, (40, 30, len(mode)), dtype=np.uint16)
    data = png_16_bit(colour_type, values)
    assert normalize.needs_rewrite(data)
    assert np.array_equal(pixels(normalize.rewritten(data), mode), (values >> 8).squeeze())


GRADIENT = np.linspace(0, 1, 64 * 48).reshape(48, 64)
DEEP_TIFFS = {
    "16 bits": ((GRADIENT * 65_535).astype(np.uint16), lambda values: values >> 8),
    "16 bits, dark": ((GRADIENT * 999).astype(np.uint16), lambda values: values >> 8),
    "32 bits": ((GRADIENT * 1e9 - 5e8).astype(np.int32), lambda values: (GRADIENT * 255).round()),
    "float": ((GRADIENT * 3 - 1).astype(np.float32), lambda values: (GRADIENT * 255).round()),
    "float with gaps": (
        np.where(GRADIENT > 0.99, np.nan, GRADIENT).astype(np.float32),
        lambda values: np.where(
            GRADIENT > 0.99, 0, GRADIENT * 255 / GRADIENT[GRADIENT <= 0.99].max()
        ).round(),
    ),
    "float, constant": (np.full((48, 64), 7, dtype=np.float32), lambda values: values * 0),
}


@pytest.mark.parametrize("name", DEEP_TIFFS)
def test_tiff_of_more_than_8_bits(name: str) -> None:
    """Values of 16 bits are divided by 256; others are scaled from their minimum and maximum."""
    values, expected = DEEP_TIFFS[name]
    found = pixels(normalize.rewritten(encode("TIFF", Image.fromarray(values))), "L").astype(int)
    assert np.abs(found - expected(values)).max() <= (0 if name.startswith("16") else 1)


def test_tiff_in_other_colour_spaces() -> None:
    """CMYK and Lab become RGB."""
    for image in (PICTURE.convert("CMYK"), PICTURE.convert("LAB")):
        result = normalize.rewritten(encode("TIFF", image))
        assert np.array_equal(pixels(result, "RGB"), np.asarray(image.convert("RGB")))
        with Image.open(io.BytesIO(result)) as opened:
            assert opened.mode == "RGB"


def transparent() -> Image.Image:
    """Draw a picture that is transparent in parts."""
    image = PICTURE.convert("RGBA")
    image.putalpha(draw(2).convert("L").point(lambda value: 255 * (value > 128)))
    return image


@pytest.mark.parametrize("kind", ["WEBP", "TIFF", "GIF"])
def test_transparency_is_kept(kind: str) -> None:
    """A transparent image has the same transparency as PNG."""
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    data = encode(kind, transparent(), **options)
    result = pixels(normalize.rewritten(data))
    assert np.array_equal(result, pixels(data))
    assert set(np.unique(result[:, :, 3])) == {0, 255}


def test_transparent_colour_of_16_bits() -> None:
    """A transparent colour of 16 bits is ignored: Pillow reads 8 of each value, so others would match."""
    values = np.full((30, 40, 3), 0x1234, dtype=np.uint16)
    plain = png_16_bit(2, values)
    data = plain[:33] + chunk(b"tRNS", struct.pack(">HHH", 0x12, 0x12, 0x12)) + plain[33:]
    for result in (normalize.rewritten(data), normalize.reduced(data, 20, 15)):
        assert (pixels(result) == (0x12, 0x12, 0x12, 255)).all()


def test_reduced_transparency() -> None:
    """Gray values of a reduced GIF that are equal to its transparent value by chance stay opaque."""
    gray = np.full((64, 64), 128, dtype=np.uint8)
    values = np.arange(8, 264).reshape(64, 4).repeat(8, axis=1)  # all of them, so that Pillow uses no palette
    gray[:, 32:] = values.astype(np.uint8)
    gray[:, 32:][gray[:, 32:] == 128] = 129
    data = encode("GIF", Image.fromarray(gray), transparency=128)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.mode, image.info["transparency"]) == ("L", 128)
    alpha = pixels(normalize.reduced(data, 16, 16))[:, :, 3]
    assert (alpha[:, :4] == 0).all()
    assert (alpha[:, 12:] == 255).all()


SAME_PICTURE: dict[str, Callable[[], bytes]] = {
    "png of 16 bits": lambda: png_16_bit(0, np.asarray(PICTURE.convert("L"))[:, :, None] * np.uint16(257)),
    "png of 16 bits in RGB": lambda: png_16_bit(2, np.asarray(PICTURE) * np.uint16(257)),
    "png palette": lambda: encode("PNG", PICTURE.quantize(64)),
    "png with transparency": lambda: encode("PNG", transparent()),
    "gif animated": lambda: encode("GIF", PICTURE, save_all=True, append_images=[draw(2)]),
    "jpg CMYK": lambda: encode("JPEG", PICTURE.convert("CMYK")),
    "tiff CMYK": lambda: encode("TIFF", PICTURE.convert("CMYK")),
    "tiff Lab": lambda: encode("TIFF", PICTURE.convert("LAB")),
    "tiff of 16 bits": lambda: encode(
        "TIFF", Image.fromarray(np.asarray(PICTURE.convert("L")) * np.uint16(257))
    ),
    "tiff float": lambda: encode("TIFF", PICTURE.convert("F")),
}


@pytest.mark.parametrize("name", SAME_PICTURE)
def test_hash_does_not_depend_on_the_encoding(name: str) -> None:
    """The same picture in other colours, depths and formats is a near-duplicate."""
    computed, plain = image_hash.compute(SAME_PICTURE[name]()).hash, image_hash.compute(PNG).hash
    assert computed is not None
    assert plain is not None
    assert (computed ^ plain).bit_count() <= fingerprints.MAX_DISTANCE


@pytest.mark.parametrize("data", [b"", b"no image", JPEG[:2], JPEG[:40], PNG[:40]])
def test_invalid_images(data: bytes) -> None:
    """Invalid images have no hash, and raise nothing when they are hashed."""
    assert image_hash.compute(data).hash is None
