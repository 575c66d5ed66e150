"""Stage ``wristseg export``: a checkpoint as one file for a runtime, kept only if it is as good.

In: a checkpoint and the frames it was validated on. Out: a file that takes camera frames and gives
class ids, ``export_report.json`` beside it, and a picture of the worst frame where any pixel
differs. Where the masks are not those of the checkpoint, nothing is written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import FileBatch, sha256_of
from wristseg.configs import ExportConfig
from wristseg.errors import CheckpointError, UsageError
from wristseg.export.frames import ComparedFrame, ComparedFrames, find_frames
from wristseg.export.gate import GATES, objections
from wristseg.export.parity import Parity, Predict, compare, latencies_ms
from wristseg.export.plan import ExportPlan, plan_export
from wristseg.export.report import (
    merged_report,
    origin,
    parity_entry,
    read_report,
    worst_picture,
)
from wristseg.model_info import ExportInfo, ModelInfo
from wristseg.onnx_file import seal
from wristseg.openvino_file import weights_path
from wristseg.packed_file import model_path
from wristseg.predict import Segmenter

if TYPE_CHECKING:
    from wristseg.modeling.network import SegmentationNetwork

__all__ = ["ExportSummary", "export"]

#: What runs each format while it is judged.
_RUNTIME: dict[str, Literal["onnxruntime", "openvino"]] = {
    "onnx": "onnxruntime",
    "openvino": "openvino",
}

#: More frames than this do not narrow int8's ranges any further (measured with 8 and 35).
_CALIBRATION_FRAMES = 48
#: How long latencies are measured; enough for some 40 frames of each at 640x480.
_TIMED_S = 6.0


@dataclass(frozen=True)
class ExportSummary:
    """What was written.

    Attributes:
        outputs: The files, the model first.
        report: Entry of the report, as it stands in ``export_report.json``.
    """

    outputs: tuple[Path, ...]
    report: dict[str, Any]


def export(config: ExportConfig) -> ExportSummary:
    """Export a checkpoint and compare the file with it.

    Returns:
        The files and how they compare.

    Raises:
        UsageError: An option that cannot work, or a library that is not installed.
        DataError: The frames to compare on cannot be read.
        CheckpointError: The checkpoint cannot be used, does not fit the observation, or the export
            is worse than allowed; nothing was written.
    """
    from wristseg.modeling.checkpoint import load_network

    config = dataclasses.replace(config, checkpoint=model_path(config.checkpoint))
    if config.checkpoint.suffix.lower() in {".onnx", ".xml"}:
        raise UsageError(f"{config.checkpoint}: is an export already; give the checkpoint")
    sha256 = sha256_of(config.checkpoint)
    network, info = load_network(config.checkpoint)
    info = _with_observation(info, config.observation)
    frames = find_frames(config, info)
    job = _Job(config, plan_export(config, frames, info), info, frames)
    read_report(job.plan.report)  # before the work, in case it is none of ours
    for warning in frames.warnings:
        _say(f"warning: {warning}")
    with tempfile.TemporaryDirectory(prefix="wristseg-export-") as folder:
        made = _make(job, network, Path(folder))
        judged = _judge(job, made)
        if judged.reasons and not config.allow_loss:
            raise CheckpointError(_refusal(job, judged))
        if sha256_of(config.checkpoint) != sha256:
            raise CheckpointError(
                f"{config.checkpoint}: changed while it was exported (by a training?); nothing was "
                "written, run the export again"
            )
        return _write(job, made, judged)


def _with_observation(info: ModelInfo, file: Path | None) -> ModelInfo:
    """Return what is said of the model with the whole contract, that of a file if one is given."""
    contract = info.observation_contract
    if file is not None:
        contract = info.observation_of(file)
    elif info.observation is None:
        _say("the checkpoint says nothing of what a policy sees; the export gets the default")
    return dataclasses.replace(info, observation=contract.to_dict())


@dataclass(frozen=True)
class _Job:
    """What is to be done: the options and all that follows from them."""

    config: ExportConfig
    plan: ExportPlan
    info: ModelInfo
    frames: ComparedFrames

    @property
    def camera_hw(self) -> tuple[int, int] | None:
        """Size that frames are brought to; None where the segmenter prepares them as they are."""
        frame_hw = self.plan.frame_hw
        return None if frame_hw == self.info.preprocess.size_hw else frame_hw

    def image(self, frame: ComparedFrame) -> NDArray[np.uint8]:
        """Return a frame in RGB as it is given to the segmenters."""
        return frame.read(self.camera_hw)[0]

    def graph_input(self, frame: ComparedFrame) -> NDArray[np.uint8]:
        """Return a frame as the graph itself takes it."""
        image = self.image(frame)
        if self.camera_hw is None:
            image = self.info.preprocess.resize_frame(image)
        return image if self.config.color == "rgb" else np.ascontiguousarray(image[..., ::-1])


@dataclass(frozen=True)
class _Made:
    """An export: its files by name, and segmenters that run it and the same in fp32."""

    files: dict[str, bytes]
    segmenter: Segmenter
    in_fp32: Segmenter | None


@dataclass(frozen=True)
class _Judged:
    """An export beside its checkpoint."""

    checkpoint: Predict
    parity: Parity
    latency_ms: dict[str, dict[str, float]]
    reasons: list[str]


def _make(job: _Job, network: SegmentationNetwork, folder: Path) -> _Made:
    from wristseg.modeling.onnx_export import build_onnx

    config, frame_hw = job.config, job.plan.frame_hw
    _say(f"building the graph for {frame_hw[0]}x{frame_hw[1]} frames (h x w)")
    in_fp32 = build_onnx(network, job.info, frame_hw=frame_hw, color_order=config.color)
    said = dataclasses.replace(
        job.info,
        export=ExportInfo(
            frame_hw=frame_hw,
            color_order=config.color,
            precision=config.precision,
            checkpoint_sha256=sha256_of(config.checkpoint),
        ),
    )
    if config.precision == "fp32":
        return _Made(*_finished(job, in_fp32, said, folder), None)
    files, segmenter = _finished(job, _converted(job, in_fp32), said, folder)
    return _Made(files, segmenter, _finished(job, in_fp32, said, folder / "fp32")[1])


def _converted(job: _Job, model: bytes) -> bytes:
    if job.config.precision == "fp16":
        from wristseg.export.half import to_half

        return to_half(model)
    from wristseg.export.int8 import to_int8

    calibration = job.frames.calibration
    if not calibration:
        raise UsageError(
            "--precision int8 is calibrated on training frames of the checkpoint, and the data set "
            "holds none of them; give the data set it was trained on, or --frames FOLDER"
        )
    count = min(_CALIBRATION_FRAMES, len(calibration))
    spread = np.linspace(0, len(calibration) - 1, count).astype(int)
    chosen = [calibration[i] for i in spread]
    _say(f"calibrating int8 on {len(chosen)} frames")
    return to_int8(model, (job.graph_input(frame) for frame in chosen))


def _finished(
    job: _Job, model: bytes, said: ModelInfo, folder: Path
) -> tuple[dict[str, bytes], Segmenter]:
    """Return the files of a model in its format, by name, and a segmenter that runs them."""
    path = folder / job.plan.model.name
    if job.config.format == "onnx":
        files = {path.name: seal(model, said)}
    else:
        from wristseg.export.openvino_ir import to_openvino

        xml, weights = to_openvino(model, said)
        files = {path.name: xml, weights_path(path).name: weights}
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files, Segmenter.load(path, device="cpu", runtime=_RUNTIME[job.config.format])


def _judge(job: _Job, made: _Made) -> _Judged:
    checkpoint = Segmenter.load(job.config.checkpoint, device="cpu", runtime="torch").predict_rgb
    export = made.segmenter.predict_rgb
    _say(f"comparing masks on {job.frames.said}")
    parity = compare(
        checkpoint,
        export,
        job.frames.compared,
        camera_hw=job.camera_hw,
        contract=job.info.preprocess,
        num_classes=len(job.info.classes),
    )
    contestants = {"export": export, "checkpoint in PyTorch": checkpoint}
    if made.in_fp32 is not None:
        contestants["export in fp32"] = made.in_fp32.predict_rgb
    _say(f"timing for {_TIMED_S:.0f} s")
    latency_ms = latencies_ms(contestants, job.image(job.frames.compared[0]), seconds=_TIMED_S)
    gate = GATES[job.config.precision]
    return _Judged(checkpoint, parity, latency_ms, objections(parity, latency_ms, gate=gate))


def _refusal(job: _Job, judged: _Judged) -> str:
    precision = job.config.precision
    reasons = "".join(f"\n  - {reason}" for reason in judged.reasons)
    advice = (
        "use --precision fp32, or keep it all the same with --allow-loss"
        if precision != "fp32"
        else "this is a fault of the export, please report it; --allow-loss keeps the file"
    )
    return f"{job.plan.model}: not written, the {precision} export falls short:{reasons}\n{advice}"


def _write(job: _Job, made: _Made, judged: _Judged) -> ExportSummary:
    plan, files = job.plan, dict(made.files)
    entry = _entry(job, judged)
    worst = judged.parity.worst
    if worst.agreement < 1.0:
        image = job.image(worst.frame)
        masks = judged.checkpoint(image), made.segmenter.predict_rgb(image)
        files[plan.picture.name] = worst_picture(image, masks, job.info.classes)
        entry["worst_frame"]["picture"] = plan.picture.name
    entry["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    entry |= origin()
    folder = plan.model.parent
    with FileBatch(folder, [*files, plan.report.name]) as batch:
        for name, content in files.items():
            batch.write(name, content)
        # Read now, not before the work: another export may have written into it meanwhile.
        earlier = read_report(plan.report)
        report = merged_report(earlier, plan.model.name, entry, folder=folder)
        batch.write(plan.report.name, report)
    return ExportSummary((*(folder / name for name in files), plan.report), entry)


def _entry(job: _Job, judged: _Judged) -> dict[str, Any]:
    config = job.config
    return {
        "checkpoint": str(config.checkpoint),
        "checkpoint_sha256": sha256_of(config.checkpoint),
        "checkpoint_bytes": config.checkpoint.stat().st_size,
        "format": config.format,
        "precision": config.precision,
        "frame_hw": list(job.plan.frame_hw),
        "color_order": config.color,
        "frames": job.frames.said,
        **parity_entry(judged.parity, job.info.classes),
        "latency_ms": judged.latency_ms,
        "gate": dataclasses.asdict(GATES[config.precision]),
        "kept_in_spite_of": judged.reasons,
        "warnings": list(job.frames.warnings),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr)
