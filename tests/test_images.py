"""Images are decoded whole and upright or refused; mask PNGs keep their ids."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wristseg.classes import DEFAULT_CLASSES
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError
from wristseg.images import image_size_hw, read_image_rgb, read_mask, write_mask

CLASSES = len(DEFAULT_CLASSES)


def photo(height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (height, width, 3), np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, height: int, depth: int, color: int, packed: bytes) -> bytes:
    """A PNG file around packed pixel rows, as no encoder here would write it."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_lossless_formats_give_back_their_pixels(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"frame{suffix}"
    Image.fromarray(photo()).save(path, lossless=True)
    image = read_image_rgb(path)
    np.testing.assert_array_equal(image, photo())
    assert image.flags.writeable
    assert image_size_hw(path) == (40, 56)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_f06_rotated_images_lie_under_their_masks(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[8:24, 16:32] = (255, 255, 255)
    upright[0:8, 0:8] = (255, 255, 255)
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(upright)
    if orientation in back:
        stored = stored.transpose(back[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=exif)
    polygons = [[16, 8, 32, 8, 32, 24, 16, 24], [0, 0, 8, 0, 8, 8, 0, 8]]
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 32, "width": 64}],
        "categories": [{"id": 1, "name": "cube"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": polygons}],
    }
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(coco))
    labels = load_labels(DatasetPaths(tmp_path))
    seen = labels.image(labels.frames[0])[..., 0] > 127
    drawn = labels.mask(labels.frames[0]) == 3
    assert (seen & drawn).sum() / (seen | drawn).sum() == 1.0


def test_tiff_rotation_is_applied_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.tif"
    Image.fromarray(photo(20, 30)).save(path, exif=exif)
    assert read_image_rgb(path).shape[:2] == image_size_hw(path) == (30, 20)


