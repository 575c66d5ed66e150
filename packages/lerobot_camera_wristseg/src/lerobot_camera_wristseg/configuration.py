"""What a camera of type ``wristseg`` is told, on LeRobot's command line or in a program."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from lerobot.cameras.configs import CameraConfig
from lerobot.cameras.opencv import OpenCVCameraConfig

__all__ = ["OUTPUTS", "WristsegCameraConfig"]

OUTPUTS = ("rgb", "mask")
_OPENCV_ONLY = (
    "index_or_path",
    "fps",
    "width",
    "height",
    "rotation",
    "warmup_s",
    "fourcc",
    "backend",
)


# Annotations are resolved by draccus at run time, from this module's names.
@CameraConfig.register_subclass("wristseg")
@dataclass(kw_only=True)
class WristsegCameraConfig(OpenCVCameraConfig):
    """One view of a wrist camera; give the same settings, but for ``output``, to the other view.

    Attributes:
        checkpoint: Model file (.ckpt, .onnx, .xml), or a name of weights that ship with wristseg.
        output: ``rgb`` for the picture, ``mask`` for grey levels of class ids in three channels.
        device: Where the model runs: cpu, cuda, cuda:N, mps or auto.
        index_or_path: Camera index or device path, as for LeRobot's own ``opencv`` cameras; so are
            all other settings.
    """

    index_or_path: int | Path
    checkpoint: str
    output: str = "rgb"
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output not in OUTPUTS:
            raise ValueError(f"output {self.output!r}: expected one of {', '.join(OUTPUTS)}")

    def opencv(self) -> OpenCVCameraConfig:
        """Return the settings of the device itself; its pictures are RGB."""
        return OpenCVCameraConfig(**{name: getattr(self, name) for name in _OPENCV_ONLY})

    def shared(self) -> dict[str, object]:
        """Return what both views of a device have to agree about."""
        said = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del said["output"]
        return said
