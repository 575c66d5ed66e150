"""How much is measured: the full benchmark, or the quick one within a minute."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Plan", "TrainingWork", "size_name"]


@dataclass(frozen=True)
class TrainingWork:
    """One training to time.

    Attributes:
        size_hw: Network input.
        batch_size: Frames per step.
        own_epochs: Epochs of wristseg per round; the first is not timed.
        plain_epochs: Epochs of the plain implementation per round; the first is not timed.
        plain_workers: Its loader processes: the number that was quicker on two cores.
    """

    size_hw: tuple[int, int]
    batch_size: int
    own_epochs: int
    plain_epochs: int
    plain_workers: int


@dataclass(frozen=True)
class Plan:
    """Amounts of each part; 0 rounds leave a part out.

    Attributes:
        sizes_hw: Network inputs of the models to predict with, the large one first.
        predict_rounds: Turns of each contestant and model.
        turn_s: Least length of a turn in seconds.
        turn_frames: Least frames of a turn.
        tail_windows: Long runs of frames by wristseg alone.
        tail_frames: Frames of such a run.
        load_rounds: Fresh processes per contestant and model, besides the one that stays.
        masks_rounds: Runs of each way to draw masks.
        clip_rounds: Runs of each way to turn a clip into one with overlays.
        clip_frames: Frames of the clip that are used; None for all.
        train_rounds: Runs of each training.
        trainings: The trainings.
        agreement_frames: Frames whose labels are compared; None for all.
        page_rounds: Starts of the review page.
        page_frames: Frames of the data set that it shows.
        page_keys: Key presses of each start.
        live_ticks: Ticks of the live loop with each model.
    """

    sizes_hw: tuple[tuple[int, int], tuple[int, int]]
    predict_rounds: int
    turn_s: float
    turn_frames: int
    tail_windows: int
    tail_frames: int
    load_rounds: int
    masks_rounds: int
    clip_rounds: int
    clip_frames: int | None
    train_rounds: int
    trainings: tuple[TrainingWork, ...]
    agreement_frames: int | None
    page_rounds: int = 0
    page_frames: int = 1000
    page_keys: int = 30
    live_ticks: int = 0


FULL = Plan(
    sizes_hw=((480, 640), (84, 84)),
    predict_rounds=30,
    turn_s=0.6,
    turn_frames=5,
    tail_windows=5,
    tail_frames=1000,
    load_rounds=3,
    masks_rounds=7,
    clip_rounds=5,
    clip_frames=None,
    train_rounds=2,
    trainings=(
        TrainingWork((480, 640), 4, own_epochs=3, plain_epochs=2, plain_workers=2),
        TrainingWork((84, 84), 16, own_epochs=9, plain_epochs=5, plain_workers=0),
    ),
    agreement_frames=None,
    page_rounds=5,
    live_ticks=2000,
)

QUICK = Plan(
    sizes_hw=((480, 640), (84, 84)),
    predict_rounds=2,
    turn_s=0.1,
    turn_frames=2,
    tail_windows=0,
    tail_frames=0,
    load_rounds=0,
    masks_rounds=1,
    clip_rounds=0,
    clip_frames=None,
    train_rounds=0,
    trainings=(),
    agreement_frames=6,
    page_rounds=1,
    page_keys=8,
)


def size_name(size_hw: tuple[int, int]) -> str:
    """Return a network input as people say it, width first: ``640x480``."""
    return f"{size_hw[1]}x{size_hw[0]}"
