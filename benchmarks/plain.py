"""The plain implementation: what people wrote and ran before wristseg, as the benchmark's opponent.

A straightforward script over PyTorch, timm, Lightning, Pillow and torchvision: images are decoded
and augmented at full size in each epoch, all four output blocks are computed, and 64 channels are
enlarged to the frame before the 1x1 head. Nothing in it is slowed down on purpose. Its checkpoints
and wristseg's are the same to either. ``wristseg benchmark`` and the tests call it.

  python benchmarks/plain_masks.py --dataset data/dataset_v0 --output masks
  python benchmarks/plain.py --dataset data/dataset_v0 --masks masks --split split.json --output run
"""

# ruff: noqa: S311 - chance that picks an augmentation guards nothing

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import functional as vision

__all__ = [
    "EfficientViTSegModule",
    "FrameDataset",
    "SegmentationInference",
    "predict_frame",
    "predict_video",
    "soft_iou_loss",
    "train",
]

COLORS = ((0, 0, 0), (86, 180, 233), (0, 158, 115), (230, 159, 0), (204, 121, 167), (240, 228, 66))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FrameDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images and masks, decoded and augmented each time they are asked for.

    Args:
        pairs: Image and mask file of each frame.
        size_hw: Size of the network's input.
        augment: ``none``, ``flips`` or ``full``.
    """

    def __init__(
        self, pairs: Sequence[tuple[Path, Path]], size_hw: tuple[int, int], augment: str
    ) -> None:
        self.pairs = pairs
        self.size_hw = size_hw
        self.augment = augment
        self.jitter = transforms.ColorJitter(0.3, 0.3, 0.3, 0.1)
        self.blur = transforms.GaussianBlur(5, (0.1, 2.0))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return image (3, h, w) float32 and class ids (h, w) int64."""
        image_path, mask_path = self.pairs[index]
        image = Image.open(image_path).convert("RGB")
        mask: Image.Image = Image.open(mask_path)
        if self.augment != "none":
            image, mask = self._augmented(image, mask)
        size_wh = self.size_hw[::-1]
        image = image.resize(size_wh, Image.Resampling.BILINEAR)
        mask = mask.resize(size_wh, Image.Resampling.NEAREST)
        tensor = vision.normalize(vision.to_tensor(image), MEAN, STD)
        return tensor, torch.from_numpy(np.array(mask)).long()

    def _augmented(self, image: Image.Image, mask: Image.Image) -> tuple[Image.Image, Image.Image]:
        nearest = vision.InterpolationMode.NEAREST
        if self.augment == "full" and random.random() < 0.7:
            box = transforms.RandomResizedCrop.get_params(image, [0.7, 1.0], [0.9, 1.1])
            size_hw = [image.height, image.width]
            image = vision.resized_crop(image, *box, size_hw)
            mask = vision.resized_crop(mask, *box, size_hw, nearest)
        if random.random() < 0.5:
            image, mask = vision.hflip(image), vision.hflip(mask)
        if random.random() < 0.5:
            image, mask = vision.vflip(image), vision.vflip(mask)
        if self.augment == "full":
            if random.random() < 0.5:
                angle = random.uniform(-15, 15)
                image = vision.rotate(image, angle, vision.InterpolationMode.BILINEAR)
                mask = vision.rotate(mask, angle, nearest)
            image = self.jitter(image)
            if random.random() < 0.3:
                image = self.blur(image)
        return image, mask


