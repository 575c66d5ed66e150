"""Muon for kernels of convolutions, AdamW for everything else.

A kernel (out, in, height, width) is a matrix (out, in x height x width) to Muon, which makes the
steps of a matrix's directions equally large (https://kellerjordan.github.io/posts/muon/). Depthwise
kernels, biases, scales and the head are no such matrices. The network then needs far fewer steps
than with AdamW alone (docs/experiments.md). Called by ``train.optimizer`` and
``scripts/pretrain.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

__all__ = ["KernelMuon", "MuonWithAdamW", "split_kernels"]


def split_kernels(
    weights: Sequence[Tensor], *, num_classes: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the kernels that are matrices, and the other weights.

    Args:
        weights: Weights of a network.
        num_classes: Rows of the head's kernel, which is not counted as a matrix.
    """
    kernels: list[Tensor] = []
    others: list[Tensor] = []
    for weight in weights:
        is_matrix = weight.ndim == 4 and weight.shape[1] > 1 and weight.shape[0] > num_classes
        (kernels if is_matrix else others).append(weight)
    return kernels, others


class KernelMuon(torch.optim.Muon):
    """``torch.optim.Muon`` on views of kernels, which it updates in place.

    Args:
        groups: ``{"params": kernels, "lr": rate}`` each; kernels are (out, in, height, width), and
            the rate is how far a kernel's singular values move per step.
        weight_decay: As of AdamW.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], *, weight_decay: float) -> None:
        self._kernels = [kernel for group in groups for kernel in group["params"]]
        self._matrices = [nn.Parameter(_as_matrix(kernel.detach())) for kernel in self._kernels]
        matrices = iter(self._matrices)
        of_groups = [{**g, "params": [next(matrices) for _ in g["params"]]} for g in groups]
        super().__init__(of_groups, weight_decay=weight_decay)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the kernels from their gradients."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            if matrix.data_ptr() != kernel.data_ptr():  # the network was moved or laid out anew
                matrix.data = _as_matrix(kernel.detach())
            assert matrix.data_ptr() == kernel.data_ptr(), "a copy would not change the network"
            matrix.grad = None if kernel.grad is None else _as_matrix(kernel.grad, like=kernel)
        super().step(closure)  # type: ignore[no-untyped-call]


class MuonWithAdamW(Optimizer):
    """Both as one optimizer, for a trainer and for schedulers of the learning rate.

    Args:
        others: Groups of AdamW, which come first in ``param_groups``.
        kernels: Groups of Muon.
        weight_decay: Of both.
    """

    def __init__(
        self,
        others: Sequence[dict[str, Any]],
        kernels: Sequence[dict[str, Any]],
        *,
        weight_decay: float,
    ) -> None:
        super().__init__([dict(group) for group in [*others, *kernels]], {})
        self._parts = (
            AdamW([dict(group) for group in others], weight_decay=weight_decay, fused=True),
            KernelMuon(kernels, weight_decay=weight_decay),
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all weights at the rates that stand in ``param_groups``."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        outer = iter(self.param_groups)
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = next(outer)["lr"]
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both, and the groups as schedulers left them."""
        return {**super().state_dict(), "parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what ``state_dict`` returned."""
        own = {name: value for name, value in state_dict.items() if name != "parts"}
        super().load_state_dict(own)
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)


def _as_matrix(kernel: Tensor, *, like: Tensor | None = None) -> Tensor:
    """Return (out, in x height x width), its columns in the order of the memory of ``like``."""
    of_memory = kernel if like is None else like
    if not of_memory.is_contiguous():  # channels last
        kernel = kernel.permute(0, 2, 3, 1)
    return kernel.reshape(kernel.shape[0], -1)
