"""Read image files strictly, read and write mask PNGs.

Every image or mask file that wristseg opens goes through here: a file is decoded whole and upright,
or refused with the rule it breaks. OpenCV is not used for files, since it returns full-size images
for JPEGs that were cut off at a tenth. Called by ``data``, ``predict`` and ``evaluate``.
"""

from __future__ import annotations

import io
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wristseg.artifacts import atomic_path
from wristseg.classes import IGNORE_INDEX, ClassTable
from wristseg.errors import DataError

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "decode_image_rgb",
    "encode_mask",
    "encode_png_rows",
    "has_text_name",
    "image_size_hw",
    "png_rows",
    "read_image_rgb",
    "read_mask",
    "write_mask",
]

#: Lower-case suffixes of the files that count as images when a folder is listed.
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

#: Larger images are taken for decompression bombs; Pillow's own limit, made an error.
MAX_PIXELS = 89_478_485

_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")

# What Pillow's decoders raise on damaged files, gathered by cutting and flipping bytes.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)

_PNG_FILTER_UP = 2
_PNG_PALETTE = 3

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MODES_WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_MODES_TO_CONVERT = frozenset({"L", "1", "P"})


def has_text_name(path: Path) -> bool:
    """Tell whether a path is UTF-8, as records and pages are; a disk takes any bytes as a name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_image_rgb(path: Path) -> NDArray[np.uint8]:
    """Decode an image file whole and upright.

    Greyscale and palette images become RGB, EXIF rotation is applied, an opaque alpha channel is
    dropped. Everything else that is not 8-bit RGB is refused rather than guessed at.

    Args:
        path: A JPEG, PNG, BMP, WebP or TIFF file; the content decides, not the suffix.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        DataError: Not a regular file, not one of the formats, cut off, too large, animated, 16-bit,
            CMYK or partly transparent.
    """
    with _opened(path, _FORMATS) as image:
        return _whole_rgb(path, image)


def decode_image_rgb(content: bytes, *, where: str) -> NDArray[np.uint8]:
    """Decode an image that lies in memory, by the rules of ``read_image_rgb``.

    Args:
        content: An image file's bytes.
        where: What to call it in messages.

    Raises:
        DataError: As ``read_image_rgb``.
    """
    with (
        _decoding(where, _FORMATS),
        Image.open(io.BytesIO(content), formats=_FORMATS) as image,
    ):
        _refuse_bomb(where, image)
        return _whole_rgb(where, image)


def image_size_hw(path: Path) -> tuple[int, int]:
    """Return the (height, width) that ``read_image_rgb`` would give, from the header alone.

    Raises:
        DataError: As ``read_image_rgb``, as far as the header shows it.
    """
    with _opened(path, _FORMATS) as image:
        width, height = image.size
        # Pillow turns TIFF files by itself and reports the turned size.
        turned = image.format != "TIFF" and _orientation(image) >= 5
        return (width, height) if turned else (height, width)


def read_mask(path: Path, *, num_classes: int) -> NDArray[np.uint8]:
    """Read a mask PNG whose pixel values are class ids.

    Args:
        path: An 8-bit greyscale or a palette PNG.
        num_classes: Ids from 0 to ``num_classes - 1`` and 255 (ignore) are allowed.

    Returns:
        (H, W) uint8, class ids or 255.

    Raises:
        DataError: Not a PNG, colours instead of ids, more or fewer than 8 bits of grey, or an id
            outside the class table.
    """
    with _opened(path, ("PNG",)) as image:
        _refuse_animation(path, image)
        if image.mode not in {"P", "L"} or _raw_mode(image) in {"L;2", "L;4"}:
            kind = _raw_mode(image) or image.mode
            raise DataError(
                path, f"mask is {kind}, expected a palette or 8-bit greyscale PNG of class ids"
            )
        mask = np.array(image)
    unknown = [int(i) for i in np.flatnonzero(np.bincount(mask.ravel(), minlength=256))]
    unknown = [i for i in unknown if i >= num_classes and i != IGNORE_INDEX]
    if unknown:
        raise DataError(
            path,
            f"mask has the ids {unknown}, expected 0 to {num_classes - 1} or {IGNORE_INDEX}"
            " (ignore); is it made for another class table?",
        )
    return mask


def write_mask(path: Path, mask: NDArray[np.uint8], classes: ClassTable) -> None:
    """Write class ids atomically as an 8-bit palette PNG in the classes' colours.

    Args:
        path: The PNG to make; its folder is made too.
        mask: (H, W) uint8, class ids or 255.
        classes: The table whose colours viewers show; they do not change the values.

    Raises:
        ValueError: The mask is not (H, W) uint8.
        OSError: The folder cannot be written to, or the disk is full.
    """
    content = encode_mask(mask, classes)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def encode_mask(mask: NDArray[np.uint8], classes: ClassTable) -> bytes:
    """Return the file that ``write_mask`` writes.

    Raises:
        ValueError: The mask is not (H, W) uint8.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, expected (H, W) uint8")
    rows = png_rows((mask.shape[0], mask.shape[1]))
    rows[:, 1:] = mask
    rows[1:, 1:] -= mask[:-1]
    return encode_png_rows(rows, classes)


