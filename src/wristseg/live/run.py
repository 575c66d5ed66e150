"""Stage ``wristseg live``: run the loop, show it, record it, and say how it went.

In: the options. Out: a recording, an .rrd file and a report where they were asked for, whole also
when the loop ends by a fault or by Ctrl-C. Called by ``cli.live``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wristseg.artifacts import git_commit, sha256_of, versions, write_json
from wristseg.errors import PartialResultError
from wristseg.interruption import signals_deferred
from wristseg.live.config import LiveConfig
from wristseg.live.filter import TemporalFilter
from wristseg.live.health import HealthCheck, reference_areas
from wristseg.live.outputs import check_outputs
from wristseg.live.recorder import Recorder
from wristseg.live.result import STATUSES, LiveResult
from wristseg.live.segmenter import LiveSegmenter
from wristseg.live.statistics import PARTS
from wristseg.live.terminal_line import TerminalLine
from wristseg.live.worker import MaskModel
from wristseg.model_info import json_values
from wristseg.packed_file import model_path

__all__ = ["LiveSummary", "live"]


@dataclass(frozen=True)
class LiveSummary:
    """How a loop went.

    Attributes:
        report: What ``--report`` holds.
        outputs: Files written.
    """

    report: dict[str, Any]
    outputs: tuple[Path, ...]

    @property
    def lines(self) -> list[str]:
        """The figures in a few lines for people."""
        figures = self.report["figures"]
        if figures["ticks"] == 0:
            return [f"no tick after the warm-up of {figures['warm_up_masks']} masks"]
        rows = [f"{'ms':<10}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}"]
        parts = {name: figures["latency_ms"][name] for name in PARTS}
        for name, found in {**parts, "age": figures["age_ms"]}.items():
            numbers = (found[key] for key in ("p50", "p95", "p99", "max"))
            shown = (f"{'-' if number is None else f'{number:.1f}':>8}" for number in numbers)
            rows.append(f"{name:<10}{''.join(shown)}")
        told = {name: figures["statuses"][name] for name in STATUSES}
        rows.append(", ".join(f"{count} {name}" for name, count in told.items() if count))
        rows.append(
            f"{figures['ticks']} ticks in {figures['seconds']:.1f} s; deadline "
            f"{figures['period_ms']:.1f} ms missed by {figures['deadline_miss_share']:.2%}, "
            f"{figures['drop_share']:.2%} of the camera's frames dropped"
        )
        return rows


def live(config: LiveConfig, *, done: Callable[[LiveSummary], None]) -> None:
    """Run the loop until the camera ends, something breaks, or it was long enough.

    Args:
        config: The options.
        done: Called with the summary before any error is raised: also a loop that was broken off
            has one.

    Raises:
        UsageError: An output cannot be written; else, as CheckpointError and DataError, as for
            ``LiveSegmenter.open``.
        CameraError: The camera cannot be used.
        LiveError: The loop could not go on.
        PartialResultError: The clip that was played is damaged; the rest of it was segmented.
    """
    check_outputs(config)
    segmenter = _segmenter(config)
    outputs: list[Path] = []
    with ExitStack() as stack:
        # Runs last, when recordings are closed and the camera is free.
        stack.callback(lambda: _finish(config, segmenter, outputs, done))
        stack.enter_context(segmenter)
        watchers = _watchers(config, segmenter, stack, outputs)
        for result in _results(config, segmenter):
            for watch in watchers:
                watch(result)
    if segmenter.camera.problems:
        raise PartialResultError(f"{segmenter.camera.name}: {'; '.join(segmenter.camera.problems)}")


def _segmenter(config: LiveConfig) -> LiveSegmenter:
    reference = config.reference

    def health(model: MaskModel) -> HealthCheck:
        usual = None
        if reference is not None:
            usual = reference_areas(reference, len(model.classes.names))
        return HealthCheck(model.classes, usual)

    return LiveSegmenter.open(
        config.checkpoint,
        camera=config.camera,
        hz=config.hz,
        fps=config.fps,
        size_hw=config.size_hw,
        loop=config.loop,
        device=config.device,
        threads=config.threads,
        mask_filter=TemporalFilter() if config.filtered else None,
        health=health,
        warm_up=config.warm_up,
        stale_periods=config.stale_periods,
        watchdog_periods=config.watchdog_periods,
        freeze_frames=config.freeze_frames,
        on_fault=config.on_fault,
        reconnect_s=config.reconnect,
    )


def _watchers(
    config: LiveConfig, segmenter: LiveSegmenter, stack: ExitStack, outputs: list[Path]
) -> list[Callable[[LiveResult], None]]:
    """Open whatever looks at each result."""
    classes = segmenter.model.classes
    found: list[Callable[[LiveResult], None]] = []
    if config.record is not None:
        comment = (
            f"wristseg {versions()['wristseg']}, checkpoint SHA-256 "
            f"{sha256_of(model_path(config.checkpoint))}"
        )
        fps = segmenter.camera.fps or segmenter.limits.hz
        recorder = stack.enter_context(Recorder(config.record, fps=fps, comment=comment))
        outputs += recorder.outputs
        found.append(recorder.put)
    if config.rerun or config.save_rrd is not None:
        from wristseg.live.rerun_view import RerunView

        view = stack.enter_context(RerunView(classes, save=config.save_rrd))
        outputs += [] if config.save_rrd is None else [config.save_rrd]
        found.append(view.show)
    line = stack.enter_context(TerminalLine(classes))
    statistics = segmenter.statistics
    found.append(lambda result: line.show(result, statistics, now=time.monotonic()))
    return found


def _results(config: LiveConfig, segmenter: LiveSegmenter) -> Iterator[LiveResult]:
    """Yield results until there were enough."""
    ends = None if config.seconds is None else time.monotonic() + config.seconds
    for result in segmenter:
        yield result
        enough = config.frames is not None and segmenter.statistics.ticks >= config.frames
        if enough or (ends is not None and time.monotonic() >= ends):
            return


def _finish(
    config: LiveConfig,
    segmenter: LiveSegmenter,
    outputs: list[Path],
    done: Callable[[LiveSummary], None],
) -> None:
    """Write the report and show it, however the loop ended."""
    if not segmenter.started:
        return
    with signals_deferred():
        report = {
            "camera": segmenter.camera.name,
            "camera_fps": segmenter.camera.fps,
            "camera_released": segmenter.released,
            "filtered": config.filtered,
            "limits": asdict(segmenter.limits),
            "figures": segmenter.report(),
            "parts": PARTS,
            "statuses": STATUSES,
            "checkpoint_sha256": sha256_of(model_path(config.checkpoint)),
            "config": {name: _plain(name, value) for name, value in asdict(config).items()},
            "git_commit": git_commit(),
            "versions": versions(),
        }
        if config.report is not None:
            write_json(config.report, json_values(report))
            outputs.append(config.report)
        written = tuple(path for path in outputs if path.exists())
        done(LiveSummary(report, written))


def _plain(name: str, value: object) -> str | None:
    """Return an option's value as text, an address without its password."""
    if name == "camera" and "://" in str(value):
        from wristseg.live.stream_camera import without_password

        return without_password(str(value))
    return None if value is None else str(value)
