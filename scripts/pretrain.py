"""Train the weights that ship: one network at several sizes, on rendered frames with exact masks.

``wristseg train`` fits one size; a robot runs 640x480 or a squeezed 84x84, and weights of one are
useless at the other (docs/weights.md). So each step here takes a batch of another size, in turns.
Most is learned in the least time from small frames, so a training in stages begins with them.
Under ``torchrun`` each process begins the turns at another size, and all step together.

  python scripts/pretrain.py data/rendered_1 data/rendered_2 --output outputs/stage_1 \\
      --scales 84x84:32:1 --cycles 6000
  python scripts/pretrain.py data/rendered_1 data/rendered_2 --output outputs/weights \\
      --weights outputs/stage_1/weights.ckpt --cycles 2500
  python scripts/pack_weights.py outputs/weights/weights_480x640.ckpt \\
      outputs/weights/weights_84x84.ckpt --made outputs/weights/made.json
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wristseg.artifacts import atomic_path, git_commit, write_json
from wristseg.data.augment import Geometry, apply_geometry
from wristseg.data.frames import Batch, EpochBatches, FrameKey, PrefetchLoader, TrainingFrames
from wristseg.data.labelled import LabelledDataset
from wristseg.data.labels import load_labels
from wristseg.data.looks import Looks
from wristseg.data.shadows import Shadows
from wristseg.dataset_paths import DatasetPaths
from wristseg.metrics import class_iou, confusion_matrix
from wristseg.modeling.losses import enlarge_logits, loss_function
from wristseg.modeling.network import SegmentationNetwork
from wristseg.preprocess import PreprocessContract
from wristseg.train.machine import keep_freed_memory
from wristseg.train.muon import MuonWithAdamW, split_kernels

#: A burst of frames has one look; all of it is on one side of the split.
_BURST = 3
_NAMED = slice(1, None)


@dataclass(frozen=True)
class Scale:
    """A size to train at.

    Attributes:
        size_hw: Network input.
        batch_size: Frames per step.
        steps: Steps per cycle.
    """

    size_hw: tuple[int, int]
    batch_size: int
    steps: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``HEIGHTxWIDTH:BATCH:STEPS``."""
        size, batch_size, steps = text.split(":")
        height, width = size.split("x")
        return cls((int(height), int(width)), int(batch_size), int(steps))


#: Keeps these draws apart from the augmentation's, which takes (seed, epoch, position).
_VARIED, _SETTLE = 2, 3
_SETTLE_STEPS = 60
_MIRROR_CHANCE = 0.5
_LOOKS = Looks(recoloured=0.5, patterned=0.35)

_WEIGHTS, _MADE = "weights.ckpt", "made.json"
#: Cycles between two lines of progress, and between two checkpoints of a training under way.
_TELL, _KEEP = 50, 500

_DECAY = 0.02

#: Of decoded frames in memory, per data set and size; the others lie in a mapped file.
_CACHE_BYTES = 256 * 1024**2

#: About a third of the time each.
_SCALES = ("480x640:4:1", "240x320:8:1", "84x84:32:2")


def main() -> None:
    """Train; write ``weights.ckpt``, one checkpoint for each size, and ``made.json``."""
    given = _parse()
    keep_freed_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(given.seed)
    if dist.is_torchelastic_launched():
        dist.init_process_group("gloo")
    sides = [_split(folder, given.val_share) for folder in given.datasets]
    network = SegmentationNetwork(len(sides[0][0].classes)).to(memory_format=torch.channels_last)
    earlier = _start(network, given.weights, given.shares)
    decay = get_ema_multi_avg_fn(given.ema)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    given.output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if given.cycles > 0:
        _train(network, average, sides, given)
    if _rank() > 0:
        return
    trained = average.module
    assert isinstance(trained, SegmentationNetwork)
    _write_checkpoint(given.output / _WEIGHTS, trained)
    figures = {}
    for scale in given.scales:
        _settle(trained, sides, scale)
        name = f"{scale.size_hw[0]}x{scale.size_hw[1]}"
        _write_checkpoint(given.output / f"weights_{name}.ckpt", trained, scale.size_hw)
        figures[f"{name} (h x w)"] = _validate(trained, sides, scale.size_hw)
    made = {
        "commands": [*earlier.get("commands", []), " ".join(["python", *sys.argv])],
        "seeds": {"training": given.seed},
        "commit": git_commit(),
        "seconds": earlier.get("seconds", 0) + round(time.monotonic() - started),
        "train_frames": sum(len(train) for _, train, _ in sides),
        "figures": figures,
    }
    write_json(given.output / _MADE, made)
    print(json.dumps(made, indent=2))


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the weights that ship.")
    parser.add_argument("datasets", type=Path, nargs="+", help="rendered with --exact-masks")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[], help="weights.ckpt of earlier stages: a mean"
    )
    parser.add_argument(
        "--shares", type=float, nargs="+", help="of each of --weights in the mean (default: equal)"
    )
    parser.add_argument(
        "--scales",
        type=Scale.parse,
        nargs="+",
        default=[Scale.parse(text) for text in _SCALES],
        help=f"HEIGHTxWIDTH:BATCH:STEPS of a cycle (default: {' '.join(_SCALES)})",
    )
    parser.add_argument(
        "--cycles",
        type=int,
        default=2500,
        help="each the steps of all scales; 0 only settles and validates",
    )
    parser.add_argument("--lr", type=float, default=5e-3, help="of AdamW: biases, scales, head")
    parser.add_argument("--kernel-lr", type=float, default=0.02, help="of Muon: kernels")
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--val-share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


