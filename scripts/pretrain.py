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
from collections.abc import Callable, Mapping, Sequence
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
from wristseg.data.frame_pool import FramePool, endless_batches
from wristseg.data.strict_json import read_json
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
from wristseg.train.rendered import RenderedSet, reaching, read_rendered
from wristseg.train.scale import Scale
from wristseg.train.settle import confusion_of, settle, standardised

_NAMED = slice(1, None)
_LOSS: Final = "compound"

_SCALES = ("480x640:64", "240x320:128", "84x84:256")

_WEIGHTS, _MADE = "weights.ckpt", "made.json"
#: Steps between two lines of progress, and between two checkpoints of a training under way.
_TELL, _KEEP = 100, 500

_DECAY = 0.02
#: Frames that settle a size, at least, of all data sets together.
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
    """Folder of the results; one that holds weights is refused."""
    weights: tuple[Path, ...] = ()
    """weights.ckpt of earlier stages, or sim-320 and its like: training goes on from their mean."""
    shares: tuple[float, ...] = ()
    """Of each of --weights in the mean; equal where not given."""
    scales: tuple[str, ...] = _SCALES
    """HEIGHTxWIDTH:BATCH, all in each step; each of the frames that are at least as large."""
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
    _require_free(given.output)
    keep_freed_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(given.seed)
    if given.on.type == "cuda":
        torch.cuda.set_device(0 if given.on.index is None else given.on.index)
        torch.backends.cudnn.benchmark = True  # every batch of a size has one shape
    sets = read_rendered(given.datasets, val_share=given.val_share)
    of_scale = _of_scales(sets, given.sizes)
    network = SegmentationNetwork(len(sets[0].dataset.classes)).to(given.on)
    network.to(memory_format=torch.channels_last)
    made = _start(network, given.weights, given.shares)
    made = {
        "commands": [*made.get("commands", []), shlex.join(["python", *sys.argv])],
        "seeds": {"training": given.seed, "rendering": _seeds(made, sets)},
        "commit": git_commit(),
        "seconds": made.get("seconds", 0),
        "train_frames": _count_train(of_scale),
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
        _train(network, average, of_scale, given, keep=keep)
    keep()
    for scale in given.sizes:
        _settle(trained, of_scale[scale], scale, given)
        path = given.output / f"weights_{scale.name}.ckpt"
        write_plain_checkpoint(path, trained, size_hw=scale.size_hw, loss=_LOSS)
        made["figures"][f"{scale.name} (h x w)"] = _validate(trained, of_scale[scale], scale, given)
    made["seconds"] = before + round(time.monotonic() - began)
    write_json(given.output / _MADE, made)
    print(json.dumps(made, indent=2))
    return 0


def _require_free(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: a file of that name is there; choose a folder")
    if (output / _WEIGHTS).exists():
        raise UsageError(
            f"--output {output}: the weights of another training lie there; choose another folder"
        )


def _of_scales(
    sets: Sequence[RenderedSet], scales: Sequence[Scale]
) -> dict[Scale, list[RenderedSet]]:
    of_scale = {scale: reaching(sets, scale.size_hw) for scale in scales}
    for scale in scales:
        if not of_scale[scale]:
            raise UsageError(
                f"--scales {scale.name}: no data set has frames that large to train and to "
                f"validate on; render some with --height {scale.size_hw[0]} --width "
                f"{scale.size_hw[1]}, or leave the size out"
            )
    return of_scale


def _seeds(made: Mapping[str, Any], sets: Sequence[RenderedSet]) -> list[int]:
    """Return what all frames were rendered from, those of earlier stages too."""
    earlier = made.get("seeds", {}).get("rendering", [])
    return sorted({*earlier, *(rendered.seed for rendered in sets if rendered.seed is not None)})


def _count_train(of_scale: Mapping[Scale, Sequence[RenderedSet]]) -> int:
    sets = itertools.chain.from_iterable(of_scale.values())
    return len({(id(rendered.dataset), stem) for rendered in sets for stem in rendered.train})


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
    of_scale: Mapping[Scale, Sequence[RenderedSet]],
    given: Pretraining,
    *,
    keep: Callable[[], None],
) -> None:
    """Descend on batches of all sizes at a time; ``keep`` is called now and then."""
    scales, device = given.sizes, given.on
    wanted = {
        scale.size_hw: [(rendered.dataset, rendered.train) for rendered in sets]
        for scale, sets in of_scale.items()
    }
    pool, classes = FramePool(wanted, device=device), of_scale[scales[0]][0].dataset.classes
    change = BatchAugmentation(classes, device=device, seed=given.seed)
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
    mixed = given.precision == "bfloat16"

    def descend(images: Tensor, masks: Tensor) -> Tensor:
        # In here, so that the casts of the weights are recorded too.
        with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed):
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
    network: SegmentationNetwork, sets: Sequence[RenderedSet], scale: Scale, given: Pretraining
) -> None:
    rng = np.random.default_rng(given.seed)
    each = -(-_SETTLE_FRAMES // len(sets))
    drawn = [
        (s.dataset, rng.choice(s.train, min(each, len(s.train)), replace=False).tolist())
        for s in sets
    ]
    pool = FramePool({scale.size_hw: drawn}, device=given.on)
    settle(network, pool, scale.size_hw, seed=given.seed)


def _validate(
    network: SegmentationNetwork, sets: Sequence[RenderedSet], scale: Scale, given: Pretraining
) -> dict[str, Any]:
    """Return the figures of one size on the bursts that were not trained on."""
    kept_back = {scale.size_hw: [(rendered.dataset, rendered.val) for rendered in sets]}
    pool = FramePool(kept_back, device=given.on)
    iou = class_iou(confusion_of(network, pool, scale.size_hw))
    names = sets[0].dataset.classes.names
    shown = {
        name: round(float(value), 4)
        for name, value in zip(names, iou, strict=True)
        if math.isfinite(value)
    }
    named = float(np.nanmean(iou[_NAMED]))
    return {"frames": pool.count(scale.size_hw), "miou_named": round(named, 4), "iou": shown}


if __name__ == "__main__":
    sys.exit(main())
