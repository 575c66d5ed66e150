"""Train the weights that ship: one network at several sizes, on rendered frames with exact masks.

``wristseg train`` fits one size; a robot runs 640x480 or a squeezed 84x84, and weights of one are
useless at the other (docs/weights.md). So each step here is of a batch of every size. Made for a
GPU that holds all frames; it runs on a processor too, slowly.

  python scripts/pretrain.py data/rendered_1 data/rendered_2 --output outputs/weights
  python scripts/pack_weights.py outputs/weights/weights_480x640.ckpt \\
      outputs/weights/weights_240x320.ckpt outputs/weights/weights_84x84.ckpt \\
      --made outputs/weights/made.json
"""

from __future__ import annotations

import itertools
import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import cv2
import numpy as np
import torch
import tyro
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wristseg.artifacts import git_commit, write_json
from wristseg.cli.command import run_command
from wristseg.data.batch_augment import BatchAugmentation
from wristseg.data.frame_pool import FramePool, endless_batches, is_as_large
from wristseg.data.labelled import LabelledDataset
from wristseg.data.labels import load_labels
from wristseg.data.strict_json import read_json
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, TrainingError, UsageError
from wristseg.metrics import class_iou
from wristseg.modeling.checkpoint import load_network
from wristseg.modeling.losses import loss_function
from wristseg.modeling.network import SegmentationNetwork
from wristseg.modeling.plain_checkpoint import write_plain_checkpoint
from wristseg.packed_file import PACKED_SUFFIX, model_path, read_packed
from wristseg.predict.torch_backend import choose_device
from wristseg.train.machine import keep_freed_memory
from wristseg.train.muon import MuonWithAdamW, split_kernels
from wristseg.train.recorded import Descent, recorded
from wristseg.train.scale import Scale
from wristseg.train.settle import confusion_of, settle, standardised

#: A burst of frames has one look; all of it is on one side of the split.
_BURST = 3
_NAMED = slice(1, None)
_LOSS: Final = "compound"

_SCALES = ("480x640:64", "240x320:128", "84x84:256")

#: A data set with the stems that train and those that validate.
Side = tuple[LabelledDataset, list[str], list[str]]


_WEIGHTS, _MADE = "weights.ckpt", "made.json"
#: Steps between two lines of progress, and between two checkpoints of a training under way.
_TELL, _KEEP = 100, 500

_DECAY = 0.02
#: Frames that settle a size, of all data sets together.
_SETTLE_FRAMES = 480
#: Share of the training in which the learning rate rises, and the share of it that it begins with.
_RISE, _FIRST_RATE = 0.1, 0.04

_DESCRIPTION = """
Train the weights that ship, on rendered frames with exact masks.

  python scripts/pretrain.py data/rendered_* --output outputs/weights --minutes 30
  python scripts/pretrain.py data/rendered_* --output outputs/more --weights sim-320
"""


