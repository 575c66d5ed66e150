"""HTML pages stand alone and let no name run as code."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from wristseg.pages import image_uri, page, png_uri, render_page


@pytest.fixture
def template(tmp_path, monkeypatch):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "names.html").write_text("{% for name in names %}<li>{{ name }}</li>{% endfor %}")
    monkeypatch.setattr(page, "_TEMPLATES", folder)
    return "names.html"


def test_names_stay_text(template, tmp_path):
    render_page(template, tmp_path / "page.html", names=["<script>alert(1)</script>"])
    written = (tmp_path / "page.html").read_text()
    assert "<script" not in written
    assert "&lt;script&gt;" in written


def test_missing_value_is_an_error_and_writes_nothing(template, tmp_path):
    with pytest.raises(Exception, match="'names' is undefined"):
        render_page(template, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_picture_lies_inside_the_page():
    image = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    head, data = image_uri(image).split(",")
    assert head == "data:image/jpeg;base64"
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_allclose(decoded, image, atol=3)


def test_png_file_is_taken_as_it_is(tmp_path):
    (tmp_path / "plot.png").write_bytes(b"\x89PNG")
    assert png_uri(tmp_path / "plot.png") == "data:image/png;base64,iVBORw=="


def test_base_page_needs_no_network():
    base = (page.Path(page.__file__).parent / "templates" / "base.html").read_text()
    assert "http" not in base
    assert "url(" not in base
