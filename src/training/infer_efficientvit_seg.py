"""Predict masks for images, folders and videos: the same as ``wristseg predict``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a clone that is not installed

from wristseg.predict import SegmentationInference

__all__ = ["SegmentationInference"]

if __name__ == "__main__":
    from wristseg.cli.predict import main

    sys.exit(main(prog="infer_efficientvit_seg.py"))
