"""Simulate the label loop: which order of labelling reaches a good model with the fewest labels?

A rendered pool stands for frames nobody labelled, its exact masks for the person who labels. Each
round trains on what is labelled, measures on frames of other looks, and asks an order for the next
frames: chance (``random``), or ``wristseg suggest`` by what it calls ``both``, ``uncertainty`` or
``diversity``, through its own code. The pool must be unknown to the start weights. One that is
stopped goes on where it was; the table and the curve are made anew after each curve.

  wristseg render --preset randomised --seed 501 --frames 400 --exact-masks --output data/pool
  wristseg render --preset randomised --seed 502 --frames 120 --exact-masks --output data/val
  python scripts/label_loop.py data/pool data/val --output outputs/label_loop
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.optim.lr_scheduler import OneCycleLR

from wristseg.artifacts import atomic_path, git_commit, write_json
from wristseg.data.frames import TrainingFrames
from wristseg.data.labelled import LabelledDataset
from wristseg.data.labels import load_labels
from wristseg.data.shadows import Shadows
from wristseg.dataset_paths import DatasetPaths
from wristseg.labeling.config import Order
from wristseg.labeling.diversity import thumbnail
from wristseg.labeling.inputs import InputFrame
from wristseg.labeling.probabilities import SureModel
from wristseg.labeling.suggest import Candidate, rank, uncertainty
from wristseg.metrics import class_iou, confusion_matrix, mean_iou
from wristseg.modeling.losses import loss_function
from wristseg.modeling.network import SegmentationNetwork
from wristseg.modeling.plain_checkpoint import write_plain_checkpoint
from wristseg.modeling.weights import load_start_weights
from wristseg.preprocess import PreprocessContract
from wristseg.recipes import RECIPES
from wristseg.train.machine import keep_freed_memory
from wristseg.train.optimizer import OptimizerPlan

Choice: TypeAlias = Literal["random"] | Order
#: val/iou by number of labels, for each order and seed.
Curves: TypeAlias = dict[str, dict[int, list[float]]]

#: Frames in a row that share a look: they are one recording to ``suggest``.
_BURST = 3
_BATCH = 16
_WEIGHT_DECAY, _WARMUP_SHARE = 1e-4, 0.1
#: What each training follows, but for its steps, their schedule and the rates that are given.
_RECIPE = RECIPES["robust"]


@dataclass(frozen=True)
class _Plan:
    """What all curves have in common; a folder of curves belongs to one plan.

    Attributes:
        start: Frames that are labelled before the first training.
        step: Frames that are labelled in each round.
        rounds: Rounds of labelling.
        pretrained: Start weights of each training.
        steps: Steps of each training, of 16 frames, whatever the number of labels.
        lr: Learning rate at its highest.
        kernel_lr: That of convolution kernels.
        size_hw: Network input.
    """

    start: int
    step: int
    rounds: int
    pretrained: str
    steps: int
    lr: float
    kernel_lr: float
    size_hw: tuple[int, int]

    @property
    def labels(self) -> list[int]:
        """Numbers of labels at which a model is measured."""
        return [self.start + number * self.step for number in range(self.rounds + 1)]


class _Side:
    """The frames of a data set at the network's size; their labels are the exact masks."""

    def __init__(self, folder: Path, plan: _Plan) -> None:
        self.dataset: LabelledDataset = load_labels(
            DatasetPaths(folder), masks_dir=folder / "exact_masks"
        )
        self.stems = [frame.stem for frame in self.dataset.frames]
        self._contract = PreprocessContract(plan.size_hw)
        self.plain = self._frames(recipe="none", seed=0)

    def augmented(self, seed: int) -> TrainingFrames:
        """Return what a training sees of the frames, by position."""
        shadows = Shadows.on(self.dataset.classes, _RECIPE.shadows)
        return self._frames(recipe=_RECIPE.augment, seed=seed, shadows=shadows)

    def _frames(self, **levers: Any) -> TrainingFrames:
        return TrainingFrames(self.dataset, self.stems, contract=self._contract, **levers)

    @cached_property
    def thumbnails(self) -> NDArray[np.float32]:
        """What ``suggest`` tells frames apart by, (N, D)."""
        each = (self.dataset.image(frame) for frame in self.dataset.frames)
        return np.stack([thumbnail(image) for image in each])

    def probabilities(
        self, model: SureModel, positions: Sequence[int]
    ) -> list[NDArray[np.float32]]:
        """Return what a model says of frames, (C, h, w) each."""
        small = (InputFrame(self.stems[i], self.plain.decoded(i)[0], Path()) for i in positions)
        return [probabilities for _, probabilities in model.each(small)]


