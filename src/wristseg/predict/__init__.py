"""Prediction: a trained model and frames in, class-id masks out.

``Segmenter`` is the model in a program or a control loop; ``wristseg.predict.predict`` is the stage
behind the command, for images, folders and videos. Importing this package loads no PyTorch; that
happens when a checkpoint is loaded.
"""

from wristseg.predict.inference import SegmentationInference
from wristseg.predict.mask_runs import read_mask_runs
from wristseg.predict.mask_video import read_mask_video
from wristseg.predict.segmenter import Segmenter

__all__ = ["SegmentationInference", "Segmenter", "read_mask_runs", "read_mask_video"]
