"""OpenVINO's own format: a serialised ONNX model as the pair of files .xml and .bin.

Called by the export stage.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from wristseg.errors import MissingExtraError
from wristseg.model_info import ModelInfo
from wristseg.openvino_file import INFO_KEY, seal_ir, weights_path

__all__ = ["to_openvino"]


def to_openvino(model: bytes, info: ModelInfo) -> tuple[bytes, bytes]:
    """Convert a model.

    Args:
        model: Serialised ONNX model of any precision. The file keeps that precision; which one is
            computed in says the runtime: wristseg asks for float32, a GPU takes float16 by itself.
        info: What to write into it.

    Returns:
        The XML, with ``info`` and the hash of both files in it, and the weights.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise MissingExtraError("openvino", "openvino") from error

    converted = openvino.Core().read_model(model)  # convert_model would report its use
    converted.set_rt_info(json.dumps(info.to_dict(), allow_nan=False), [INFO_KEY])
    with tempfile.TemporaryDirectory(prefix="wristseg-openvino-") as folder:
        path = Path(folder) / "model.xml"
        # Its own compression would store the resize in float16 too, which costs 0.1 % of pixels.
        openvino.save_model(converted, path, compress_to_fp16=False)
        xml, weights = path.read_bytes(), weights_path(path).read_bytes()
    return seal_ir(xml, weights), weights
