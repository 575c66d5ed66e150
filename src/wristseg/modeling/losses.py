"""Losses over logits and class ids; pixels labelled 255 count in none of them.

``soft_iou_loss`` is the Jaccard index of class probabilities, https://arxiv.org/abs/1608.01471
(eq. 3), summed over the batch before the division. ``compound_loss`` adds cross-entropy to it, as
https://arxiv.org/abs/2302.05666 does, and leaves out classes that the batch does not show. Logits
may be smaller than the labels, as the network makes them at a quarter of the frame: the loss then
enlarges them itself, a few frames at a time, so that what it works on stays in the processor's
cache. Several processes that share a batch pass ``pool``, which adds their sums up: each then gets
the loss of the whole batch, and its gradient by its own frames. Called by ``train.module``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from wristseg.classes import IGNORE_INDEX

__all__ = [
    "Pool",
    "compound_loss",
    "cross_entropy_loss",
    "enlarge_logits",
    "loss_function",
    "soft_iou_loss",
]

#: Adds a vector up over the processes that share a batch.
Pool = Callable[[Tensor], Tensor]

#: Keeps a class without any probability or label from dividing by zero.
_EPSILON = 1e-6

#: Logits worked on at a time: one 640x480 frame of 6 classes, 7 MB.
_CHUNK = 6 * 480 * 640

#: Weight of cross-entropy in the compound loss.
_CE_WEIGHT = 0.5

#: Smallest probability whose logarithm is taken: a rounded-off 0 counts as 87 nats.
_TINY = torch.finfo(torch.float32).tiny


def soft_iou_loss(logits: Tensor, labels: Tensor, *, pool: Pool | None = None) -> Tensor:
    """Return 1 - mean soft IoU over **all** classes, also those absent from the batch.

    Args:
        logits: (N, C, h, w) float, of the labels' size or smaller.
        labels: (N, H, W) uint8, class ids or 255.
        pool: Adds sums up over the processes that share the batch; None where one has all of it.

    Returns:
        () float32 (float64 for float64 logits), between 0 and 1.
    """
    return _pooled_loss(logits, labels, ce_weight=0.0, present_only=False, pool=pool)


def compound_loss(logits: Tensor, labels: Tensor, *, pool: Pool | None = None) -> Tensor:
    """Return 0.5 cross-entropy + 1 - mean soft IoU over the classes **present** in the labels.

    The IoU term alone hardly moves a class that is never predicted, where cross-entropy does; and a
    class without labels in the batch gets no soft IoU, which would be near 0 whatever is predicted.

    Args:
        logits: (N, C, h, w) float, of the labels' size or smaller.
        labels: (N, H, W) uint8, class ids or 255.
        pool: Adds sums up over the processes that share the batch; None where one has all of it.

    Returns:
        () float32 (float64 for float64 logits), 0 or more.
    """
    return _pooled_loss(logits, labels, ce_weight=_CE_WEIGHT, present_only=True, pool=pool)


def _pooled_loss(
    logits: Tensor, labels: Tensor, *, ce_weight: float, present_only: bool, pool: Pool | None
) -> Tensor:
    # float32 also under autocast: sums over a million pixels do not fit float16.
    with torch.autocast(logits.device.type, enabled=False):
        precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss: Tensor = _SoftIoU.apply(precise, labels, ce_weight, present_only, pool)
    return loss


def cross_entropy_loss(logits: Tensor, labels: Tensor, *, pool: Pool | None = None) -> Tensor:
    """Return the mean cross-entropy of the counted pixels, 0 where there are none.

    Args:
        logits: (N, C, h, w) float, of the labels' size or smaller.
        labels: (N, H, W) uint8, class ids or 255.
        pool: Adds sums up over the processes that share the batch; None where one has all of it.

    Returns:
        () float32.
    """
    full = enlarge_logits(logits.float(), labels.shape[1:])
    total = functional.cross_entropy(
        full, labels.long(), ignore_index=IGNORE_INDEX, reduction="sum"
    )
    counted = (labels != IGNORE_INDEX).sum()
    if pool is not None:
        pooled, counted = _add_up(pool, total.detach(), counted)
        # The value is that of all frames, the gradient that of the frames at hand.
        total = total + (pooled - total.detach())
    return total / counted.clamp(min=1)


def loss_function(
    name: Literal["iou", "ce", "compound"], *, unlabeled: Literal["learn", "ignore"] = "learn"
) -> Callable[..., Tensor]:
    """Return the loss that ``--loss`` and ``--unlabeled`` name.

    Args:
        name: The loss.
        unlabeled: ``ignore`` takes pixels of class 0 for pixels to ignore.

    Returns:
        A function of logits, labels and ``pool``, as ``soft_iou_loss`` is.

    Raises:
        ValueError: There is no loss of that name.
    """
    losses = {"iou": soft_iou_loss, "ce": cross_entropy_loss, "compound": compound_loss}
    if name not in losses:
        raise ValueError(f"loss {name!r}: expected one of {', '.join(losses)}")
    loss = losses[name]
    return loss if unlabeled == "learn" else functools.partial(_without_unlabeled, loss)


def _without_unlabeled(
    loss: Callable[..., Tensor], logits: Tensor, labels: Tensor, *, pool: Pool | None = None
) -> Tensor:
    return loss(logits, labels.masked_fill(labels == 0, IGNORE_INDEX), pool=pool)


def enlarge_logits(logits: Tensor, size_hw: torch.Size) -> Tensor:
    """Return logits of that size, as ``SegmentationNetwork.forward`` enlarges them."""
    if logits.shape[2:] == size_hw:
        return logits
    return functional.interpolate(logits, size=size_hw, mode="bilinear", align_corners=False)


class _SoftIoU(torch.autograd.Function):
    """The soft IoU loss, with or without cross-entropy, with its gradient written out.

    With I and U the intersection and union of a class, p the probabilities of a pixel and y its
    label, the loss changes with p_c by ``b_c + [y = c] a_c``, where ``b = (I / U^2) / C`` and
    ``a = -(1 / U + I / U^2) / C`` over C counted classes; both are 0 for the others. Through the
    softmax a logit gets ``p_c (b_c - s) + [y = c] p_y a_y`` with ``s = sum_k p_k b_k + p_y a_y``.
    Cross-entropy of weight w over n pixels adds ``w / n (p_c - [y = c])``.

    Autograd would keep and pass over a dozen arrays of the size of the enlarged logits; here it is
    the probabilities and two of the size of the labels.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 - apply() passes them by position
        ctx: Any,
        logits: Tensor,
        labels: Tensor,
        ce_weight: float,
        present_only: bool,
        pool: Pool | None,
    ) -> Tensor:
        """Return the loss; keep probabilities and slopes."""
        num_classes = logits.shape[1]
        logits = logits.contiguous()  # the softmax over strided channels is 20 times slower
        intersection, predicted = logits.new_zeros(2, num_classes)
        entropy = logits.new_zeros(())
        kept = []
        for chunk in _chunks(logits, labels):
            counted = (labels[chunk] != IGNORE_INDEX).unsqueeze(1)  # (n, 1, H, W)
            ids = torch.where(counted, labels[chunk].unsqueeze(1), 0).long()  # (n, 1, H, W)
            p = enlarge_logits(logits[chunk], labels.shape[1:]).softmax(dim=1)  # (n, C, H, W)
            of_label = p.gather(1, ids)
            if ce_weight > 0.0:
                entropy -= of_label.clamp_min(_TINY).log_().mul_(counted).sum()
            # An ignored pixel adds to no sum and no gradient. To ask a GPU whether there is one
            # takes longer than to multiply.
            if _on_gpu(counted) or not counted.all():
                p.mul_(counted)
                of_label.mul_(counted)
            intersection += _sum_by_class(of_label, ids, num_classes)
            predicted += p.sum(dim=(0, 2, 3))
            kept += [counted, ids, p, of_label]
        labelled = _count_labels(labels, num_classes)
        if pool is not None:
            intersection, predicted, entropy, labelled = _add_up(
                pool, intersection, predicted, entropy, labelled
            )
        union = predicted + labelled - intersection + _EPSILON
        iou = (intersection + _EPSILON) / union
        slopes = torch.stack([-(1 + iou) / union, iou / union])  # (2, C): a, b
        if present_only:
            present = (labelled > 0).to(iou.dtype)
            share = present / present.sum().clamp_min(1)
            mean_iou, ctx.slopes = (iou * share).sum(), slopes * share
        else:
            mean_iou, ctx.slopes = iou.mean(), slopes / num_classes
        ctx.ce_slope = ce_weight / labelled.sum().clamp_min(1).to(logits.dtype)
        ctx.with_entropy = ce_weight > 0.0
        ctx.save_for_backward(*kept)
        ctx.coarse_hw = logits.shape[2:]
        loss: Tensor = 1 - mean_iou
        return loss if ce_weight == 0.0 else loss + ctx.ce_slope * entropy

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Return the gradient of the logits."""
        kept = ctx.saved_tensors
        of_a_hit, of_any = ctx.slopes * grads[0]
        of_entropy = ctx.ce_slope * grads[0]
        pieces = []
        for counted, ids, p, of_label in zip(*(kept[i::4] for i in range(4)), strict=True):
            hit = of_a_hit.index_select(0, ids.flatten()).view_as(ids).mul_(of_label)
            slope = torch.einsum("nchw,c->nhw", p, of_any).unsqueeze(1).add_(hit)
            if ctx.with_entropy:
                slope.sub_(of_entropy)
                hit.sub_(of_entropy * counted)
            grad = torch.sub(of_any.view(1, -1, 1, 1), slope).mul_(p).scatter_add_(1, ids, hit)
            pieces.append(_shrink_gradient(grad, ctx.coarse_hw))
        return torch.cat(pieces), None, None, None, None


def _chunks(maps: Tensor, labels: Tensor) -> Iterator[slice]:
    """Divide the batch into slices of frames that a processor's cache holds; not for a GPU."""
    step = max(1, _CHUNK // (maps.shape[1] * labels.shape[1] * labels.shape[2]))
    if _on_gpu(maps):
        step = len(labels)
    return (slice(start, start + step) for start in range(0, len(labels), step))


def _on_gpu(values: Tensor) -> bool:
    return values.is_cuda


def _count_labels(labels: Tensor, num_classes: int) -> Tensor:
    """Return (C,) int64, the pixels of each class."""
    if _on_gpu(labels):  # bincount would wait there for the largest label
        return _sum_in_passes(torch.ones_like(labels, dtype=torch.bool), labels, num_classes)
    return torch.bincount(labels.flatten(), minlength=IGNORE_INDEX + 1)[:num_classes]


def _sum_by_class(values: Tensor, ids: Tensor, num_classes: int) -> Tensor:
    """Return (C,), the sum of (n, 1, H, W) values over the pixels of each class.

    Row by row first: a float32 that counts pixels one by one stops at 2^24.
    """
    if _on_gpu(values):  # threads that add to a handful of bins wait for each other
        return _sum_in_passes(values, ids, num_classes)
    rows = ids.shape[0] * ids.shape[2]
    first_bin = torch.arange(rows, device=ids.device).mul_(num_classes)
    bins = ids.view(rows, -1) + first_bin.unsqueeze(1)
    sums = values.new_zeros(rows * num_classes)
    return sums.scatter_add_(0, bins.flatten(), values.flatten()).view(rows, -1).sum(dim=0)


def _sum_in_passes(values: Tensor, ids: Tensor, num_classes: int) -> Tensor:
    """Return (C,), the sum of values over the pixels of each class, one pass for each."""
    return torch.stack([(values * (ids == class_id)).sum() for class_id in range(num_classes)])


def _add_up(pool: Pool, *sums: Tensor) -> list[Tensor]:
    """Return sums over all processes, exchanged at once, in their own shapes and types."""
    # float64: the pixels of many frames are more than a float32 counts.
    pooled = pool(torch.cat([part.double().flatten() for part in sums]))
    pieces = torch.split(pooled, [part.numel() for part in sums])
    return [piece.view_as(part).to(part.dtype) for piece, part in zip(pieces, sums, strict=True)]


def _shrink_gradient(grad: Tensor, size_hw: torch.Size) -> Tensor:
    """Return the gradient that ``enlarge_logits`` passes back."""
    if grad.shape[2:] == size_hw:
        return grad
    shape = [*grad.shape[:2], *size_hw]
    shrunk: Tensor = torch.ops.aten.upsample_bilinear2d_backward(
        grad, list(grad.shape[2:]), shape, align_corners=False, scales_h=None, scales_w=None
    )
    return shrunk
