"""The network as one graph for a runtime: camera frames in, class ids out.

In: a trained network and how its frames are prepared. Out: a module whose ``forward`` does
everything between a camera's bytes and a mask, with static sizes, so that an exported file needs no
code beside it. The numbers are the network's own; what changes is how they are computed. Called by
``modeling.onnx_export``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models.efficientvit_mit import ConvNormAct, LiteMLA
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from wristseg.modeling.network import SegmentationNetwork
from wristseg.preprocess import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PreprocessContract,
    bilinear_weights,
    nearest_indices,
)

__all__ = ["ColorOrder", "ExportGraph"]

ColorOrder = Literal["rgb", "bgr"]

#: Enlarging by 4 is done cell by cell; other factors, and small masks, by the general operator.
_STRIDE = 4
_MIN_CELL_PIXELS = 200 * 200

#: Channels that a CPU's widest registers hold; ONNX Runtime computes in blocks of them.
_CHANNEL_BLOCK = 16

#: Columns and rows resized together: few enough to skip most zeros, enough to fill a product.
_COLUMNS_PER_BLOCK = 12
_ROWS_PER_BLOCK = 28
_MAX_BLOCKS = 32


class ExportGraph(nn.Module):
    """From (N, H, W, 3) uint8 frames to (N, H, W) uint8 class ids.

    Args:
        network: Trained; it is copied, not changed.
        contract: What happens to a frame before the network.
        frame_hw: Height and width of the frames.
        color_order: Order of the frames' channels.
    """

    def __init__(
        self,
        network: SegmentationNetwork,
        contract: PreprocessContract,
        *,
        frame_hw: tuple[int, int],
        color_order: ColorOrder = "rgb",
    ) -> None:
        super().__init__()
        self.enter = _Entrance(contract, frame_hw)
        self.network = _folded(network)
        _take_bytes(self.network, color_order)
        mean = torch.tensor(IMAGENET_MEAN if color_order == "rgb" else IMAGENET_MEAN[::-1]) * 255
        self.mean: Tensor
        self.register_buffer("mean", mean.view(1, 3, 1, 1))
        self.read = _labels(contract.size_hw)
        self.leave = _Exit(contract, frame_hw)

    def forward(self, frames: Tensor) -> Tensor:
        """Return class ids at the frames' size.

        Args:
            frames: (N, H, W, 3) uint8, channels in ``color_order``.

        Returns:
            (N, H, W) uint8.
        """
        images = self.enter(frames) - self.mean  # (N, 3, h, w) float, 0 is the mean colour
        ids = self.read(self.network.coarse_logits(images))  # (N, h, w)
        return cast(Tensor, self.leave(ids))


class _Entrance(nn.Module):
    """Crop and resize as ``PreprocessContract.resize_frame`` does; to floats 0-255, NCHW."""

    def __init__(self, contract: PreprocessContract, frame_hw: tuple[int, int]) -> None:
        super().__init__()
        top, left, height, width = contract.crop_box(frame_hw)
        self.window = None if (height, width) == frame_hw else (top, left, height, width)
        self.size_hw = contract.size_hw
        self.columns = _BandedProduct(width, self.size_hw[1], per_block=_COLUMNS_PER_BLOCK)
        self.rows = _BandedProduct(height, self.size_hw[0], per_block=_ROWS_PER_BLOCK)

    def forward(self, frames: Tensor) -> Tensor:
        if self.window is not None:
            top, left, height, width = self.window
            frames = frames[:, top : top + height, left : left + width]
        if not self.columns and not self.rows:
            return frames.permute(0, 3, 1, 2).float()  # (N, 3, h, w)
        _, height, width, _ = frames.shape
        out_height, out_width = self.size_hw
        # Pillow resizes columns first and rounds to bytes in between.
        lines = frames.permute(0, 2, 3, 1).reshape(-1, width, 3 * height)  # (N, W, 3 H)
        lines = self.columns.left(lines).reshape(-1, out_width * 3, height)  # (N, w 3, H)
        pixels = self.rows.right(lines).reshape(-1, out_width, 3, out_height)
        return pixels.permute(0, 2, 3, 1)  # (N, 3, h, w)


class _BandedProduct(nn.Module):
    """Multiplication by the matrix of a resize, in blocks along its band, then rounding.

    An operator of the runtimes would be simpler: ONNX Runtime's antialiased Resize differs from
    Pillow's by up to 7 levels and OpenVINO's takes ten times as long (docs/performance.md).
    """

    def __init__(self, length_in: int, length_out: int, *, per_block: int) -> None:
        super().__init__()
        self.spans: list[tuple[int, int]] = []
        self.blocks = nn.ParameterList()
        if length_in == length_out:
            return
        weights = bilinear_weights(length_in, length_out)
        count = min(_MAX_BLOCKS, max(1, length_out // per_block))
        for rows in np.array_split(weights, count):
            used = np.flatnonzero(rows.any(axis=0))
            start, stop = int(used[0]), int(used[-1]) + 1
            self.spans.append((start, stop))
            block = torch.from_numpy(rows[:, start:stop].astype(np.float32))
            self.blocks.append(nn.Parameter(block, requires_grad=False))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def left(self, values: Tensor) -> Tensor:
        """Resize axis 1: (N, length_in, M) to (N, length_out, M) float, whole numbers."""
        if not self:
            return values.float()
        parts = [
            block @ values[:, start:stop].float()
            for block, (start, stop) in zip(self.blocks, self.spans, strict=True)
        ]
        return _rounded(torch.cat(parts, dim=1))

    def right(self, values: Tensor) -> Tensor:
        """Resize axis 2: (N, M, length_in) to (N, M, length_out) float, whole numbers."""
        if not self:
            return values
        parts = [
            values[:, :, start:stop] @ block.t()
            for block, (start, stop) in zip(self.blocks, self.spans, strict=True)
        ]
        return _rounded(torch.cat(parts, dim=2))


def _rounded(values: Tensor) -> Tensor:
    return torch.floor(values + 0.5)  # halves go up, as in Pillow


def _labels(size_hw: tuple[int, int]) -> nn.Module:
    height, width = size_hw
    divides = height % _STRIDE == 0 and width % _STRIDE == 0
    # On a small mask the cells' extra nodes cost more than they save.
    if divides and height * width >= _MIN_CELL_PIXELS:
        return _CellLabels(size_hw)
    return _Labels(size_hw)


class _Labels(nn.Module):
    """Enlarge logits to the network's size and take the largest."""

    def __init__(self, size_hw: tuple[int, int]) -> None:
        super().__init__()
        self.size_hw = size_hw

    def forward(self, logits: Tensor) -> Tensor:
        full = functional.interpolate(
            logits, size=self.size_hw, mode="bilinear", align_corners=False
        )
        return full.argmax(dim=1).to(torch.uint8)  # (N, h, w)


