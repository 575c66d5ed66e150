"""The folder that a command of this stage makes: refused early where it may not be written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wristseg.errors import UsageError

__all__ = ["require_free_folder"]


def require_free_folder(
    output: Path, *, inputs: Iterable[Path], made: frozenset[str], record: str, overwrite: bool
) -> None:
    """Refuse an output folder that holds anything of the user's.

    Args:
        output: The folder to be written.
        inputs: Files and folders that are read; none may be the folder, or lie in it.
        made: Names that the command itself leaves in the folder.
        record: The one of them by which a folder is known to be the command's.
        overwrite: Whether what an earlier run left there may go.

    Raises:
        UsageError: The folder is a file, holds or is an input, or is not empty.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: a file of that name is there; choose a folder")
    inside = output.resolve()
    for path in inputs:
        real = path.resolve()
        if real.is_relative_to(inside) or (real.is_file() and real.parent == inside):
            raise UsageError(f"--output {output}: holds the input {path}; choose another folder")
    names = {path.name for path in output.iterdir()} if output.is_dir() else set()
    if names and not overwrite:
        raise UsageError(
            f"--output {output}: the folder is not empty; choose another or add --overwrite"
        )
    foreign = sorted(names - made) if record in names else sorted(names)
    if foreign:
        raise UsageError(
            f"--output {output}: --overwrite replaces only what this command made, and "
            f"{', '.join(foreign[:5])} is something else; choose another folder or move it away"
        )
