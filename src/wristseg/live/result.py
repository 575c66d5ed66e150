"""What a robot's loop gets with every tick: a mask, whose it is, how old it is, and a status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wristseg.live.health import Health

__all__ = ["STATUSES", "LiveResult", "Status"]

Status = Literal["ok", "stale", "timeout", "duplicate", "bad_frame", "disconnected"]

#: Status to what it means, in the words of reports and messages.
STATUSES: dict[Status, str] = {
    "ok": "a new mask, younger than the stale limit",
    "stale": "the newest mask is older than the stale limit: the model does not keep up",
    "timeout": "the camera gave no frame in time",
    "duplicate": "the camera gives the same bytes again and again: it is frozen",
    "bad_frame": "the camera's frame is damaged, black, of one colour or of another size",
    "disconnected": "the camera is gone",
}


@dataclass(frozen=True)
class LiveResult:
    """One tick of the loop.

    Where ``status`` is not ``ok``, the mask is what the policy for faults says (``LiveLimits``),
    and ``frame_id``, ``t_capture``, ``t_ready`` and ``frame_bgr`` are those of the newest mask
    there is: nothing old is ever handed out without its age.

    Attributes:
        mask: (H, W) uint8, class ids, of the frame's size; memory of its own.
        frame_bgr: (H, W, 3) uint8, BGR, the frame that was segmented.
        frame_id: Number of that frame since the camera was opened; frames that were dropped count.
        t_capture: When the camera gave it, seconds of ``time.monotonic``.
        t_ready: When its mask was ready, on the same clock.
        age_ms: Age of the frame when this result was handed out, milliseconds since ``t_capture``.
        status: Whether the mask may be acted on.
        problem: What is wrong, in a sentence; empty where the status is ``ok``.
        health: What stands out about frame and mask; None where nobody asked for it.
    """

    mask: NDArray[np.uint8]
    frame_bgr: NDArray[np.uint8]
    frame_id: int
    t_capture: float
    t_ready: float
    age_ms: float
    status: Status
    problem: str = ""
    health: Health | None = None

    @property
    def ok(self) -> bool:
        """Whether this is a new mask, young enough to act on."""
        return self.status == "ok"
