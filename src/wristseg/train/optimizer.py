"""What moves the weights: AdamW by part, Muon, warm-up and cosine, and the moving average.

The request's recipe is AdamW with one learning rate and a cosine; everything else here is off
unless an option asks for it. Called by ``train.module`` and ``train.fit``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from torch.optim.swa_utils import get_ema_multi_avg_fn

from wristseg.modeling.network import SegmentationNetwork
from wristseg.train.muon import MuonWithAdamW, split_kernels

__all__ = ["ETA_MIN", "OptimizerPlan", "weight_average"]

#: Learning rate at the end of the cosine.
ETA_MIN = 1e-6


@dataclass(frozen=True)
class OptimizerPlan:
    """How the learning rate differs between parts and epochs.

    Attributes:
        lr_backbone: Learning rate of the backbone as a multiple of the decoder's.
        warmup: Epochs in which it rises in even steps before the cosine; at most half of them all.
        kernel_lr: Learning rate of Muon for the kernels, or None for AdamW alone.
    """

    lr_backbone: float = 1.0
    warmup: int = 0
    kernel_lr: float | None = None

    def optimizer(
        self, network: SegmentationNetwork, *, lr: float, weight_decay: float
    ) -> Optimizer:
        """Return an optimizer over the weights of a ``SegmentationNetwork`` that are trained.

        The decoder's group comes first, so that the first group's rate is ``lr`` in any case.
        """
        trained = {n: weight for n, weight in network.named_parameters() if weight.requires_grad}
        if self.kernel_lr is None:
            # fused: one operation instead of a dozen small ones for each of 125 weights
            groups = self._groups(trained, lr=lr)
            return AdamW(groups, lr=lr, weight_decay=weight_decay, fused=True)
        found, _ = split_kernels(list(trained.values()), num_classes=network.num_classes)
        ids = {id(kernel) for kernel in found}
        kernels = {name: weight for name, weight in trained.items() if id(weight) in ids}
        others = {name: weight for name, weight in trained.items() if id(weight) not in ids}
        return MuonWithAdamW(
            self._groups(others, lr=lr),
            self._groups(kernels, lr=self.kernel_lr),
            weight_decay=weight_decay,
        )

    def _groups(self, weights: Mapping[str, Tensor], *, lr: float) -> list[dict[str, Any]]:
        if self.lr_backbone == 1.0:
            return [{"params": list(weights.values()), "lr": lr}]
        backbone = {name for name in weights if name.startswith("backbone.")}
        return [
            {"params": [weights[name] for name in weights if name not in backbone], "lr": lr},
            {
                "params": [weights[name] for name in weights if name in backbone],
                "lr": lr * self.lr_backbone,
            },
        ]

    def scheduler(self, optimizer: Optimizer, *, epochs: int) -> LRScheduler:
        """Return the rate's course over ``epochs``, to be stepped after each.

        The warm-up's n epochs have 1/(n+1), 2/(n+1), ... of the rate that the cosine begins with
        (https://arxiv.org/abs/1706.02677, section 2.2, by epoch instead of by step).
        """
        warmup = min(self.warmup, epochs // 2)
        cosine = CosineAnnealingLR(optimizer, T_max=epochs - warmup, eta_min=ETA_MIN)
        if warmup == 0:
            return cosine
        rise = LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        return SequentialLR(optimizer, [rise, cosine], milestones=[warmup])


def weight_average(decay: float) -> WeightAveraging:
    """Return the callback that keeps an exponential moving average of weights and statistics.

    Validation runs with the average and checkpoints hold it as their weights; what training goes on
    from stands beside it (``current_model_state``). The statistics of batch normalisation are
    averaged like the weights. The averaging is PyTorch's ``AveragedModel``; an average over
    training steps is what https://arxiv.org/abs/1703.01780 found to predict better.

    Args:
        decay: Share of the average that each step keeps, once n steps allow it: before, it is
            (1 + n) / (10 + n), the rule of TensorFlow's ``ExponentialMovingAverage``. With a small
            data set the start weights would otherwise weigh a third after a dozen epochs.
    """

    def update(average: list[Tensor], current: list[Tensor], averaged: Tensor | int) -> None:
        steps = int(averaged)
        reached = min(decay, (1 + steps) / (10 + steps))
        get_ema_multi_avg_fn(reached)(average, current, averaged)  # type: ignore[no-untyped-call]

    return WeightAveraging(use_buffers=True, multi_avg_fn=update)
