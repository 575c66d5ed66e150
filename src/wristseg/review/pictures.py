"""What the page shows of a frame: its picture, a thumbnail, label and model as class ids.

Class ids go to the page as plain bytes, row by row, gzipped: it colours them itself, so that
opacity and classes change without asking again. Called by ``review.app`` and ``review.scan``.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wristseg.errors import DataError
from wristseg.overlay import blend
from wristseg.review.cache import FileCache
from wristseg.review.frames import FrameTable
from wristseg.review.model import AwaitedModel

__all__ = ["Pictures"]

_THUMBNAIL_WIDTH = 320

#: 10,000 frames have about 100 MB of thumbnails and 50 MB of masks.
_CACHE_BYTES = 1024**3


class Pictures:
    """Makes the pictures of a data set, and keeps those that take long.

    Args:
        table: The frames.
        folder: The cache's folder.
        model: What predicts masks, perhaps not ready yet; or None.
    """

    def __init__(self, table: FrameTable, folder: Path, model: AwaitedModel | None) -> None:
        self._table = table
        self._cache = FileCache(folder, max_bytes=_CACHE_BYTES)
        self._model = model

    @property
    def model(self) -> AwaitedModel | None:
        """The model whose masks are shown, or None."""
        return self._model

    def image(self, number: int) -> bytes:
        """Return a frame as JPEG at its own size, upright.

        Raises:
            DataError: The image is missing or damaged.
        """
        return _jpeg(self._table.image(number), quality=95)

    def thumbnail(self, number: int, tag: str | None = None) -> bytes:
        """Return a small JPEG, with the label of a draw order over it where ``tag`` is given.

        Raises:
            DataError: The image or its mask is missing or damaged.
        """

        def make() -> bytes:
            image = self._table.image(number)
            if tag is not None:
                label = self._table.labels(number, tag)
                if label.shape == image.shape[:2]:
                    image = blend(image, label, self._table.classes)
            height, width = image.shape[:2]
            size_wh = (_THUMBNAIL_WIDTH, max(1, round(height * _THUMBNAIL_WIDTH / width)))
            small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
            return _jpeg(np.asarray(small, np.uint8), quality=80)

        labels = None if tag is None else self._table.label_state(number, tag)
        return self._cache.get_or_make(self._key(number, "thumbnail", labels), make)

    def has_thumbnail(self, number: int) -> bool:
        """Tell whether the thumbnail without a label is there already."""
        return self._cache.has(self._key(number, "thumbnail", None))

    def labels(self, number: int, tag: str) -> bytes:
        """Return a frame's label, gzipped class ids row by row.

        Raises:
            DataError: A ready-made mask cannot be read.
        """
        return gzip.compress(self._table.labels(number, tag).tobytes(), 1)

    def prediction(self, number: int) -> bytes:
        """Return the model's mask, gzipped class ids row by row; the model has to be ready.

        Raises:
            DataError: The image is missing or damaged, or of a size the model does not take.
        """
        assert self._model is not None
        model = self._model.ready
        assert model is not None

        def make() -> bytes:
            return gzip.compress(model.predict_rgb(self._table.image(number)).tobytes(), 1)

        return self._cache.get_or_make(self._key(number, "mask", model.sha256), make)

    def predicted_ids(self, number: int) -> NDArray[np.uint8] | None:
        """Return the model's mask as (H, W) uint8; None where its size is not the label's.

        Raises:
            DataError: As for ``prediction``.
        """
        height, width = self._table.frames[number].candidate.size_hw
        try:
            content = gzip.decompress(self.prediction(number))
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                self._table.frames[number].file_name, "its mask in the cache is damaged"
            ) from error
        if len(content) != height * width:
            return None
        return np.frombuffer(content, np.uint8).reshape(height, width)

    def _key(self, number: int, kind: str, of: object) -> str:
        path = self._table.frames[number].candidate.image_path
        return repr((kind, str(path.resolve()), self._table.image_state(number), of))


def _jpeg(image_rgb: NDArray[np.uint8], *, quality: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image_rgb).save(content, "JPEG", quality=quality, subsampling=0)
    return content.getvalue()
