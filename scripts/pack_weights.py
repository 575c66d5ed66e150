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
    checkpoint: Path,
    /,
    *,
    made: Path,
    names: tuple[str, ...] = tuple(SHIPPED_MODELS),
    output: Path = ROOT / "src" / "wristseg" / "weights",
) -> int:
    """Pack a checkpoint; returns the exit code.

    Args:
        checkpoint: Model to ship.
        made: JSON that says how it was made: commands, seeds and figures; more may follow.
        names: Sizes that these weights serve. Run again with other names for a second set.
        output: Folder to write into.
    """
    try:
        said = json.loads(made.read_text(encoding="utf-8"))
        if not isinstance(said, dict):
            print(f"{made}: expected an object with commands, seeds and figures", file=sys.stderr)
            return 2
        paths = pack(checkpoint, output, names=names, made=said)
    except (OSError, ValueError, WristsegError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, WristsegError) else 2
    for path in paths:
        print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