Side = tuple[LabelledDataset, list[str], list[str]]


class _VariedFrames(TrainingFrames):
    """Frames that are also mirrored, and whose classes change their look apart from each other.

    Mirrored arms do not exist, but a mirrored picture of one camera mount resembles the opposite
    mount, and weights have to serve both.
    """

    def __getitem__(self, key: FrameKey) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image (h, w, 3) and class ids (h, w), uint8, as augmented in that epoch."""
        image, mask = super().__getitem__(key)
        rng = np.random.default_rng([self._seed, *key, _VARIED])
        if rng.random() < _MIRROR_CHANCE:
            whole = (0, 0, *mask.shape)
            image, mask = apply_geometry(image, mask, Geometry(whole, flip_horizontal=True))
        return _LOOKS.change(image, mask, rng=rng), np.ascontiguousarray(mask)


def _split(folder: Path, val_share: float) -> Side:
    """Return a data set with its training and validation stems: the last bursts validate."""
    dataset = load_labels(DatasetPaths(folder), masks_dir=folder / "exact_masks")
    stems = sorted(frame.stem for frame in dataset.frames)
    kept = round(len(stems) * (1 - val_share)) // _BURST * _BURST
    return dataset, stems[:kept], stems[kept:]


def _start(
    network: SegmentationNetwork, checkpoints: Sequence[Path], shares: Sequence[float] | None
) -> dict[str, Any]:
    """Load the mean of earlier stages' weights, and return what the last wrote down.

    After https://arxiv.org/abs/2203.05482: weights of one descent may be averaged.
    """
    if not checkpoints:
        return {}
    shares = shares or [1 / len(checkpoints)] * len(checkpoints)
    read = [torch.load(path, weights_only=True)["state_dict"] for path in checkpoints]
    for name, weight in network.state_dict().items():
        # A counter of batches, the only whole number, ends as that of the last stage.
        terms = [share * state[name] for share, state in zip(shares, read, strict=True)]
        weight.copy_(sum(terms) if weight.is_floating_point() else read[-1][name])
    made: dict[str, Any] = json.loads((checkpoints[-1].parent / _MADE).read_text(encoding="utf-8"))
    return made


def _train(
    network: SegmentationNetwork,
    average: AveragedModel,
    sides: Sequence[Side],
    given: argparse.Namespace,
) -> None:
    optimizer, schedule = _optimizer(network, given)
    turn = _rank() % len(given.scales)
    scales = [*given.scales[turn:], *given.scales[:turn]]
    # Apart from the seeds of the data sets, which are counted up.
    sources = [(scale, _batches(sides, scale, given.seed + 100 * _rank())) for scale in scales]
    loss_of = loss_function("compound")
    network.train()
    began, sums = time.monotonic(), dict.fromkeys(given.scales, 0.0)
    for cycle in range(1, given.cycles + 1):
        for scale, batches in sources:
            for _ in range(scale.steps):
                images, masks = next(batches)
                loss = loss_of(network.coarse_logits(images), masks)
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise SystemExit(f"cycle {cycle}: the loss is {value}")
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                _share_gradients(network)
                torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                schedule.step()
                average.update_parameters(network)
                sums[scale] += value / scale.steps
        if _rank() > 0:
            continue
        if cycle % _KEEP == 0:
            assert isinstance(average.module, SegmentationNetwork)
            _write_checkpoint(given.output / _WEIGHTS, average.module)
        if cycle % _TELL == 0:
            losses = ", ".join(f"{s.size_hw[0]}: {sums[s] / _TELL:.3f}" for s in given.scales)
            left = (time.monotonic() - began) / cycle * (given.cycles - cycle) / 60
            print(f"cycle {cycle}/{given.cycles}  loss {losses}  {left:.0f} min left", flush=True)
            sums = dict.fromkeys(given.scales, 0.0)


def _optimizer(
    network: SegmentationNetwork, given: argparse.Namespace
) -> tuple[MuonWithAdamW, OneCycleLR]:
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    kernels, others = split_kernels(trained, num_classes=network.num_classes)
    optimizer = MuonWithAdamW(
        [{"params": others, "lr": given.lr}],
        [{"params": kernels, "lr": given.kernel_lr}],
        weight_decay=_DECAY,
    )
    total = given.cycles * sum(scale.steps for scale in given.scales)
    rates = [given.lr, given.kernel_lr]
    schedule = OneCycleLR(optimizer, rates, total_steps=total, pct_start=0.1, cycle_momentum=False)
    return optimizer, schedule


def _share_gradients(network: SegmentationNetwork) -> None:
    """Replace every gradient by its mean over the processes."""
    if not dist.is_initialized():
        return
    grads = [weight.grad for weight in network.parameters() if weight.grad is not None]
    joined = torch.cat([grad.reshape(-1) for grad in grads])
    dist.all_reduce(joined)
    joined /= dist.get_world_size()
    parts = torch.split(joined, [grad.numel() for grad in grads])
    for grad, part in zip(grads, parts, strict=True):
        grad.copy_(part.view(grad.shape))


def _batches(sides: Sequence[Side], scale: Scale, seed: int) -> Iterator[Batch]:
    """Yield batches of one size for ever, each of one data set; a larger one comes more often."""
    loaders, smallest = [], min(len(stems) for _, stems, _ in sides)
    for number, (dataset, stems, _) in enumerate(sides):
        frames = _VariedFrames(
            dataset,
            stems,
            contract=PreprocessContract(scale.size_hw),
            recipe="robust",
            seed=seed + number,
            shadows=Shadows.on(dataset.classes, 0.3),
            cache_bytes=_CACHE_BYTES,
        )
        batches = EpochBatches(len(frames), scale.batch_size, seed=seed + number)
        loader = _endless(PrefetchLoader(frames, batches))
        loaders += [loader] * round(len(stems) / smallest)
    while True:
        for loader in loaders:
            yield next(loader)


def _endless(loader: PrefetchLoader) -> Iterator[Batch]:
    epoch = 0
    while True:
        loader.batch_sampler.set_epoch(epoch)
        yield from loader
        epoch += 1


@torch.no_grad()
def _settle(network: SegmentationNetwork, sides: Sequence[Side], scale: Scale) -> None:
    """Measure the statistics of batch normalisation anew, at one size, on frames as they are.

    Those that training leaves are a mixture of all sizes and of augmented frames, which cost 0.05
    to 0.1 of mean IoU (docs/experiments.md). After https://arxiv.org/abs/2105.07576, section 3.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
    network.train()
    rng = np.random.default_rng(_SETTLE)
    for number in range(_SETTLE_STEPS):
        dataset, stems, _ = sides[number % len(sides)]
        drawn = rng.choice(len(stems), scale.batch_size, replace=False)
        frames = _plain_frames(dataset, [stems[i] for i in drawn], scale.size_hw)
        network.coarse_logits(frames.batch([(0, i) for i in range(scale.batch_size)])[0])
    network.eval()