def png_rows(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return memory for the rows of a mask PNG, to be filled from column 1 on.

    What belongs there is each pixel's id minus that of the pixel above it, modulo 256. Most of
    these differences are 0, and PNG knows them as its filter "Up": compressed as runs they take
    half the bytes and half the time of what Pillow writes, which filters no palette pictures
    (docs/performance.md).

    Returns:
        (H, W + 1) uint8, zeros but for column 0, which names the filter.
    """
    rows = np.zeros((size_hw[0], size_hw[1] + 1), np.uint8)
    rows[:, 0] = _PNG_FILTER_UP
    return rows


def encode_png_rows(rows: NDArray[np.uint8], classes: ClassTable) -> bytes:
    """Return the bytes of a mask PNG (https://www.w3.org/TR/png-3/).

    Args:
        rows: What ``png_rows`` gave, filled.
        classes: The table whose colours viewers show.
    """
    height, width = rows.shape[0], rows.shape[1] - 1
    # Of deflate's memory levels 6 suits runs: larger tables are moved about and not used.
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 6, zlib.Z_RLE)
    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_PALETTE, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _png_chunk(b"IHDR", header),
            _png_chunk(b"PLTE", classes.palette_rgb().tobytes()),
            _png_chunk(b"IDAT", deflate.compress(rows.data) + deflate.flush()),
            _png_chunk(b"IEND", b""),
        )
    )


def _png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


@contextmanager
def _opened(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a regular file, and check its size."""
    with _decoding(path, formats):
        # Opening a FIFO would wait for a writer for ever, so the kind is looked at first.
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(path, "not a regular file")
        with Image.open(path, formats=formats) as image:
            _refuse_bomb(path, image)
            yield image


@contextmanager
def _decoding(path: Path | str, formats: tuple[str, ...]) -> Iterator[None]:
    """Name the image in whatever the decoder raises."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(path, f"too large to be a camera frame: {error}") from error
    except UnidentifiedImageError as error:
        raise DataError(path, f"not a readable {' or '.join(formats)} file") from error
    except FileNotFoundError as error:
        raise DataError(path, "no such file") from error
    except _DECODER_ERRORS as error:
        raise DataError(path, f"cannot be decoded: {error}; the file is damaged") from error


def _whole_rgb(path: Path | str, image: Image.Image) -> NDArray[np.uint8]:
    _refuse_animation(path, image)
    _refuse_depth(path, image)
    image.load()
    return np.array(_as_rgb(path, _upright(image)))


def _refuse_bomb(path: Path | str, image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            path, f"{height}x{width} pixels (h x w), expected at most {MAX_PIXELS} in all"
        )


def _refuse_animation(path: Path | str, image: Image.Image) -> None:
    # MPO is what phones write: a JPEG with a preview or a second view behind it.
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise DataError(path, f"holds {frames} pictures, expected one; extract the frame you mean")


def _refuse_depth(path: Path | str, image: Image.Image) -> None:
    # Pillow would keep the upper byte of 16-bit RGB and say nothing.
    raw_mode = _raw_mode(image)
    if "16" in raw_mode or image.mode in {"I", "F"} or image.mode.startswith("I;"):
        raise DataError(
            path, f"more than 8 bits per channel ({raw_mode or image.mode}), expected 8-bit RGB"
        )


def _raw_mode(image: Image.Image) -> str:
    """Return how the file packs its pixels (``RGB;16B``); empty where Pillow hides it."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    arguments = tiles[0][3]
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return raw_mode if isinstance(raw_mode, str) else ""


def _orientation(image: Image.Image) -> int:
    # The base class's getexif: that of PNG would decode the whole file to look behind the pixels.
    value = Image.Image.getexif(image).get(_EXIF_ORIENTATION, 1)
    return value if isinstance(value, int) else 1


def _upright(image: Image.Image) -> Image.Image:
    turn = None if image.format == "TIFF" else _UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _as_rgb(path: Path | str, image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in _MODES_WITH_ALPHA or "transparency" in image.info:
        return _without_alpha(path, image)
    if image.mode in _MODES_TO_CONVERT:
        return image.convert("RGB")
    raise DataError(path, f"colours are {image.mode}, expected RGB or greyscale; save it as RGB")


def _without_alpha(path: Path | str, image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    lowest = int(np.asarray(rgba)[..., 3].min())
    if lowest < 255:
        raise DataError(path, "has transparent pixels; flatten it and save it as RGB")
    return rgba.convert("RGB")