@dataclass(frozen=True)
class _Loop:
    """Both sides and the plan: everything but which curve is drawn."""

    pool: _Side
    val: _Side
    plan: _Plan
    output: Path

    def curve(self, choice: Choice, seed: int) -> list[dict[str, Any]]:
        """Return the rounds of a curve, doing those that are not done yet."""
        path = self.output / f"{choice}_{seed}.json"
        rounds: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
        frames = self.pool.augmented(seed)
        labelled = self._first(seed) if not rounds else rounds[-1]["labelled"] + rounds[-1]["next"]
        while len(rounds) <= self.plan.rounds:
            began = time.monotonic()
            model = self._model(frames, labelled, seed, shared=not rounds)
            figures = self._measured(model)
            last = len(rounds) == self.plan.rounds
            chosen = [] if last else self._next(choice, model, labelled, seed)
            rounds.append({"labelled": labelled, **figures, "next": chosen})
            write_json(path, rounds)
            said = f"{choice} {seed}: {len(labelled)} labels, val/iou {figures['val/iou']:.3f}"
            print(f"{said}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            labelled = labelled + chosen
        return rounds

    def _first(self, seed: int) -> list[int]:
        return sorted(_draw(f"first {seed}", range(len(self.pool.stems)), self.plan.start))

    def _model(
        self, frames: TrainingFrames, labelled: Sequence[int], seed: int, *, shared: bool
    ) -> SureModel:
        """Train on the labelled frames; the first model of a seed serves all orders."""
        path = self.output / (f"first_{seed}.ckpt" if shared else "last.ckpt")
        if not (shared and path.is_file()):
            classes = len(self.pool.dataset.classes)
            network = _trained(frames, labelled, self.plan, seed=seed, classes=classes)
            write_plain_checkpoint(path, network, size_hw=self.plan.size_hw, loss=_RECIPE.loss)
        return SureModel(path, device="cpu")

    def _measured(self, model: SureModel) -> dict[str, Any]:
        """Return val/iou and the IoU of each class on the other looks."""
        count, positions = len(model.classes), range(len(self.val.stems))
        confusion = np.zeros((count, count), np.int64)
        said = self.val.probabilities(model, positions)
        for position, probabilities in zip(positions, said, strict=True):
            ids = probabilities.argmax(axis=0).astype(np.uint8)
            confusion += confusion_matrix(ids, self.val.plain.decoded(position)[1], count)
        named = zip(model.classes.names, class_iou(confusion).tolist(), strict=True)
        iou = {name: round(value, 4) for name, value in named if np.isfinite(value)}
        return {"val/iou": round(mean_iou(confusion), 4), "iou": iou}

    def _next(
        self, choice: Choice, model: SureModel, labelled: Sequence[int], seed: int
    ) -> list[int]:
        """Return the positions that an order wants labelled next."""
        known = set(labelled)
        open_ = [position for position in range(len(self.pool.stems)) if position not in known]
        if choice == "random":
            return _draw(f"{len(labelled)} {seed}", open_, self.plan.step)
        chosen = rank(
            self._candidates(model, open_),
            self.pool.thumbnails[list(labelled)],
            count=self.plan.step,
            per_recording=self.plan.step,
            order=choice,
        )
        if len(chosen) < self.plan.step:
            raise SystemExit(f"{choice}: the pool has only {len(chosen)} frames left that differ")
        places = {stem: position for position, stem in enumerate(self.pool.stems)}
        return [places[suggestion.stem] for suggestion in chosen]

    def _candidates(self, model: SureModel, positions: Sequence[int]) -> list[Candidate]:
        return [
            Candidate(
                stem=self.pool.stems[position],
                recording=f"look {position // _BURST}",
                uncertainty=uncertainty(probabilities),
                feature=self.pool.thumbnails[position],
            )
            for position, probabilities in zip(
                positions, self.pool.probabilities(model, positions), strict=True
            )
        ]


def main(
    pool: Path,
    val: Path,
    /,
    *,
    output: Path = Path("outputs/label_loop"),
    orders: tuple[Choice, ...] = ("random", "both", "uncertainty", "diversity"),
    seeds: tuple[int, ...] = (1, 2, 3),
    start: int = 20,
    step: int = 20,
    rounds: int = 5,
    pretrained: str = "sim",
    steps: int = 150,
    lr: float = 1e-3,
    kernel_lr: float = 0.01,
    size: tuple[int, int] = (84, 84),
) -> int:
    """Draw all curves and print the table; returns the exit code.

    Args:
        pool: Data set rendered with --exact-masks; its frames are what can be labelled.
        val: Another one, of other looks, to measure on.
        output: Folder of the curves; one that was stopped goes on.
        orders: Orders to compare; random is what the others are compared with.
        seeds: Of the frames labelled at the start, the trainings and the random choice.
        start: Frames labelled at the start.
        step: Frames labelled in each round.
        rounds: Rounds of labelling.
        pretrained: Start weights of each training: sim, none, or a checkpoint.
        steps: Steps of each training, of 16 frames.
        lr: Learning rate at its highest, as in the recipe.
        kernel_lr: That of convolution kernels, as in the recipe.
        size: Height and width of the network's input.
    """
    plan = _Plan(start, step, rounds, pretrained, steps, lr, kernel_lr, size)
    keep_freed_memory()
    cv2.setNumThreads(1)
    loop = _Loop(_Side(pool, plan), _Side(val, plan), plan, output)
    _check(loop)
    for seed in seeds:  # all orders of a seed before the next seed: comparable from the first on
        for choice in orders:
            loop.curve(choice, seed)
            _report(loop, orders, seeds)
    return 0


def _check(loop: _Loop) -> None:
    """Refuse a pool that is too small, and a folder that holds curves of another plan."""
    wanted, there = loop.plan.labels[-1], len(loop.pool.stems)
    if wanted > there:
        raise SystemExit(f"{wanted} labels at the end, and the pool has {there} frames; lower it")
    path = loop.output / "loop.json"
    sides = {"pool": loop.pool.dataset.sha256, "val": loop.val.dataset.sha256}
    said = {"plan": json.loads(json.dumps(asdict(loop.plan))), **sides}
    if not path.is_file():
        loop.output.mkdir(parents=True, exist_ok=True)
        write_json(path, {**said, "git_commit": git_commit()})
    elif {k: v for k, v in json.loads(path.read_text()).items() if k in said} != said:
        raise SystemExit(
            f"{path}: made with other options or data sets; choose another --output, "
            "or remove the folder"
        )


def _draw(seed: str, positions: Sequence[int], count: int) -> list[int]:
    return random.Random(seed).sample(list(positions), count)  # noqa: S311 - no secret


def _trained(
    frames: TrainingFrames, labelled: Sequence[int], plan: _Plan, *, seed: int, classes: int
) -> SegmentationNetwork:
    """Train for the plan's steps on the frames at these positions."""
    torch.manual_seed(seed)
    network = SegmentationNetwork(classes).to(memory_format=torch.channels_last)
    load_start_weights(network, plan.pretrained, size_hw=plan.size_hw)
    kernels = OptimizerPlan(kernel_lr=plan.kernel_lr)
    optimizer = kernels.optimizer(network, lr=plan.lr, weight_decay=_WEIGHT_DECAY)
    schedule = OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=plan.steps,
        pct_start=_WARMUP_SHARE,
        cycle_momentum=False,
    )
    loss_of = loss_function(_RECIPE.loss)
    rng = np.random.default_rng([seed, len(labelled)])
    for number in range(plan.steps):
        drawn = rng.choice(labelled, min(_BATCH, len(labelled)), replace=False)
        images, masks = frames.batch([(number, int(position)) for position in drawn])
        loss = loss_of(network.coarse_logits(images), masks)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval()


