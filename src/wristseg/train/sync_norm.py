"""Batch normalisation with the statistics of all processes' frames.

With few frames per process their own statistics are noise, and the weights would depend on how many
processes share a batch. PyTorch's ``SyncBatchNorm`` knows GPUs alone; on CPUs the same is done here
by sums that are differentiated through (https://arxiv.org/abs/1711.07240, section 3.2). Called by
``train.trainer``.
"""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins.layer_sync import LayerSync, TorchSyncBatchNorm
from torch import Tensor, nn
from torch.nn import functional

from wristseg.train.processes import process_count

__all__ = ["SharedStatistics", "SharedStatisticsNorm"]


class SharedStatisticsNorm(nn.BatchNorm2d):
    """``BatchNorm2d`` over the frames of all processes while it is trained.

    Processes may hold different numbers of frames, at least one each.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps (N, C, H, W), standardised per channel."""
        if not self.training or process_count() == 1:
            return super().forward(maps)
        wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
        mean, variance, count = _shared_moments(wide)
        with torch.no_grad():
            self._remember(mean, (variance * (count / (count - 1).clamp_min(1))).to(mean.dtype))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        as_map = (1, -1, 1, 1)
        out = torch.addcmul(shift.view(as_map), wide, scale.view(as_map))
        return out.to(maps.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


class SharedStatistics(LayerSync):
    """Lets a model's normalisations share their statistics while Lightning trains it.

    Weights keep their names, so checkpoints are the same with it and without.

    Args:
        on_gpus: Whether to use PyTorch's own layer, which knows GPUs alone.
    """

    def __init__(self, *, on_gpus: bool) -> None:
        self._of_gpus = TorchSyncBatchNorm() if on_gpus else None

    def apply(self, model: nn.Module) -> nn.Module:
        """Return the model with shared statistics."""
        if self._of_gpus is not None:
            return self._of_gpus.apply(model)
        for module in model.modules():
            if type(module) is nn.BatchNorm2d:
                # Another forward pass over the same weights, which optimizers and averages hold.
                module.__class__ = SharedStatisticsNorm
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Return the model with statistics of its own again."""
        if self._of_gpus is not None:
            return self._of_gpus.revert(model)
        for module in model.modules():
            if type(module) is SharedStatisticsNorm:
                module.__class__ = nn.BatchNorm2d  # type: ignore[assignment]
        return model


class _AddUp(torch.autograd.Function):
    """The sum over all processes, of which each one's part has the sum of their gradients."""

    @staticmethod
    def forward(_ctx: Any, own: Tensor) -> Tensor:
        pooled = own.clone()
        torch.distributed.all_reduce(pooled)
        return pooled

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> Tensor:
        pooled = grads[0].clone()
        torch.distributed.all_reduce(pooled)
        return pooled


def _shared_moments(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean (C,) and variance (C,) of all processes' maps, and their pixels () float64."""
    pixels = maps.numel() // maps.shape[1]
    variance, mean = torch.var_mean(maps, dim=(0, 2, 3), correction=0)
    mean, variance = mean.double(), variance.double()  # a difference of squares follows
    own = torch.cat([mean, variance + mean.square(), mean.new_ones(1)]) * pixels
    pooled: Tensor = _AddUp.apply(own)
    means, squares = (pooled[:-1] / pooled[-1]).chunk(2)
    spread = functional.relu(squares - means.square())
    return means.to(maps.dtype), spread.to(maps.dtype), pooled[-1].detach()
