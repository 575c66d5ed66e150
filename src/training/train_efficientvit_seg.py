"""Trains the mask model: ``wristseg train`` at the path that existing users call."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a clone that is not installed

from wristseg.cli.train import main

if __name__ == "__main__":
    sys.exit(main(prog="train_efficientvit_seg.py"))  # before torch is loaded, which main prepares

from wristseg.train.module import EfficientViTSegModule

__all__ = ["EfficientViTSegModule", "main"]
