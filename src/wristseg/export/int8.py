"""Whole numbers: the convolutions of an exported graph in int8, calibrated on frames.

In: a serialised ONNX model and frames like those it will see. Out: the model with quantise and
dequantise nodes around its convolutions (QDQ), which ONNX Runtime and OpenVINO both compute in
int8. First and last convolution and the attention's products stay in float32, and so do the
residual sums: with them in int8, 6 to 22 of 100 pixels changed (docs/how-to/export.md).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from wristseg.onnx_runtime import import_onnxruntime

__all__ = ["to_int8"]

_quantization = import_onnxruntime("quantization")

#: What ONNX Runtime looks for before it advises to run its preparation step; the exporter's own
#: optimiser has done that work.
_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")


def to_int8(model: bytes, frames: Iterable[NDArray[np.uint8]]) -> bytes:
    """Return the model with its convolutions in int8.

    Args:
        model: From uint8 frames to class ids.
        frames: (H, W, 3) uint8 each, in the model's colour order and size; their values set the
            ranges of the activations.

    Raises:
        ValueError: There are no frames.
    """
    proto = onnx.load_from_string(model)
    _mark_prepared(proto)
    reader = _Frames(proto.graph.input[0].name, frames)
    with tempfile.TemporaryDirectory(prefix="wristseg-int8-") as folder:
        path = Path(folder) / "int8.onnx"
        _quantization.quantize_static(
            proto,
            path,
            reader,
            quant_format=_quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=_inner_convolutions(proto),
            per_channel=True,
            # Without VNNI, sums of two products of 8 by 8 bits overflow; of 8 by 7 they do not.
            reduce_range=True,
            activation_type=_quantization.QuantType.QUInt8,
            weight_type=_quantization.QuantType.QInt8,
        )
        quantised = onnx.load(path)
    del quantised.metadata_props[:]
    for tensor in quantised.graph.initializer:
        tensor.ClearField("data_location")  # "here", said aloud; readers refuse any mention of it
    content: bytes = quantised.SerializeToString()
    return content


class _Frames(_quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
    """Hands ONNX Runtime one frame after the other."""

    def __init__(self, input_name: str, frames: Iterable[NDArray[np.uint8]]) -> None:
        self._input_name = input_name
        self._frames: Iterator[NDArray[np.uint8]] = iter(frames)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the inputs of one run, or None at the end."""
        frame = next(self._frames, None)
        return None if frame is None else {self._input_name: frame[None]}


def _inner_convolutions(proto: onnx.ModelProto) -> list[str]:
    return [node.name for node in proto.graph.node if node.op_type == "Conv"][1:-1]


def _mark_prepared(proto: onnx.ModelProto) -> None:
    key, value = _PREPARED
    proto.metadata_props.add(key=key, value=value)
