"""Pack a checkpoint into the form in which weights ship in the package; see docs/weights.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tyro

from wristseg.errors import WristsegError
from wristseg.modeling.packed import pack
from wristseg.packed_file import SHIPPED_MODELS

ROOT = Path(__file__).resolve().parent.parent


def main(
    checkpoints: tuple[Path, ...],
    /,
    *,
    made: Path,
    names: tuple[str, ...] = tuple(SHIPPED_MODELS),
    output: Path = ROOT / "src" / "wristseg" / "weights",
) -> int:
    """Pack checkpoints; returns the exit code.

    Args:
        checkpoints: Models to ship, one per name, or one for all names.
        made: JSON that says how they were made: commands, seeds and figures; more may follow.
        names: Models that they become.
        output: Folder to write into.
    """
    if len(checkpoints) not in {1, len(names)}:
        print(f"{len(checkpoints)} checkpoints for {', '.join(names)}", file=sys.stderr)
        return 2
    if len(checkpoints) == 1:
        checkpoints *= len(names)
    try:
        said = json.loads(made.read_text(encoding="utf-8"))
        if not isinstance(said, dict):
            print(f"{made}: expected an object with commands, seeds and figures", file=sys.stderr)
            return 2
        paths = pack(dict(zip(names, checkpoints, strict=True)), output, made=said)
    except (OSError, ValueError, WristsegError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, WristsegError) else 2
    for path in paths:
        print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
