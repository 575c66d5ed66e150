"""Pictures of a report: frames beside labels and masks, and clips as film strips.

In: a model and the frames to show. Out: dicts that the page templates lay out, pictures as data
URIs. Called by ``evaluate.report`` and ``evaluate.compare``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.data.labels import LabelledDataset, LabelledFrame
from wristseg.evaluate.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from wristseg.evaluate.frames import Evaluation, FrameResult
from wristseg.evaluate.robustness import scene_of
from wristseg.overlay import blend, errors_rgb
from wristseg.pages import image_uri, side_by_side
from wristseg.predict import Segmenter

__all__ = [
    "Gallery",
    "Predict",
    "changed_gallery",
    "clip_gallery",
    "corruption_gallery",
    "filmstrip",
    "frame_galleries",
]

#: Title, note and pictures, as the templates take them.
Gallery: TypeAlias = dict[str, object]

#: From a frame to its image (H, W, 3) RGB, its label (H, W) and a model's mask (H, W), all uint8.
Predict: TypeAlias = Callable[
    [LabelledFrame], tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
]

#: Frames in each gallery; more make the page slow without showing more kinds of mistakes.
_WORST_FRAMES, _BEST_FRAMES = 8, 2


def frame_galleries(predict: Predict, evaluation: Evaluation) -> list[Gallery]:
    """Show the worst and the best frames, by mean IoU over the named classes."""
    ranked = evaluation.ranked()
    half = max(1, len(ranked) // 2)
    worst, best = ranked[: min(_WORST_FRAMES, half)], ranked[::-1][: min(_BEST_FRAMES, half)]
    return [
        _gallery("Worst frames", worst, predict, evaluation.classes),
        _gallery("Best frames", best, predict, evaluation.classes),
    ]


def changed_gallery(
    changes: Sequence[tuple[LabelledFrame, float, float]],
    predict_a: Predict,
    predict_b: Predict,
    classes: ClassTable,
) -> Gallery:
    """Show frames with the masks of two models.

    Args:
        changes: Frames with the IoU of either model, those to show first.
        predict_a: The first model's masks.
        predict_b: The second's.
        classes: Class table of both.
    """
    pictures = []
    for frame, iou_a, iou_b in changes[:_WORST_FRAMES]:
        frame_rgb, label, mask_a = predict_a(frame)
        masks = (label, mask_a, predict_b(frame)[2])
        row = [frame_rgb, *(blend(frame_rgb, mask, classes) for mask in masks)]
        caption = f"{frame.stem} ({frame.tag}), IoU {iou_a:.3f} -> {iou_b:.3f}"
        pictures.append({"uri": side_by_side(row), "caption": caption})
    note = "Frame, label, A, B. IoU: mean over the named classes."
    return {"title": "Frames that changed most", "note": note, "pictures": pictures}


def clip_gallery(clips: Sequence[Path]) -> Gallery:
    """Show overlay videos as film strips."""
    pictures = [{"uri": image_uri(filmstrip(clip)), "caption": clip.name} for clip in clips]
    note = "Overlays from left to right in time; the videos lie in the clips folder."
    return {"title": "Clips", "note": note, "pictures": pictures}


def corruption_gallery(
    segmenter: Segmenter,
    labels: LabelledDataset,
    frame: LabelledFrame,
    *,
    object_id: int | None,
    seed: int,
) -> Gallery:
    """Show one frame under each corruption at its strongest, and the model's mask of it."""
    scene = scene_of(labels, frame, object_id)
    pictures = []
    for name in CORRUPTIONS:
        bad = corrupt(scene, name, SEVERITIES[-1], stem=frame.stem, seed=seed)
        mask = segmenter.predict_rgb(bad.frame_rgb)
        row = [
            bad.frame_rgb,
            blend(bad.frame_rgb, mask, segmenter.classes),
            errors_rgb(bad.frame_rgb, scene.label, mask),
        ]
        pictures.append({"uri": side_by_side(row), "caption": f"{name}, severity {SEVERITIES[-1]}"})
    note = f"{frame.stem}: frame, prediction, and in red what differs from the label."
    return {"title": "Corruptions at their strongest", "note": note, "pictures": pictures}


def filmstrip(video: Path, *, count: int = 6) -> NDArray[np.uint8]:
    """Return ``count`` frames of a video, evenly spaced, side by side.

    Returns:
        (h, w, 3) uint8, RGB.
    """
    with av.open(str(video)) as container:
        frames = [
            frame.reformat(width=240, height=240 * frame.height // frame.width)
            for frame in container.decode(video=0)
        ]
    picks = np.linspace(0, len(frames) - 1, count).round().astype(int)
    return np.hstack([frames[pick].to_ndarray(format="rgb24") for pick in picks])


def _gallery(
    title: str, results: Sequence[FrameResult], predict: Predict, classes: ClassTable
) -> Gallery:
    pictures = []
    for result in results:
        frame_rgb, label, prediction = predict(result.frame)
        blends = [blend(frame_rgb, mask, classes) for mask in (label, prediction)]
        row = [frame_rgb, *blends, errors_rgb(frame_rgb, label, prediction)]
        caption = f"{result.frame.stem} ({result.frame.tag}), IoU {result.iou:.3f}"
        pictures.append({"uri": side_by_side(row), "caption": caption + _of_object(result)})
    note = "Frame, label, prediction, and in red what differs. IoU: mean over the named classes."
    return {"title": title, "note": note, "pictures": pictures}


def _of_object(result: FrameResult) -> str:
    found = result.object
    if found is None:
        return ""
    said = ", object missed" if found.labelled and not found.found else ""
    if found.false_regions:
        said += f", false objects: {found.false_regions}"
    return said
