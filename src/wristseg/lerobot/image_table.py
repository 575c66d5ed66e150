"""Images of a camera in the tables of a data set: read in order, as a video is.

In: a Parquet file whose rows are frames, each image whole in its row (PNG as LeRobot writes them).
Out: ``TimedFrame``s, one period apart. Called by ``lerobot.frames``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from wristseg.images import decode_image_rgb
from wristseg.lerobot.tables import iterate_rows
from wristseg.predict.video import TimedFrame

if TYPE_CHECKING:
    from wristseg.lerobot.dataset import Span

__all__ = ["ImageTable"]


class ImageTable:
    """Iterates once over the images of a column; afterwards ``problems`` says what was wrong.

    Args:
        path: The table.
        column: Name of the camera.
        spans: Its episodes, in the order of the rows.
        fps: Frames per second of the data set.

    Attributes:
        fps: The same, as a fraction.
        first_pts: Time of the first frame, as of a video.

    Raises:
        DataError: While iterating: the table cannot be read, or an image is damaged.
    """

    first_pts = 0

    def __init__(self, path: Path, column: str, spans: Sequence[Span], fps: float) -> None:
        self.fps = Fraction(fps).limit_denominator(1001)
        self.problems: list[str] = []
        self._path = path
        self._column = column
        self._spans = spans

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def __iter__(self) -> Iterator[TimedFrame]:
        expected = ((span.episode, i) for span in self._spans for i in range(span.length))
        columns = ["episode_index", "frame_index", self._column]
        for number, row in enumerate(iterate_rows(self._path, columns)):
            found = row["episode_index"], row["frame_index"]
            if (wanted := next(expected, None)) != found:
                says = "none" if wanted is None else f"frame {wanted[1]} of episode {wanted[0]}"
                self.problems.append(
                    f"row {number} is frame {found[1]} of episode {found[0]}, the tables of "
                    f"episodes have {says} there"
                )
                return
            yield TimedFrame(self._image(row[self._column], number), number, 1 / self.fps)

    def _image(self, stored: Any, number: int) -> NDArray[np.uint8]:
        content = stored.get("bytes") if isinstance(stored, dict) else None
        # An image that is only named lies on the machine that recorded it.
        return decode_image_rgb(content or b"", where=f"{self._path}: {self._column}, row {number}")
