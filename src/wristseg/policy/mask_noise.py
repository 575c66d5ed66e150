"""The mask-noise model: how a real model errs, as numbers in a JSON file.

Fitted by ``wristseg mask-noise`` from a model's masks and labels, applied to a simulator's perfect
masks by ``policy.corrupt``. Shares of confused pixels are kept frame by frame, not as one mean:
most frames have few errors and some have many, and a policy has to live with both. Beside them
stands how much of the frame each class took, so that a mask gets errors of frames like it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wristseg.artifacts import write_json
from wristseg.errors import DataError
from wristseg.policy.mask_errors import NO_OBJECT, FalseRegion

__all__ = ["MaskNoise"]

_FORMAT = "wristseg-mask-noise-1"
_MAX_BYTES = 16 * 1024**2


@dataclass(frozen=True, eq=False)
class MaskNoise:
    """How masks of one model err, at the size of its observation.

    Attributes:
        class_names: Classes by id; C of them.
        size_hw: Height and width of the masks, pixels.
        object_id: Class that can be missed or false; ``NO_OBJECT`` where there is none.
        bias_px: (C,), how far the outlines of each class grow on average.
        sigma_px: (C,), how far they waver.
        jitter_px: Length along an outline over which they waver together.
        shares: (F, 2, C, C), shares of confused pixels of F frames (``FrameErrors.shares``).
        areas: (F, C), share of these frames that each class takes in truth.
        blob_px: (F,), length over which pixels of these frames are confused together.
        missed: Share of the frames with the object in which it is missed, by its size.
        missed_sizes: Sizes in pixels between these shares, ascending, one fewer than shares.
        missed_kept: What share of the object was found where it was missed, by case.
        missed_as: (C,), weights of what a missed object is taken for.
        false: False objects per frame.
        false_regions: Sizes and places of false objects, by case.
        flicker_frames: Mean length of an error of a pixel, frames.
        missed_frames: Mean length of a miss.
        false_frames: Mean length of a false object.
        origin: What it was fitted from.
    """

    class_names: tuple[str, ...]
    size_hw: tuple[int, int]
    object_id: int
    bias_px: NDArray[np.float64]
    sigma_px: NDArray[np.float64]
    jitter_px: float
    shares: NDArray[np.float64]
    areas: NDArray[np.float64]
    blob_px: NDArray[np.float64]
    missed: tuple[float, ...]
    missed_sizes: tuple[float, ...]
    missed_kept: tuple[float, ...]
    missed_as: NDArray[np.float64]
    false: float
    false_regions: tuple[FalseRegion, ...]
    flicker_frames: float = 1.0
    missed_frames: float = 1.0
    false_frames: float = 1.0
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise DataError("mask noise", problems)

    @classmethod
    def none(cls, class_names: tuple[str, ...], size_hw: tuple[int, int]) -> Self:
        """Return a model without any error."""
        count = len(class_names)
        return cls(
            class_names=class_names,
            size_hw=size_hw,
            object_id=NO_OBJECT,
            bias_px=np.zeros(count),
            sigma_px=np.zeros(count),
            jitter_px=1.0,
            shares=np.zeros((1, 2, count, count)),
            areas=np.full((1, count), 1.0 / count),
            blob_px=np.ones(1),
            missed=(0.0,),
            missed_sizes=(),
            missed_kept=(),
            missed_as=np.zeros(count),
            false=0.0,
            false_regions=(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, numbers rounded to four digits behind the point."""
        said: dict[str, Any] = {"format": _FORMAT}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, np.ndarray):
                value = np.round(value, 4).tolist()
            said[entry.name] = round(value, 4) if isinstance(value, float) else value
        said["class_names"], said["size_hw"] = list(self.class_names), list(self.size_hw)
        for name in ("missed", "missed_sizes", "missed_kept"):
            said[name] = [round(number, 4) for number in getattr(self, name)]
        said["false_regions"] = [[region.pixels, region.under] for region in self.false_regions]
        return said

    @classmethod
    def from_dict(cls, said: Any) -> Self:
        """Read what ``to_dict`` wrote.

        Raises:
            DataError: An entry is missing, unknown or makes no sense.
        """
        known = {entry.name for entry in fields(cls)}
        if not isinstance(said, Mapping) or said.get("format") != _FORMAT:
            raise DataError("mask noise", f"is no file of wristseg mask-noise ({_FORMAT})")
        own = {name: value for name, value in said.items() if name != "format"}
        if set(own) != known:
            differing = ", ".join(sorted(set(own) ^ known))
            raise DataError("mask noise", f"entries missing or unknown: {differing}")
        try:
            for name in ("bias_px", "sigma_px", "shares", "areas", "blob_px", "missed_as"):
                own[name] = np.array(own[name], np.float64)
            height, width = own["size_hw"]
            own["size_hw"] = int(height), int(width)
            own["class_names"] = tuple(map(str, own["class_names"]))
            for name in ("missed", "missed_sizes", "missed_kept"):
                own[name] = tuple(map(float, own[name]))
            own["false_regions"] = tuple(
                FalseRegion(int(pixels), int(under)) for pixels, under in own["false_regions"]
            )
            return cls(**own)
        except (TypeError, ValueError) as error:
            raise DataError("mask noise", f"malformed: {error}") from error

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a JSON file of ``wristseg mask-noise``.

        Raises:
            DataError: It is missing, too large, none of ours, or makes no sense.
        """
        import json

        path = Path(path)
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise DataError(path, f"larger than {_MAX_BYTES // 1024**2} MB, no mask noise")
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except DataError as error:
            raise DataError(path, error.problems) from error
        except FileNotFoundError as error:
            raise DataError(path, "no such file; wristseg mask-noise writes one") from error
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(path, f"cannot be read as JSON: {error}") from error

    def save(self, path: Path) -> None:
        """Write the JSON file atomically."""
        write_json(path, self.to_dict())

    def _problems(self) -> list[str]:
        count = len(self.class_names)
        shapes = {
            "bias_px": (count,),
            "sigma_px": (count,),
            "missed_as": (count,),
            "shares": (len(self.shares), 2, count, count),
            "areas": (len(self.shares), count),
            "blob_px": (len(self.shares),),
        }
        problems = [
            f"{name} has the shape {getattr(self, name).shape}, expected {shape}"
            for name, shape in shapes.items()
            if getattr(self, name).shape != shape
        ]
        problems += [
            f"{name} has numbers that are negative or not finite"
            for name in ("sigma_px", "missed_as", "shares", "areas", "jitter_px", "blob_px")
            if not np.all(np.isfinite(getattr(self, name)) & (np.asarray(getattr(self, name)) >= 0))
        ]
        if not len(self.shares) or not np.all(np.isfinite(self.bias_px)):
            problems.append("shares holds no frame, or bias_px is not finite")
        return problems + self._event_problems()

    def _event_problems(self) -> list[str]:
        problems, count = [], len(self.class_names)
        if not all(0.0 <= share <= 1.0 for share in self.missed) or not 0.0 <= self.false < np.inf:
            problems.append(
                f"missed is {self.missed}, false {self.false}; expected 0 to 1, 0 or more"
            )
        if len(self.missed) != len(self.missed_sizes) + 1:
            problems.append(f"missed_sizes are {self.missed_sizes}, expected one fewer than missed")
        if any(self.missed) and not (self.missed_kept and self.missed_as.sum() > 0.0):
            problems.append("missed is not 0, but missed_kept or missed_as is empty")
        if self.false > 0.0 and not self.false_regions:
            problems.append("false is not 0, but false_regions is empty")
        lengths = (self.flicker_frames, self.missed_frames, self.false_frames)
        if not all(1.0 <= length < np.inf for length in lengths):
            problems.append(f"lengths {lengths}, expected 1 frame or more")
        if not NO_OBJECT <= self.object_id < count:
            problems.append(f"object_id is {self.object_id}, expected a class or {NO_OBJECT}")
        return problems
