"""Train the weights that ship: one network at several sizes, on rendered frames with exact masks.

``wristseg train`` fits one size; a robot runs 640x480 or a squeezed 84x84, and weights of one are
useless at the other (docs/weights.md). So each step here is of a batch of every size. Made for a
GPU that holds all frames; it runs on a processor too, some 50 times slower.

  python scripts/pretrain.py data/rendered_1 data/rendered_2 --output outputs/weights
  python scripts/pack_weights.py outputs/weights/weights_480x640.ckpt \\
      outputs/weights/weights_240x320.ckpt outputs/weights/weights_84x84.ckpt \\
      --made outputs/weights/made.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wristseg.artifacts import atomic_path, git_commit, write_json
from wristseg.data.batch_augment import BatchAugmentation
from wristseg.data.frame_pool import FramePool, endless_batches, to_device
from wristseg.data.labelled import LabelledDataset
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.metrics import class_iou, confusion_matrix
from wristseg.modeling.losses import enlarge_logits, loss_function
from wristseg.modeling.network import SegmentationNetwork
from wristseg.preprocess import IMAGENET_MEAN, IMAGENET_STD
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
    """

    size_hw: tuple[int, int]
    batch_size: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``HEIGHTxWIDTH:BATCH``."""
        size, batch_size = text.split(":")
        height, width = size.split("x")
        return cls((int(height), int(width)), int(batch_size))

    @property
    def name(self) -> str:
        """``HEIGHTxWIDTH``."""
        return f"{self.size_hw[0]}x{self.size_hw[1]}"


_SETTLE_FRAMES, _SETTLE_BATCH = 480, 16

_WEIGHTS, _MADE = "weights.ckpt", "made.json"
#: Steps between two lines of progress, and between two checkpoints of a training under way.
_TELL, _KEEP = 100, 500

_DECAY = 0.02

#: Share of the training in which the learning rate rises, and the share of it that it begins with.
_RISE, _FIRST_RATE = 0.1, 0.04

#: Runs before a GPU's work is recorded, in which it chooses its algorithms.
_WARM_UP = 3

_SCALES = ("480x640:64", "240x320:128", "84x84:256")

#: A data set with the stems that train and those that validate.
Side = tuple[LabelledDataset, list[str], list[str]]


def main() -> None:
    """Train; write ``weights.ckpt``, one checkpoint for each size, and ``made.json``."""
    given = _parse()
    keep_freed_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(given.seed)
    sides = [_split(folder, given.val_share) for folder in given.datasets]
    network = SegmentationNetwork(len(sides[0][0].classes))
    network.to(given.device).to(memory_format=torch.channels_last)
    earlier = _start(network, given.weights, given.shares)
    decay = get_ema_multi_avg_fn(given.ema)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    given.output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if given.steps > 0:
        _train(network, average, sides, given)
    trained = average.module
    assert isinstance(trained, SegmentationNetwork)
    _write_checkpoint(given.output / _WEIGHTS, trained)
    figures = {}
    for scale in given.scales:
        _settle(trained, sides, scale, given)
        path = given.output / f"weights_{scale.name}.ckpt"
        _write_checkpoint(path, trained, scale.size_hw)
        figures[f"{scale.name} (h x w)"] = _validate(trained, sides, scale, given)
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
        help=f"HEIGHTxWIDTH:BATCH, all in each step (default: {' '.join(_SCALES)})",
    )
    parser.add_argument("--steps", type=int, default=8000, help="0 only settles and validates")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="end earlier, annealed all the same"
    )
    parser.add_argument("--lr", type=float, default=5e-3, help="of AdamW: biases, scales, head")
    parser.add_argument("--kernel-lr", type=float, default=0.02, help="of Muon: kernels")
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--val-share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=torch.device, default=torch.device(default))
    return parser.parse_args()


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
    sizes = [scale.size_hw for scale in given.scales]
    pool = FramePool([side[:2] for side in sides], sizes, device=given.device)
    change = BatchAugmentation(sides[0][0].classes, device=given.device, seed=given.seed)
    orders = {
        scale: endless_batches(len(pool), scale.batch_size, seed=given.seed + number)
        for number, scale in enumerate(given.scales)
    }
    network.train()
    descents = {scale: _descent(network, scale, given) for scale in given.scales}
    optimizer = _optimizer(network, given)
    began, sums = time.monotonic(), torch.zeros(len(given.scales), device=given.device)
    for step in itertools.count(1):
        passed = (time.monotonic() - began) / 60
        progress = max(step / given.steps, passed / given.minutes)
        if progress > 1:
            break
        for group, peak in zip(optimizer.param_groups, [given.lr, given.kernel_lr], strict=True):
            group["lr"] = peak * _rate(progress)
        optimizer.zero_grad(set_to_none=False)  # a recorded descent adds to these very tensors
        losses = []
        for scale in given.scales:
            images, masks = change(*pool.batch(scale.size_hw, next(orders[scale])))
            losses.append(descents[scale](_standardised(images), masks))
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(network)
        sums += torch.stack(losses)  # not read here: that would wait for the step to end
        if step % _KEEP == 0:
            assert isinstance(average.module, SegmentationNetwork)
            _write_checkpoint(given.output / _WEIGHTS, average.module)
        if step % _TELL == 0:
            means = dict(zip(given.scales, (sums / _TELL).tolist(), strict=True))
            if not math.isfinite(sum(means.values())):
                raise SystemExit(f"step {step}: the loss is no number")
            told = ", ".join(f"{scale.size_hw[0]}: {mean:.3f}" for scale, mean in means.items())
            left = passed / progress - passed
            print(f"step {step}  loss {told}  {left:.1f} min left", flush=True)
            sums.zero_()


def _descent(
    network: SegmentationNetwork, scale: Scale, given: argparse.Namespace
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function of images and masks that adds to the gradients and returns the loss.

    On a GPU it is recorded as a CUDA graph: to launch the network's kernels one by one takes a
    processor longer than the GPU takes to run them. What is recorded reads every tensor from where
    it lay: it may use none but the network's and those that ``replay`` keeps.
    """
    loss_of = loss_function("compound")

    def descend(images: Tensor, masks: Tensor) -> Tensor:
        loss = loss_of(network.coarse_logits(images), masks)
        (loss / len(given.scales)).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    if given.device.type != "cuda":
        return descend
    images = torch.rand((scale.batch_size, 3, *scale.size_hw), device=given.device)
    images = images.contiguous(memory_format=torch.channels_last)
    masks = torch.ones((scale.batch_size, *scale.size_hw), dtype=torch.uint8, device=given.device)
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            descend(images, masks)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = descend(images, masks)

    def replay(new_images: Tensor, new_masks: Tensor) -> Tensor:
        images.copy_(new_images)
        masks.copy_(new_masks)
        graph.replay()
        return loss.clone()

    return replay


