"""A size to train at and the frames of a step, read from ``HEIGHTxWIDTH:BATCH``.

Called by ``scripts/pretrain.py``, which trains one network at several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from wristseg.errors import UsageError

__all__ = ["Scale"]

#: Of the coarsest features: a single one of them has no statistics.
_STRIDE = 32


@dataclass(frozen=True)
class Scale:
    """A size to train at.

    Attributes:
        size_hw: Network input.
        batch_size: Frames per step.
    """

    size_hw: tuple[int, int]
    batch_size: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``HEIGHTxWIDTH:BATCH``.

        Raises:
            UsageError: It is none, or too small for the statistics of batch normalisation.
        """
        match = re.fullmatch(r"(\d{1,5})x(\d{1,5}):(\d{1,6})", text)
        height, width, batch_size = map(int, match.groups()) if match else (0, 0, 0)
        if min(height, width) <= _STRIDE or batch_size < 1:
            raise UsageError(
                f"--scales {text}: expected HEIGHTxWIDTH:BATCH with sides above {_STRIDE} and a "
                f"batch of 1 or more, such as 240x320:16"
            )
        return cls((height, width), batch_size)

    @property
    def name(self) -> str:
        """``HEIGHTxWIDTH``."""
        return f"{self.size_hw[0]}x{self.size_hw[1]}"
