"""``wristseg benchmark``: how fast this machine runs wristseg, the plain script and peers."""

from __future__ import annotations

from collections.abc import Sequence

from wristseg.cli.command import needs_extra, run_command
from wristseg.configs import BenchmarkConfig

__all__ = ["main"]

_DESCRIPTION = """Measure prediction, loading, clips, masks and training side by side in one run.

  wristseg benchmark --quick
  wristseg benchmark --checkpoint-640 outputs/run_640/best.ckpt \\
      --checkpoint-84 outputs/run_84/best.ckpt
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg benchmark") -> int:
    """Run the command and return its exit code."""
    return run_command(BenchmarkConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: BenchmarkConfig) -> int:
    with needs_extra("train"):
        from wristseg.benchmark.benchmark import benchmark, output_folder
        from wristseg.benchmark.page import goal_lines

    results = benchmark(config)
    print("\n".join(goal_lines(results)))
    print(f"page: {output_folder(config) / 'README.md'}")
    return 0
