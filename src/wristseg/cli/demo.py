"""``wristseg demo``: see the whole road work."""

from __future__ import annotations

from collections.abc import Sequence

from wristseg.cli.command import limit_spinning, needs_extra, run_command
from wristseg.configs import DemoConfig

__all__ = ["main"]

_DESCRIPTION = """Check a data set, draw masks, train at 84x84, predict clips and write a report.

  wristseg demo
  wristseg demo --output outputs/my_demo --epochs 20
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg demo") -> int:
    """Run the command and return its exit code."""
    return run_command(DemoConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: DemoConfig) -> int:
    limit_spinning()
    with needs_extra("train"):
        from wristseg.demo import demo

    report = demo(config)
    print(f"report: {report}")
    print(f"next: wristseg train --dataset-path {config.dataset_path}  # 640x480, about an hour")
    return 0
