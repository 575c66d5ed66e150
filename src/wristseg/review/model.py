"""The model whose masks the page lays beside the labels.

It is handed in by the command, so that this stage knows no runtime. Called by ``review.pictures``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.errors import UsageError

__all__ = ["Model"]


@dataclass(frozen=True)
class Model:
    """What predicts masks.

    Attributes:
        name: Its file, as the page shows it.
        sha256: What tells it from other models; masks are kept under it.
        classes: Its class table.
        predict_rgb: From (H, W, 3) uint8 RGB to (H, W) uint8 class ids; called from any thread.
    """

    name: str
    sha256: str
    classes: ClassTable
    predict_rgb: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

    def require_classes(self, classes: ClassTable) -> None:
        """Refuse a model of other classes than the data set's.

        Raises:
            UsageError: The names differ.
        """
        if self.classes.names != classes.names:
            own, theirs = ", ".join(self.classes.names), ", ".join(classes.names)
            raise UsageError(
                f"{self.name} predicts {own}; the data set has {theirs}; give a model that was"
                " trained on these classes"
            )
