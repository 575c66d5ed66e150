"""Fuzz the readers of labels with atheris, guided by coverage, for some seconds.

``just fuzz coco`` brings atheris along. Inputs that found something new stay in ``outputs/fuzz``
for the next time; one that breaks a reader is written to ``crash-...`` there, and the run ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

import tyro

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "outputs" / "fuzz"


def main(target: tyro.conf.Positional[Literal["coco", "rle"]], *, seconds: int = 60) -> None:
    """Fuzz one reader.

    Args:
        target: Which one.
        seconds: How long.
    """
    sys.path.insert(0, str(ROOT))
    import atheris

    # Not the tree of NumPy, Pillow and pycocotools: what is ours decides about bytes.
    with atheris.instrument_imports(include=["wristseg"]):
        from tests.fuzz_targets import TARGETS
    corpus = CORPUS / target
    corpus.mkdir(parents=True, exist_ok=True)
    if target == "coco":
        from tests.data.coco_tables import base_table

        (corpus / "whole.json").write_text(json.dumps(base_table()))
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={corpus.parent}/crash-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    tyro.cli(main)
