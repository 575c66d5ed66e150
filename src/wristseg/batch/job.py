"""What every worker of a bulk labelling is told, and what it answers about an input.

All of it can be sent to another process or machine. Made by ``batch.label``, used by each engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from wristseg.batch.config import MaskFormat
from wristseg.classes import ClassTable

__all__ = ["Item", "Job", "Model", "Outcome", "Status"]

#: Grows when the same input and options would give other bytes than before.
_FORMAT = 1

Status = Literal["done", "partial", "quarantined", "failed"]


@dataclass(frozen=True)
class Item:
    """One input.

    Attributes:
        name: Path or address, as it stands in the index.
        kind: ``image`` or ``video``.
        lerobot: Data set, camera and episodes of a LeRobot video; None for others.
    """

    name: str
    kind: Literal["image", "video"]
    lerobot: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Job:
    """What is to be made of every input.

    Attributes:
        output: Folder or address.
        checkpoint: Model file or the name of weights that ship.
        model_sha256: SHA-256 of that file.
        device: As of ``Segmenter.load``.
        runtime: As of ``Segmenter.load``; one for all workers, since masks differ by rounding.
        masks: How masks are written.
        coco: Whether to write COCO files too.
        origin: Text that outputs keep about where they come from.
        attempts: After so many an input goes into quarantine.
        verify: Whether finished outputs are held against their hashes.
    """

    output: str
    checkpoint: str
    model_sha256: str
    device: str = "cpu"
    runtime: str | None = None
    masks: MaskFormat = "video"
    coco: bool = False
    origin: str = ""
    attempts: int = 3
    verify: bool = False

    def key(self, content_sha256: str, kind: str) -> str:
        """Return the name under which all that is made of an input lies.

        Args:
            content_sha256: SHA-256 of the input's bytes.
            kind: Kind of the input.
        """
        return _digest(content_sha256, self.model_sha256, self._config(kind=kind))[:32]

    def digest(self) -> str:
        """Return what tells jobs apart whose masks do not belong into one index."""
        return _digest(self.model_sha256, self._config())[:12]

    def _config(self, **more: str) -> str:
        config = {"format": _FORMAT, "masks": self.masks, "coco": self.coco, **more}
        return json.dumps({**config, "runtime": self.runtime or ""}, sort_keys=True)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes:
        status: ``done``; ``partial``: only some of its frames could be read; ``failed``: to be
            tried again; ``quarantined``: it is not tried any more.
        entry: Its line of the index; empty if it failed.
        frames: Frames that were segmented for it now.
        kept: Whether an earlier run has made it.
    """

    status: Status
    entry: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 0
    kept: bool = False


class Model(Protocol):
    """The part of ``Segmenter`` that labelling needs."""

    @property
    def classes(self) -> ClassTable:
        """Class table of the masks."""

    def predict_rgb(self, frame_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the (H, W) uint8 class ids of an (H, W, 3) uint8 frame."""
