"""A descent on a GPU, recorded once as a CUDA graph and replayed for every batch.

To launch the kernels of a small network one by one takes a processor longer than the GPU takes to
run them. In: a function of a batch. Out: one that does the same. Called by ``scripts/pretrain.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Descent", "recorded"]

#: Adds to the gradients; images (N, 3, H, W) float32, masks (N, H, W) uint8, the loss () float32.
Descent = Callable[[Tensor, Tensor], Tensor]

#: Runs before the recording, in which a GPU chooses its algorithms.
_WARM_UP = 3


def recorded(
    descend: Descent, *, batch_size: int, size_hw: tuple[int, int], device: torch.device
) -> Descent:
    """Return a descent that does what ``descend`` does; on a processor it is ``descend`` itself.

    Args:
        descend: It may read and write no tensors but those of the network, whose gradients have to
            stay where they lie (``zero_grad(set_to_none=False)``): what is recorded reads every
            tensor from where it lay.
        batch_size: Frames of every batch.
        size_hw: Their height and width.
        device: Where the network lies.
    """
    if device.type != "cuda":
        return descend
    images = torch.rand((batch_size, 3, *size_hw), device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    masks = torch.ones((batch_size, *size_hw), dtype=torch.uint8, device=device)
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