class _CellLabels(nn.Module):
    """The same as :class:`_Labels` for a factor of 4, as one small matrix product.

    Between four neighbouring samples lies a cell of 4x4 pixels whose logits are fixed mixtures of
    the four: (cells, 4) times (4, 16). ONNX Runtime needs 1.9 ms for that and the maximum at
    640x480, and 3.0 ms for its Resize and the change of layout around it (docs/performance.md).
    """

    def __init__(self, size_hw: tuple[int, int]) -> None:
        super().__init__()
        self.size_hw = size_hw
        share = (torch.arange(_STRIDE, dtype=torch.float64) + 0.5) / _STRIDE
        edges = torch.stack([1 - share, share])  # (2, 4): weight of the sample before and after
        mixture = torch.einsum("ay,bx->abyx", edges, edges).reshape(4, _STRIDE**2)
        self.mixture: Tensor
        self.register_buffer("mixture", mixture.float())

    def forward(self, logits: Tensor) -> Tensor:
        height, width = self.size_hw
        cells_h, cells_w = height // _STRIDE + 1, width // _STRIDE + 1
        padded = functional.pad(logits, (1, 1, 1, 1), mode="replicate")  # (N, C, h/4+2, w/4+2)
        above, below = padded[:, :, :-1], padded[:, :, 1:]
        corners = [above[..., :-1], above[..., 1:], below[..., :-1], below[..., 1:]]
        cells = torch.stack(corners, dim=-1)  # (N, C, h/4+1, w/4+1, 4)
        cells = cells.reshape(-1, logits.shape[1], cells_h * cells_w, 4)
        ids = (cells @ self.mixture).argmax(dim=1).to(torch.uint8)  # (N, cells, 16)
        ids = ids.reshape(-1, cells_h, cells_w, _STRIDE, _STRIDE).permute(0, 1, 3, 2, 4)
        ids = ids.reshape(-1, _STRIDE * cells_h, _STRIDE * cells_w)
        border = _STRIDE // 2  # the first cell lies half outside
        return ids[:, border : border + height, border : border + width]


class _Exit(nn.Module):
    """Bring ids back to the frame as ``PreprocessContract.restore_mask`` does."""

    def __init__(self, contract: PreprocessContract, frame_hw: tuple[int, int]) -> None:
        super().__init__()
        top, left, height, width = contract.crop_box(frame_hw)
        self.margins = (
            left, frame_hw[1] - left - width, top, frame_hw[0] - top - height,
        )  # fmt: skip
        self.resizes = (height, width) != contract.size_hw
        self.rows: Tensor
        self.columns: Tensor
        self.register_buffer("rows", _indices(contract.size_hw[0], height))
        # Repeating columns as a product with ones and zeros: exact for ids, and 0.1 ms where
        # ONNX Runtime's Gather along the last axis takes 0.4.
        columns = functional.one_hot(_indices(contract.size_hw[1], width), contract.size_hw[1])
        self.register_buffer("columns", columns.t().float().contiguous())  # (w, W)

    def forward(self, ids: Tensor) -> Tensor:
        if self.resizes:
            ids = (ids.float() @ self.columns).to(torch.uint8)  # (N, h, W)
            ids = ids.index_select(1, self.rows)  # (N, H, W)
        return functional.pad(ids, self.margins) if any(self.margins) else ids


