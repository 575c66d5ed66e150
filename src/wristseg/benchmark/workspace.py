"""Files that a run needs before anything is timed: frames, checkpoints, the peers' weights.

In: the command's options. Out: a ``Workspace`` that the parts of the benchmark read from. What takes
time once, such as exporting a checkpoint to a runtime's form, happens here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.benchmark.contestants import AUTO, Contestant
from wristseg.benchmark.plan import Plan, size_name
from wristseg.benchmark.process import ContestantError, ContestantProcess
from wristseg.benchmark.results import Results
from wristseg.configs import BenchmarkConfig, DatasetPaths
from wristseg.errors import UsageError
from wristseg.images import read_image_rgb

__all__ = ["Workspace", "prepare"]

#: Families that are loaded from the checkpoints; the others get weights of their own.
_READ_CHECKPOINTS = {"wristseg", "plain"}

_TIMED_FRAMES = 16
_NOISE_HW = (480, 640)

#: The stride of smp's encoder; it takes no input whose sides are not multiples of it.
_SMP_STRIDE = 32


@dataclass
class Workspace:
    """Files of a run.

    Attributes:
        scratch: Folder that goes with the run.
        plain: The plain implementation, where it is at hand.
        dataset: The data set, where it is at hand.
        images: Its images, sorted.
        frames: ``.npy`` files of the frames to time, (H, W, 3) uint8 BGR.
        frame_hw: Height and width of the first of them.
        clip: Clip to predict, where it is at hand.
        checkpoints: Size to checkpoint.
        peers: Family and size to the files of a peer.
    """

    scratch: Path
    plain: Path | None
    dataset: Path | None
    images: list[Path]
    frames: list[Path]
    frame_hw: tuple[int, int]
    clip: Path | None
    checkpoints: dict[str, Path] = field(default_factory=dict)
    peers: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """File that takes what processes print."""
        return self.scratch / "log.txt"

    def files(self, contestant: Contestant, size: str) -> dict[str, str]:
        """Return the files that a contestant's model of this size is loaded from."""
        if (contestant.family, size) in self.peers:
            return self.peers[contestant.family, size]
        files = {"checkpoint": str(self.checkpoints[size])}
        return files if self.plain is None else {**files, "plain": str(self.plain)}

    def input_of(self, contestant: Contestant, size: str) -> str:
        """Return the network input at which a contestant runs in place of this size."""
        peer = self.peers.get((contestant.family, size))
        return size if peer is None else size_name((int(peer["height"]), int(peer["width"])))

    def start(self, contestant: Contestant) -> ContestantProcess:
        """Start a contestant's process."""
        return ContestantProcess(contestant.name, self.log)

    def load(self, process: ContestantProcess, contestant: Contestant, size: str) -> None:
        """Let a process load a model and predict a first frame."""
        frames = [str(path) for path in self.frames]
        process.ask("load", size=size, files=self.files(contestant, size), frames=frames)


def prepare(
    config: BenchmarkConfig,
    plan: Plan,
    contestants: Sequence[Contestant],
    *,
    plain: Path | None,
    scratch: Path,
    results: Results,
) -> Workspace:
    """Write and look up the files of a run; adds to ``results`` what is missing or chosen.

    Raises:
        UsageError: A checkpoint is for another size than the option says.
        CheckpointError: A checkpoint cannot be read.
        ContestantError: wristseg itself cannot load the checkpoints.
    """
    dataset = config.dataset_path if config.dataset_path.is_dir() else None
    images = [] if dataset is None else _images_of(dataset)
    if not images:
        results.notes.append(
            f"{config.dataset_path} holds no images: frames are noise; masks, agreement and "
            "training are left out (--dataset-path)"
        )
    frames, frame_hw = _write_frames(images, scratch)
    clip = config.clip if config.clip.is_file() else None
    if clip is None:
        results.notes.append(f"{config.clip} is not here: the clip is left out (--clip)")
    work = Workspace(scratch, plain, dataset if images else None, images, frames, frame_hw, clip)
    for size_hw, given in zip(
        plan.sizes_hw, (config.checkpoint_640, config.checkpoint_84), strict=True
    ):
        _find_checkpoint(work, size_hw, given, results)
    _prepare_models(work, plan, contestants, results)
    return work


