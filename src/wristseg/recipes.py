"""Recipes of ``wristseg train``: levers of how well a model learns, and named sets of them.

Each lever is an option of its own, so that it can be switched on alone and measured. A recipe is
nothing but their defaults: what the command line says wins, and a run's ``config.yaml`` and
checkpoints carry the values that came of it. Read by ``configs`` and ``cli.train``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from wristseg.errors import UsageError

__all__ = ["RECIPES", "Levers", "recipe_options"]


@dataclass(frozen=True, kw_only=True)
class Levers:
    """What a recipe decides; the defaults are those of the project's request, the recipe seed."""

    recipe: Literal["seed", "robust"] = "seed"
    """Defaults of the options down to --mix-share: seed is the plain recipe, robust is made for
    few frames and changing light. Options that are given win over the recipe's."""
    loss: Literal["iou", "ce", "compound"] = "iou"
    """Loss: soft IoU over all classes, cross-entropy, or half of it plus soft IoU over the classes
    in the batch (compound)."""
    unlabeled: Literal["learn", "ignore"] = "learn"
    """Whether pixels that nobody drew are learned as class 0, or left out of the loss. val/iou
    counts class 0 in either case."""
    lr: float = 1e-4
    """Learning rate of AdamW, annealed along a cosine to 1e-6."""
    lr_backbone: float = 1.0
    """Learning rate of the backbone as a multiple of --lr, which then is the decoder's."""
    kernel_lr: float | None = None
    """Train the kernels of convolutions with Muon at this learning rate (0.01), annealed likewise,
    and everything else with AdamW at --lr. Needs fewer epochs."""
    warmup: int = 0
    """Epochs in which the learning rate rises to --lr in even steps, before the cosine; at most
    half of --epochs."""
    ema: float | None = None
    """Validate and save the moving average of the weights, with this decay per step (0.99)."""
    augment: Literal["auto", "none", "flips", "full", "light", "robust"] = "auto"
    """Augmentation; auto is full from 224 pixels of height on, flips below. light and robust do not
    mirror: shifts, turns and colours, small in light; robust adds blur, noise and JPEG."""
    shadows: float = 0.0
    """Share of the frames, 0 to 1, on which shadows of an arm or of other things are cast."""
    paste: float = 0.0
    """Share of the frames, 0 to 1, into whose table the cube of another frame is copied."""
    mix: Path | None = None
    """Second labelled data set (rendered frames, say) whose frames are mixed into each batch."""
    mix_share: float = 0.25
    """Share of each batch that comes from --mix; an epoch is one pass over the first data set."""

    def __post_init__(self) -> None:
        if not self.lr > 0.0:
            raise UsageError(f"--lr {self.lr}: expected above 0")
        if not self.lr_backbone > 0.0:
            raise UsageError(f"--lr-backbone {self.lr_backbone}: expected above 0")
        if self.kernel_lr is not None and not self.kernel_lr > 0.0:
            raise UsageError(f"--kernel-lr {self.kernel_lr}: expected above 0, or None for AdamW")
        if self.warmup < 0:
            raise UsageError(f"--warmup {self.warmup}: expected 0 or more epochs")
        if self.ema is not None and not 0.0 < self.ema < 1.0:
            raise UsageError(f"--ema {self.ema}: expected between 0 and 1, or None for no average")
        for name in ("shadows", "paste"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageError(f"--{name} {getattr(self, name)}: expected 0 to 1")
        if not 0.0 < self.mix_share < 1.0:
            raise UsageError(f"--mix-share {self.mix_share}: expected between 0 and 1")


#: What each recipe sets. Of the levers above, robust takes those that beat the spread of three
#: seeds (docs/experiments.md, "which levers help"). Flips are in none but seed: a mirrored static
#: finger looks like a moving one.
RECIPES: Mapping[str, Levers] = {
    "seed": Levers(),
    "robust": Levers(
        recipe="robust",
        lr=1e-3,
        kernel_lr=0.01,
        augment="robust",
        shadows=0.5,
    ),
}


def recipe_options(recipe: str, **own: Any) -> dict[str, Any]:
    """Return the options of a recipe, to build a ``TrainConfig`` from.

    Args:
        recipe: Name of the recipe.
        own: Options that win over the recipe's.

    Raises:
        UsageError: There is no recipe of that name.

    >>> recipe_options("robust", lr=5e-4)["lr"], recipe_options("robust")["augment"]
    (0.0005, 'robust')
    """
    if recipe not in RECIPES:
        raise UsageError(f"--recipe {recipe}: expected one of {', '.join(RECIPES)}")
    levers = RECIPES[recipe]
    return {field.name: getattr(levers, field.name) for field in fields(levers)} | own
