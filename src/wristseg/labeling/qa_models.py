"""The models that judge the labels of a data set: one for all frames, or one for each fold.

In: checkpoints. Out: which of them judges which frame, and what a page says about them. Called by
``cli.qa``, which has folds trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from wristseg.data.labels import LabelledDataset, LabelledFrame
from wristseg.labeling.probabilities import SureModel

__all__ = ["Judges"]


@dataclass(frozen=True)
class Judges:
    """Who judges which frame.

    Attributes:
        models: The models, in the order of the folds.
        judged_by: Stem of a frame to the number of its model.
        said: Who judges, in a sentence.
    """

    models: tuple[SureModel, ...]
    judged_by: Mapping[str, int]
    said: str

    @classmethod
    def of_checkpoint(cls, checkpoint: Path, dataset: LabelledDataset, *, device: str) -> Self:
        """Let one model judge all frames.

        Raises:
            CheckpointError: The file cannot be used.
            UsageError: It is an exported model, or this machine has no such device.
        """
        model = SureModel(checkpoint, device=device)
        trained = set(model.info.split.get("train", ()))
        seen = sum(frame.stem in trained for frame in dataset.frames)
        said = f"All frames are judged by {checkpoint}"
        if seen:
            said += (
                f", which was trained on {seen} of these {len(dataset.frames)} frames, or on "
                "frames of these names, and may have learned their mistakes"
            )
        return cls((model,), {frame.stem: 0 for frame in dataset.frames}, f"{said}.")

    @classmethod
    def of_folds(
        cls, checkpoints: Sequence[Path], folds: Sequence[Sequence[str]], *, device: str, by: str
    ) -> Self:
        """Let each model judge the frames of its fold.

        Args:
            checkpoints: One per fold.
            folds: Stems of the frames of each fold.
            device: Where the models run.
            by: ``recording`` or ``frame``: what is kept together.

        Raises:
            CheckpointError: A file cannot be used.
        """
        models = tuple(SureModel(path, device=device) for path in checkpoints)
        judged_by = {stem: number for number, stems in enumerate(folds) for stem in stems}
        unseen = "its recording" if by == "recording" else "it"
        said = f"Each frame is judged by the one of {len(models)} models that did not see {unseen}."
        return cls(models, judged_by, said)

    def of(self, frame: LabelledFrame) -> SureModel:
        """Return the model that judges a frame."""
        return self.models[self.judged_by[frame.stem]]

    def origin_rows(self) -> list[tuple[str, str]]:
        """Return what the page says about the models."""
        info = self.models[0].info
        height, width = info.preprocess.size_hw
        rows = [(f"model {i}", str(m.info.path)) for i, m in enumerate(self.models, start=1)]
        return [
            *rows,
            ("network input (h x w)", f"{height} x {width}"),
            ("start weights", str(info.weights_source)),
            ("epochs", str(info.config.get("epochs"))),
            ("seed", str(info.seed)),
        ]

    def record(self) -> list[dict[str, Any]]:
        """Return the models as plain values."""
        return [
            {
                "path": str(model.info.path),
                "sha256": model.sha256,
                "weights_source": model.info.weights_source,
                "judges": sorted(s for s, judge in self.judged_by.items() if judge == number),
            }
            for number, model in enumerate(self.models)
        ]
