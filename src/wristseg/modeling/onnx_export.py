"""From a checkpoint to a self-contained ONNX file.

In: a network and what is known about it. Out: the bytes of a file that takes camera frames and
gives class ids, with the model's record inside. Called by ``wristseg export`` and, once per
checkpoint, by prediction.
"""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from wristseg.artifacts import sha256_of
from wristseg.errors import MissingExtraError
from wristseg.model_info import ExportInfo, ModelInfo
from wristseg.modeling.checkpoint import load_network
from wristseg.modeling.export_graph import ColorOrder, ExportGraph
from wristseg.modeling.network import SegmentationNetwork
from wristseg.onnx_file import seal
from wristseg.preprocess import PreprocessContract

__all__ = ["INPUT_NAME", "OUTPUT_NAME", "build_onnx", "export_checkpoint"]

INPUT_NAME = "frames"
OUTPUT_NAME = "class_ids"

#: All its operators are known to ONNX Runtime from 1.17 and OpenVINO from 2024.0 on.
_OPSET = 18


def export_checkpoint(
    path: Path, *, frame_hw: tuple[int, int] | None = None, color_order: ColorOrder = "rgb"
) -> bytes:
    """Read a checkpoint and return its ONNX file.

    Args:
        path: A ``.ckpt`` file.
        frame_hw: Size of the frames the graph takes; None for the network's own.
        color_order: Order of the frames' channels.

    Raises:
        CheckpointError: As for ``load_network``.
        MissingExtraError: The exporter's libraries are not installed.
    """
    network, info = load_network(path)
    return seal(
        build_onnx(network, info, frame_hw=frame_hw, color_order=color_order),
        dataclasses.replace(
            info,
            export=ExportInfo(
                frame_hw=frame_hw or info.preprocess.size_hw,
                color_order=color_order,
                precision="fp32",
                checkpoint_sha256=sha256_of(path),
            ),
        ),
    )


def build_onnx(
    network: SegmentationNetwork,
    info: ModelInfo,
    *,
    frame_hw: tuple[int, int] | None = None,
    color_order: ColorOrder = "rgb",
) -> bytes:
    """Turn a network into a serialised ONNX model, without any record of wristseg yet.

    Args:
        network: Trained network.
        info: Says how frames are prepared.
        frame_hw: Size of the frames the graph takes; None for the network's own.
        color_order: Order of the frames' channels.

    Returns:
        A model from ``frames`` (N, H, W, 3) uint8 to ``class_ids`` (N, H, W) uint8, N free.

    Raises:
        MissingExtraError: The exporter's libraries are not installed.
    """
    contract = info.preprocess
    size_hw = frame_hw or contract.size_hw
    if size_hw == contract.size_hw:  # cropped already, as the network takes it
        contract = PreprocessContract(size_hw)
    graph = ExportGraph(network, contract, frame_hw=size_hw, color_order=color_order)
    example = torch.zeros(2, *size_hw, 3, dtype=torch.uint8)  # 1 would be taken for a constant
    with _quietly():
        try:
            program = torch.onnx.export(
                graph.eval(),
                (example,),
                dynamo=True,
                opset_version=_OPSET,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_shapes={"frames": {0: torch.export.Dim("batch")}},
                verbose=False,
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "onnx", "export") from error
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter's remarks about its own workings from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