@pytest.mark.parametrize("cut", range(20))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_f07_cut_off_images_are_refused(suffix: str, cut: int, tmp_path: Path) -> None:
    path = tmp_path / f"frame{suffix}"
    Image.fromarray(photo()).save(path)
    whole, content = read_image_rgb(path), path.read_bytes()
    # From an empty file to one that lacks two bytes; most cuts lie in the pixels.
    path.write_bytes(content[: (len(content) - 2) * cut // 19])
    try:
        image = read_image_rgb(path)
    except DataError:
        return
    np.testing.assert_array_equal(image, whole)


def test_f07_most_cuts_are_refused_not_merely_survived(tmp_path: Path) -> None:
    path = tmp_path / "frame.jpg"
    Image.fromarray(photo()).save(path)
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(DataError, match=r"frame\.jpg: .*damaged"):
            read_image_rgb(path)


BOMB_SCRIPT = """
import resource, sys
from pathlib import Path
from wristseg.errors import DataError
from wristseg.images import read_image_rgb
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    try:
        read_image_rgb(Path(name))
    except DataError as error:
        print("refused", error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_f08_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    # 1-bit pixels: 100, 200 and 1200 million of them pack into a few kilobytes.
    names = []
    for width, height in ((10_000, 10_000), (20_000, 10_000), (40_000, 30_000)):
        packer = zlib.compressobj()
        row = bytes(1 + width // 8)
        packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
        path = tmp_path / f"{width}.png"
        path.write_bytes(png(width, height, 1, 0, packed))
        names.append(str(path))
    done = subprocess.run(
        [sys.executable, "-c", BOMB_SCRIPT, *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *refusals, growth_kb = done.stdout.splitlines()
    assert len(refusals) == 3
    assert all(line.startswith("refused") for line in refusals)
    assert int(growth_kb) < 200 * 1024


def animated(kind: str) -> bytes:
    frames = [Image.fromarray(photo()), Image.fromarray(255 - photo())]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def transparent() -> Image.Image:
    image = Image.fromarray(photo()).convert("RGBA")
    image.putpixel((3, 3), (1, 2, 3, 100))
    return image


F08_REFUSED = {
    "EPS renamed": (lambda: saved(Image.fromarray(photo()), "EPS"), "not a readable"),
    "GIF renamed": (lambda: animated("GIF"), "not a readable"),
    "text": (lambda: b"hello", "not a readable"),
    "16-bit grey": (
        lambda: saved(Image.fromarray(photo()[..., 0].astype(np.uint16)), "PNG"),
        "more than 8 bits",
    ),
    "16-bit RGB": (lambda: png(2, 1, 16, 2, zlib.compress(bytes(13))), "more than 8 bits"),
    "CMYK": (lambda: saved(Image.fromarray(photo()).convert("CMYK"), "JPEG"), "CMYK"),
    "transparent": (lambda: saved(transparent(), "PNG"), "transparent"),
    "animated PNG": (lambda: animated("PNG"), "holds 2 pictures"),
    "animated WebP": (lambda: animated("WEBP"), "holds 2 pictures"),
    "pages of TIFF": (lambda: animated("TIFF"), "holds 2 pictures"),
}


@pytest.mark.parametrize("case", F08_REFUSED)
def test_f08_what_is_no_8_bit_rgb_frame_is_refused(case: str, tmp_path: Path) -> None:
    content, message = F08_REFUSED[case]
    path = tmp_path / "frame.png"
    path.write_bytes(content())
    with pytest.raises(DataError, match=message):
        read_image_rgb(path)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_f08_grey_palette_and_opaque_alpha_become_rgb(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(photo()).convert(mode)
    image.save(tmp_path / "frame.png")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_image_rgb(tmp_path / "frame.png"), expected)


@pytest.mark.timeout(20)
def test_pipe_folder_and_missing_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, message in (
        (tmp_path / "pipe.png", "not a regular file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "none.png", "no such file"),
    ):
        with pytest.raises(DataError, match=message):
            read_image_rgb(path)


def test_mask_ids_survive_and_are_shown_in_class_colours(tmp_path: Path) -> None:
    mask = np.array([[0, 1, 2], [3, 5, 255]], np.uint8)
    write_mask(tmp_path / "masks" / "a.png", mask, DEFAULT_CLASSES)
    np.testing.assert_array_equal(
        read_mask(tmp_path / "masks" / "a.png", num_classes=CLASSES), mask
    )
    with Image.open(tmp_path / "masks" / "a.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((0, 1)) == DEFAULT_CLASSES.colors_rgb[3]
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["a.png"]


def test_mask_of_another_type_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="int64"):
        write_mask(tmp_path / "a.png", np.zeros((2, 2), np.int64), DEFAULT_CLASSES)  # type: ignore[arg-type]


def test_grey_masks_and_small_palettes_are_read(tmp_path: Path) -> None:
    mask = np.array([[0, 1], [1, 3]], np.uint8)
    Image.fromarray(mask).save(tmp_path / "grey.png")
    palette = Image.fromarray(mask)
    palette.putpalette([0, 0, 0, 9, 9, 9, 90, 90, 90, 200, 0, 0])
    palette.save(tmp_path / "two_bits.png", bits=2)
    for name in ("grey.png", "two_bits.png"):
        np.testing.assert_array_equal(read_mask(tmp_path / name, num_classes=CLASSES), mask)


IDS = np.array([[0, 1], [2, 6]], np.uint8)
F09_MASKS = {
    "unknown class": (lambda: saved(Image.fromarray(IDS), "PNG"), r"has the ids \[6\]"),
    "3 channels": (lambda: saved(Image.fromarray(photo()), "PNG"), "mask is RGB"),
    "JPEG": (lambda: saved(Image.fromarray(IDS), "JPEG"), "not a readable PNG"),
    "16-bit": (lambda: saved(Image.fromarray(IDS.astype(np.uint16)), "PNG"), "mask is I;16"),
    "2-bit grey": (lambda: png(4, 1, 2, 0, zlib.compress(b"\0\x1b")), "mask is L;2"),
    "black and white": (lambda: saved(Image.fromarray(IDS).convert("1"), "PNG"), "mask is 1"),
}


@pytest.mark.parametrize("case", F09_MASKS)
def test_f09_masks_that_hold_no_ids_are_refused(case: str, tmp_path: Path) -> None:
    content, message = F09_MASKS[case]
    path = tmp_path / "mask.png"
    path.write_bytes(content())
    with pytest.raises(DataError, match=message):
        read_mask(path, num_classes=CLASSES)
