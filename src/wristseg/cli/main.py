"""The ``wristseg`` command: finds the subcommand and hands the rest of the line to its module.

Only the module of the command that was asked for is imported, so that ``wristseg --help`` and
``wristseg predict`` start without training libraries.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import wristseg
from wristseg.interruption import own_process

__all__ = ["COMMANDS", "main"]

#: Command to what it does, in the order of the data flow. The module is ``wristseg.cli.<command>``,
#: with ``_`` for ``-``.
COMMANDS = {
    "demo": "the whole road on the data set of the repository, with a report",
    "render": "render wrist-camera recordings of an SO-101 with labels",
    "frames": "take frames out of videos, to be labelled",
    "merge": "join data sets and corrected exports to one",
    "check": "look a data set over before training on it",
    "review": "look through a data set in the browser and mark frames",
    "qa": "tell which labels are probably wrong, by models that did not see them",
    "masks": "draw class-id masks from a COCO export",
    "train": "train the mask model",
    "val": "measure a model on labelled frames and on clips",
    "compare": "compare two models on the same frames: is the difference more than noise?",
    "export": "write one file for ONNX Runtime or OpenVINO, checked against the checkpoint",
    "predict": "predict masks for images, folders and videos",
    "label": "label thousands of videos, on one machine or many, killed and resumed at will",
    "live": "segment a camera in real time; every mask says how old it is",
    "suggest": "tell which frames to label next",
    "preannotate": "write a model's masks for annotation tools, to be corrected there",
    "pseudo-label": "label frames with a model, where it is sure, to train on them",
    "lerobot-masks": "write masks into a LeRobot data set, as one more camera",
    "obs-check": "show what a policy gets of a frame, and whether that has drifted",
    "mask-noise": "fit how a model errs, to spoil a simulator's masks the same way",
    "benchmark": "time it beside the plain script and other networks",
    "info": "tell what a model file is and where it comes from",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ``wristseg.cli.command``)."""
    if argv is None:
        own_process()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(_help())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"wristseg {wristseg.__version__}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        print(f"wristseg: no command {command!r}; see wristseg --help", file=sys.stderr)
        return 2
    module = importlib.import_module(f"wristseg.cli.{command.replace('-', '_')}")
    code: int = module.main(rest)
    return code


def _help() -> str:
    lines = [
        "Class masks from robot wrist-camera frames: COCO export in, mask model out.",
        "",
        "  wristseg demo",
        "  wristseg predict --checkpoint outputs/efficientvit_seg/best.ckpt --input video.mp4",
        "",
        "commands:",
        *(f"  {name:<14}{summary}" for name, summary in COMMANDS.items()),
        "",
        "wristseg COMMAND --help shows a command's options; --version the version.",
    ]
    return "\n".join(lines)
