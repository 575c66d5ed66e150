"""``wristseg preannotate``: a model's masks for annotation tools, to be corrected there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wristseg.cli.command import limit_spinning, raise_if_partial, run_command
from wristseg.labeling.config import PreannotateConfig

if TYPE_CHECKING:
    from wristseg.labeling.preannotate import Preannotated

__all__ = ["main"]

_DESCRIPTION = """
Write a model's masks in the form that CVAT, Roboflow or Label Studio imports.

  wristseg preannotate data/new/images --checkpoint best.ckpt --output data/pre
  wristseg preannotate data/new/images --checkpoint sim --output data/pre --format label-studio
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg preannotate") -> int:
    """Run the command and return its exit code."""
    return run_command(PreannotateConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: PreannotateConfig) -> int:
    limit_spinning()
    from wristseg.labeling.preannotate import preannotate

    done = preannotate(config)
    _print(done, config)
    raise_if_partial(done.problems)
    return 0


def _print(done: Preannotated, config: PreannotateConfig) -> None:
    print(f"{len(done.images)} images with predictions")
    for path in done.files:
        print(path)
    print(f"look at: {config.output / 'overview.jpg'}")