def _plain_frames(
    dataset: LabelledDataset, stems: Sequence[str], size_hw: tuple[int, int]
) -> TrainingFrames:
    contract = PreprocessContract(size_hw)
    return TrainingFrames(dataset, stems, contract=contract, recipe="none", seed=0)


@torch.no_grad()
def _validate(
    network: SegmentationNetwork, sides: Sequence[Side], size_hw: tuple[int, int]
) -> dict[str, Any]:
    """Return the figures of one size on the bursts that were not trained on."""
    network.eval()
    confusion = np.zeros((network.num_classes, network.num_classes), np.int64)
    count = 0
    for dataset, _, stems in sides:
        frames = _plain_frames(dataset, stems, size_hw)
        for start in range(0, len(stems), 4):
            keys = [(0, i) for i in range(start, min(start + 4, len(stems)))]
            images, masks = frames.batch(keys)
            ids: Tensor = enlarge_logits(network.coarse_logits(images), masks.shape[1:]).max(1)[1]
            confusion += confusion_matrix(
                ids.to(torch.uint8).numpy(), masks.numpy(), network.num_classes
            )
            count += len(keys)
    iou = class_iou(confusion)
    names = sides[0][0].classes.names
    shown = {
        name: round(float(value), 4)
        for name, value in zip(names, iou, strict=True)
        if math.isfinite(value)
    }
    return {"frames": count, "miou_named": round(float(np.nanmean(iou[_NAMED])), 4), "iou": shown}


def _write_checkpoint(
    path: Path, network: SegmentationNetwork, size_hw: tuple[int, int] = (480, 640)
) -> None:
    checkpoint = {
        "state_dict": {k: v.contiguous() for k, v in network.state_dict().items()},
        "hyper_parameters": {
            "num_classes": network.num_classes,
            "lr": 0.0,
            "weight_decay": 0.0,
            "img_height": size_hw[0],
            "img_width": size_hw[1],
            "loss_type": "compound",
        },
    }
    with atomic_path(path) as temporary:
        torch.save(checkpoint, temporary)


if __name__ == "__main__":
    main()
