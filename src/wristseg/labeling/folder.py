"""The folder that a command of this stage makes: refused early where it may not be written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wristseg.artifacts import replacing_folder
from wristseg.errors import UsageError

__all__ = ["NewFolder"]


@dataclass(frozen=True)
class NewFolder:
    """An output folder that holds nothing of the user's, which is checked as this is made.

    Attributes:
        output: The folder to be written.
        inputs: Files and folders that are read; none may be the folder, or lie in it.
        made: Names that the command itself leaves in the folder.
        record: The one of them by which a folder is known to be the command's.
        overwrite: Whether what an earlier run left there may go.

    Raises:
        UsageError: The folder is a file, holds or is an input, or is not empty.
    """

    output: Path
    inputs: Sequence[Path]
    made: frozenset[str]
    record: str
    overwrite: bool

    def __post_init__(self) -> None:
        self._require_free()

    @contextlib.contextmanager
    def written(self) -> Iterator[Path]:
        """Yield a folder to write into, which takes the output's place if the block succeeds.

        Raises:
            UsageError: Somebody else has put something there meanwhile.
        """
        with replacing_folder(self.output) as folder:
            yield folder
            self._require_free()  # another run may have ended there meanwhile

    def _require_free(self) -> None:
        output, inside = self.output, self.output.resolve()
        if output.exists() and not output.is_dir():
            raise UsageError(f"--output {output}: a file of that name is there; choose a folder")
        for path in self.inputs:
            real = path.resolve()
            if real.is_relative_to(inside) or (real.is_file() and real.parent == inside):
                raise UsageError(
                    f"--output {output}: holds the input {path}; choose another folder"
                )
        names = {path.name for path in output.iterdir()} if output.is_dir() else set()
        if names and not self.overwrite:
            raise UsageError(
                f"--output {output}: the folder is not empty; choose another or add --overwrite"
            )
        foreign = sorted(names - self.made) if self.record in names else sorted(names)
        if foreign:
            raise UsageError(
                f"--output {output}: --overwrite replaces only what this command made, and "
                f"{', '.join(foreign[:5])} is something else; choose another folder or move it away"
            )