def labels_needed(labels: Sequence[int], values: Sequence[float], target: float) -> float | None:
    """Return at how many labels a curve first reaches a value, between two points in a line.

    >>> labels_needed([20, 40, 60], [0.5, 0.6, 0.8], 0.7)
    50.0
    >>> labels_needed([20, 40], [0.5, 0.6], 0.7) is None
    True
    """
    if values[0] >= target:
        return float(labels[0])
    for (x0, y0), (x1, y1) in pairwise(zip(labels, values, strict=True)):
        if y1 >= target:
            return x0 + (x1 - x0) * (target - y0) / (y1 - y0)
    return None


def _report(loop: _Loop, orders: Sequence[Choice], seeds: Sequence[int]) -> None:
    """Print the table of the finished curves and draw them."""
    curves: dict[str, dict[int, list[float]]] = {choice: {} for choice in orders}
    for choice, seed in product(orders, seeds):
        path = loop.output / f"{choice}_{seed}.json"
        rounds = json.loads(path.read_text()) if path.is_file() else []
        if len(rounds) == len(loop.plan.labels):
            curves[choice][seed] = [done["val/iou"] for done in rounds]
    print("\n".join(["", *table(loop.plan.labels, curves)]), flush=True)
    _plot(loop.output / "label_loop.png", loop.plan, curves)