@dataclass(frozen=True)
class Pretraining:
    """Options."""

    datasets: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PATH...")]]
    """Data sets rendered with --exact-masks."""
    output: Path
    """Folder of the results."""
    weights: tuple[Path, ...] = ()
    """weights.ckpt of earlier stages, or sim-320 and its like: training goes on from their mean."""
    shares: tuple[float, ...] = ()
    """Of each of --weights in the mean; equal where not given."""
    scales: tuple[str, ...] = _SCALES
    """HEIGHTxWIDTH:BATCH, all in each step."""
    steps: int = 8000
    """0 only settles and validates."""
    minutes: float | None = None
    """End earlier, annealed all the same."""
    lr: float = 5e-3
    """Of AdamW: biases, scales, head."""
    kernel_lr: float = 0.02
    """Of Muon: kernels."""
    ema: float = 0.998
    """Share of the average that each step keeps."""
    val_share: float = 0.05
    """Of the frames of each data set; the last ones validate."""
    seed: int = 0
    """Of everything that is drawn."""
    device: str = "auto"
    """cpu, cuda, cuda:N, mps, or auto."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the network while it trains; the loss, the weights and their steps are float32."""

    def __post_init__(self) -> None:
        sizes = [scale.name for scale in self.sizes]
        if not self.datasets:
            raise UsageError("no data set: give folders rendered with --exact-masks")
        if not sizes:
            raise UsageError("--scales: expected one size or more")
        if twice := {size for size in sizes if sizes.count(size) > 1}:
            raise UsageError(f"--scales: {', '.join(twice)} stands twice")
        if self.shares and len(self.shares) != len(self.weights):
            raise UsageError(
                f"--shares: {len(self.shares)} for {len(self.weights)} --weights; expected one each"
            )
        if self.shares and not math.isclose(sum(self.shares), 1.0, abs_tol=1e-6):
            raise UsageError(f"--shares: add up to {sum(self.shares):g}, expected 1")
        ranges = {
            "--steps": self.steps >= 0,
            "--minutes": self.minutes is None or 0 < self.minutes < math.inf,
            "--lr": 0 <= self.lr < math.inf,
            "--kernel-lr": 0 <= self.kernel_lr < math.inf,
            "--ema": 0 <= self.ema < 1,
            "--val-share": 0 < self.val_share < 1,
            "--seed": self.seed >= 0,
        }
        if wrong := [option for option, good in ranges.items() if not good]:
            raise UsageError(f"{', '.join(wrong)}: out of range")

    @property
    def sizes(self) -> list[Scale]:
        return [Scale.parse(text) for text in self.scales]

    @property
    def on(self) -> torch.device:
        return choose_device(self.device)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return its exit code."""
    return run_command(Pretraining, _pretrain, argv, prog="pretrain.py", description=_DESCRIPTION)


def _pretrain(given: Pretraining) -> int:
    keep_freed_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(given.seed)
    if given.on.type == "cuda":
        torch.cuda.set_device(given.on.index or 0)
        torch.backends.cudnn.benchmark = True  # every batch of a size has one shape
    sides = _split(given.datasets, given.val_share)
    for scale in given.sizes:
        if not _of_size(sides, scale):
            raise UsageError(
                f"--scales {scale.name}: no data set has frames that large to train and to "
                f"validate on; render some with --height {scale.size_hw[0]} --width "
                f"{scale.size_hw[1]}, or leave the size out"
            )
    network = SegmentationNetwork(len(sides[0][0].classes)).to(given.on)
    network.to(memory_format=torch.channels_last)
    made = _start(network, given.weights, given.shares)
    made = {
        "commands": [*made.get("commands", []), shlex.join(["python", *sys.argv])],
        "seeds": {"training": given.seed},
        "commit": git_commit(),
        "seconds": made.get("seconds", 0),
        "train_frames": sum(len(train) for _, train, _ in sides),
        "figures": {},
    }
    decay = get_ema_multi_avg_fn(given.ema)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    trained = average.module
    assert isinstance(trained, SegmentationNetwork)
    began, before = time.monotonic(), made["seconds"]

    def keep() -> None:
        write_plain_checkpoint(given.output / _WEIGHTS, trained, size_hw=(480, 640), loss=_LOSS)
        made["seconds"] = before + round(time.monotonic() - began)
        write_json(given.output / _MADE, made)

    if given.steps > 0:
        _train(network, average, sides, given, keep=keep)
    keep()
    for scale in given.sizes:
        _settle(trained, sides, scale, given)
        path = given.output / f"weights_{scale.name}.ckpt"
        write_plain_checkpoint(path, trained, size_hw=scale.size_hw, loss=_LOSS)
        made["figures"][f"{scale.name} (h x w)"] = _validate(trained, sides, scale, given)
    made["seconds"] = before + round(time.monotonic() - began)
    write_json(given.output / _MADE, made)
    print(json.dumps(made, indent=2))
    return 0


def _split(folders: Sequence[Path], val_share: float) -> list[Side]:
    """Return data sets with training and validation stems: the last bursts of each validate."""
    sides = []
    for folder in folders:
        masks = folder / "exact_masks"
        if folder.is_dir() and not masks.is_dir():
            raise UsageError(f"{folder}: no exact_masks in it; render it with --exact-masks")
        dataset = load_labels(DatasetPaths(folder), masks_dir=masks)
        stems = sorted(frame.stem for frame in dataset.frames)
        kept = round(len(stems) * (1 - val_share)) // _BURST * _BURST
        if not 0 < kept < len(stems):
            raise DataError(
                folder,
                f"of {len(stems)} frames {kept} would train, in bursts of {_BURST}, and "
                f"{len(stems) - kept} validate; give more frames or another --val-share",
            )
        sides.append((dataset, stems[:kept], stems[kept:]))
        if dataset.classes != sides[0][0].classes:
            raise DataError(folder, f"its classes are not those of {folders[0]}")
    return sides


def _of_size(sides: Sequence[Side], scale: Scale) -> list[Side]:
    """Return the data sets whose frames reach a size, each with the stems of those that do."""
    reached = []
    for dataset, *parts in sides:
        large = {frame.stem for frame in dataset.frames if is_as_large(frame, scale.size_hw)}
        train, val = ([stem for stem in part if stem in large] for part in parts)
        if train and val:
            reached.append((dataset, train, val))
    return reached


def _start(
    network: SegmentationNetwork, checkpoints: Sequence[Path], shares: Sequence[float]
) -> dict[str, Any]:
    """Load the mean of earlier weights, and return what stands beside the last.

    After https://arxiv.org/abs/2203.05482: weights of one descent may be averaged.
    """
    paths = [model_path(name) for name in checkpoints]
    if not paths:
        return {}
    shares = shares or [1 / len(checkpoints)] * len(checkpoints)
    stages = [load_network(path)[0] for path in paths]
    for path, stage in zip(checkpoints, stages, strict=True):
        if stage.num_classes != network.num_classes:
            raise UsageError(
                f"--weights {path}: {stage.num_classes} classes, and the data sets have "
                f"{network.num_classes}"
            )
    read = [stage.state_dict() for stage in stages]
    for name, weight in network.state_dict().items():
        # A counter of batches, the only whole number, ends as that of the last stage.
        terms = [share * state[name] for share, state in zip(shares, read, strict=True)]
        weight.copy_(sum(terms) if weight.is_floating_point() else read[-1][name])
    if paths[-1].suffix == PACKED_SUFFIX:
        return dict(read_packed(paths[-1]).made)
    path = paths[-1].parent / _MADE
    made, _ = read_json(path)
    if isinstance(made, dict):
        return made
    raise DataError(path, "expected an object, as this script writes it")


def _train(
    network: SegmentationNetwork,
    average: AveragedModel,
    sides: Sequence[Side],
    given: Pretraining,
    *,
    keep: Callable[[], None],
) -> None:
    """Descend on batches of all sizes at a time; ``keep`` is called now and then."""
    scales, device = given.sizes, given.on
    pool = FramePool(
        [side[:2] for side in sides], [scale.size_hw for scale in scales], device=device
    )
    change = BatchAugmentation(sides[0][0].classes, device=device, seed=given.seed)
    orders = {
        scale: endless_batches(
            pool.count(scale.size_hw), scale.batch_size, seed=given.seed + number
        )
        for number, scale in enumerate(scales)
    }
    network.train()
    descents = {scale: _descent(network, scale, given) for scale in scales}
    optimizer = _optimizer(network, given)
    most_minutes = math.inf if given.minutes is None else given.minutes
    began, sums = time.monotonic(), torch.zeros(len(scales), device=device)
    for step in itertools.count(1):
        passed = (time.monotonic() - began) / 60
        progress = max(step / given.steps, passed / most_minutes)
        if progress > 1:
            break
        for group, peak in zip(optimizer.param_groups, [given.lr, given.kernel_lr], strict=True):
            group["lr"] = peak * _rate(progress)
        optimizer.zero_grad(set_to_none=False)  # a recorded descent adds to these very tensors
        losses = []
        for scale in scales:
            images, masks = change(*pool.batch(scale.size_hw, next(orders[scale])))
            losses.append(descents[scale](standardised(images), masks))
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(network)
        sums += torch.stack(losses)  # not read here: that would wait for the step to end
        if step % _TELL == 0:
            means = dict(zip(scales, (sums / _TELL).tolist(), strict=True))
            told = ", ".join(f"{scale.size_hw[0]}: {mean:.3f}" for scale, mean in means.items())
            left = passed / progress - passed
            print(f"step {step}  loss {told}  {left:.1f} min left", flush=True)
            if not math.isfinite(sum(means.values())):
                raise TrainingError(
                    f"step {step}: the loss is no number; try a smaller --kernel-lr"
                )
            sums.zero_()
        if step % _KEEP == 0:
            keep()
    print(f"{step - 1} steps", flush=True)


def _descent(network: SegmentationNetwork, scale: Scale, given: Pretraining) -> Descent:
    loss_of = loss_function(_LOSS)
    share = 1 / len(given.scales)
    half = given.precision == "bfloat16"

    def descend(images: Tensor, masks: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            logits = network.coarse_logits(images)
        loss = loss_of(logits, masks)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    return recorded(descend, batch_size=scale.batch_size, size_hw=scale.size_hw, device=given.on)


def _rate(progress: float) -> float:
    """Return the share of the learning rate: up over a tenth of the training, then down to 0."""
    if progress < _RISE:
        return _FIRST_RATE + (1 - _FIRST_RATE) * (1 - math.cos(math.pi * progress / _RISE)) / 2
    return (1 + math.cos(math.pi * (progress - _RISE) / (1 - _RISE))) / 2


def _optimizer(network: SegmentationNetwork, given: Pretraining) -> MuonWithAdamW:
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    kernels, others = split_kernels(trained, num_classes=network.num_classes)
    return MuonWithAdamW(
        [{"params": others, "lr": given.lr}],
        [{"params": kernels, "lr": given.kernel_lr}],
        weight_decay=_DECAY,
    )


def _settle(
    network: SegmentationNetwork, sides: Sequence[Side], scale: Scale, given: Pretraining
) -> None:
    rng, of_size = np.random.default_rng(given.seed), _of_size(sides, scale)
    each = -(-_SETTLE_FRAMES // len(of_size))
    drawn = [
        (dataset, rng.choice(stems, min(each, len(stems)), replace=False).tolist())
        for dataset, stems, _ in of_size
    ]
    pool = FramePool(drawn, [scale.size_hw], device=given.on)
    settle(network, pool, scale.size_hw, seed=given.seed)


def _validate(
    network: SegmentationNetwork, sides: Sequence[Side], scale: Scale, given: Pretraining
) -> dict[str, Any]:
    """Return the figures of one size on the bursts that were not trained on."""
    stems_to_measure = [(dataset, stems) for dataset, _, stems in _of_size(sides, scale)]
    pool = FramePool(stems_to_measure, [scale.size_hw], device=given.on)
    iou = class_iou(confusion_of(network, pool, scale.size_hw))
    names = sides[0][0].classes.names
    shown = {
        name: round(float(value), 4)
        for name, value in zip(names, iou, strict=True)
        if math.isfinite(value)
    }
    named = float(np.nanmean(iou[_NAMED]))
    return {"frames": pool.count(scale.size_hw), "miou_named": round(named, 4), "iou": shown}


if __name__ == "__main__":
    sys.exit(main())
