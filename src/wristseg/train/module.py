"""The Lightning module: loss, optimiser and the pooled validation metric.

Comes in: batches of ``data.frames``. Goes out: logged losses and val/iou, and checkpoints whose
weights have the plain names (``backbone.*``, ``seg_head.*``), so that files of the plain script and
of this module are the same to every reader. Used by ``train.fit`` and by existing users' code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from numpy.typing import NDArray
from torch import Tensor

from wristseg.data.frames import Batch
from wristseg.errors import TrainingError
from wristseg.metrics import class_iou, confusion_matrix, mean_iou
from wristseg.modeling.losses import enlarge_logits, loss_function
from wristseg.modeling.network import SegmentationNetwork
from wristseg.train.optimizer import ETA_MIN, OptimizerPlan
from wristseg.train.processes import (
    BatchSums,
    average_statistics,
    most_steps,
    process_count,
    total_of,
)

__all__ = ["ETA_MIN", "EfficientViTSegModule"]

_PREFIX = "network."

#: What ``torch.compile`` puts before the names of a module that it wraps.
_COMPILED = "_orig_mod."


class EfficientViTSegModule(pl.LightningModule):
    """Trains a ``SegmentationNetwork``.

    Args:
        num_classes: Classes of the masks.
        lr: Learning rate of AdamW at the start of the cosine.
        weight_decay: Weight decay of AdamW.
        img_height: Height of the network's input, pixels.
        img_width: Width of the network's input, pixels.
        loss_type: ``iou``, ``ce`` or ``compound``.
        img_size: Side of a square input, as older checkpoints name it; it wins where given.
        unlabeled: Whether class 0 is learned or ignored.
        plan: Learning rate by part and epoch.
    """

    def __init__(  # noqa: PLR0917 - existing code passes them by position
        self,
        num_classes: int = 6,
        lr: float = 1e-4,
        weight_decay: float = 1e-4,
        img_height: int = 480,
        img_width: int = 640,
        loss_type: Literal["iou", "ce", "compound"] = "iou",
        img_size: int | None = None,
        *,
        unlabeled: Literal["learn", "ignore"] = "learn",
        plan: OptimizerPlan | None = None,
    ) -> None:
        super().__init__()
        if img_size is not None:
            img_height = img_width = img_size
        self.save_hyperparameters(
            {
                "num_classes": num_classes,
                "lr": lr,
                "weight_decay": weight_decay,
                "img_height": img_height,
                "img_width": img_width,
                "loss_type": loss_type,
            }
        )
        self.network = SegmentationNetwork(num_classes)
        self.loss = loss_function(loss_type, unlabeled=unlabeled)
        self._plan = plan or OptimizerPlan()
        #: Origin of the weights, written into every checkpoint (``train.record``).
        self.record: Mapping[str, Any] | None = None
        #: Pixel counts of the last validation, (C, C) int64, rows are true classes.
        self.confusion: NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)
        self._val_loss_sum, self._val_frames = 0.0, 0
        self._val_steps, self._most_val_steps = 0, 0
        self._sums = BatchSums()
        self._coarse_logits: Callable[[Tensor], Tensor] = self.network.coarse_logits

    def compile_network(self) -> None:
        """Let ``torch.compile`` translate the network; weights and their names stay as they are."""
        self._coarse_logits = torch.compile(self.network.coarse_logits)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of standardised images (N, 3, H, W)."""
        logits: Tensor = self.network(images)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Several processes share a batch, and its loss: no mean of theirs, since a ratio of sums over
        the batch is not the mean of the parts' ratios.

        Raises:
            TrainingError: The loss is not finite.
        """
        images, masks = batch
        # The loss enlarges the logits itself, frame by frame, and differentiates by a formula.
        loss = self._loss_of(self._coarse_logits(images), masks)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"epoch {self.current_epoch}, step {batch_idx}: the loss is {loss.item()}; "
                "the checkpoints hold the last finite weights. Try a smaller --lr"
            )
        # All have the same loss. Lightning's own mean over processes divides by their mean number
        # of frames, rounded down.
        size = total_of(len(masks), self.device)
        self.log("train/loss", loss, on_step=True, on_epoch=True, batch_size=size)
        # Each process has the gradient by its own frames; DDP takes their mean, where it is a sum.
        return loss * process_count()

    def on_validation_epoch_start(self) -> None:
        """Start a new confusion matrix and a new mean of the loss."""
        self.confusion = np.zeros_like(self.confusion)
        self._val_loss_sum, self._val_frames = 0.0, 0
        self._val_steps, self._most_val_steps = 0, 0
        if process_count() > 1:
            self._most_val_steps = most_steps(int(self.trainer.num_val_batches[0]), self.device)
            average_statistics(self.network)

    def validation_step(self, batch: Batch, _batch_idx: int) -> None:
        """Add one batch to the confusion matrix and the loss of the validation set."""
        images, masks = batch
        coarse = self._coarse_logits(images)
        self._val_loss_sum += float(self._loss_of(coarse, masks)) * len(masks)
        self._val_frames += len(masks)
        self._val_steps += 1
        # argmax gives the same ids, in 10 times the time where the channels are not last.
        predicted = enlarge_logits(coarse, masks.shape[1:]).max(dim=1).indices.to(torch.uint8)
        self.confusion += confusion_matrix(
            predicted.cpu().numpy(), masks.cpu().numpy(), self.network.num_classes
        )

    def on_validation_epoch_end(self) -> None:
        """Log val/loss and val/iou, the mean over the classes in labels or predictions.

        Processes may hold different numbers of frames, so sums are exchanged, not means.
        """
        if process_count() > 1:
            self._sums.take_part(self._most_val_steps - self._val_steps)
            self.confusion = self._sum_over_processes(self.confusion)
            loss = np.array([self._val_loss_sum, self._val_frames])
            self._val_loss_sum, self._val_frames = self._sum_over_processes(loss)
        self.log("val/loss", self._val_loss_sum / self._val_frames, sync_dist=True)
        self.log("val/iou", mean_iou(self.confusion), sync_dist=True)

    def metrics(self) -> dict[str, Any]:
        """Return the last validation's metrics; None stands for a class that never occurred.

        The confusion matrix has rows of true classes.
        """
        classes = self.record["classes"]["names"] if self.record is not None else None
        names = classes or [str(i) for i in range(self.network.num_classes)]
        iou = class_iou(self.confusion)
        return {
            "val/iou": mean_iou(self.confusion),
            "per_class_iou": {
                name: float(value) if np.isfinite(value) else None
                for name, value in zip(names, iou, strict=True)
            },
            "confusion_matrix": self.confusion.tolist(),
            "epoch": self.current_epoch,
        }

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW with a cosine from ``lr`` to ``ETA_MIN`` over the run's epochs.

        The plan may slow the backbone, and put a warm-up before the cosine.
        """
        optimizer = self._plan.optimizer(
            self.network, lr=self.hparams["lr"], weight_decay=self.hparams["weight_decay"]
        )
        scheduler = self._plan.scheduler(optimizer, epochs=self.trainer.max_epochs or 1)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give the weights their plain names and add the record of their origin."""
        checkpoint["state_dict"] = {
            name.removeprefix(_PREFIX): value.contiguous()
            for name, value in checkpoint["state_dict"].items()
        }
        if self.record is not None:
            checkpoint["wristseg"] = {**self.record, "metrics": self.metrics()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Turn the plain names, or those of a compiled module, into this module's."""
        checkpoint["state_dict"] = {
            _PREFIX + name.replace(_COMPILED, "").removeprefix(_PREFIX): value
            for name, value in checkpoint["state_dict"].items()
        }

    def _loss_of(self, logits: Tensor, masks: Tensor) -> Tensor:
        pool = self._sums if process_count() > 1 else None
        return self.loss(logits, masks, pool=pool)

    def _sum_over_processes(self, values: NDArray[Any]) -> NDArray[Any]:
        # MPS knows no float64, but there is one process then.
        local = torch.from_numpy(values).to(self.device)
        summed: Tensor = self.trainer.strategy.reduce(local, reduce_op="sum")
        return summed.cpu().numpy()
