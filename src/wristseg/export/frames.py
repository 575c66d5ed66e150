"""The frames on which an export is compared with its checkpoint.

In: the options and what the checkpoint says. Out: frames to compare masks on, with labels where
there are some, and frames to calibrate int8 on, which are others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wristseg.configs import ExportConfig
from wristseg.data.labelled import LabelledDataset, LabelledFrame
from wristseg.data.labels import load_labels
from wristseg.data.layout import list_images
from wristseg.data.of_model import dataset_of_model
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.images import image_size_hw, read_image_rgb
from wristseg.model_info import ModelInfo
from wristseg.preprocess import PreprocessContract

__all__ = ["ComparedFrame", "ComparedFrames", "find_frames"]


@dataclass(frozen=True)
class ComparedFrame:
    """One frame.

    Attributes:
        name: Its file's name without suffix.
        path: Its image file.
        size_hw: Height and width of the image.
        label: Gives its (H, W) uint8 class ids; None without labels.
    """

    name: str
    path: Path
    size_hw: tuple[int, int]
    label: Callable[[], NDArray[np.uint8]] | None = field(default=None, repr=False)

    def read(
        self, camera_hw: tuple[int, int] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Return image and label.

        Args:
            camera_hw: Size to bring them to, as a camera of that size would see them; None for
                their own.

        Returns:
            (h, w, 3) uint8 RGB, and (h, w) uint8 class ids or None.

        Raises:
            DataError: The image or a ready-made mask cannot be read.
        """
        image, label = read_image_rgb(self.path), None if self.label is None else self.label()
        if camera_hw is None:
            return image, label
        resize = PreprocessContract(camera_hw)
        return resize.resize_frame(image), None if label is None else resize.resize_mask(label)


@dataclass(frozen=True)
class ComparedFrames:
    """The frames of one export.

    Attributes:
        said: What they are, for people.
        compared: Masks are compared on these.
        calibration: Int8's ranges are taken from these.
        warnings: What is odd about them.
    """

    said: str
    compared: tuple[ComparedFrame, ...]
    calibration: tuple[ComparedFrame, ...]
    warnings: tuple[str, ...] = ()

    def camera_hw(self) -> tuple[int, int]:
        """Return the size that all frames have.

        Raises:
            UsageError: They have several.
        """
        sizes = Counter(frame.size_hw for frame in self.compared)
        if len(sizes) > 1:
            listed = ", ".join(f"{count} of {h}x{w}" for (h, w), count in sizes.most_common())
            raise UsageError(
                f"--size camera: the frames have several sizes ({listed}, h x w); "
                "give the camera's, for example --size 480x640"
            )
        return next(iter(sizes))


def find_frames(config: ExportConfig, info: ModelInfo) -> ComparedFrames:
    """Find the frames to compare on.

    Args:
        config: ``dataset_path`` or ``frames`` say where; else the checkpoint does.
        info: Of the checkpoint.

    Raises:
        UsageError: It is not said where frames are, or nothing is there.
        DataError: The data set's labels are bad, or it is not the one of the checkpoint.
    """
    if config.frames is not None:
        return _of_folder(config.frames, apart=config.precision == "int8")
    paths, masks_dir = _paths(config, info)
    labels = load_labels(paths, masks_dir=masks_dir)
    if labels.classes.names != info.classes.names:
        problem = f"classes are {labels.classes.names}, the model's {info.classes.names}"
        raise DataError(labels.layout.images_dir, problem)
    return _of_dataset(labels, info, apart=config.precision == "int8")


def _paths(config: ExportConfig, info: ModelInfo) -> tuple[DatasetPaths, Path | None]:
    if config.dataset_path is not None:
        return DatasetPaths(config.dataset_path), None
    return dataset_of_model(
        info,
        unknown=(
            ", and an export is kept only after its masks were compared; give --dataset-path "
            "DATASET, or --frames FOLDER with images from the camera"
        ),
        moved="give its place with --dataset-path, or images from the camera with --frames FOLDER",
    )


def _of_dataset(labels: LabelledDataset, info: ModelInfo, *, apart: bool) -> ComparedFrames:
    folder = labels.layout.images_dir
    frames = {frame.stem: _compared(labels, frame) for frame in labels.frames}
    val, train = (tuple(info.split.get(side, ())) for side in ("val", "train"))
    if not val:
        # A checkpoint of the plain script does not say what it was validated on.
        compared, calibration = _sides(tuple(frames.values()), apart=apart)
        return ComparedFrames(f"{len(compared)} labelled frames", compared, calibration)
    missing = [stem for stem in val if stem not in frames]
    if missing:
        raise DataError(
            folder,
            f"{len(missing)} of {len(val)} validation frames of the checkpoint are not in this "
            f"data set, the first is {missing[0]}; give the data set it was trained on with "
            "--dataset-path, or images from the camera with --frames FOLDER",
        )
    changed = info.dataset_sha256 not in {None, labels.sha256}
    return ComparedFrames(
        f"{len(val)} validation frames",
        tuple(frames[stem] for stem in val),
        tuple(frames[stem] for stem in train if stem in frames),
        (f"{folder}: the data set has changed since the training",) if changed else (),
    )


def _compared(labels: LabelledDataset, frame: LabelledFrame) -> ComparedFrame:
    return ComparedFrame(frame.stem, frame.image_path, frame.size_hw, lambda: labels.mask(frame))


def _of_folder(folder: Path, *, apart: bool) -> ComparedFrames:
    if not folder.is_dir():
        raise UsageError(f"--frames {folder}: no such folder")
    paths = list_images(folder)
    if not paths:
        raise UsageError(f"--frames {folder}: holds no image")
    frames = tuple(ComparedFrame(path.stem, path, image_size_hw(path)) for path in paths)
    compared, calibration = _sides(frames, apart=apart)
    return ComparedFrames(f"{len(compared)} images of {folder}", compared, calibration)


def _sides(
    frames: tuple[ComparedFrame, ...], *, apart: bool
) -> tuple[tuple[ComparedFrame, ...], tuple[ComparedFrame, ...]]:
    """Return frames to compare on and, where that is asked for, others to calibrate on."""
    if not apart:
        return frames, ()
    if len(frames) < 2:
        raise UsageError("--precision int8: needs at least 2 frames, 1 to calibrate on")
    return frames[1::2], frames[::2]
