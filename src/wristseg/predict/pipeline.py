"""Predict videos and runs of images: reading before and writing behind the network.

In: sources and where their results go. Out: the files, and what was made and missed. A thread
decodes the next frames while the network works on one, another blends, encodes and writes those
before it. Frames keep their order, and a handful of them live at a time, however long a video is.
Called by ``predict.predict``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wristseg.artifacts import atomic_path
from wristseg.errors import DataError
from wristseg.images import read_image_rgb, write_mask
from wristseg.interruption import raise_lost_signal
from wristseg.overlay import Blender
from wristseg.pipeline import ReadAhead, WorkBehind, map_in_order
from wristseg.predict.coco import CocoPredictions
from wristseg.predict.mask_video import mask_video_comment, open_mask_video
from wristseg.predict.outputs import Outputs
from wristseg.predict.segmenter import Segmenter
from wristseg.predict.video import TimedFrame, VideoReader, VideoWriter

__all__ = ["MediaPredictor", "Results"]

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

# As good as "veryfast" at crf 18, at 3.4 instead of 7.9 ms of processor time per frame, in files
# 1.3 times as large (docs/performance.md); yuv420p is what every player and browser shows.
_H264_OPTIONS = {"crf": "21", "preset": "superfast"}

#: Frames that wait between two steps: enough to smooth an odd slow one, and 2 MB at 640x480.
_DEPTH = 2


@dataclass
class Results:
    """What a run has made so far.

    Attributes:
        coco: Collects masks for a COCO file, or None.
        written: Files written, in order.
        problems: One line per input that was left out or only partly predicted.
        frames: Images and video frames predicted.
    """

    coco: CocoPredictions | None
    written: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    frames: int = 0


@dataclass(frozen=True)
class _Segmented:
    """A frame and its mask on their way to the files.

    Attributes:
        rgb: (H, W, 3) uint8.
        mask: (H, W) uint8, class ids.
        pts: Time in the video's unit; None for an image.
    """

    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    pts: int | None = None


class MediaPredictor:
    """Predicts images and videos and writes what was asked for.

    Args:
        segmenters: The model, once or several times: then as many frames are segmented at a time.
        results: Collects what is made.
        alpha: Strength of the colours in overlays, 0 to 1.
        save_mask: Whether to write class ids too.
        several: Whether a bad source becomes a line of ``problems`` instead of an error.
        origin: Text that videos keep about where they come from.
    """

    def __init__(
        self,
        segmenters: Sequence[Segmenter],
        results: Results,
        *,
        alpha: float,
        save_mask: bool,
        several: bool,
        origin: str,
    ) -> None:
        self._segmenters = segmenters
        self._classes = segmenters[0].classes
        self._results = results
        self._blender = Blender(self._classes, alpha=alpha)
        self._save_mask = save_mask
        self._several = several
        self._origin = origin

    def predict_images(self, jobs: Sequence[tuple[Path, Outputs]]) -> Iterator[None]:
        """Predict images one after the other; yields after each.

        Raises:
            DataError: An image cannot be read, and there is only one source.
        """

        def write(item: tuple[tuple[Path, Outputs], _Segmented]) -> None:
            self._write_image(*item[0], item[1])

        with (
            ReadAhead(_read_images(jobs), depth=_DEPTH) as images,
            WorkBehind(write, depth=_DEPTH) as writer,
            closing(map_in_order(self._each(_segment_image), images)) as segmented,
        ):
            for job, done in zip(jobs, segmented, strict=True):
                raise_lost_signal()
                if isinstance(done, DataError):
                    self._miss(_naming(job[0], done))
                else:
                    writer.put((job, done))
                yield

    def predict_video(
        self, path: Path, outputs: Outputs, *, begin: Callable[[int | None], Callable[[], object]]
    ) -> None:
        """Predict a video.

        Args:
            path: The video.
            outputs: Where its results go.
            begin: Called once with the number of frames that are expected, if that is known;
                returns what to call after each frame.

        Raises:
            DataError: No frame can be decoded, and there is only one source.
        """
        try:
            with VideoReader(path) as reader, ReadAhead(reader, depth=_DEPTH) as ahead:
                frames = iter(ahead)
                first = next(frames, None)
                if first is None:
                    reason = "; ".join(reader.problems) or "the file holds no frame"
                    raise DataError(path, f"no frame could be decoded: {reason}")
                advance = begin(reader.declared_frames)
                segmented = map_in_order(self._each(_segment_frame), chain([first], frames))
                with self._video_writer(first, reader, outputs) as writer, closing(segmented):
                    for done in segmented:
                        raise_lost_signal()
                        writer.put(done)
                        advance()
        except DataError as error:
            self._miss(_naming(path, error))
            return
        # Only now are the files complete and under their names.
        self._results.frames += reader.decoded
        self._results.written.append(outputs.overlay)
        if self._save_mask:
            self._results.written.append(outputs.mask)
        if reader.problems:
            self._results.problems.append(f"{path}: {'; '.join(reader.problems)}")

    def _each(
        self, function: Callable[[Segmenter, ItemT], ResultT]
    ) -> list[Callable[[ItemT], ResultT]]:
        return [partial(function, segmenter) for segmenter in self._segmenters]

    def _miss(self, error: DataError) -> None:
        if not self._several:
            raise error
        self._results.problems.append(str(error))

    def _write_image(self, path: Path, outputs: Outputs, done: _Segmented) -> None:
        picture = self._blender.blend(done.rgb, done.mask)
        with atomic_path(outputs.overlay) as temporary:
            # Each format takes its own option and ignores the other's.
            Image.fromarray(picture).save(temporary, compress_level=2, quality=95)
        self._results.written.append(outputs.overlay)
        if self._save_mask:
            write_mask(outputs.mask, done.mask, self._classes)
            self._results.written.append(outputs.mask)
        if self._results.coco is not None:
            self._results.coco.add(path.name, done.mask)
        self._results.frames += 1

    @contextmanager
    def _video_writer(
        self, first: TimedFrame, reader: VideoReader, outputs: Outputs
    ) -> Iterator[WorkBehind[_Segmented]]:
        """Open the files of a video; they get their names if the block ends well."""
        height, width = first.rgb.shape[:2]
        numbers = count()
        with ExitStack() as stack:
            overlay = stack.enter_context(
                VideoWriter(
                    stack.enter_context(atomic_path(outputs.overlay)),
                    (_even(height), _even(width)),
                    codec="libx264",
                    pixel_format="yuv420p",
                    options=_H264_OPTIONS,
                    comment=self._origin,
                    fps=reader.fps,
                    time_base=first.time_base,
                )
            )
            masks = None
            if self._save_mask:
                temporary = stack.enter_context(atomic_path(outputs.mask))
                masks = stack.enter_context(
                    open_mask_video(
                        temporary,
                        (height, width),
                        fps=reader.fps,
                        time_base=first.time_base,
                        comment=mask_video_comment(self._classes, origin=self._origin),
                    )
                )

            def write(done: _Segmented) -> None:
                assert done.pts is not None
                picture = _padded_to_even(self._blender.blend(done.rgb, done.mask))
                overlay.write(picture, done.pts, image_format="rgb24")
                if masks is not None:
                    masks.write(done.mask, done.pts, image_format="gray")
                if self._results.coco is not None:
                    self._results.coco.add(self._frame_name(outputs, next(numbers)), done.mask)

            yield stack.enter_context(WorkBehind(write, depth=_DEPTH))

    def _frame_name(self, outputs: Outputs, index: int) -> str:
        # CVAT names the frames of a video task so, and matches an imported file by these names.
        name = f"frame_{index:06d}.PNG"
        return f"{outputs.name}_{name}" if self._several else name


def _read_images(
    jobs: Sequence[tuple[Path, Outputs]],
) -> Iterator[NDArray[np.uint8] | DataError]:
    for path, _ in jobs:
        try:
            yield read_image_rgb(path)
        except DataError as error:
            yield error


def _segment_image(
    segmenter: Segmenter, image_rgb: NDArray[np.uint8] | DataError
) -> _Segmented | DataError:
    if isinstance(image_rgb, DataError):
        return image_rgb
    try:
        return _Segmented(image_rgb, segmenter.predict_rgb(image_rgb))
    except DataError as error:  # an export for frames of another size
        return error


def _naming(path: Path, error: DataError) -> DataError:
    return error if error.where == str(path) else DataError(path, str(error))


def _segment_frame(segmenter: Segmenter, frame: TimedFrame) -> _Segmented:
    return _Segmented(frame.rgb, segmenter.predict_rgb(frame.rgb), frame.pts)


def _even(length: int) -> int:
    return length + length % 2


def _padded_to_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column where needed: yuv420p halves the colours' resolution."""
    height, width = picture.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
