"""The class table: ids, names, colours and draw orders of one data set.

Every stage takes the table from here (or from a data set's ``dataset.yaml``) and none keeps ids,
colours or orders of its own. Category names are matched after folding case, space, ``_`` and
``-``, never by a file's numeric ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wristseg.errors import DataError
from wristseg.yaml_file import read_yaml

__all__ = ["DEFAULT_CLASSES", "IGNORE_INDEX", "ClassTable", "fold_name"]

#: Pixels with this id in a mask PNG count neither in the loss nor in a metric.
IGNORE_INDEX = 255

_TABLE_KEYS = {"names", "colors_rgb", "draw_orders"}


def fold_name(name: str) -> str:
    """Reduce a category name to the form in which two spellings of it are equal.

    >>> fold_name("Static-Finger ") == fold_name("static_finger")
    True
    """
    return re.sub(r"[\s_\-]+", "", name).casefold()


@dataclass(frozen=True)
class ClassTable:
    """Names, colours and draw orders; a class's id is its place in ``names``.

    Attributes:
        names: Class names by id; id 0 is what nobody drew.
        colors_rgb: One (R, G, B) triple of 0-255 per class, for palettes and overlays.
        draw_orders: Tag (``default``, ``grasp``) to class names from first drawn to last; a later
            class covers an earlier one.
    """

    names: tuple[str, ...]
    colors_rgb: tuple[tuple[int, int, int], ...]
    draw_orders: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise DataError("class table", problems)

    def __len__(self) -> int:
        return len(self.names)

    def id_of(self, name: str) -> int | None:
        """Return the id of the class with this folded name, or None."""
        folded = fold_name(name)
        return next((i for i, known in enumerate(self.names) if fold_name(known) == folded), None)

    def order_ids(self, tag: str) -> tuple[int, ...]:
        """Return the class ids of one draw order, first drawn first.

        Raises:
            KeyError: The table has no order of that name.
        """
        return tuple(self.names.index(name) for name in self.draw_orders[tag])

    def palette_rgb(self) -> NDArray[np.uint8]:
        """Return (256, 3) uint8, the colour of each id: grey for 255, black for ids of no class."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = self.colors_rgb
        palette[IGNORE_INDEX] = 128
        return palette

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and dicts, as they stand in checkpoints and ``dataset.yaml``."""
        return {
            "names": list(self.names),
            "colors_rgb": [list(color) for color in self.colors_rgb],
            "draw_orders": {tag: list(order) for tag, order in self.draw_orders.items()},
        }

    def to_yaml(self) -> str:
        """Return the text of a ``dataset.yaml`` with this table."""
        import yaml  # few data sets need it

        text: str = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        return text

    @classmethod
    def from_dict(cls, table: Any, *, where: object = "class table") -> Self:
        """Build a table from plain lists and dicts.

        Raises:
            DataError: A key is missing, unknown or of the wrong type.
        """
        if not isinstance(table, dict) or set(table) != _TABLE_KEYS:
            raise DataError(where, f"expected exactly the keys {sorted(_TABLE_KEYS)}")
        try:
            return cls(
                names=tuple(_text(name) for name in table["names"]),
                colors_rgb=tuple((int(r), int(g), int(b)) for r, g, b in table["colors_rgb"]),
                draw_orders={
                    _text(tag): tuple(_text(name) for name in order)
                    for tag, order in table["draw_orders"].items()
                },
            )
        except DataError as error:
            raise DataError(where, error.problems) from error
        except (TypeError, ValueError, AttributeError) as error:
            raise DataError(
                where, f"names, colors_rgb or draw_orders malformed: {error}"
            ) from error

    @classmethod
    def of_dataset(cls, dataset_path: Path) -> ClassTable:
        """Return the table of ``dataset.yaml`` in a data set's folder, or the default one.

        Raises:
            DataError: The file is there and is not a class table.
        """
        path = dataset_path / "dataset.yaml"
        if not path.is_file():
            return DEFAULT_CLASSES
        return cls.from_dict(read_yaml(path), where=path)

    def _problems(self) -> list[str]:
        problems = []
        if not 2 <= len(self.names) < IGNORE_INDEX:
            problems.append(f"{len(self.names)} classes, expected 2 to {IGNORE_INDEX - 1}")
        if len({fold_name(name) for name in self.names}) != len(self.names):
            problems.append(f"two names are the same after folding: {', '.join(self.names)}")
        if len(self.colors_rgb) != len(self.names):
            problems.append(f"{len(self.colors_rgb)} colours for {len(self.names)} classes")
        if any(not 0 <= value <= 255 for color in self.colors_rgb for value in color):
            problems.append("a colour lies outside 0-255")
        if not {"default", "grasp"} <= set(self.draw_orders):
            problems.append("draw_orders needs the tags default and grasp")
        for tag, order in self.draw_orders.items():
            if sorted(order) != sorted(self.names[1:]):
                problems.append(f"draw order {tag} must name each class but the first once")
        return problems


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a non-empty text, got {value!r}")
    return value


DEFAULT_CLASSES = ClassTable(
    names=("unlabeled", "background", "table", "cube", "static_finger", "moving_finger"),
    # Okabe-Ito colours: told apart in grey and by colour-blind people.
    colors_rgb=(
        (0, 0, 0),
        (86, 180, 233),
        (0, 158, 115),
        (230, 159, 0),
        (204, 121, 167),
        (240, 228, 66),
    ),
    draw_orders={
        "default": ("background", "table", "cube", "static_finger", "moving_finger"),
        "grasp": ("background", "table", "static_finger", "moving_finger", "cube"),
    },
)
