"""Half precision: the convolutions of an exported graph in float16, the rest in float32.

In and out: a serialised ONNX model. Convolutions, and the sums, activations and enlargements
between them, compute in float16; weights are stored so, which halves the file. Everything else
stays in float32: resize and normalisation, because pixel values are no better than their last bit;
the attention's products and division, because sums over a whole frame overflow float16
(https://arxiv.org/abs/2205.14756, section 3.1 has the formula); the enlarged logits and their
maximum, because near a border two classes differ by little.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

__all__ = ["to_half"]

#: Computed in float16 where everything that comes in is; alone they gain nothing.
_FOLLOWERS = frozenset({"Add", "Concat", "HardSwish", "Relu", "Resize"})


def to_half(model: bytes) -> bytes:
    """Return the model with its convolutions in float16.

    Raises:
        ValueError: The model has no convolution, or would not be valid.
    """
    proto = onnx.load_from_string(model)
    nodes, halves = _half_part(proto)
    if not nodes:
        raise ValueError("the graph has no convolution")
    _store_weights(proto, nodes)
    cast = list(_with_casts(proto, nodes, halves))
    del proto.graph.node[:]
    proto.graph.node.extend(cast)
    del proto.graph.value_info[:]  # types of tensors, some of which are others now
    onnx.checker.check_model(proto, full_check=True)
    halved: bytes = proto.SerializeToString()
    return halved


def _half_part(proto: ModelProto) -> tuple[set[str], set[str]]:
    """Return the outputs' names of the nodes that become float16: first of each, and all."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    first: set[str] = set()
    every: set[str] = set()
    for node in proto.graph.node:
        inputs = [name for name in _tensors(node) if name not in constants]
        follows = node.op_type in _FOLLOWERS and inputs and every.issuperset(inputs)
        if node.op_type == "Conv" or follows:
            first.add(node.output[0])
            every.update(node.output)
    return first, every


def _tensors(node: NodeProto) -> list[str]:
    """Return the inputs that hold numbers to compute with; those of Resize's sizes do not."""
    names = node.input[:1] if node.op_type == "Resize" else node.input
    return [name for name in names if name]


def _store_weights(proto: ModelProto, nodes: set[str]) -> None:
    used = {name for node in proto.graph.node if node.output[0] in nodes for name in _tensors(node)}
    for tensor in proto.graph.initializer:
        if tensor.name in used:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _with_casts(proto: ModelProto, nodes: set[str], halves: set[str]) -> Iterator[NodeProto]:
    """Yield the nodes in order, and before each the conversions it needs and that are new."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    made: set[str] = set()
    for node in proto.graph.node:
        half = node.output[0] in nodes
        computed = [name for name in _tensors(node) if name not in constants]
        for name in dict.fromkeys(computed):
            if half == (name in halves) or node.op_type == "Shape":
                continue
            converted = f"{name}.{'float16' if half else 'float32'}"
            if converted not in made:
                made.add(converted)
                kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                yield helper.make_node("Cast", [name], [converted], f"cast.{converted}", to=kind)
            for place, given in enumerate(node.input):
                if given == name:
                    node.input[place] = converted
        yield node