def _indices(length_in: int, length_out: int) -> Tensor:
    chosen: NDArray[np.int64] = nearest_indices(length_in, length_out)
    return torch.from_numpy(chosen)


class _LinearAttention(nn.Module):
    """LiteMLA without its padding and transposes: ``num = (v k^T) q``, ``den = sum(k) q``.

    The same products in another order; timm appends a column of ones to v instead and works on
    transposed maps. Paper: https://arxiv.org/abs/2205.14756, section 3.1.
    """

    def __init__(self, attention: LiteMLA) -> None:
        super().__init__()
        self.qkv = attention.qkv
        self.aggreg = attention.aggreg
        self.proj = attention.proj
        self.dim = attention.dim
        self.eps = attention.eps

    def forward(self, maps: Tensor) -> Tensor:
        _, _, height, width = maps.shape
        single = self.qkv(maps)
        scales = torch.cat([single, *(op(single) for op in self.aggreg)], dim=1)
        heads = scales.shape[1] // (3 * self.dim)
        q, k, v = scales.reshape(-1, heads, 3 * self.dim, height * width).chunk(3, dim=2)
        q, k = functional.relu(q), functional.relu(k)  # (N, heads, dim, h w)
        numerator = (v @ k.transpose(2, 3)) @ q  # (N, heads, dim, h w)
        denominator = k.sum(dim=3, keepdim=True).transpose(2, 3) @ q  # (N, heads, 1, h w)
        attended = numerator / (denominator + self.eps)
        return cast(Tensor, self.proj(attended.reshape(-1, heads * self.dim, height, width)))


def _folded(network: SegmentationNetwork) -> SegmentationNetwork:
    """Return a copy with batch norms in the convolutions' weights and attention rewritten."""
    network = copy.deepcopy(network).eval()
    _fold(network.backbone)
    conv, norm, relu = cast(nn.Sequential, network.output_convs[0])
    folded = _with_norm(cast(nn.Conv2d, conv), cast(nn.BatchNorm2d, norm))
    network.output_convs[0] = nn.Sequential(folded, relu)
    return network


def _fold(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        if isinstance(child, ConvNormAct):
            setattr(module, name, _plain_conv(child))
            continue
        if isinstance(child, LiteMLA):
            setattr(module, name, _LinearAttention(child))
        _fold(getattr(module, name))


def _plain_conv(block: ConvNormAct) -> nn.Sequential:
    conv = block.conv
    if isinstance(block.norm, nn.BatchNorm2d):
        conv = _with_norm(conv, block.norm)
    acts: Iterable[nn.Module | None] = (getattr(block.norm, "act", None), block.act)
    return nn.Sequential(conv, *(a for a in acts if not isinstance(a, nn.Identity | None)))


def _with_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    return _conv_like(conv, weight, bias, groups=conv.groups)


def _conv_like(conv: nn.Conv2d, weight: Tensor, bias: Tensor, *, groups: int) -> nn.Conv2d:
    height, width = conv.kernel_size
    made = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        (height, width),
        stride=cast(tuple[int, int], conv.stride),
        padding=cast(tuple[int, int], conv.padding),
        groups=groups,
    )
    made.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    made.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return made


def _take_bytes(network: SegmentationNetwork, color_order: ColorOrder) -> None:
    """Let the stem take bytes less the mean, in any colour order, and fill its channel blocks.

    The division by the deviation goes into the weights. The mean cannot: the stem pads with zeros
    after it is subtracted. The stem's 8 channels become 16 with zeros; computed in blocks of 16
    anyway, they then need no change of layout at the residual sum (0.5 ms at 640x480).
    """
    backbone = network.backbone
    stem = backbone.stem_in_conv
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1) * 255
    stem[0].weight.data = stem[0].weight.data / std
    if color_order == "bgr":
        stem[0].weight.data = stem[0].weight.data.flip(1)
    stem[0] = _widened(stem[0], inputs=3)
    residual = backbone.stem_res0.main
    residual.depth_conv[0] = _widened(residual.depth_conv[0], inputs=1, depthwise=True)
    residual.point_conv[0] = _widened(residual.point_conv[0], inputs=_CHANNEL_BLOCK)
    after = backbone.stages_0.blocks[0].main.inverted_conv
    after[0] = _widened(after[0], inputs=_CHANNEL_BLOCK, outputs=after[0].out_channels)


def _widened(
    conv: nn.Conv2d, *, inputs: int, outputs: int = _CHANNEL_BLOCK, depthwise: bool = False
) -> nn.Conv2d:
    """Return the convolution with more channels; the new ones are zero and change nothing."""
    assert conv.bias is not None
    weight = torch.zeros(outputs, inputs, *conv.kernel_size)
    weight[: conv.out_channels, : conv.weight.shape[1]] = conv.weight
    bias = torch.zeros(outputs)
    bias[: conv.out_channels] = conv.bias
    return _conv_like(conv, weight, bias, groups=outputs if depthwise else 1)
