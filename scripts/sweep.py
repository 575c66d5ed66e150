"""Train variants of a recipe with several seeds each, and print the table for docs/experiments.md.

Each run is ``wristseg train`` and ``wristseg val --robustness`` in a process of its own; one that
has its figures already is not done again, so a stopped sweep goes on where it was.

  python scripts/sweep.py data/sibling --output outputs/sweep --variants seed robust
  python scripts/sweep.py data/sibling --output outputs/levers --levers --seeds 1 2 3
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

#: Name of a variant to what it gives ``wristseg train``. The levers are each added to ``base``.
VARIANTS = {
    "seed": "",
    "robust": "--recipe robust",
    "base": "--lr 1e-3",
}
LEVERS = {
    "compound": "--loss compound",
    "cross-entropy": "--loss ce",
    "ignore-unlabeled": "--unlabeled ignore",
    "ema": "--ema 0.99",
    "warmup": "--warmup 3",
    "backbone-slower": "--lr-backbone 0.3",
    "muon": "--kernel-lr 0.01",
    "no-flips": "--augment none",
    "light": "--augment light",
    "strong": "--augment robust",
    "shadows": "--shadows 0.5",
    "paste": "--paste 0.3",
}

#: What is told of a run; shadows are the strongest, each run's worst kind of them.
_FIGURES = ("val/iou", "named", "cube", "fingers", "cube under shadow", "false cube %")
_STRONGEST = 5


@dataclass(frozen=True)
class _Run:
    """One training of one variant.

    Attributes:
        variant: Its name.
        seed: Of split, shuffle, augmentation and new weights.
        folder: Run folder; the measurement goes into ``val`` below it.
    """

    variant: str
    seed: int
    folder: Path


def main(
    dataset: Path,
    /,
    *,
    output: Path = Path("outputs/sweep"),
    variants: tuple[str, ...] = (),
    levers: bool = False,
    seeds: tuple[int, ...] = (1, 2, 3),
    size: tuple[int, int] = (84, 84),
    batch_size: int = 16,
    epochs: int = 100,
    pretrained: str = "sim",
    extra: str = "",
) -> int:
    """Train, measure and print; returns the exit code.

    Args:
        dataset: Data set to train on. Choose on another than the one to report on.
        output: Folder of the runs.
        variants: Names out of the list in this file, or name=OPTIONS.
        levers: Also each lever, added to ``base``.
        seeds: Of split, shuffle, augmentation and new weights.
        size: Height and width of the network's input.
        batch_size: Frames per step.
        epochs: Most epochs.
        pretrained: Start weights.
        extra: Further options for every run.
    """
    options = _chosen(variants, levers=levers)
    common = (
        f"--dataset-path {dataset} --img-height {size[0]} --img-width {size[1]} --epochs {epochs} "
        f"--batch-size {batch_size} --pretrained {pretrained} {extra}"
    )
    runs = [_Run(name, seed, output / f"{name}_{seed}") for seed in seeds for name in options]
    for number, run in enumerate(runs, start=1):
        began = time.monotonic()
        _do(run, f"{common} {options[run.variant]}", dataset)
        spent = time.monotonic() - began
        print(f"{number}/{len(runs)} {run.folder.name} {spent:.0f} s", file=sys.stderr, flush=True)
        _print_table(runs[:number], options)
    return 0


def _chosen(variants: Sequence[str], *, levers: bool) -> dict[str, str]:
    known = VARIANTS | {name: f"{VARIANTS['base']} {option}" for name, option in LEVERS.items()}
    names = [*variants, *(["base", *LEVERS] if levers else [])]
    chosen = {}
    for given in dict.fromkeys(names):
        name, own, text = given.partition("=")
        if not own and name not in known:
            raise SystemExit(f"--variants {name}: expected {', '.join(known)}, or name=OPTIONS")
        chosen[name] = text if own else known[name]
    return chosen


def _do(run: _Run, options: str, dataset: Path) -> None:
    if not (run.folder / "metrics.json").is_file():
        train = f"train {options} --seed {run.seed} --output-dir {run.folder}"
        _wristseg(train, log=run.folder.with_suffix(".log"))
    if not (run.folder / "val" / "metrics.json").is_file():
        val = f"val {run.folder / 'best.ckpt'} --dataset-path {dataset} --robustness"
        _wristseg(f"{val} --output {run.folder / 'val'}", log=run.folder.with_suffix(".val.log"))


def _wristseg(arguments: str, *, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "wristseg", *shlex.split(arguments)]
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=file, env=os.environ, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}, see {log}")


def _print_table(runs: Sequence[_Run], options: dict[str, str]) -> None:
    print(f"\n| variant | options | n | {' | '.join(_FIGURES)} |")
    print("| --- " * (3 + len(_FIGURES)) + "|")
    for name, text in options.items():
        figures = [_figures(run) for run in runs if run.variant == name]
        if figures:
            columns = (_spread(column) for column in zip(*figures, strict=True))
            print(f"| {name} | `{text}` | {len(figures)} | {' | '.join(columns)} |")
    sys.stdout.flush()


def _spread(values: Sequence[float]) -> str:
    """Mean, and lowest to highest."""
    return f"{statistics.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def _figures(run: _Run) -> tuple[float, ...]:
    trained = _read(run.folder / "metrics.json")
    cells = _read(run.folder / "val" / "metrics.json")["robustness"]
    iou = trained["per_class_iou"]
    clean = next(cell for cell in cells if cell["severity"] == 0)
    shadows = [
        cell
        for cell in cells
        if cell["corruption"].startswith("shadow") and cell["severity"] == _STRONGEST
    ]
    return (
        trained["val/iou"],
        statistics.mean(value for name, value in iou.items() if name != "unlabeled"),
        iou["cube"],
        (iou["static_finger"] + iou["moving_finger"]) / 2,
        min(cell["object_iou"]["value"] for cell in shadows) - clean["object_iou"]["value"],
        100 * max(cell["false_object_share_of_shadowed_table"]["value"] for cell in shadows),
    )


def _read(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
