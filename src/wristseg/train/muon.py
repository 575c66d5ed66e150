"""Muon for kernels of convolutions, AdamW for everything else.

A kernel (out, in, height, width) is a matrix (out, in x height x width) to Muon, which makes the
steps of a matrix's directions equally large (https://kellerjordan.github.io/posts/muon/). Depthwise
kernels, biases, scales and the head are no such matrices. From random weights the network needs
fewer steps than with AdamW (docs/experiments.md). Called by ``scripts/pretrain.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["KernelMuon", "split_kernels"]


def split_kernels(network: nn.Module, *, num_classes: int) -> tuple[list[Tensor], list[Tensor]]:
    """Return the trainable kernels that are matrices, and the other trainable weights.

    Args:
        network: The network.
        num_classes: Rows of the head's kernel, which is not counted as a matrix.
    """
    kernels: list[Tensor] = []
    others: list[Tensor] = []
    for weight in network.parameters():
        if weight.requires_grad:
            is_matrix = weight.ndim == 4 and weight.shape[1] > 1 and weight.shape[0] > num_classes
            (kernels if is_matrix else others).append(weight)
    return kernels, others


class KernelMuon(torch.optim.Muon):
    """``torch.optim.Muon`` on views of kernels, which it updates in place.

    Args:
        kernels: (out, in, height, width) each.
        lr: Step size, as large as a kernel's singular values change per step.
        weight_decay: As of AdamW.
    """

    def __init__(self, kernels: Sequence[Tensor], *, lr: float, weight_decay: float) -> None:
        self._kernels = list(kernels)
        self._matrices = [nn.Parameter(_as_matrix(kernel.detach())) for kernel in kernels]
        super().__init__(self._matrices, lr=lr, weight_decay=weight_decay)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the kernels from their gradients."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            assert kernel.grad is not None
            assert matrix.data_ptr() == kernel.data_ptr(), "a copy would not change the network"
            matrix.grad = _as_matrix(kernel.grad, like=kernel)
        super().step(closure)  # type: ignore[no-untyped-call]


def _as_matrix(kernel: Tensor, *, like: Tensor | None = None) -> Tensor:
    """Return (out, in x height x width), its columns in the order of the memory of ``like``."""
    of_memory = kernel if like is None else like
    if not of_memory.is_contiguous():  # channels last
        kernel = kernel.permute(0, 2, 3, 1)
    return kernel.reshape(kernel.shape[0], -1)
