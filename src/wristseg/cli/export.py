"""``wristseg export``: one file for a runtime, and what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import needs_extra, run_command
from wristseg.configs import ExportConfig

if TYPE_CHECKING:
    from wristseg.export.export import ExportSummary

__all__ = ["main"]

_DESCRIPTION = """
Write a checkpoint as one file that takes camera frames and gives class ids, and check it.

  wristseg export outputs/efficientvit_seg/best.ckpt
  wristseg export best.ckpt --size 480x640 --format openvino --color bgr
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg export") -> int:
    """Run the command and return its exit code."""
    return run_command(ExportConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: ExportConfig) -> int:
    with needs_extra("export"):
        import onnx  # noqa: F401 - looked for before minutes are spent
        import torch  # noqa: F401

        from wristseg.export.export import export

    _print(export(config))
    return 0


def _print(summary: ExportSummary) -> None:
    report = summary.report
    for path in summary.outputs:
        print(path)
    worst = report["worst_frame"]
    print(
        f"{report['pixel_agreement']:.4%} of pixels as the checkpoint's on {report['frames']}; "
        f"worst frame {worst['name']}, {worst['pixel_agreement']:.4%}"
    )
    if report["val_iou"] is not None:
        before, after = (report["val_iou"][side] for side in ("checkpoint", "export"))
        print(f"val/iou {after:.4f}, the checkpoint's {before:.4f} ({after - before:+.4f})")
    latency = report["latency_ms"]
    times = ", ".join(f"{name} {figures['p50']:.1f} ms" for name, figures in latency.items())
    print(f"a frame on this machine (median): {times}")
    for reason in report["kept_in_spite_of"]:
        print(f"kept in spite of: {reason}")
