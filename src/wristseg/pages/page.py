"""Fill the Jinja templates of this folder into single HTML files.

Everything a page shows lies inside the file: style sheet, pictures as data URIs. Values are escaped
by Jinja, so that a file name with ``<script>`` in it stays text.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import wristseg
from wristseg.artifacts import write_text
from wristseg.errors import MissingExtraError

__all__ = ["image_uri", "png_uri", "render_page", "side_by_side"]

_TEMPLATES = Path(__file__).parent / "templates"

#: Width of one picture in a row, pixels; four stand side by side.
_PICTURE_WIDTH = 320


def image_uri(image_rgb: NDArray[np.uint8], *, quality: int = 85) -> str:
    """Return a picture as a ``data:`` URI of a JPEG; (H, W, 3) uint8 RGB."""
    buffer = io.BytesIO()
    Image.fromarray(image_rgb).save(buffer, "JPEG", quality=quality)
    return _data_uri("image/jpeg", buffer.getvalue())


def png_uri(png: Path | bytes) -> str:
    """Return a PNG, or the file that holds it, as a ``data:`` URI, its bytes unchanged."""
    return _data_uri("image/png", png if isinstance(png, bytes) else png.read_bytes())


def side_by_side(pictures_rgb: Sequence[NDArray[np.uint8]]) -> str:
    """Return pictures of one size in a row as a data URI, shrunk to what a page can show."""
    return image_uri(np.hstack([_shrink(picture) for picture in pictures_rgb]))


def render_page(template: str, path: Path, **context: Any) -> None:
    """Fill ``templates/<template>`` and write the page atomically.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingExtraError("jinja2", "labels") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(version=wristseg.__version__, **context)
    write_text(path, page)


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _shrink(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Whole steps keep the edges of the overlay as the model drew them.
    step = max(1, round(image_rgb.shape[1] / _PICTURE_WIDTH))
    return np.ascontiguousarray(image_rgb[::step, ::step])
