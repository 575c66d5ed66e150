"""The predict stage: images and videos in, overlays, masks and a COCO file out.

In: a checkpoint and the text of ``--input``. Out: files in one folder, each written whole or not at
all. A bad input does not stop the others; it is named in the summary. Called by
``wristseg predict`` and by the demo.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from wristseg.artifacts import atomic_path, git_commit, sha256_of, versions, write_json
from wristseg.configs import PredictConfig
from wristseg.errors import DataError
from wristseg.images import read_image_rgb, write_mask
from wristseg.overlay import blend
from wristseg.predict.coco import CocoPredictions
from wristseg.predict.mask_video import open_mask_video
from wristseg.predict.outputs import OutputPlan, Outputs, plan_outputs
from wristseg.predict.segmenter import Segmenter
from wristseg.predict.sources import Source, find_sources
from wristseg.predict.video import TimedFrame, VideoReader, VideoWriter

__all__ = ["PredictSummary", "predict"]

# Visually lossless at a moderate size; yuv420p is what every player and browser shows.
_H264_OPTIONS = {"crf": "18", "preset": "veryfast"}


@dataclass(frozen=True)
class PredictSummary:
    """What a run made.

    Attributes:
        outputs: Files written, in order.
        frames: Images and video frames predicted.
        seconds: Time spent on them, reading and writing included.
        problems: One line per input that was left out or only partly predicted.
    """

    outputs: tuple[Path, ...]
    frames: int
    seconds: float
    problems: tuple[str, ...]


def predict(config: PredictConfig) -> PredictSummary:
    """Predict everything that ``config.input`` names.

    Returns:
        What was written and what could not be; look at ``problems``.

    Raises:
        UsageError: Nothing to predict, an output that cannot be, a device that is not there.
        CheckpointError: The model file cannot be used.
        DataError: No input could be predicted.
    """
    sources = find_sources(config.input)
    plan = plan_outputs(sources, config.output)
    segmenter = Segmenter.load(config.checkpoint, device=config.device)
    run = _Run(config, segmenter, several=len(sources) > 1)
    started = time.perf_counter()
    with _progress() as progress:
        for source, outputs in zip(
            progress.track(sources, description="predicting"), plan.items, strict=True
        ):
            run.predict_source(source, outputs, progress)
    if run.frames == 0:
        raise DataError(config.input, run.problems)
    run.write_records(plan, sources)
    return PredictSummary(
        tuple(run.written), run.frames, time.perf_counter() - started, tuple(run.problems)
    )


@dataclass
class _Run:
    """One run of the stage: the model, the options, and what has been made so far."""

    config: PredictConfig
    segmenter: Segmenter
    several: bool
    written: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    frames: int = 0

    def __post_init__(self) -> None:
        self.coco = CocoPredictions(self.segmenter.classes) if self.config.save_coco else None
        self.checkpoint_sha256 = sha256_of(self.config.checkpoint)
        self.origin = (
            f"wristseg {versions()['wristseg']}, checkpoint SHA-256 {self.checkpoint_sha256}"
        )

    def predict_source(self, source: Source, outputs: Outputs, progress: Progress) -> None:
        """Predict one image or video; among several, a bad one becomes a line of ``problems``."""
        try:
            if source.kind == "image":
                self._predict_image(source.path, outputs)
            else:
                self._predict_video(source.path, outputs, progress)
        except DataError as error:
            if not self.several:
                raise
            self.problems.append(str(error))

    def write_records(self, plan: OutputPlan, sources: list[Source]) -> None:
        """Write the COCO file and, into a folder, where all of it comes from."""
        if self.coco is not None:
            path = plan.folder / "predictions.coco.json"
            self.coco.write(path, description=self.origin)
            self.written.append(path)
        # Beside a file that was named, nothing else is written unless something is missing in it.
        if self.problems or not plan.single_file:
            name = "predictions" if self.several else f"{plan.items[0].name}_prediction"
            path = plan.folder / f"{name}.json"
            write_json(path, self._record(sources))
            self.written.append(path)

    def _record(self, sources: list[Source]) -> dict[str, object]:
        options = {name: str(value) for name, value in asdict(self.config).items()}
        return {
            "inputs": [str(source.path) for source in sources],
            "outputs_sha256": {path.name: sha256_of(path) for path in self.written},
            "frames": self.frames,
            "problems": self.problems,
            "classes": self.segmenter.classes.to_dict(),
            "checkpoint_sha256": self.checkpoint_sha256,
            "config": options,
            "git_commit": git_commit(),
            "versions": versions(),
        }

    def _predict_image(self, path: Path, outputs: Outputs) -> None:
        frame_rgb = read_image_rgb(path)
        mask = self.segmenter.predict_rgb(frame_rgb)
        _write_picture(outputs.overlay, self._overlay(frame_rgb, mask))
        self.written.append(outputs.overlay)
        if self.config.save_mask:
            write_mask(outputs.mask, mask, self.segmenter.classes)
            self.written.append(outputs.mask)
        if self.coco is not None:
            self.coco.add(path.name, mask)
        self.frames += 1

    def _predict_video(self, path: Path, outputs: Outputs, progress: Progress) -> None:
        with VideoReader(path) as reader:
            frames = iter(reader)
            first = next(frames, None)
            if first is None:
                reason = "; ".join(reader.problems) or "the file holds no frame"
                raise DataError(path, f"no frame could be decoded: {reason}")
            task = progress.add_task(path.name, total=reader.declared_frames)
            counted = progress.track(chain([first], frames), task_id=task)
            self._write_video(counted, first, reader, outputs)
            progress.remove_task(task)
            if reader.problems:
                self.problems.append(f"{path}: {'; '.join(reader.problems)}")

    def _write_video(
        self, frames: Iterable[TimedFrame], first: TimedFrame, reader: VideoReader, outputs: Outputs
    ) -> None:
        size_hw = first.rgb.shape[0], first.rgb.shape[1]
        with ExitStack() as stack:
            overlay = stack.enter_context(
                VideoWriter(
                    stack.enter_context(atomic_path(outputs.overlay)),
                    (_even(size_hw[0]), _even(size_hw[1])),
                    codec="libx264",
                    pixel_format="yuv420p",
                    fps=reader.fps,
                    time_base=first.time_base,
                    options=_H264_OPTIONS,
                    comment=self.origin,
                )
            )
            masks = self._open_mask_video(stack, size_hw, first, reader, outputs)
            for i, frame in enumerate(frames):
                mask = self.segmenter.predict_rgb(frame.rgb)
                picture = _padded_to_even(self._overlay(frame.rgb, mask))
                overlay.write(picture, frame.pts, image_format="rgb24")
                if masks is not None:
                    masks.write(mask, frame.pts, image_format="gray")
                if self.coco is not None:
                    self.coco.add(self._frame_name(outputs, i), mask)
        # Only now are the files complete and under their names.
        self.frames += reader.decoded
        self.written += [outputs.overlay] if masks is None else [outputs.overlay, outputs.mask]

    def _open_mask_video(
        self,
        stack: ExitStack,
        size_hw: tuple[int, int],
        first: TimedFrame,
        reader: VideoReader,
        outputs: Outputs,
    ) -> VideoWriter | None:
        if not self.config.save_mask:
            return None
        return stack.enter_context(
            open_mask_video(
                stack.enter_context(atomic_path(outputs.mask)),
                size_hw,
                fps=reader.fps,
                time_base=first.time_base,
                comment=f"grey value = class id ({', '.join(self.segmenter.classes.names)}); "
                + self.origin,
            )
        )

    def _overlay(self, frame_rgb: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return blend(frame_rgb, mask, self.segmenter.classes, alpha=self.config.alpha)

    def _frame_name(self, outputs: Outputs, index: int) -> str:
        # CVAT names the frames of a video task so, and matches an imported file by these names.
        name = f"frame_{index:06d}.PNG"
        return f"{outputs.name}_{name}" if self.several else name


def _progress() -> Progress:
    return Progress(
        *Progress.get_default_columns()[:-1],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _write_picture(path: Path, picture_rgb: NDArray[np.uint8]) -> None:
    with atomic_path(path) as temporary:
        # Each format takes its own option and ignores the other's.
        Image.fromarray(picture_rgb).save(temporary, compress_level=2, quality=95)


def _even(length: int) -> int:
    return length + length % 2


def _padded_to_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column where needed: yuv420p halves the colours' resolution."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
