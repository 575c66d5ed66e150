"""``wristseg obs-check``: what a policy gets of a frame, and whether that has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import run_command
from wristseg.errors import DataError
from wristseg.policy.config import ObsCheckConfig

if TYPE_CHECKING:
    from wristseg.policy.check import Checked

__all__ = ["main"]

_DESCRIPTION = """
Show what a policy gets of camera frames, stage by stage, and compare with a golden file.

  wristseg obs-check best.ckpt --frame frame.png --write-golden golden.npz
  wristseg obs-check best.ckpt --golden golden.npz
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg obs-check") -> int:
    """Run the command and return its exit code."""
    return run_command(ObsCheckConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: ObsCheckConfig) -> int:
    from wristseg.policy.check import check_observation

    checked = check_observation(config)
    _print(checked)
    if checked.drift:
        raise DataError(f"{config.checkpoint} has drifted from {config.golden}", checked.drift)
    if config.golden is not None:
        print(f"equal to {config.golden}")
    if config.write_golden is not None:
        print(f"golden file: {config.write_golden}")
    return 0


def _print(checked: Checked) -> None:
    from wristseg.policy.stages import describe

    contract, classes = checked.encoder.contract, checked.encoder.classes
    print(f"contract ({checked.origin})")
    for name, value in contract.to_dict().items():
        print(f"  {name}: {'ids as they are' if value is None else value}")
    print("stages")
    for name, array in checked.stages.items():
        print(f"  {describe(name, array, contract, classes)}")
    for note in checked.notes:
        print(f"note: {note}")
