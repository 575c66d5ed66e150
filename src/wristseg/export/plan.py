"""Decide what an export takes and where it goes, before anything is computed.

In: the options, the frames and what the checkpoint says. Out: the size of the frames that the graph
takes and the files to write, none of which is a file that export did not make.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from wristseg.configs import ExportConfig
from wristseg.errors import CheckpointError, UsageError
from wristseg.export.frames import ComparedFrames
from wristseg.model_info import ModelInfo
from wristseg.onnx_file import read_sealed
from wristseg.openvino_file import read_sealed_ir, weights_path
from wristseg.packed_file import is_shipped

__all__ = ["ExportPlan", "plan_export"]

_SUFFIX = {"onnx": ".onnx", "openvino": ".xml"}
_MIN_SIDE, _MAX_SIDE = 16, 4096


@dataclass(frozen=True)
class ExportPlan:
    """What is made and where.

    Attributes:
        frame_hw: Height and width of the frames that the graph takes.
        model: The ``.onnx`` or ``.xml`` file.
    """

    frame_hw: tuple[int, int]
    model: Path

    @property
    def picture(self) -> Path:
        """Where the worst frame is shown, if any differs."""
        return self.model.with_name(f"{self.model.stem}_worst_frame.png")

    @property
    def report(self) -> Path:
        """Report of all exports in the folder."""
        return self.model.with_name("export_report.json")


def plan_export(config: ExportConfig, frames: ComparedFrames, info: ModelInfo) -> ExportPlan:
    """Choose size and files.

    Raises:
        UsageError: The size makes no sense, the suffix is of another format, or a file is there
            that is no export.
    """
    frame_hw = _frame_hw(config.size, frames, info)
    # The package's own folder is no place for a user's files.
    folder = Path() if is_shipped(config.checkpoint) else config.checkpoint.parent
    model = config.output or folder / _default_name(config, frame_hw)
    suffix = _SUFFIX[config.format]
    if model.suffix != suffix:
        raise UsageError(f"--output {model}: a file of --format {config.format} ends with {suffix}")
    plan = ExportPlan(frame_hw, model)
    if not config.overwrite:
        _refuse_foreign(plan)
    if model.is_dir() or model.resolve() == config.checkpoint.resolve():
        raise UsageError(f"--output {model}: is a folder or the checkpoint; name another file")
    return plan


def _frame_hw(size: str, frames: ComparedFrames, info: ModelInfo) -> tuple[int, int]:
    if size == "camera":
        return frames.camera_hw()
    if size == "model":
        return info.preprocess.size_hw
    said = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if said is None:
        raise UsageError(
            f"--size {size}: expected HEIGHTxWIDTH such as 480x640, or camera, or model"
        )
    height, width = int(said[1]), int(said[2])
    if not all(_MIN_SIDE <= side <= _MAX_SIDE for side in (height, width)):
        raise UsageError(f"--size {size}: expected {_MIN_SIDE} to {_MAX_SIDE} pixels a side")
    sizes = {frame.size_hw for frame in frames.compared}
    if (width, height) in sizes and (height, width) not in sizes:
        raise UsageError(
            f"--size {size}: the height comes first, and frames are {width}x{height} (h x w); "
            f"did you mean --size {width}x{height}?"
        )
    return height, width


def _default_name(config: ExportConfig, frame_hw: tuple[int, int]) -> str:
    parts = [config.checkpoint.stem, f"{frame_hw[0]}x{frame_hw[1]}"]
    parts += [config.color] if config.color != "rgb" else []
    parts += [config.precision] if config.precision != "fp32" else []
    return "_".join(parts) + _SUFFIX[config.format]


def _refuse_foreign(plan: ExportPlan) -> None:
    """Refuse to replace what export did not make; an export of ours may be replaced."""
    try:
        if plan.model.suffix == ".onnx":
            if plan.model.exists():
                read_sealed(plan.model)
        elif plan.model.exists() or weights_path(plan.model).exists():
            read_sealed_ir(plan.model)
    except CheckpointError as error:
        raise UsageError(
            f"--output {plan.model}: a file is there that is no whole export ({error}); "
            "name another, or replace it with --overwrite"
        ) from error
