"""How finely a scene is drawn: pixels of its textures and shadows, triangles of the arm.

The arm is drawn with 400,000 triangles, screw threads and embossed letters that a frame of 320x240
cannot show, and each lamp with a shadow draws them again. In: the size of frames. Out: ``Detail``,
which ``worker`` chooses and ``scene`` builds with.
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
        cells_m: Details of the arm below the first length go, and below the second those of fingers
            and motor cage, which are nearer to the lens; metres. None leaves all meshes alone.
    """

    texture_sizes: Mapping[str, int]
    shadow_size: int
    cells_m: tuple[float, float] | None = None


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
#: A pixel of 240 rows shows 0.3 to 0.7 mm at 7 cm; what is nearer does lose detail.
SMALL = Detail({**_TEXTURES, "table": 512}, shadow_size=1024, cells_m=(0.001, 0.0004))
_SMALL_HEIGHT = 240


def detail_for(size_hw: tuple[int, int]) -> Detail:
    """Return the detail that frames of this height and width can show."""
    return SMALL if size_hw[0] <= _SMALL_HEIGHT else FULL