def _rate(progress: float) -> float:
    """Return the share of the learning rate: up over a tenth of the training, then down to 0."""
    if progress < _RISE:
        return _FIRST_RATE + (1 - _FIRST_RATE) * (1 - math.cos(math.pi * progress / _RISE)) / 2
    return (1 + math.cos(math.pi * (progress - _RISE) / (1 - _RISE))) / 2


def _optimizer(network: SegmentationNetwork, given: argparse.Namespace) -> MuonWithAdamW:
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    kernels, others = split_kernels(trained, num_classes=network.num_classes)
    return MuonWithAdamW(
        [{"params": others, "lr": given.lr}],
        [{"params": kernels, "lr": given.kernel_lr}],
        weight_decay=_DECAY,
    )


@torch.no_grad()
def _settle(
    network: SegmentationNetwork, sides: Sequence[Side], scale: Scale, given: argparse.Namespace
) -> None:
    """Measure the statistics of batch normalisation anew, at one size, on frames as they are.

    Those that training leaves are a mixture of all sizes and of augmented frames, which cost 0.05
    to 0.1 of mean IoU (docs/experiments.md). After https://arxiv.org/abs/2105.07576, section 3.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
    network.train()
    rng = np.random.default_rng(given.seed)
    each = -(-_SETTLE_FRAMES // len(sides))
    drawn = [
        (dataset, rng.choice(stems, min(each, len(stems)), replace=False).tolist())
        for dataset, stems, _ in sides
    ]
    pool = FramePool(drawn, [scale.size_hw], device=given.device)
    order = rng.permutation(len(pool))
    for start in range(0, len(order), _SETTLE_BATCH):
        images, _ = pool.batch(scale.size_hw, order[start : start + _SETTLE_BATCH])
        network.coarse_logits(_plain(images))
    network.eval()


@torch.no_grad()
def _validate(
    network: SegmentationNetwork, sides: Sequence[Side], scale: Scale, given: argparse.Namespace
) -> dict[str, Any]:
    """Return the figures of one size on the bursts that were not trained on."""
    network.eval()
    confusion = np.zeros((network.num_classes, network.num_classes), np.int64)
    pool = FramePool([(data, stems) for data, _, stems in sides], [scale.size_hw],
                     device=given.device)  # fmt: skip
    for start in range(0, len(pool), 4):
        images, masks = pool.batch(scale.size_hw, np.arange(start, min(start + 4, len(pool))))
        logits = network.coarse_logits(_plain(images))
        ids: Tensor = enlarge_logits(logits, masks.shape[1:]).max(1)[1].to(torch.uint8)
        confusion += confusion_matrix(ids.cpu().numpy(), masks.cpu().numpy(), network.num_classes)
    iou = class_iou(confusion)
    names = sides[0][0].classes.names
    shown = {
        name: round(float(value), 4)
        for name, value in zip(names, iou, strict=True)
        if math.isfinite(value)
    }
    return {"frames": len(pool), "miou_named": round(float(np.nanmean(iou[_NAMED])), 4),
            "iou": shown}  # fmt: skip


def _plain(images: Tensor) -> Tensor:
    """Return (n, 3, H, W) float32, standardised, channels last, of (n, H, W, 3) uint8."""
    return _standardised((images / 255).permute(0, 3, 1, 2))


def _standardised(images: Tensor) -> Tensor:
    """Return (n, 3, H, W) float32, channels last, of colours from 0 to 1 in any layout."""
    mean, std = (
        to_device(torch.tensor(values), images.device).view(1, 3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def _write_checkpoint(
    path: Path, network: SegmentationNetwork, size_hw: tuple[int, int] = (480, 640)
) -> None:
    checkpoint = {
        "state_dict": {k: v.cpu().contiguous() for k, v in network.state_dict().items()},
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
