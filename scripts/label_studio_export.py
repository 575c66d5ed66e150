# /// script
# requires-python = ">=3.11"
# dependencies = ["label-studio-sdk==2.1.2"]
# [tool.uv]
# exclude-newer = "2026-11-12T00:00:00Z"
# ///
"""Export tasks as Label Studio does: submit each prediction unchanged, and convert with its code.

Runs in an environment of its own (``uv run --script``), since Label Studio's converter asks for an
older OpenCV than wristseg. Brush masks become one ``.npy`` file each, polygons a COCO file beside
the images. Called by ``label_studio_round_trip``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from label_studio_sdk.converter import Converter
from label_studio_sdk.converter.converter import Format


def main(folder: Path, output: Path) -> None:
    """Convert the tasks in a folder that ``wristseg preannotate`` wrote.

    Args:
        folder: Holds label_studio_tasks.json and label_studio_config.xml.
        output: Folder of the export.
    """
    tasks = json.loads((folder / "label_studio_tasks.json").read_text(encoding="utf-8"))
    config = (folder / "label_studio_config.xml").read_text(encoding="utf-8")
    (output / "export").mkdir(parents=True)
    submitted = output / "submitted.json"
    submitted.write_text(json.dumps([_submitted(i, task) for i, task in enumerate(tasks)]))
    kind = Format.BRUSH_TO_NUMPY if "BrushLabels" in config else Format.COCO_WITH_IMAGES
    converter = Converter(config, project_dir=str(output))
    converter.convert(str(submitted), str(output / "export"), kind, is_dir=False)


def _submitted(number: int, task: dict[str, Any]) -> dict[str, Any]:
    """Return a task whose prediction somebody has accepted as it is."""
    (prediction,) = task["predictions"]
    annotation = {"id": number, "completed_by": 1, "result": prediction["result"]}
    return {"id": number, "data": task["data"], "annotations": [annotation]}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