def table(labels: Sequence[int], curves: Curves) -> list[str]:
    """Return the lines of a Markdown table: mean, lowest and highest val/iou, and labels needed."""
    goal = f"labels to random's val/iou at {labels[-1]} (seed by seed)"
    lines = [f"| order | seeds | {' | '.join(map(str, labels))} | {goal} |"]
    lines.append("| --- " * (len(labels) + 3) + "|")
    chance = curves.get("random", {})
    for choice, by_seed in curves.items():
        if by_seed:
            cells = [_spread(values) for values in zip(*by_seed.values(), strict=True)]
            needed = _needed(labels, by_seed, chance) if chance else "-"
            lines.append(f"| {choice} | {len(by_seed)} | {' | '.join(cells)} | {needed} |")
    return lines


def _needed(
    labels: Sequence[int], by_seed: dict[int, list[float]], chance: dict[int, list[float]]
) -> str:
    """Say how many labels the mean of the curves needs, and each seed for its own random end."""
    seeds = [seed for seed in by_seed if seed in chance]
    target = statistics.mean(chance[seed][-1] for seed in seeds)
    mean = [statistics.mean(values) for values in zip(*(by_seed[s] for s in seeds), strict=True)]
    each = [_told(labels_needed(labels, by_seed[seed], chance[seed][-1])) for seed in seeds]
    found = labels_needed(labels, mean, target)
    saved = "" if found is None else f", {1 - found / labels[-1]:.0%} fewer"
    return f"{_told(found)}{saved} ({', '.join(each)})"


def _told(count: float | None) -> str:
    return "not reached" if count is None else f"{count:.0f}"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def _plot(path: Path, plan: _Plan, curves: Curves) -> None:
    """Draw the mean of each order's curves, and their spread as a band."""
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    for choice, by_seed in curves.items():
        if by_seed:
            values = np.array(list(by_seed.values()))
            (line,) = axes.plot(plan.labels, values.mean(0), marker="o", markersize=4, label=choice)
            band = values.min(0), values.max(0)
            axes.fill_between(plan.labels, *band, alpha=0.15, color=line.get_color())
    axes.set(xlabel="labelled frames", ylabel="val/iou on other looks", xticks=plan.labels)
    axes.set_title(f"from {plan.pretrained}, mean and range of the seeds", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
