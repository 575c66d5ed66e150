"""The process of one contestant: reads commands, one JSON object a line, and answers each.

A contestant has a process of its own, so that its threads, its memory and its imports are its own;
the stage (``benchmark.process``) lets one work at a time. What a contestant prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wristseg.benchmark.models import Predict

__all__ = ["main"]

#: Untimed predictions before each turn: caches and sleeping threads are woken up by them.
_WARM_UP = 2

_GEMM_SIDE = 2048

#: A product that takes about as long as a frame of 640x480: 15 ms on two cores.
_TAIL_SIDE = 1150


class _Contestant:
    """Answers commands; each public method is one, its arguments are the command's."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], Predict] = {}
        self._frame_files: list[str] = []
        self._frames: list[Any] = []

    def load(
        self, *, contestant: str, size: str, files: dict[str, str], frames: list[str]
    ) -> dict[str, Any]:
        """Load a model and predict a first frame.

        Args:
            contestant: Whose model; later commands name it by this and its size.
            size: Network input.
            files: See ``benchmark.models.load_model``.
            frames: ``.npy`` files of (H, W, 3) uint8 BGR frames.
        """
        import numpy as np

        from wristseg.benchmark.models import load_model

        first = np.load(frames[0])
        predict = load_model(contestant, files)
        mask = predict(first)
        self._models[contestant, size] = predict
        self._frames = [first]
        self._frame_files = frames
        return {"shape": list(mask.shape), "dtype": str(mask.dtype)}

    def predict(self, *, contestant: str, size: str, turn_s: float, least: int) -> dict[str, Any]:
        """Predict frames for a while; answers the seconds of each."""
        import numpy as np

        if len(self._frames) < len(self._frame_files):
            self._frames = [np.load(path) for path in self._frame_files]
        predict, frames = self._models[contestant, size], self._frames
        for frame in frames[:_WARM_UP]:
            predict(frame)
        seconds: list[float] = []
        end = time.perf_counter() + turn_s
        while len(seconds) < least or time.perf_counter() < end:
            frame = frames[len(seconds) % len(frames)]
            started = time.perf_counter()
            predict(frame)
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds}

    def labels(
        self, *, contestant: str, size: str, images: list[str], output: str
    ) -> dict[str, Any]:
        """Write the masks of image files, at their own size, into one ``.npz``."""
        import numpy as np

        from wristseg.images import read_image_rgb

        predict = self._models[contestant, size]
        masks = [
            predict(np.ascontiguousarray(read_image_rgb(Path(image))[..., ::-1]))
            for image in images
        ]
        np.savez(output, *masks)
        return {}

    def runtime(self, *, checkpoint: str) -> dict[str, Any]:
        """Answer which runtime wristseg picks by itself for this checkpoint."""
        from wristseg.benchmark.models import CAMERA_HW
        from wristseg.predict import Segmenter

        return {"runtime": Segmenter.load(checkpoint, device="cpu", frame_hw=CAMERA_HW).runtime}

    def clip(self, *, checkpoint: str, plain: str | None, clip: str, output: str) -> dict[str, Any]:
        """Turn a clip into one with overlays, the model being loaded already."""
        if plain is None:
            return _own_clip(checkpoint, clip, output)
        from wristseg.benchmark.models import load_plain

        module = load_plain(Path(plain))
        inference = module.SegmentationInference(checkpoint, device="cpu")
        started = time.perf_counter()
        frames = module.predict_video(inference, Path(clip), Path(output))
        return {"frames": frames, "seconds": time.perf_counter() - started}

    def masks(
        self, *, dataset: str, excluded: str, plain: str | None, output: str
    ) -> dict[str, Any]:
        """Draw the masks of a data set in this process."""
        folder, out, left_out = Path(dataset), Path(output), Path(excluded)
        if plain is None:
            return _own_masks(folder, out, left_out)
        from wristseg.benchmark.models import load_plain

        draw, marks = load_plain(Path(plain)).generate_masks, folder / "selections.json"
        started = time.perf_counter()
        count = draw(folder, out, selections=marks, excluded=left_out)
        return {"frames": count, "seconds": time.perf_counter() - started}

    def peer_files(
        self, *, family: str, height: int, width: int, weights: str, onnx: str | None
    ) -> dict[str, Any]:
        """Write a peer's weights and graph."""
        from wristseg.benchmark.peers import write_peer

        graph = None if onnx is None else Path(onnx)
        write_peer(family, (height, width), weights=Path(weights), onnx=graph)
        return {}

    def gemm(self) -> dict[str, Any]:
        """Answer the rate of one float32 matrix product, GFLOP/s, in PyTorch and in NumPy."""
        import numpy as np
        import torch

        side = _GEMM_SIDE
        a, b = torch.randn(side, side), torch.randn(side, side)
        x, y = np.asarray(a), np.asarray(b)
        work = 2 * side**3 / 1e9
        return {
            "torch": work / _best_of(lambda: torch.mm(a, b)),
            "numpy": work / _best_of(lambda: np.matmul(x, y)),
        }

    def gemm_times(self, *, least: int) -> dict[str, Any]:
        """Answer the seconds of each of so many float32 matrix products in NumPy."""
        import numpy as np

        a = np.random.default_rng(0).random((_TAIL_SIDE, _TAIL_SIDE), np.float32)
        out = a @ a
        seconds: list[float] = []
        for _ in range(least):
            started = time.perf_counter()
            np.matmul(a, a, out=out)
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds}

    def macs(self, *, sizes_hw: list[list[int]]) -> dict[str, Any]:
        """Count the multiplications of one forward pass at each size, in 10^9."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        from wristseg.modeling.network import SegmentationNetwork

        network = SegmentationNetwork(6).eval()
        counts = []
        for height, width in sizes_hw:
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                network(torch.zeros(1, 3, height, width))
            counts.append(counter.get_total_flops() / 2 / 1e9)
        return {"gmacs": counts}

    def random_checkpoint(self, *, path: str, height: int, width: int) -> dict[str, Any]:
        """Write a checkpoint of random weights whose masks hold several classes."""
        from wristseg.benchmark.random_weights import write_random_checkpoint

        write_random_checkpoint(Path(path), (height, width))
        return {}

    def memory(self) -> dict[str, Any]:
        """Answer the most memory that this process has held, bytes; None where unknown."""
        return {"peak_bytes": _peak_bytes()}


def main() -> None:
    """Answer the commands of stdin until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print what they like; answers must stay whole
    contestant = _Contestant()
    for line in sys.stdin:
        command = json.loads(line)
        handler: Callable[..., dict[str, Any]] = getattr(contestant, command.pop("do"))
        try:
            answer = handler(**command)
        except Exception as error:  # whatever a contestant's library raises is told to the stage
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _own_clip(checkpoint: str, clip: str, output: str) -> dict[str, Any]:
    from wristseg.configs import PredictConfig
    from wristseg.predict.predict import predict

    config = PredictConfig(Path(checkpoint), clip, output=Path(output), device="cpu")
    summary = predict(config)
    return {"frames": summary.frames, "seconds": summary.seconds}


def _own_masks(dataset: Path, output: Path, excluded: Path) -> dict[str, Any]:
    from wristseg.configs import MasksConfig
    from wristseg.data.masks import generate_masks

    started = time.perf_counter()
    summary = generate_masks(MasksConfig(dataset, output_dir=output, excluded=excluded))
    seconds = time.perf_counter() - started
    return {"frames": sum(summary.frames_per_order.values()), "seconds": seconds}


def _best_of(product: Callable[[], object], times: int = 4) -> float:
    product()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _peak_bytes() -> int | None:
    # Not ru_maxrss: on Linux a child starts with that of the process it was forked from.
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else None


if __name__ == "__main__":
    main()
