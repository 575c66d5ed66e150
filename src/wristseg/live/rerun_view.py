"""A live loop in Rerun's viewer, or in an .rrd file for it: frames, masks, ages, class areas.

Rerun's viewer reports its use unless it is told not to. It is told before it starts, in a settings
folder of its own inside wristseg's cache, so that the user's own settings stay as they are; its
tracing is off as well (https://rerun.io/docs, "rerun analytics").
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import util
from pathlib import Path
from types import TracebackType
from typing import Self

import rerun as rr
import rerun.blueprint as rrb

from wristseg.artifacts import atomic_path
from wristseg.classes import ClassTable
from wristseg.errors import UsageError
from wristseg.live.health import class_areas
from wristseg.live.result import LiveResult
from wristseg.predict.cache import cache_dir

__all__ = ["RerunView"]

_JPEG_QUALITY = 80
#: How strongly a mask covers its frame.
_OPACITY = 0.5
_TIMEOUT_S = 60


class RerunView:
    """Logs results; a context manager.

    Args:
        classes: Class table of the masks.
        save: File to write; None to open the viewer.
    """

    def __init__(self, classes: ClassTable, *, save: Path | None) -> None:
        self._classes = classes
        self._save = save
        self._files = ExitStack()
        self._stream: rr.RecordingStream | None = None
        self._last_id = -1

    def __enter__(self) -> Self:
        with _private_settings():
            _switch_reports_off()
            self._stream = stream = rr.RecordingStream("wristseg live")
            if self._save is None:
                stream.spawn(hide_welcome_screen=True, default_blueprint=_blueprint())
            else:
                stream.save(
                    self._files.enter_context(atomic_path(self._save)),
                    default_blueprint=_blueprint(),
                )
        colours = self._classes.palette_rgb()
        described = [
            (number, name, tuple(int(value) for value in colours[number]))
            for number, name in enumerate(self._classes.names)
        ]
        stream.log("camera", rr.AnnotationContext(described), static=True)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.flush()
            self._stream.disconnect()
        # However the loop ended, what was logged is kept.
        self._files.close()

    def show(self, result: LiveResult) -> None:
        """Log one result."""
        assert self._stream is not None
        stream = self._stream
        stream.set_time("seconds", duration=result.t_capture + result.age_ms / 1000.0)
        stream.set_time("frame", sequence=result.frame_id)
        if result.frame_id != self._last_id:
            self._last_id = result.frame_id
            picture = rr.Image(result.frame_bgr[..., ::-1]).compress(jpeg_quality=_JPEG_QUALITY)
            stream.log("camera/frame", picture)
            stream.log("camera/mask", rr.SegmentationImage(result.mask, opacity=_OPACITY))
        stream.log("age_ms", rr.Scalars(result.age_ms))
        areas = class_areas(result.mask, len(self._classes.names))
        for name, area in zip(self._classes.names, areas, strict=True):
            stream.log(f"area/{name}", rr.Scalars(100.0 * area))
        self._log_text(result)

    def _log_text(self, result: LiveResult) -> None:
        assert self._stream is not None
        warnings = () if result.health is None else result.health.warnings
        if not result.ok:
            text = f"{result.status}: {result.problem}"
            self._stream.log("log", rr.TextLog(text, level=rr.TextLogLevel.ERROR))
        for text in warnings:
            self._stream.log("log", rr.TextLog(text, level=rr.TextLogLevel.WARN))


def _blueprint() -> rrb.Blueprint:
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Spatial2DView(origin="camera", name="Mask over frame"),
            rrb.Vertical(
                rrb.TimeSeriesView(origin="age_ms", name="Age, ms"),
                rrb.TimeSeriesView(origin="area", name="Area, % of the frame"),
                rrb.TextLogView(origin="log", name="Faults and warnings"),
            ),
            column_shares=[3, 2],
        ),
        collapse_panels=True,
    )


@contextlib.contextmanager
def _private_settings() -> Iterator[None]:
    """Let Rerun, and the viewer that it starts, find settings of ours."""
    ours = {
        "XDG_CONFIG_HOME": str(_settings_folder()),
        "TELEMETRY_ENABLED": "false",
        "OTEL_SDK_DISABLED": "true",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _switch_reports_off() -> None:
    """Tell Rerun not to report its use, unless it was told before.

    Raises:
        UsageError: It does not take that, and is not started then.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = _settings_folder() / "rerun" / "analytics.json"
        if json.loads(kept.read_text(encoding="utf-8"))["analytics_enabled"] is False:
            return
    try:
        done = subprocess.run(
            [str(_program()), "analytics", "disable"],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"Rerun's usage reports cannot be switched off: {error}") from error
    if done.returncode != 0:
        raise UsageError(
            f"Rerun's usage reports cannot be switched off: {done.stderr.strip() or done.stdout}"
        )


def _settings_folder() -> Path:
    return cache_dir() / "rerun"


def _program() -> Path:
    """Return Rerun's program inside its package; the one on the PATH loads Python first."""
    package = util.find_spec("rerun_cli")
    folders = [] if package is None else package.submodule_search_locations or []
    name = "rerun.exe" if sys.platform == "win32" else "rerun"
    return next((Path(folder) / name for folder in folders), Path(name))
