"""Load each contestant's model, in the process of that contestant.

In: a contestant's name and the files it needs. Out: a function from a BGR frame to class ids. Only
``benchmark.worker`` calls it; libraries are imported when their contestant is asked for, since what
a contestant imports is part of its time to the first mask.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wristseg.predict.runtimes import Runtime

    #: (H, W, 3) uint8 to (H, W) uint8 class ids.
    Predict: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

__all__ = ["CAMERA_HW", "load_model", "load_plain"]

#: Height and width of the frames of data/dataset_v0, which a robot's program knows as well.
CAMERA_HW = (480, 640)


def load_model(contestant: str, files: dict[str, str]) -> Predict:
    """Return the function that predicts one frame.

    Args:
        contestant: ``wristseg/<runtime>``, ``plain/torch``, ``smp/<engine>`` or
            ``lraspp/<engine>``.
        files: ``checkpoint`` and, for the plain implementation, ``plain``; for peers ``weights``
            and, for ONNX Runtime, ``onnx``, with ``height`` and ``width`` of their input.

    Returns:
        (H, W, 3) uint8 BGR to (H, W) uint8 class ids.
    """
    family, engine = contestant.split("/")
    if family == "wristseg":
        from wristseg.predict import Segmenter

        runtime = None if engine == "auto" else cast("Runtime", engine)
        return Segmenter.load(
            files["checkpoint"], device="cpu", runtime=runtime, frame_hw=CAMERA_HW
        ).predict
    if family == "plain":
        plain = load_plain(Path(files["plain"]))
        predict: Predict = plain.SegmentationInference(files["checkpoint"], device="cpu").predict
        return predict
    size_hw = int(files["height"]), int(files["width"])
    ids = _onnx_ids(files["onnx"]) if engine == "onnxruntime" else _torch_ids(family, files)
    return _at_size(ids, size_hw)


def load_plain(path: Path) -> ModuleType:
    """Import a script of the plain implementation from its file."""
    name = f"benchmarks.{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _torch_ids(family: str, files: dict[str, str]) -> Predict:
    import torch

    from wristseg.benchmark.peers import read_peer

    network = read_peer(family, Path(files["weights"]))

    def ids(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with torch.inference_mode():
            found: NDArray[np.uint8] = network(torch.from_numpy(image_rgb)[None])[0].numpy()
        return found

    return ids


def _onnx_ids(path: str) -> Predict:
    from wristseg.onnx_runtime import import_onnxruntime

    onnxruntime = import_onnxruntime()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def ids(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = session.run(None, {name: image_rgb[None]})[0][0]
        return found

    return ids


def _at_size(ids: Predict, size_hw: tuple[int, int]) -> Predict:
    """Wrap a model of one input size, as its users do with OpenCV."""
    import cv2
    import numpy as np

    def predict(frame_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        frame_hw = frame_bgr.shape[:2]
        image = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
        if frame_hw == size_hw:
            return ids(image)
        mask = ids(cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_LINEAR))
        full = cv2.resize(mask, frame_hw[::-1], interpolation=cv2.INTER_NEAREST)
        return np.asarray(full, np.uint8)

    return predict
