"""Files that a run needs before anything is timed: frames, checkpoints, the peers' weights.

What takes time once, such as exporting a checkpoint to a runtime's form, happens here too. Called
by ``benchmark.benchmark``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.benchmark.contestants import AUTO, PLAIN, Contestant
from wristseg.benchmark.plan import size_name
from wristseg.benchmark.process import ContestantError
from wristseg.benchmark.run import Run
from wristseg.configs import BenchmarkConfig
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import UsageError
from wristseg.images import read_image_rgb

__all__ = ["prepare"]

_TIMED_FRAMES = 16
_NOISE_HW = (480, 640)

#: The stride of smp's encoder; it takes no input whose sides are not multiples of it.
_SMP_STRIDE = 32


def prepare(run: Run, config: BenchmarkConfig, contestants: Sequence[Contestant]) -> None:
    """Write and look up the files of a run; notes what is missing.

    Raises:
        UsageError: A checkpoint is for another size than its option says.
        CheckpointError: A checkpoint cannot be read.
        ContestantError: wristseg itself cannot load the checkpoints.
    """
    _find_inputs(run, config)
    run.frames = _write_frames(run)
    given = (config.checkpoint_640, config.checkpoint_84)
    for size_hw, path in zip(run.plan.sizes_hw, given, strict=True):
        _find_checkpoint(run, size_hw, path)
    with ThreadPoolExecutor(max_workers=1) as beside:
        tools = beside.submit(_use_tools, run, contestants)
        _choose_runtime(run)
        for contestant in contestants:
            exported = contestant.family == "wristseg" and contestant.engine != "torch"
            if exported or (contestant == PLAIN and run.plan.load_rounds > 0):
                _load_once(run, contestant)
        tools.result()


def _use_tools(run: Run, contestants: Sequence[Contestant]) -> None:
    for family in sorted({c.family for c in contestants} - {"wristseg", "plain"}):
        exports = any(c.family == family and c.engine == "onnxruntime" for c in contestants)
        _write_peer(run, family, exports=exports)
    counts = run.tools.ask("macs", sizes_hw=run.plan.sizes_hw)["gmacs"]
    run.results.gmacs = dict(zip(run.sizes, counts, strict=True))


def _find_inputs(run: Run, config: BenchmarkConfig) -> None:
    notes = run.results.notes
    images = _images_of(config.dataset_path) if config.dataset_path.is_dir() else []
    if images:
        run.dataset, run.images = config.dataset_path, images
    else:
        notes.append(
            f"{config.dataset_path} holds no images: frames are noise; masks, agreement and "
            "training are left out (--dataset-path)"
        )
    if config.clip.is_file():
        run.clip = config.clip
    else:
        notes.append(f"{config.clip} is not here: the clip is left out (--clip)")


def _images_of(dataset: Path) -> list[Path]:
    from wristseg.data.layout import find_layout, list_images

    return sorted(list_images(find_layout(DatasetPaths(dataset)).images_dir))


def _write_frames(run: Run) -> list[Path]:
    """Write the frames to time, spread over the data set, as arrays that need no decoder."""
    if run.images:
        last = len(run.images) - 1
        chosen = np.linspace(0, last, min(_TIMED_FRAMES, last + 1)).astype(int)
        frames = [read_image_rgb(run.images[i])[..., ::-1] for i in chosen]
    else:
        frames = [_noise(seed) for seed in range(_TIMED_FRAMES)]
    paths = [run.scratch / f"frame{i:02d}.npy" for i in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        np.save(path, np.ascontiguousarray(frame))
    height, width = frames[0].shape[:2]
    run.results.frame = f"{width}x{height}"
    return paths


def _noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*_NOISE_HW, 3), dtype=np.uint8)


def _find_checkpoint(run: Run, size_hw: tuple[int, int], given: Path | None) -> None:
    size = size_name(size_hw)
    if given is None:
        path = run.scratch / f"random_{size}.ckpt"
        height, width = size_hw
        run.tools.ask("random_checkpoint", path=str(path), height=height, width=width)
        run.results.weights[size] = "random, seeded"
    else:
        from wristseg.modeling.checkpoint import read_checkpoint_info

        path, found_hw = given, read_checkpoint_info(given).preprocess.size_hw
        if found_hw != size_hw:
            raise UsageError(f"{given} is for {size_name(found_hw)}, expected one for {size}")
        run.results.weights[size] = f"{given.parent.name}/{given.name}"
    run.checkpoints[size] = path


def _write_peer(run: Run, family: str, *, exports: bool) -> None:
    for size_hw in run.plan.sizes_hw:
        size, (height, width) = size_name(size_hw), _peer_input(family, size_hw)
        weights, onnx = (str(run.scratch / f"{family}_{size}.{end}") for end in ("pt", "onnx"))
        shape = {"family": family, "height": height, "width": width}
        run.tools.ask("peer_files", **shape, weights=weights, onnx=onnx if exports else None)
        run.peers[family, size] = {
            "weights": weights,
            "onnx": onnx,
            "height": str(height),
            "width": str(width),
        }


def _peer_input(family: str, size_hw: tuple[int, int]) -> tuple[int, int]:
    """Return the input at which a peer can run: smp refuses 84x84 and gets the next size."""
    if family != "smp":
        return size_hw
    height, width = (-(-side // _SMP_STRIDE) * _SMP_STRIDE for side in size_hw)
    return height, width


def _load_once(run: Run, contestant: Contestant) -> None:
    """Have models exported where a runtime needs it, and bring files into the disk cache."""
    try:
        with run.start(contestant) as process:
            for size in run.sizes:
                run.load(process, contestant, size)
    except ContestantError:
        return  # it is said, and the contestant left out, where it is measured


def _choose_runtime(run: Run) -> None:
    with run.start(AUTO) as process:
        for size in run.sizes:
            checkpoint = str(run.checkpoints[size])
            run.results.runtime[size] = process.ask("runtime", checkpoint=checkpoint)["runtime"]