def soft_iou_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - mean soft IoU of logits (N, C, H, W) and class ids (N, H, W)."""
    probabilities = logits.softmax(dim=1)
    one_hot = functional.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2).float()
    intersection = (probabilities * one_hot).sum(dim=(0, 2, 3))
    union = probabilities.sum(dim=(0, 2, 3)) + one_hot.sum(dim=(0, 2, 3)) - intersection
    return 1 - ((intersection + 1e-6) / (union + 1e-6)).mean()


class EfficientViTSegModule(pl.LightningModule):
    """EfficientViT-B0 with an FPN decoder: (N, 3, H, W) float to (N, num_classes, H, W) logits."""

    def __init__(  # noqa: PLR0917 - as checkpoints name them
        self,
        num_classes: int = 6,
        lr: float = 1e-4,  # noqa: ARG002 - saved as hyper-parameters, like those below
        weight_decay: float = 1e-4,  # noqa: ARG002
        img_height: int = 480,  # noqa: ARG002
        img_width: int = 640,  # noqa: ARG002
        loss_type: str = "iou",  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.backbone = timm.create_model(
            "efficientvit_b0.r224_in1k", features_only=True, pretrained=False
        )
        channels = self.backbone.feature_info.channels()
        self.lateral_convs = nn.ModuleList(nn.Conv2d(c, 64, 1) for c in channels)
        self.output_convs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU())
            for _ in channels
        )
        self.seg_head = nn.Conv2d(64, num_classes, 1)
        self.confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits at the size of the input."""
        levels = [
            lateral(feature)
            for lateral, feature in zip(self.lateral_convs, self.backbone(x), strict=True)
        ]
        for i in (2, 1, 0):
            levels[i] = levels[i] + functional.interpolate(
                levels[i + 1], size=levels[i].shape[-2:], mode="bilinear", align_corners=False
            )
        outputs = [conv(level) for conv, level in zip(self.output_convs, levels, strict=True)]
        full = functional.interpolate(
            outputs[0], size=x.shape[-2:], mode="bilinear", align_corners=False
        )
        logits: Tensor = self.seg_head(full)
        return logits

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.hparams["loss_type"] == "iou":
            return soft_iou_loss(logits, labels)
        return functional.cross_entropy(logits, labels)

    def training_step(self, batch: tuple[Tensor, Tensor], _batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        images, labels = batch
        loss = self._loss(self(images), labels)
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Start a new confusion matrix."""
        self.confusion = torch.zeros_like(self.confusion, device=self.device)

    def validation_step(self, batch: tuple[Tensor, Tensor], _batch_idx: int) -> None:
        """Add one batch to the confusion matrix."""
        images, labels = batch
        logits = self(images)
        self.log("val/loss", self._loss(logits, labels))
        pairs = labels * logits.shape[1] + logits.argmax(dim=1)
        counts = torch.bincount(pairs.flatten(), minlength=self.confusion.numel())
        self.confusion += counts.reshape(self.confusion.shape)

    def on_validation_epoch_end(self) -> None:
        """Log val/iou, the mean over the classes that occur in labels or predictions."""
        hits = self.confusion.diag().float()
        union = self.confusion.sum(0) + self.confusion.sum(1) - hits
        self.log("val/iou", (hits / union)[union > 0].mean())

    def configure_optimizers(self) -> Any:
        """Return AdamW and its cosine."""
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.hparams["lr"], weight_decay=self.hparams["weight_decay"]
        )
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, T_max=self.trainer.max_epochs or 1, eta_min=1e-6
        )
        return [optimizer], [scheduler]


def train(
    pairs: dict[str, list[tuple[Path, Path]]],
    output: Path,
    *,
    size_hw: tuple[int, int] = (480, 640),
    batch_size: int = 4,
    epochs: int = 100,
    num_workers: int = 2,
) -> None:
    """Train on ``pairs["train"]``, validate on ``pairs["val"]``; leaves TensorBoard events."""
    height, width = size_hw
    module = EfficientViTSegModule(img_height=height, img_width=width)
    augment = "full" if height >= 224 else "flips"
    workers: dict[str, Any] = {"num_workers": num_workers, "persistent_workers": num_workers > 0}
    training = FrameDataset(pairs["train"], size_hw, augment)
    validation = FrameDataset(pairs["val"], size_hw, "none")
    trainer = pl.Trainer(
        max_epochs=epochs,
        logger=pl.loggers.TensorBoardLogger(output, name="tensorboard", version=""),
        callbacks=[
            pl.callbacks.ModelCheckpoint(output, "best", monitor="val/iou", mode="max"),
            pl.callbacks.EarlyStopping("val/iou", mode="max", patience=20),
        ],
        enable_progress_bar=False,
    )
    trainer.fit(
        module,
        DataLoader(training, batch_size, shuffle=True, drop_last=False, **workers),
        DataLoader(validation, batch_size, **workers),
    )


@torch.no_grad()
def predict_frame(
    model: nn.Module,
    frame_bgr: NDArray[np.uint8],
    size_hw: tuple[int, int],
    *,
    device: str = "cpu",
) -> NDArray[np.uint8]:
    """Return the class ids of a (H, W, 3) uint8 frame, (H, W) uint8."""
    height, width = frame_bgr.shape[:2]
    image = Image.fromarray(np.ascontiguousarray(frame_bgr[:, :, ::-1]))
    image = image.resize(size_hw[::-1], Image.Resampling.BILINEAR)
    x = vision.normalize(vision.to_tensor(image), MEAN, STD)
    logits = model(x[None].to(device))
    ids = logits.argmax(dim=1)[0].cpu().numpy().astype(np.uint8)
    mask = Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST)
    return np.array(mask)


class SegmentationInference:
    """A trained model: BGR frames in, class ids out."""

    def __init__(self, checkpoint_path: Path | str, device: str = "cpu") -> None:
        module = EfficientViTSegModule.load_from_checkpoint(checkpoint_path, map_location=device)
        self.model = module.eval()
        self.device = device
        self.size_hw = (module.hparams["img_height"], module.hparams["img_width"])

    def predict(self, frame_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the class ids of a (H, W, 3) uint8 frame, (H, W) uint8."""
        return predict_frame(self.model, frame_bgr, self.size_hw, device=self.device)

    def visualize(
        self, frame_bgr: NDArray[np.uint8], mask: NDArray[np.uint8], alpha: float = 0.5
    ) -> NDArray[np.uint8]:
        """Return the frame with class colours laid over it, (H, W, 3) uint8 BGR."""
        colors = np.array(COLORS, np.uint8)[:, ::-1][mask]
        mixed = (1 - alpha) * frame_bgr + alpha * colors
        return np.where(mask[..., None] == 0, frame_bgr, mixed).astype(np.uint8)


def predict_video(inference: SegmentationInference, path: Path, output: Path) -> int:
    """Write a video with overlays; returns the number of frames."""
    import cv2

    reader = cv2.VideoCapture(str(path))
    size_wh = tuple(
        int(reader.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    fps = reader.get(cv2.CAP_PROP_FPS)
    writer = cv2.VideoWriter(str(output), cv2.VideoWriter.fourcc(*"mp4v"), fps, size_wh)
    count = 0
    while True:
        read, frame_bgr = reader.read()
        if not read:
            break
        writer.write(inference.visualize(frame_bgr, inference.predict(frame_bgr)))
        count += 1
    reader.release()
    writer.release()
    return count


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description="Train the plain implementation.")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--img-height", type=int, default=480)
    parser.add_argument("--img-width", type=int, default=640)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--num-workers", type=int, default=2)
    given = parser.parse_args()
    images = {path.stem: path for path in (given.dataset / "images" / "default").iterdir()}
    split = json.loads(given.split.read_text(encoding="utf-8"))
    pairs = {
        side: [(images[stem], given.masks / f"{stem}.png") for stem in split[side]]
        for side in ("train", "val")
    }
    train(
        pairs,
        given.output,
        size_hw=(given.img_height, given.img_width),
        batch_size=given.batch_size,
        epochs=given.epochs,
        num_workers=given.num_workers,
    )


if __name__ == "__main__":
    main()
