"""What a run leaves besides its checkpoints: tables, pictures and ``metrics.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from wristseg.artifacts import sha256_of, write_json
from wristseg.configs import TrainConfig
from wristseg.modeling.checkpoint import load_network
from wristseg.modeling.safe_load import load_untrusted
from wristseg.train.checkpoints import BEST
from wristseg.train.data import TrainingData
from wristseg.train.history import Row, read_history, write_table
from wristseg.train.plots import draw_batch, draw_confusion, draw_curves, draw_predictions

__all__ = ["draw_first_batch", "finish_run"]


def draw_first_batch(folder: Path, data: TrainingData, config: TrainConfig) -> None:
    """Draw ``train_batch0.jpg``: the first batch as the network will get it."""
    keys = next(iter(data.batches(config)))
    frames = [data.source[key] for key in keys]
    draw_batch(folder / "train_batch0.jpg", frames, data.dataset.classes)


def finish_run(folder: Path, data: TrainingData, *, device: torch.device) -> None:
    """Write the tables and pictures of a finished run.

    ``metrics.json`` comes last: where it is, the run is finished.

    Args:
        folder: The run folder.
        data: The data of the run.
        device: Where the predictions of ``val_pred.jpg`` are made.
    """
    record = load_untrusted(folder / BEST)["wristseg"]
    metrics, classes = record["metrics"], data.dataset.classes
    confusion = np.array(metrics["confusion_matrix"], np.int64)
    rows: list[Row] = [
        {"class": name, "iou": iou, "labelled_pixels": int(pixels)}
        for (name, iou), pixels in zip(
            metrics["per_class_iou"].items(), confusion.sum(axis=1), strict=True
        )
    ]
    write_table(folder / "per_class.csv", rows)
    draw_confusion(folder / "confusion_matrix.png", confusion, classes)
    history = read_history(folder / "results.csv")
    draw_curves(folder / "results.png", history, classes)
    _draw_validation(folder, data, device)
    summary: dict[str, Any] = {
        "val/iou": metrics["val/iou"],
        "per_class_iou": metrics["per_class_iou"],
        "best_epoch": metrics["epoch"],
        "epochs": len(history),
        "batch_parts": record.get("batch_parts", 1),
        "seconds": round(sum(float(row["seconds"] or 0) for row in history), 1),
        "train_frames": len(data.split.train),
        "val_frames": len(data.split.val),
        "val_with_neighbour_in_train": data.neighbours,
        "weights_source": record["weights_source"],
        "dataset_sha256": record["dataset_sha256"],
        "best_ckpt_sha256": sha256_of(folder / BEST),
    }
    write_json(folder / "metrics.json", summary)


def _draw_validation(folder: Path, data: TrainingData, device: torch.device) -> None:
    network, _ = load_network(folder / BEST, device=device)
    frames = []
    for position in range(len(data.val)):
        image, label = data.val[0, position]
        images, _ = data.val.collate([(image, label)])
        with torch.inference_mode():
            logits = network(images.to(device))  # (1, C, h, w)
        frames.append((image, label, logits[0].argmax(0).to(torch.uint8).cpu().numpy()))
    draw_predictions(folder / "val_pred.jpg", frames, data.dataset.classes)
