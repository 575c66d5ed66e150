"""What moves the weights: AdamW by part, warm-up and cosine, and the moving average.

The request's recipe is AdamW with one learning rate and a cosine; everything else here is off
unless an option asks for it. Called by ``train.module`` and ``train.fit``.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.nn import Module
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from torch.optim.swa_utils import get_ema_multi_avg_fn

__all__ = ["ETA_MIN", "OptimizerPlan", "weight_average"]

#: Learning rate at the end of the cosine.
ETA_MIN = 1e-6


@dataclass(frozen=True)
class OptimizerPlan:
    """How the learning rate differs between parts and epochs.

    Attributes:
        lr_backbone: Learning rate of the backbone as a multiple of the decoder's.
        warmup: Epochs in which it rises in even steps before the cosine.
    """

    lr_backbone: float = 1.0
    warmup: int = 0

    def optimizer(self, network: Module, *, lr: float, weight_decay: float) -> AdamW:
        """Return AdamW over the weights of a ``SegmentationNetwork`` that are trained.

        The decoder's group comes first, so that the first group's rate is ``lr`` in any case.
        """
        trained = {n: weight for n, weight in network.named_parameters() if weight.requires_grad}
        groups: list[dict[str, object]] = [{"params": list(trained.values())}]
        if self.lr_backbone != 1.0:
            backbone = {name for name in trained if name.startswith("backbone.")}
            groups = [
                {"params": [trained[name] for name in trained if name not in backbone]},
                {
                    "params": [trained[name] for name in trained if name in backbone],
                    "lr": lr * self.lr_backbone,
                },
            ]
        # fused: one operation instead of a dozen small ones for each of 125 weights
        return AdamW(groups, lr=lr, weight_decay=weight_decay, fused=True)

    def scheduler(self, optimizer: AdamW, *, epochs: int) -> LRScheduler:
        """Return the rate's course over ``epochs``, to be stepped after each.

        The warm-up's n epochs have 1/(n+1), 2/(n+1), ... of the rate that the cosine begins with
        (https://arxiv.org/abs/1706.02677, section 2.2, by epoch instead of by step).
        """
        cosine = CosineAnnealingLR(optimizer, T_max=epochs - self.warmup, eta_min=ETA_MIN)
        if self.warmup == 0:
            return cosine
        first = 1 / (self.warmup + 1)
        rise = LinearLR(optimizer, start_factor=first, total_iters=self.warmup)
        return SequentialLR(optimizer, [rise, cosine], milestones=[self.warmup])


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
