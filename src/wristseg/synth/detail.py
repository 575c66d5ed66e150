"""How finely a scene is drawn: pixels of its textures and shadows, triangles of the arm.

A frame of 320x240 cannot show what the arm's files hold, 400,000 triangles of screw threads and
embossed letters, and each lamp draws all of them twice. Called by ``scene`` and ``dress``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FULL", "SMALL", "Detail", "detail_for"]


@dataclass(frozen=True)
class Detail:
    """How finely a scene is drawn.

    Attributes:
        texture_sizes: Texture slot to pixels along a side.
        shadow_size: Pixels along a side of each lamp's shadow picture.
        arm_cell_m: Details of the arm below this length go, metres; None leaves its meshes alone.
        finger_cell_m: The same for fingers and motor cage, which are nearer to the lens.
    """

    texture_sizes: Mapping[str, int]
    shadow_size: int
    arm_cell_m: float | None = None
    finger_cell_m: float | None = None


#: The table is seen from 10 cm away.
_TEXTURES = {
    "table": 1024,
    "floor": 256,
    "wall": 256,
    "arm": 128,
    "jaw": 128,
    "object": 256,
    "clutter": 256,
}
FULL = Detail(_TEXTURES, shadow_size=2048)
SMALL = Detail(
    {name: size // 2 for name, size in _TEXTURES.items()},
    shadow_size=1024,
    arm_cell_m=0.001,
    # At 7 cm a pixel of 240 rows shows 0.45 mm.
    finger_cell_m=0.0004,
)
_SMALL_HEIGHT = 240


def detail_for(size_hw: tuple[int, int]) -> Detail:
    """Return the detail that frames of this height and width can show."""
    return SMALL if size_hw[0] <= _SMALL_HEIGHT else FULL
