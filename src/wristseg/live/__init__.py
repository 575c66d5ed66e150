"""The live loop: a camera in, masks that say how old they are out.

``LiveSegmenter`` is for robots' loops; ``wristseg live`` shows, measures and records the same.
Importing this package loads no PyTorch.
"""

from wristseg.live.camera import Camera, CameraFrame
from wristseg.live.filter import FilterSettings, TemporalFilter
from wristseg.live.limits import LiveLimits
from wristseg.live.result import STATUSES, LiveResult, Status
from wristseg.live.segmenter import LiveSegmenter

__all__ = [
    "STATUSES",
    "Camera",
    "CameraFrame",
    "FilterSettings",
    "LiveLimits",
    "LiveResult",
    "LiveSegmenter",
    "Status",
    "TemporalFilter",
]