def _images_of(dataset: Path) -> list[Path]:
    from wristseg.data.layout import find_layout, list_images

    return sorted(list_images(find_layout(DatasetPaths(dataset)).images_dir))


def _write_frames(images: Sequence[Path], scratch: Path) -> tuple[list[Path], tuple[int, int]]:
    """Write the frames to time, spread over the data set, as arrays that need no decoder."""
    if images:
        chosen = np.linspace(0, len(images) - 1, min(_TIMED_FRAMES, len(images))).astype(int)
        frames = [read_image_rgb(images[i])[..., ::-1] for i in chosen]
    else:
        frames = [_noise(seed) for seed in range(_TIMED_FRAMES)]
    paths = [scratch / f"frame{i:02d}.npy" for i in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        np.save(path, np.ascontiguousarray(frame))
    return paths, (frames[0].shape[0], frames[0].shape[1])


def _noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*_NOISE_HW, 3), dtype=np.uint8)


def _find_checkpoint(
    work: Workspace, size_hw: tuple[int, int], given: Path | None, results: Results
) -> None:
    size = size_name(size_hw)
    if given is None:
        path = work.scratch / f"random_{size}.ckpt"
        with ContestantProcess("wristseg/torch", work.log) as process:
            height, width = size_hw
            process.ask("random_checkpoint", path=str(path), height=height, width=width)
        results.weights[size] = "random, seeded"
    else:
        from wristseg.modeling.checkpoint import read_checkpoint_info

        path, found_hw = given, read_checkpoint_info(given).preprocess.size_hw
        if found_hw != size_hw:
            raise UsageError(f"{given} is for {size_name(found_hw)}, expected one for {size}")
        results.weights[size] = f"{given.parent.name}/{given.name}"
    work.checkpoints[size] = path


def _prepare_models(
    work: Workspace, plan: Plan, contestants: Sequence[Contestant], results: Results
) -> None:
    """Export what has to be exported, and bring all files into the disk cache."""
    sizes = [size_name(size_hw) for size_hw in plan.sizes_hw]
    jobs = [partial(_choose_runtime, work, sizes, results)]
    jobs += [partial(_warm, work, c, sizes) for c in contestants if c.family in _READ_CHECKPOINTS]
    for family in sorted({c.family for c in contestants} - _READ_CHECKPOINTS):
        exports = any(c.family == family and c.engine == "onnxruntime" for c in contestants)
        jobs.append(partial(_write_peer, work, plan, family, exports=exports))
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(job) for job in jobs]:
            job.result()


def _choose_runtime(work: Workspace, sizes: Sequence[str], results: Results) -> None:
    with work.start(AUTO) as process:
        for size in sizes:
            checkpoint = str(work.checkpoints[size])
            results.runtime[size] = process.ask("runtime", checkpoint=checkpoint)["runtime"]


def _warm(work: Workspace, contestant: Contestant, sizes: Sequence[str]) -> None:
    try:
        with work.start(contestant) as process:
            for size in sizes:
                work.load(process, contestant, size)
    except ContestantError:
        return  # said where it is measured


def _write_peer(work: Workspace, plan: Plan, family: str, *, exports: bool) -> None:
    with ContestantProcess(f"{family}/torch", work.log) as process:
        for size_hw in plan.sizes_hw:
            size, (height, width) = size_name(size_hw), _peer_input(family, size_hw)
            weights, onnx = (work.scratch / f"{family}_{size}.{end}" for end in ("pt", "onnx"))
            process.ask(
                "peer_files",
                family=family,
                height=height,
                width=width,
                weights=str(weights),
                onnx=str(onnx) if exports else None,
            )
            work.peers[family, size] = {
                "weights": str(weights),
                "onnx": str(onnx),
                "height": str(height),
                "width": str(width),
            }


def _peer_input(family: str, size_hw: tuple[int, int]) -> tuple[int, int]:
    """Return the input at which a peer can run: smp refuses 84x84 and gets the next size."""
    if family != "smp":
        return size_hw
    height, width = (-(-side // _SMP_STRIDE) * _SMP_STRIDE for side in size_hw)
    return height, width
