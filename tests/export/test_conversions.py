"""Half precision, int8 and OpenVINO: what is converted, what is not, and that masks stay."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import TensorProto, numpy_helper

from tests.export.conftest import SIZE_HW
from tests.predict.test_segmenter import noisy_frame
from wristseg.export.half import to_half
from wristseg.export.int8 import to_int8
from wristseg.export.openvino_ir import to_openvino
from wristseg.model_info import ExportInfo
from wristseg.modeling.checkpoint import load_network
from wristseg.onnx_file import parse_sealed, seal
from wristseg.openvino_file import read_sealed_ir, weights_path
from wristseg.preprocess import PreprocessContract


@pytest.fixture(scope="module")
def frames():
    """F31's fifty images: random bytes smoothed, so that masks hold areas."""
    return np.stack([noisy_frame(*SIZE_HW, seed=seed) for seed in range(50)])


@pytest.fixture(scope="module")
def checkpoint_ids(checkpoint_of, frames):
    import torch

    network, _ = load_network(checkpoint_of())
    images = PreprocessContract(SIZE_HW).normalize(frames)
    with torch.inference_mode():
        logits = network(torch.from_numpy(images).permute(0, 3, 1, 2))
    return logits.argmax(dim=1).to(torch.uint8).numpy()


@pytest.fixture(scope="module")
def info(checkpoint_of):
    read = load_network(checkpoint_of())[1]
    return replace(read, export=ExportInfo(SIZE_HW, "rgb", "fp32", "0" * 64))


def onnx_ids(model, frames):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: frames})[0]


#: One, for the reason that wristseg.predict.openvino_backend has only one.
CORE = openvino.Core()


def openvino_ids(xml, weights, frames):
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    return CORE.compile_model(CORE.read_model(xml, weights), "CPU", hints)(frames)[0]


def tensor_types(model):
    """Return nodes of the graph and the element type of each tensor."""
    proto = onnx.shape_inference.infer_shapes(onnx.load_from_string(model))
    types = {value.name: value.type.tensor_type.elem_type for value in proto.graph.value_info}
    types |= {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
    return proto.graph.node, types


@pytest.mark.tried(50)
def test_f31_fifty_images_agree_in_all_runtimes(graph, frames, checkpoint_ids, info):
    assert len(np.unique(checkpoint_ids)) >= 3
    assert (onnx_ids(graph, frames) == checkpoint_ids).mean() >= 0.999
    xml, weights = to_openvino(graph, info)
    assert (openvino_ids(xml, weights, frames) == checkpoint_ids).mean() >= 0.999


def test_half_keeps_attention_and_pixels_in_float32(graph):
    nodes, types = tensor_types(to_half(graph))
    by_type = {}
    for node in nodes:
        if node.op_type != "Cast":
            kinds = {types[name] for name in node.output if name in types}
            by_type.setdefault(node.op_type, set()).update(kinds)
    assert by_type["Conv"] == by_type["HardSwish"] == by_type["Resize"] == {TensorProto.FLOAT16}
    for attention in ("MatMul", "ReduceSum", "Div", "Split"):
        assert by_type[attention] == {TensorProto.FLOAT}, attention
    assert by_type["Sub"] == {TensorProto.FLOAT}  # the mean colour


def test_half_files_are_half_as_large_and_nearly_the_same(graph, frames, checkpoint_ids, info):
    half = to_half(graph)
    nodes, types = tensor_types(half)
    kinds = {types[name] for node in nodes if node.op_type == "Conv" for name in node.input[1:]}
    assert kinds == {TensorProto.FLOAT16}
    assert (onnx_ids(half, frames) == checkpoint_ids).mean() >= 0.98  # random weights: near ties
    assert len(to_openvino(half, info)[1]) < 0.6 * len(to_openvino(graph, info)[1])


def test_half_of_a_graph_without_convolutions_is_an_error():
    empty = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []))
    with pytest.raises(ValueError, match="no convolution"):
        to_half(empty.SerializeToString())


def test_int8_quantises_all_but_the_outer_convolutions(graph, frames, checkpoint_ids, info):
    quantised = to_int8(graph, frames[:6])
    nodes, _ = tensor_types(quantised)
    from_int8 = {
        name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output
    }
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    assert [node.input[0] in from_int8 for node in convolutions] == [
        False,
        *[True] * (len(convolutions) - 2),
        False,
    ]
    products = [node for node in nodes if node.op_type == "MatMul"]
    assert not any(name in from_int8 for node in products for name in node.input)
    assert (onnx_ids(quantised, frames) == checkpoint_ids).mean() >= 0.8  # random weights
    assert parse_sealed(seal(quantised, info), info.path).classes == info.classes
    xml, weights = to_openvino(quantised, info)
    assert (openvino_ids(xml, weights, frames) == checkpoint_ids).mean() >= 0.8


def test_int8_weights_leave_room_for_processors_without_vnni(graph, frames):
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in onnx.load_from_string(to_int8(graph, frames[:2])).graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert max(np.abs(values.astype(int)).max() for values in weights) == 64


def test_int8_without_frames_is_an_error(graph):
    with pytest.raises(ValueError, match=r"[Nn]o data|no frames"):
        to_int8(graph, [])


def test_openvino_files_carry_what_the_checkpoint_says(graph, info, tmp_path):
    xml, weights = to_openvino(graph, info)
    path = tmp_path / "model.xml"
    path.write_bytes(xml)
    weights_path(path).write_bytes(weights)
    read = read_sealed_ir(path)
    assert read[:2] == (xml, weights)
    assert read[2].to_dict() == info.to_dict()
    assert read[2].path == path
    # Any program that has OpenVINO finds it too.
    said = openvino.Core().read_model(path).get_rt_info("wristseg").astype(str)
    assert json.loads(said) == info.to_dict()
