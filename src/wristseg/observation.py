"""The observation contract: what a policy sees of the masks, to the byte.

Stored in every checkpoint and export, next to the preprocess contract. ``wristseg.policy`` follows
it, for predicted masks and for those of a simulator alike, so that both give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import IGNORE_INDEX, ClassTable
from wristseg.errors import DataError
from wristseg.yaml_file import read_yaml

__all__ = ["ObservationContract"]

Crop = Literal["none", "center-square"]
Channels = Literal["ids", "one-hot"]
Range = Literal["ids", "spread"]
ColorOrder = Literal["rgb", "bgr"]

#: What every contract says and none may change.
_FIXED = {
    "interpolation": "nearest",
    "stack_order": "oldest-first",
    "at_reset": "repeat-first-frame",
    "layout": "stack-channel-height-width",
    "dtype": "uint8",
}
_CHOICES = {"crop": Crop, "channels": Channels, "range": Range, "color_order": ColorOrder}
_OWN = ("size_hw", "crop", "class_map", "channels", "range", "stack", "color_order")
_MAX_SIDE, _MAX_STACK = 4096, 64


@dataclass(frozen=True)
class ObservationContract:
    """How masks become what a policy sees.

    Attributes:
        size_hw: Height and width of the observation in pixels; ids are resized with nearest.
        crop: What is cut from a mask before it is resized, as in ``PreprocessContract``.
        class_map: Class name of the model to id of the policy, every class once; two classes may
            share an id. None: ids as they are.
        channels: ``ids`` for one channel of ids, ``one-hot`` for one per id of the policy.
        range: ``ids`` for the values 0, 1, 2, ...; ``spread`` for the same values apart as far as
            uint8 allows (one-hot: 0 and 255), for policies that divide by 255 themselves.
        stack: Frames of one observation, oldest first; the first is repeated at a reset.
        color_order: Order of the channels in the camera frames that the policy's side hands in.
    """

    size_hw: tuple[int, int] = (84, 84)
    crop: Crop = "none"
    class_map: Mapping[str, int] | None = None
    channels: Channels = "ids"
    range: Range = "ids"
    stack: int = 3
    color_order: ColorOrder = "rgb"

    def __post_init__(self) -> None:
        problems = [*self._size_problems(), *self._map_problems()]
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                expected = " or ".join(get_args(choices))
                problems.append(f"{name} is {getattr(self, name)!r}, expected {expected}")
        if problems:
            raise DataError("observation contract", problems)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values with the fixed parts spelled out, as checkpoints carry them."""
        mapped = None if self.class_map is None else dict(self.class_map)
        own = {name: getattr(self, name) for name in _OWN}
        return {**own, "size_hw": list(self.size_hw), "class_map": mapped, **_FIXED}

    @classmethod
    def from_dict(cls, said: Any, *, default: Self | None = None) -> Self:
        """Read what ``to_dict`` wrote; entries that it lacks are those of ``default``.

        Raises:
            DataError: An entry is unknown, malformed, or asks for what no contract may change.
        """
        if not isinstance(said, Mapping):
            raise DataError("observation contract", f"is {said!r}, expected a table of entries")
        unknown = sorted(str(key) for key in said if key not in _OWN and key not in _FIXED)
        problems = [f"entry {key} is unknown, expected {', '.join(_OWN)}" for key in unknown]
        problems += [
            f"{key} is {said[key]!r}, and this version only does {value!r}"
            for key, value in _FIXED.items()
            if said.get(key, value) != value
        ]
        if problems:
            raise DataError("observation contract", problems)
        own = {key: said[key] for key in _OWN if key in said}
        if isinstance(own.get("size_hw"), list):
            own["size_hw"] = tuple(own["size_hw"])
        return replace(default or cls(), **own)

    @classmethod
    def from_file(
        cls, path: Path, *, classes: ClassTable, model_crop: str, default: Self | None = None
    ) -> Self:
        """Read a YAML or JSON file with some or all of the entries, for one model.

        Args:
            path: The file.
            classes: The model's class table.
            model_crop: What the model cuts from a frame.
            default: Where entries that the file lacks come from.

        Raises:
            DataError: The file cannot be read, an entry is wrong, or does not fit the model.
        """
        try:
            contract = cls.from_dict(read_yaml(path), default=default)
        except DataError as error:
            raise DataError(path, error.problems) from error
        problems = contract.problems_with(classes, model_crop=model_crop)
        if problems:
            raise DataError(path, problems)
        return contract

    def left_to_default(self, said: Mapping[str, Any]) -> list[str]:
        """Return which entries a stored contract leaves to the default."""
        return [name for name in _OWN if name not in said]

    def problems_with(self, classes: ClassTable, *, model_crop: str) -> list[str]:
        """Say why this contract does not fit a model; empty if it does.

        Args:
            classes: The model's class table.
            model_crop: What the model cuts from a frame.
        """
        problems = []
        if model_crop not in {"none", self.crop}:
            problems.append(
                f"crop is {self.crop}, but the model sees only the {model_crop} of a frame; the "
                f"rest would be 0 on the robot and not in a simulator: use crop {model_crop}"
            )
        if self.class_map is None:
            return problems
        found = Counter(classes.id_of(name) for name in self.class_map)
        strangers = [name for name in self.class_map if classes.id_of(name) is None]
        missing = [name for i, name in enumerate(classes.names) if found[i] == 0]
        twice = [name for i, name in enumerate(classes.names) if found[i] > 1]
        names = ", ".join(classes.names)
        for what, wrong in (("names", strangers), ("lacks", missing), ("names twice", twice)):
            if wrong:
                problems.append(f"class_map {what} {', '.join(wrong)}; the model's are {names}")
        return problems

    def policy_ids(self, classes: ClassTable) -> NDArray[np.uint8]:
        """Return the policy's id of each class of the model: (C,) uint8."""
        if self.class_map is None:
            return np.arange(len(classes), dtype=np.uint8)
        by_class = {classes.id_of(name): i for name, i in self.class_map.items()}
        return np.array([by_class[i] for i in range(len(classes))], np.uint8)

    def levels(self, classes: ClassTable) -> NDArray[np.uint8]:
        """Return the value that stands for each id of the policy in one channel: (K,) uint8."""
        count = int(self.policy_ids(classes).max()) + 1
        step = 1 if self.range == "ids" else 255 // (count - 1)
        return (np.arange(count) * step).astype(np.uint8)

    def shape(self, classes: ClassTable) -> tuple[int, int, int, int]:
        """Return (stack, channels, height, width) of one observation."""
        channels = 1 if self.channels == "ids" else len(self.levels(classes))
        return self.stack, channels, *self.size_hw

    def highest(self, classes: ClassTable) -> int:
        """Return the largest value that an observation can hold."""
        if self.channels == "one-hot":
            return 1 if self.range == "ids" else 255
        return int(self.levels(classes)[-1])

    def _size_problems(self) -> list[str]:
        problems, size = [], self.size_hw
        fits = isinstance(size, tuple) and len(size) == 2
        if not fits or not all(_whole(side) and 1 <= side <= _MAX_SIDE for side in size):
            problems.append(f"size_hw is {size!r}, expected two sides of 1 to {_MAX_SIDE}")
        if not _whole(self.stack) or not 1 <= self.stack <= _MAX_STACK:
            problems.append(f"stack is {self.stack!r}, expected 1 to {_MAX_STACK} frames")
        return problems

    def _map_problems(self) -> list[str]:
        if self.class_map is None:
            return []
        if not isinstance(self.class_map, Mapping):
            return [f"class_map is {self.class_map!r}, expected class names with ids"]
        problems = [
            f"class_map gives {name!r} the id {i!r}, expected a name and 0 to {IGNORE_INDEX - 1}"
            for name, i in self.class_map.items()
            if not isinstance(name, str) or not _whole(i) or not 0 <= i < IGNORE_INDEX
        ]
        if not problems and max(self.class_map.values(), default=0) == 0:
            problems.append("class_map gives every class the id 0; a policy would see nothing")
        return problems


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
