"""What a checkpoint says about its origin: the dict under its key ``wristseg``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wristseg.artifacts import git_commit, versions
from wristseg.classes import ClassTable
from wristseg.configs import TrainConfig
from wristseg.data.labels import LabelledDataset
from wristseg.data.split import Split
from wristseg.modeling.checkpoint import FORMAT_VERSION
from wristseg.observation import ObservationContract
from wristseg.preprocess import PreprocessContract

__all__ = ["build_record", "plain_config"]


def build_record(
    config: TrainConfig,
    *,
    classes: ClassTable,
    contract: PreprocessContract,
    observation: ObservationContract,
    split: Split,
    dataset_sha256: str,
    weights_source: str,
    mix: LabelledDataset | None = None,
) -> dict[str, Any]:
    """Return the origin of a run's weights, of plain dicts, lists, numbers and text only.

    Keys:
        format_version: Version of this dict.
        classes: Class table (names, colours, draw orders).
        preprocess: Preprocess contract, its fixed parts spelled out.
        observation: What a policy sees of the masks, see ``ObservationContract``.
        weights_source: Start weights: ``imagenet``, ``sim-84 (SHA-256 ...)``, ``none`` or
            ``checkpoint <file name>``.
        dataset_sha256: Hash of labels and images.
        mix_sha256: The same of the data set that was mixed in; None where none was.
        split: Stems of the training and the validation frames.
        git_commit: Commit of the code, ``-dirty`` where changed; None outside git.
        versions: Versions of wristseg, Python and the libraries.
        config: Options of the run.
        seed: Seed of the split, the shuffle, the augmentation and new weights.

    Each checkpoint adds ``metrics``: val/iou, per_class_iou, confusion_matrix and their epoch; and
    ``batch_parts``: into how many parts batches were split to fit into memory (``train.memory``).
    """
    return {
        "format_version": FORMAT_VERSION,
        "classes": classes.to_dict(),
        "preprocess": contract.to_dict(),
        "observation": observation.to_dict(),
        "weights_source": weights_source,
        "dataset_sha256": dataset_sha256,
        "mix_sha256": None if mix is None else mix.sha256,
        "split": {"train": _texts(split.train), "val": _texts(split.val)},
        "git_commit": git_commit(),
        "versions": versions(),
        "config": plain_config(config),
        "seed": config.seed,
    }


def plain_config(config: TrainConfig) -> dict[str, Any]:
    """Return the options as plain values, paths as text."""
    return {
        name: value.as_posix() if isinstance(value, Path) else value
        for name, value in asdict(config).items()
    }


def _texts(stems: Sequence[str]) -> list[str]:
    return [str(stem) for stem in stems]
