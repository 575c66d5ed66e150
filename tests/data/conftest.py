"""Images that go with ``coco_tables.base_table``."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.data.coco_tables import HEIGHT, WIDTH


@pytest.fixture(scope="module")
def images_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)
    return folder
