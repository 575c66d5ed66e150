"""A model as a function of CVAT's command line: labels the frames of a task on this machine.

    cvat-cli task auto-annotate 42 -p checkpoint=str:best.ckpt
        --function-module wristseg.labeling.cvat_function

``cvat-cli`` brings ``cvat-sdk``, whose interface for such functions this is:
https://docs.cvat.ai/docs/api_sdk/sdk/auto-annotation/. Labels are matched by name. Nothing in
wristseg imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wristseg.classes import ClassTable
from wristseg.errors import UsageError
from wristseg.predict import Segmenter
from wristseg.predict.polygons import outlines

__all__ = ["CvatFunction", "create"]


def create(checkpoint: str, device: str = "auto", tolerance: float = 1.0) -> CvatFunction:
    """Load a model for CVAT; its parameters are those of ``-p NAME=TYPE:VALUE``.

    Args:
        checkpoint: Model file, or the name of weights that ship, ``sim`` or ``sim-84``.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``.
        tolerance: With ``--conv-mask-to-poly``, how far polygons may lie from the masks, pixels.

    Raises:
        CheckpointError: The model file cannot be used.
        UsageError: cvat-sdk is not installed.
    """
    return CvatFunction(Segmenter.load(checkpoint, device=device), tolerance_px=tolerance)


class CvatFunction:
    """What CVAT calls for each frame.

    Args:
        segmenter: The model.
        tolerance_px: How far polygons may lie from the masks.

    Raises:
        UsageError: cvat-sdk is not installed.
    """

    def __init__(self, segmenter: Segmenter, *, tolerance_px: float) -> None:
        self._segmenter = segmenter
        self._tolerance_px = tolerance_px
        self._sdk = _auto_annotation()
        self.spec = self._sdk.DetectionFunctionSpec(labels=self._labels(segmenter.classes))

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """Return the shapes of one frame: a mask per class, or a polygon per region.

        Args:
            context: CVAT's ``DetectionFunctionContext``; ``conv_mask_to_poly`` asks for polygons.
            image: The frame.
        """
        mask = self._segmenter.predict_rgb(np.asarray(image.convert("RGB")))
        draw = self._polygons if context.conv_mask_to_poly else self._masks
        present = set(np.unique(mask).tolist()) - {0}
        return [shape for i in sorted(present) for shape in draw(i, mask == i)]

    def _labels(self, classes: ClassTable) -> list[Any]:
        return [
            self._sdk.label_spec(name, i, type="mask")
            for i, name in enumerate(classes.names)
            if i > 0
        ]

    def _masks(self, class_id: int, region: NDArray[np.bool_]) -> Iterator[Any]:
        from cvat_sdk.masks import encode_mask

        yield self._sdk.mask(class_id, encode_mask(region))

    def _polygons(self, class_id: int, region: NDArray[np.bool_]) -> Iterator[Any]:
        for outline in outlines(region.astype(np.uint8), tolerance_px=self._tolerance_px):
            yield self._sdk.polygon(class_id, outline.points_xy.ravel().tolist())


def _auto_annotation() -> Any:
    try:
        import cvat_sdk.auto_annotation as sdk
    except ModuleNotFoundError as error:
        raise UsageError("cvat-sdk is not installed; run: pip install cvat-cli") from error
    return sdk
