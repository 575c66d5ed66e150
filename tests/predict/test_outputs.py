"""Where results go: no file twice, no input overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from wristseg.errors import DataError, UsageError
from wristseg.predict.outputs import plan_outputs
from wristseg.predict.sources import Source


def sources(*paths):
    return [
        Source(Path(path), "video" if Path(path).suffix in {".mp4", ".avi"} else "image")
        for path in paths
    ]


def overlays(plan):
    return [item.overlay.name for item in plan.items]


def test_results_go_to_the_default_folder_named_by_stem():
    (item,) = plan_outputs(sources("in/a.jpg"), None).items
    assert item.overlay == Path("outputs/predictions/a_overlay.png")
    assert item.mask == Path("outputs/predictions/a_mask.png")


def test_video_gives_an_mp4_to_look_at_and_a_lossless_mask_video():
    (item,) = plan_outputs(sources("in/a.avi"), Path("out")).items
    assert (item.overlay, item.mask) == (Path("out/a_overlay.mp4"), Path("out/a_mask.mkv"))


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a.jpg", "a.png", "a.mp4"), ["a_overlay.png", "a_png_overlay.png", "a_mp4_overlay.mp4"]),
        (("x/a.png", "y/a.png"), ["a_overlay.png", "a_png_overlay.png"]),
        (("A.png", "a.png"), ["A_overlay.png", "a_png_overlay.png"]),
        (
            ("a.jpg", "a.png", "a_png.png"),
            ["a_overlay.png", "a_png_overlay.png", "a_png_png_overlay.png"],
        ),
    ],
)
def test_inputs_with_one_stem_get_names_of_their_own(paths, expected):
    assert overlays(plan_outputs(sources(*paths), Path("out"))) == expected


def test_a_hundred_inputs_of_one_name_get_a_hundred_names():
    plan = plan_outputs(sources(*(f"{i}/x/a.png" for i in range(100))), Path("out"))
    assert len(set(overlays(plan))) == 100


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
def test_output_with_a_suffix_is_the_overlay_itself(tmp_path, suffix):
    plan = plan_outputs(sources("a.png"), tmp_path / f"b{suffix}")
    assert plan.single_file
    assert plan.items[0].overlay == tmp_path / f"b{suffix}"
    assert plan.items[0].mask == tmp_path / "b_mask.png"


@pytest.mark.parametrize(
    ("paths", "output", "message"),
    [
        (("a.png", "b.png"), "c.png", "one file for 2 inputs"),
        (("a.png",), "c.mp4", r"the input is an image; expected \.png"),
        (("a.mp4",), "c.png", r"the input is a video; expected \.mp4"),
        (("in/a.png",), "in/a.png", "is an input"),
        (("in/a.png",), "in/../in/a.png", "is an input"),
        (("in/a.png", "in/a_overlay.png"), "in", "is an input"),
        (("in/a.png", "in/b.png"), "in", "is the folder of the inputs"),
    ],
)
def test_output_that_cannot_be_is_refused(paths, output, message):
    with pytest.raises(UsageError, match=message):
        plan_outputs(sources(*paths), Path(output))


def test_f32_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(DataError, match="out: is a file where a folder"):
        plan_outputs(sources("a.png"), tmp_path / "out" / "deeper")


@pytest.mark.parametrize("name", ["result.avi", "result.webm", "result.bmp"])
def test_file_in_a_format_that_cannot_be_written_is_no_folder(name):
    with pytest.raises(UsageError, match=r"expected .*\.mp4"):
        plan_outputs(sources("in/a.avi"), Path(name))
