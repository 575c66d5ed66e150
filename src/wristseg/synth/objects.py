"""Objects to grasp: solids or named forms, their colours and pattern.

Comes in: ``variety.ObjectVariety``. Goes out: ``ObjectLook``. Called by ``randomised``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wristseg.synth.look import RGB, ObjectLook, Solid, SurfaceLook
from wristseg.synth.variety import ObjectVariety

__all__ = ["FORMS", "draw_object", "jitter"]

_Form = Callable[[float, np.random.Generator], tuple[Solid, ...]]


def jitter(color: RGB, rng: np.random.Generator, *, spread: float = 0.06) -> RGB:
    """Draw a colour around another, within 0.02 to 1."""
    r, g, b = np.clip(np.asarray(color) + rng.normal(0.0, spread, 3), 0.02, 1.0)
    return float(r), float(g), float(b)


def draw_object(variety: ObjectVariety, rng: np.random.Generator) -> ObjectLook:
    """Draw one: solids, their colours and pattern."""
    solids = _draw_solids(variety, rng)
    colors = tuple(_draw_color(variety, rng) for _ in solids)
    surface = SurfaceLook(
        kind=variety.kind.draw(rng),
        base_rgb=(1.0, 1.0, 1.0),
        other_rgb=jitter((0.5, 0.5, 0.5), rng, spread=0.3),
        contrast=float(rng.uniform(0.2, 0.8)),
        tile_m=float(rng.uniform(0.02, 0.08)),
        seed=int(rng.integers(2**31)),
        specular=float(rng.uniform(0.0, 0.6)),
    )
    return ObjectLook(solids, colors, surface)


def _draw_solids(variety: ObjectVariety, rng: np.random.Generator) -> tuple[Solid, ...]:
    if variety.forms is not None:
        return FORMS[variety.forms.draw(rng)](variety.half.draw(rng), rng)
    first = _draw_solid(variety, rng)
    if rng.random() < variety.two_solids:
        second = _draw_solid(variety, rng, scale=0.7)
        on_top = (*rng.uniform(-0.006, 0.006, 2), first.half_size[2] + 0.6 * second.half_size[2])
        x, y, z = (float(v) for v in on_top)
        return first, replace(second, offset=(x, y, z))
    return (first,)


def _draw_solid(variety: ObjectVariety, rng: np.random.Generator, *, scale: float = 1.0) -> Solid:
    shape = variety.shapes[int(rng.integers(len(variety.shapes)))]
    half = scale * np.array([variety.half.draw(rng) for _ in range(3)])
    style = rng.random()
    if style < 0.45:  # dice, balls and cans
        half[:] = half[0]
    elif style < 0.6:  # bricks and pens, across the jaws
        half[1] *= 2.2
    elif style < 0.7:  # packets
        half[2] *= 0.45
    if shape == "cylinder":
        half[1] = half[0]
    return Solid(shape, (float(half[0]), float(half[1]), float(half[2])))


def _draw_color(variety: ObjectVariety, rng: np.random.Generator) -> RGB:
    strong = rng.random() < variety.strong
    strength = (variety.strong_colors if strong else variety.weak_colors).draw(rng)
    hue = rng.uniform(0.0, 2 * np.pi) + np.array([0.0, 2.0, 4.0]) * np.pi / 3
    value = rng.uniform(0.15, 1.0)
    r, g, b = value * (1.0 - strength * (0.5 + 0.5 * np.cos(hue)))
    return float(r), float(g), float(b)


def _marker(half: float, rng: np.random.Generator) -> tuple[Solid, ...]:
    """A pen or pill, upright."""
    return (Solid("capsule", (half, half, half * float(rng.uniform(1.6, 3.0)))),)


def _peanut(half: float, rng: np.random.Generator) -> tuple[Solid, ...]:
    """Two balls that run into each other, side by side along the jaws."""
    other = half * float(rng.uniform(0.7, 1.0))
    small = Solid("ellipsoid", (other, other, other), (0.0, 1.3 * half, other - half))
    return Solid("ellipsoid", (half, half, half)), small


def _angle(half: float, rng: np.random.Generator) -> tuple[Solid, ...]:
    """An L of two boxes, its short leg up."""
    length = half * float(rng.uniform(1.8, 2.4))
    leg = (0.0, length - 0.5 * half, 1.5 * half)
    return (
        Solid("box", (half, length, 0.5 * half)),
        Solid("box", (half, 0.5 * half, half), leg),
    )


def _mushroom(half: float, rng: np.random.Generator) -> tuple[Solid, ...]:
    """A stem with a cap, like a knob or a chess piece."""
    stem, cap = (0.6 * half, 0.6 * half, 1.1 * half), float(rng.uniform(1.0, 1.3)) * half
    return (
        Solid("capsule", stem),
        Solid("ellipsoid", (cap, cap, 0.55 * cap), (0.0, 0.0, 1.5 * half)),
    )


def _bottle(half: float, rng: np.random.Generator) -> tuple[Solid, ...]:
    """A can with a round neck."""
    height, neck = half * float(rng.uniform(0.9, 1.5)), half * float(rng.uniform(0.4, 0.6))
    return (
        Solid("cylinder", (half, half, height)),
        Solid("capsule", (neck, neck, half), (0.0, 0.0, height + 0.4 * half)),
    )


def _bar(half: float, rng: np.random.Generator) -> tuple[Solid, ...]:
    """A bar of chocolate, a ruler."""
    return (Solid("box", (half, half * float(rng.uniform(3.6, 4.4)), 0.35 * half)),)


#: Forms that the preset ``randomised`` does not draw: each has a capsule, a solid beside another,
#: or is longer. Half the width across the jaws to solids.
FORMS: dict[str, _Form] = {
    "marker": _marker,
    "peanut": _peanut,
    "angle": _angle,
    "mushroom": _mushroom,
    "bottle": _bottle,
    "bar": _bar,
}
