"""Stand-ins for the weights that ship in the package: random, packed by the test itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network
from wristseg.modeling.packed import pack
from wristseg.packed_file import SHIPPED_MODELS

__all__ = ["MADE", "pack_random"]

MADE = {"commands": ["wristseg train"], "seeds": [1, 2], "figures": {"val/iou": 0.5}}


def pack_random(
    folder: Path, *, names: tuple[str, ...] = tuple(SHIPPED_MODELS), **changes: Any
) -> tuple[Path, ...]:
    """Pack random weights whose masks hold several classes into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    no_crop = {"preprocess": _preprocess()}
    checkpoint = save_own_checkpoint(
        folder.parent / "random.ckpt", randomised_network(), **no_crop, **changes
    )
    return pack(dict.fromkeys(names, checkpoint), folder, made=MADE)


def _preprocess() -> dict[str, Any]:
    from wristseg.preprocess import PreprocessContract

    return PreprocessContract((84, 84)).to_dict()
