"""Plots are PNG bytes, made without a screen."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from wristseg.classes import DEFAULT_CLASSES
from wristseg.pages import png_uri
from wristseg.pages.plots import confusion_png, lines_png


def test_confusion_is_drawn_even_where_a_class_never_occurs():
    counts = np.zeros((6, 6), np.int64)
    counts[1, 1] = 7
    png = confusion_png(counts, DEFAULT_CLASSES)
    assert Image.open(io.BytesIO(png)).format == "PNG"
    assert png_uri(png).startswith("data:image/png;base64,")


def test_lines_stand_in_one_panel_each_and_may_have_gaps():
    panels = {"a": {"x": [0.1, float("nan")]}, "b": {"x": [0.2, 0.3], "y": [1.0, 0.0]}}
    wide = Image.open(io.BytesIO(lines_png(panels, x=[0, 1], x_label="severity"))).width
    narrow = lines_png({"a": panels["a"]}, x=[0, 1], x_label="severity")
    assert wide == 2 * Image.open(io.BytesIO(narrow)).width
