"""From the options of a training to its two sides of frames, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wristseg.classes import IGNORE_INDEX
from wristseg.configs import TrainConfig
from wristseg.data.augment import Recipe, recipe_for
from wristseg.data.check_facts import duplicate_images
from wristseg.data.frames import EpochBatches, FrameSource, TrainingFrames
from wristseg.data.labels import LabelledDataset, load_labels
from wristseg.data.mix import MixedBatches, MixedFrames
from wristseg.data.paste import Paster
from wristseg.data.shadows import Shadows
from wristseg.data.split import Split, make_split, neighbours_in_train, read_split
from wristseg.errors import DataError, UsageError
from wristseg.observation import ObservationContract
from wristseg.preprocess import PreprocessContract
from wristseg.train.mixed_set import load_mix

__all__ = ["TrainingData", "check_sides", "load_training_data"]


#: Gives a mixed frame another draw than the training frame of the same number has.
_MIX = 0x4D1C


@dataclass(frozen=True)
class TrainingData:
    """Everything that a training reads.

    Attributes:
        dataset: Frames, masks and class table.
        split: Stems of both sides.
        contract: What happens to a frame before the network.
        observation: What a policy sees of the masks.
        recipe: Augmentation of the training side.
        train: Training frames.
        val: Validation frames.
        neighbours: Validation frames with a neighbour from their recording in training.
        mix: The second data set, whose frames are mixed into the batches, or None.
        mixed: Its frames.
    """

    dataset: LabelledDataset
    split: Split
    contract: PreprocessContract
    observation: ObservationContract
    recipe: Recipe
    train: TrainingFrames
    val: TrainingFrames
    neighbours: int
    mix: LabelledDataset | None = None
    mixed: TrainingFrames | None = None

    @property
    def source(self) -> FrameSource:
        """What batches are made from: the training frames, and the mixed ones behind them."""
        return self.train if self.mixed is None else MixedFrames(self.train, self.mixed)

    def batches(self, config: TrainConfig, *, rank: int = 0, world_size: int = 1) -> EpochBatches:
        """Return the shuffled batches of ``source``."""
        shared = {"seed": config.seed, "rank": rank, "world_size": world_size}
        length, of_mix = len(self.train), config.mixed_per_batch
        if self.mixed is None:
            return EpochBatches(length, config.batch_size, **shared)
        return MixedBatches(
            length,
            config.batch_size - of_mix,
            **shared,
            mixed_per_batch=of_mix,
            mixed_length=len(self.mixed),
        )


def load_training_data(
    config: TrainConfig, *, split_file: Path | None, rank: int = 0, world_size: int = 1
) -> TrainingData:
    """Read labels and images, draw or read the split, and check both sides.

    Args:
        config: Options of the training.
        split_file: ``split.json`` of the run to resume, or None to draw a new split.
        rank: Number of this process.
        world_size: Number of processes; each validates its own part of the frames.

    Raises:
        UsageError: ``--num-classes`` is not the data set's number, or there are more processes
            than training or validation frames.
        DataError: Labels or images are bad, the split is no basis for a training, or the data set
            to mix in or the observation does not fit.
    """
    dataset = load_labels(config.dataset(), masks_dir=config.masks_dir)
    if config.num_classes not in {None, len(dataset.classes)}:
        raise UsageError(
            f"--num-classes {config.num_classes}: the data set's class table has "
            f"{len(dataset.classes)} ({', '.join(dataset.classes.names)}); "
            "put your own into <dataset-path>/dataset.yaml"
        )
    if split_file is None:
        split = make_split(
            dataset.frames,
            val_fraction=config.val_fraction,
            seed=config.seed,
            split_by=config.split_by,
        )
    else:
        split = read_split(split_file, dataset.frames)
    check_sides(dataset, split)
    for side, count in (("training", len(split.train)), ("validation", len(split.val))):
        if count < world_size:
            raise UsageError(
                f"--devices, --num-nodes: {world_size} processes and {count} {side} frames; "
                "expected at least one frame each: use fewer processes"
            )
    contract = PreprocessContract(config.size_hw, config.crop)
    observation = _observation(config, dataset)
    recipe = recipe_for(config.augment, config.size_hw)
    shadows = Shadows.on(dataset.classes, config.shadows) if config.shadows > 0.0 else None
    left_bytes = round(config.cache_gib * 1024**3)

    def frames_of(
        dataset: LabelledDataset, stems: Sequence[str], recipe: Recipe, **levers: Any
    ) -> TrainingFrames:
        nonlocal left_bytes
        frames = TrainingFrames(
            dataset,
            stems,
            contract=contract,
            recipe=recipe,
            cache_bytes=left_bytes,
            cache_folder=_nearest_folder(config.output_dir),
            **{"seed": config.seed, **levers},
        )
        frames.preload()
        left_bytes -= frames.memory_bytes
        return frames

    mix = None if config.mix is None else load_mix(config.mix, dataset, split)
    train = frames_of(dataset, split.train, recipe, shadows=shadows)
    val = frames_of(dataset, split.val[rank::world_size], "none")
    mixed = None
    if mix is not None:
        stems = [frame.stem for frame in mix.frames]
        mixed = frames_of(mix, stems, recipe, shadows=shadows, seed=config.seed ^ _MIX)
    if config.paste > 0.0:
        kept = (train.decoded(position) for position in range(len(train)))
        train.paster = Paster.of_frames(kept, dataset.classes, config.paste)
    return TrainingData(
        dataset=dataset,
        split=split,
        contract=contract,
        observation=observation,
        recipe=recipe,
        train=train,
        val=val,
        neighbours=neighbours_in_train(dataset.frames, split),
        mix=mix,
        mixed=mixed,
    )


def _observation(config: TrainConfig, dataset: LabelledDataset) -> ObservationContract:
    default = ObservationContract(crop=config.crop)
    if config.observation is None:
        return default
    return ObservationContract.from_file(
        config.observation, classes=dataset.classes, model_crop=config.crop, default=default
    )


def _nearest_folder(path: Path) -> Path:
    """Return the folder, or the nearest one above it that is there already."""
    return next(place for place in (path, *path.absolute().parents) if place.is_dir())


def check_sides(dataset: LabelledDataset, split: Split) -> None:
    """Refuse a split on which a result would mean nothing.

    Raises:
        DataError: A side is empty, the same image stands on both sides, or a class is labelled in
            no training frame.
    """
    problems = [f"no {name} frames" for name in ("train", "val") if not getattr(split, name)] or [
        *_shared_images(dataset, split),
        *_missing_classes(dataset, split),
    ]
    if problems:
        raise DataError("split", problems)


def _shared_images(dataset: LabelledDataset, split: Split) -> list[str]:
    val = set(split.val)
    return [
        f"{', '.join(stems)}: the same image in training and validation; "
        "mark all but one of them in excluded.json"
        for stems in duplicate_images(dataset.frames)
        if len({stem in val for stem in stems}) == 2
    ]


def _missing_classes(dataset: LabelledDataset, split: Split) -> list[str]:
    train = set(split.train)
    labelled = np.zeros(IGNORE_INDEX + 1, bool)
    for frame in dataset.frames:
        if frame.stem in train:
            labelled |= np.bincount(dataset.mask(frame).ravel(), minlength=labelled.size) > 0
    return [
        f"class {name} is labelled in none of the {len(train)} training frames; label some, "
        "or leave the class out of the table in <dataset-path>/dataset.yaml"
        for class_id, name in enumerate(dataset.classes.names)
        if class_id > 0 and not labelled[class_id]  # 0 is what nobody drew
    ]
