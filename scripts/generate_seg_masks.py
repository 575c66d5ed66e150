"""Draw class-id masks from COCO annotations: ``wristseg masks`` at its fixed path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from wristseg.cli.masks import main

if __name__ == "__main__":
    sys.exit(main(prog="generate_seg_masks.py"))
