"""The validation metric is what torchmetrics calls the macro Jaccard index."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from wristseg.train.module import EfficientViTSegModule


class FixedLogits(torch.nn.Module):
    """Returns the images themselves, so that a test chooses the logits."""

    num_classes = 6

    def coarse_logits(self, images):
        return images


@pytest.fixture
def module(monkeypatch):
    made = EfficientViTSegModule(6)
    made.network = FixedLogits()
    made._coarse_logits = made.network.coarse_logits
    made.trainer = types.SimpleNamespace(world_size=1)
    logged = {}
    monkeypatch.setattr(made, "log", lambda name, value, **_: logged.update({name: value}))
    made.logged = logged
    return made


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4, 5], [1, 2], [1, 2, 255], [3]])
def test_val_iou_equals_the_macro_jaccard_index_pooled_over_batches(module, labels):
    metric = MulticlassJaccardIndex(6, average="macro", ignore_index=255)
    generator = torch.Generator().manual_seed(len(labels))
    module.on_validation_epoch_start()
    for size in (4, 4, 1):
        logits = torch.randn(size, 6, 12, 16, generator=generator)
        logits[:, 5] -= 100 if 5 not in labels else 0  # neither labelled nor predicted
        chosen = torch.randint(len(labels), (size, 12, 16), generator=generator)
        masks = torch.tensor(labels, dtype=torch.uint8)[chosen]
        module.validation_step((logits, masks), 0)
        metric.update(logits, masks.long())
    module.on_validation_epoch_end()
    assert module.logged["val/iou"] == pytest.approx(metric.compute().item(), abs=1e-6)


def test_each_validation_starts_from_nothing(module):
    images, masks = torch.randn(1, 6, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8)
    for _ in range(2):
        module.on_validation_epoch_start()
        module.validation_step((images, masks), 0)
    assert module.confusion.sum() == 64


def test_a_class_that_never_occurs_has_no_iou(module):
    module.record = {"classes": {"names": list("abcdef")}}
    module.trainer.current_epoch = 3
    module.confusion = np.diag([4, 3, 2, 1, 1, 0])
    metrics = module.metrics()
    assert metrics["per_class_iou"] == {**dict.fromkeys("abcde", 1.0), "f": None}
    assert metrics["val/iou"] == 1.0
    assert metrics["epoch"] == 3


def test_a_square_size_of_older_checkpoints_counts():
    module = EfficientViTSegModule(img_size=84)
    assert dict(module.hparams) == {
        "num_classes": 6,
        "lr": 1e-4,
        "weight_decay": 1e-4,
        "img_height": 84,
        "img_width": 84,
        "loss_type": "iou",
    }
