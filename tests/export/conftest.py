"""One small model whose graph is built once, and a data set it might have been trained on."""

from __future__ import annotations

import onnx
import pytest
from filelock import FileLock
from onnx import numpy_helper

from tests.datasets import make_coco_dataset
from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network
from wristseg.export import export as stage
from wristseg.modeling import onnx_export
from wristseg.modeling.checkpoint import load_network
from wristseg.preprocess import PreprocessContract

SIZE_HW = (48, 64)
FRAMES = 8


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    return make_coco_dataset(tmp_path_factory.mktemp("data") / "set", frames=FRAMES)


@pytest.fixture(scope="session")
def checkpoint_of(tmp_path_factory, dataset):
    """Write a checkpoint of the session's data set; keywords replace what it says."""
    stems = [f"demo{i % 2}_frame_{i:04d}" for i in range(FRAMES)]

    def save(folder=None, **changes):
        folder = folder or tmp_path_factory.mktemp("run")
        said = {
            "preprocess": PreprocessContract(SIZE_HW).to_dict(),
            "dataset_sha256": None,
            "split": {"train": stems[:5], "val": stems[5:]},
            "config": {"loss": "iou", "dataset_path": str(dataset)},
        }
        return save_own_checkpoint(folder / "best.ckpt", randomised_network(), **said | changes)

    return save


@pytest.fixture(scope="session")
def graph(checkpoint_of, tmp_path_factory):
    """The model as ONNX for frames of its own size; built by the first process that needs it."""
    kept = tmp_path_factory.getbasetemp().parent / "export_graph.onnx"
    with FileLock(f"{kept}.lock"):
        if not kept.is_file():
            kept.write_bytes(onnx_export.build_onnx(*load_network(checkpoint_of())))
        return kept.read_bytes()


@pytest.fixture
def quick(monkeypatch, graph):
    """Take the session's graph instead of building one, and one turn of timing."""
    monkeypatch.setattr(onnx_export, "build_onnx", lambda *_args, **_options: graph)
    monkeypatch.setattr(stage, "_TIMED_S", 0.0)


@pytest.fixture
def run_folder(tmp_path, checkpoint_of):
    """A folder of its own with the checkpoint in it."""
    checkpoint_of(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def spoilt(graph):
    """The same graph, but the least likely class wins everywhere."""
    proto = onnx.load_from_string(graph)
    head = [node for node in proto.graph.node if node.op_type == "Conv"][-1]
    weight = next(t for t in proto.graph.initializer if t.name == head.input[1])
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), weight.name))
    return proto.SerializeToString()
