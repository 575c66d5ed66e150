"""The mask camera: class ids as grey levels in a video that any LeRobot reader decodes.

LeRobot has no type for masks, refuses pictures of one channel, and its default encoder destroys
ids (measured: 17 % wrong pixels). So an id becomes a grey level far from that of the next one, in
three equal channels, in H.264 without loss (crf 0): after decoding to RGB and dividing by the step,
ids are what they were. Every other frame is a key frame, as in LeRobot's own videos, so that random
access stays quick. Called by ``lerobot.masks``; robots' code reads ids back with ``ids_of_grey``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.errors import DataError, UsageError
from wristseg.predict.video import VideoReader, VideoWriter

__all__ = [
    "ENCODER",
    "grey_of_ids",
    "grey_step",
    "ids_of_grey",
    "mask_frames",
    "open_mask_camera",
    "pixel_format",
]

#: Grey levels from one id to the next: 0, 40, ... 240 for up to seven classes.
_USUAL_STEP = 40
#: Below it, limited-range video (219 levels for 255) and rounding could reach the next id.
_LEAST_STEP = 4

#: What the encoder is told; the names are those of FFmpeg, the values of LeRobot's own records.
ENCODER: dict[str, str | int] = {"g": 2, "crf": 0, "preset": "veryfast"}


def grey_step(classes: int) -> int:
    """Return the grey levels from one class id to the next.

    >>> grey_step(6), grey_step(11)
    (40, 25)

    Raises:
        UsageError: There are too many classes to keep them apart.
    """
    step = min(_USUAL_STEP, 255 // max(1, classes - 1))
    if step < _LEAST_STEP:
        raise UsageError(
            f"{classes} classes: a mask camera keeps at most {255 // _LEAST_STEP + 1} apart"
        )
    return step


def grey_of_ids(mask: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB grey levels for (H, W) uint8 class ids.

    >>> grey_of_ids(np.array([[0, 5]], np.uint8), 40)[..., 0].tolist()
    [[0, 200]]
    """
    return np.repeat((mask * step).astype(np.uint8)[..., None], 3, axis=2)


def ids_of_grey(grey: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return class ids for grey levels as decoded, one level off or not.

    Args:
        grey: uint8 of any shape; one channel of a decoded picture.
        step: Grey levels from one id to the next; stands in the camera's ``info``.

    >>> ids_of_grey(np.array([0, 39, 41, 200], np.uint8), 40).tolist()
    [0, 1, 1, 5]
    """
    return ((grey.astype(np.uint16) + step // 2) // step).astype(np.uint8)


def pixel_format(size_hw: tuple[int, int]) -> str:
    """Return the format that is encoded: LeRobot's own where height and width are even."""
    return "yuv420p" if size_hw[0] % 2 == 0 and size_hw[1] % 2 == 0 else "yuv444p"


class MaskCameraWriter:
    """Encodes masks with the times of the frames they belong to; made by ``open_mask_camera``."""

    def __init__(self, writer: VideoWriter, size_hw: tuple[int, int], step: int) -> None:
        self._writer = writer
        self._format = pixel_format(size_hw)
        # The planes are written here rather than by a conversion, whose rounding is not ours.
        grey = np.minimum(np.arange(256) * step, 255)
        self._luma = np.round(16 + grey * 219 / 255).astype(np.uint8)
        height, width = size_hw
        shape = (height * 3 // 2, width) if self._format == "yuv420p" else (3, height, width)
        self._planes = np.full(shape, 128, np.uint8)
        self._first = self._planes[:height] if self._planes.ndim == 2 else self._planes[0]

    def write(self, mask: NDArray[np.uint8], pts: int) -> None:
        """Encode one mask, (H, W) uint8 class ids."""
        np.take(self._luma, mask, out=self._first)
        self._writer.write(self._planes, pts, image_format=self._format)

    def __enter__(self) -> MaskCameraWriter:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)  # type: ignore[arg-type]


def open_mask_camera(
    path: Path,
    size_hw: tuple[int, int],
    *,
    step: int,
    fps: Fraction,
    time_base: Fraction,
    comment: str,
) -> MaskCameraWriter:
    """Open a video of masks for writing.

    Args:
        path: File to write.
        size_hw: Height and width of the masks.
        step: Grey levels from one id to the next.
        fps: Nominal frames per second.
        time_base: Unit of the frames' times, in seconds.
        comment: Text kept in the file's metadata.
    """
    writer = VideoWriter(
        path,
        size_hw,
        codec="libx264",
        pixel_format=pixel_format(size_hw),
        fps=fps,
        time_base=time_base,
        # Without B-frames packets keep the frames' order, and no edit list shifts their times.
        options={**{name: str(value) for name, value in ENCODER.items()}, "bf": "0"},
        comment=comment,
    )
    return MaskCameraWriter(writer, size_hw, step)


def mask_frames(path: Path, step: int) -> Iterator[tuple[Fraction, NDArray[np.uint8]]]:
    """Yield time in seconds and class ids, (H, W) uint8, of each frame, decoded through RGB.

    Raises:
        DataError: The file cannot be decoded to its end, or holds other colours than grey levels
            of ids.
    """
    with VideoReader(path) as reader:
        for number, frame in enumerate(reader):
            ids = ids_of_grey(frame.rgb[..., 0], step)
            # Beyond a level off, something other than this module has written the file.
            off = np.abs(frame.rgb.astype(np.int16) - (ids.astype(np.int16) * step)[..., None])
            if off.max() > 1:
                raise DataError(path, f"frame {number} holds other colours than those of class ids")
            yield (frame.pts + reader.first_pts) * frame.time_base, ids
        if reader.problems:
            raise DataError(path, reader.problems)
