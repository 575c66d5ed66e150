"""``wristseg info``: what a model file is and where it comes from."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from wristseg.artifacts import sha256_of
from wristseg.cli.command import needs_extra, run_command
from wristseg.configs import InfoConfig
from wristseg.model_info import ModelInfo, json_values
from wristseg.packed_file import PACKED_SUFFIX, model_path, read_packed

__all__ = ["main"]

_DESCRIPTION = """
Tell what a model file is: classes, input size, training data, metrics, origin.

  wristseg info outputs/efficientvit_seg/best.ckpt
  wristseg info outputs/efficientvit_seg/best_480x640.onnx --json
  wristseg info sim
"""


def main(argv: Sequence[str] | None = None, *, prog: str = "wristseg info") -> int:
    """Run the command and return its exit code."""
    return run_command(InfoConfig, _run, argv, prog=prog, description=_DESCRIPTION)


def _run(config: InfoConfig) -> int:
    path = model_path(config.file)
    info = _read(path)
    facts = _facts(info, sha256_of(path)) | _packing(path)
    if config.json:
        print(json.dumps(json_values(facts), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print_table(facts)
    return 0


def _read(path: Path) -> ModelInfo:
    if path.suffix == ".onnx":
        from wristseg.onnx_file import read_sealed

        return read_sealed(path)[1]
    if path.suffix == ".xml":
        from wristseg.openvino_file import read_sealed_ir

        return read_sealed_ir(path)[2]
    with needs_extra("export"):
        from wristseg.modeling.checkpoint import read_checkpoint_info

    return read_checkpoint_info(path)


def _packing(path: Path) -> dict[str, Any]:
    """What a packed model says besides: how it was made."""
    if path.suffix != PACKED_SUFFIX:
        return {}
    packed = read_packed(path)
    return {"tensors_sha256": packed.tensors_sha256, "made": packed.made}


def _facts(info: ModelInfo, sha256: str) -> dict[str, Any]:
    return {
        "file": info.path,
        "sha256": sha256,
        "made_by": _made_by(info),
        **({} if info.export is None else {"export": info.export.to_dict()}),
        "parameters": info.num_parameters,
        "classes": info.classes.names,
        "preprocess": info.preprocess.to_dict(),
        "observation": info.observation_contract.to_dict(),
        "observation_from": info.observation_origin,
        "weights_source": info.weights_source,
        "dataset_sha256": info.dataset_sha256,
        "split": info.split,
        "epoch": info.epoch,
        "loss": info.loss,
        "seed": info.seed,
        "metrics": info.metrics,
        "git_commit": info.git_commit,
        "versions": info.versions,
        "config": info.config,
    }


def _made_by(info: ModelInfo) -> str:
    if info.path.suffix == PACKED_SUFFIX:
        return "the commands under made"
    trained = "a plain Lightning script" if info.legacy else "wristseg train"
    if info.export is None:
        return trained
    if not info.legacy and not info.config:  # wristseg train always says its options
        return "wristseg export, from weights that ship with it"
    return f"wristseg export, from a checkpoint of {trained}"


def _print_table(facts: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), _text(name, value))
    # A hash or a path is copied from here: no colour, no wrapping when piped into a file.
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200).print(table)


def _text(name: str, value: Any) -> str:
    if value is None or value in ({}, ""):
        return "not said"
    if name == "classes":
        return ", ".join(f"{i} {class_name}" for i, class_name in enumerate(value))
    if name == "split":
        return ", ".join(f"{len(frames)} {side}" for side, frames in value.items())
    if name == "seed":
        return str(value)
    if isinstance(value, Mapping):
        # One line per entry; options that were not given say nothing.
        return "\n".join(f"{key}: {_named(key, x)}" for key, x in value.items() if x is not None)
    return _entry(value)


def _named(name: str, value: Any) -> str:
    """Return what can be copied as it is: commands by themselves, seeds without separators."""
    if name == "commands" and isinstance(value, list):
        return "\n" + "\n".join(map(str, value))
    if name == "seed":
        return str(value)
    if name == "seeds" and isinstance(value, Mapping):
        return ", ".join(f"{use} {_spans(seeds)}" for use, seeds in value.items())
    return _entry(value)


def _spans(seeds: Any) -> str:
    """Return seeds with those in a row as one span."""
    if not isinstance(seeds, list):
        return str(seeds)
    if not all(isinstance(seed, int) for seed in seeds):
        return ", ".join(map(str, seeds))
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][-1] + 1:
            spans[-1].append(seed)
        else:
            spans.append([seed])
    return ", ".join(f"{s[0]} to {s[-1]}" if len(s) > 1 else str(s[0]) for s in spans)


def _entry(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_entry(entry)}" for key, entry in value.items())
    if isinstance(value, list) and value and isinstance(value[0], list):
        return f"{len(value)} rows, shown by --json"
    if isinstance(value, list | tuple):
        return ", ".join(_entry(entry) for entry in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
