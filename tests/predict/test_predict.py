"""The predict stage: every file whole or not at all, every failure named."""

from __future__ import annotations

import contextlib
import json

import av
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests.predict.clips import (
    cut,
    frame_picture,
    make_clip,
    punch_hole,
    with_moov_first,
)
from wristseg.artifacts import sha256_of
from wristseg.classes import DEFAULT_CLASSES
from wristseg.configs import PredictConfig
from wristseg.errors import CheckpointError, DataError, UsageError
from wristseg.images import read_mask
from wristseg.overlay import blend
from wristseg.predict import Segmenter, read_mask_video
from wristseg.predict.predict import predict


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for i, name in enumerate(("a.png", "b.png", "c.png")):
        Image.fromarray(frame_picture(5 * i)).save(folder / name)
    return folder


def run(checkpoint, source, output, **options):
    return predict(PredictConfig(checkpoint, str(source), output, device="cpu", **options))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_image_gives_an_overlay_and_the_ids_of_the_model(checkpoint, segmenter, images, tmp_path):
    out = tmp_path / "out"
    summary = run(checkpoint, images / "a.png", out, save_mask=True)
    expected = segmenter.predict_rgb(frame_picture(0))
    np.testing.assert_array_equal(read_mask(out / "a_mask.png", num_classes=6), expected)
    overlay = blend(frame_picture(0), expected, DEFAULT_CLASSES, alpha=0.5)
    np.testing.assert_array_equal(np.array(Image.open(out / "a_overlay.png")), overlay)
    assert (summary.frames, summary.problems) == (1, ())
    assert names(out) == ["a_mask.png", "a_overlay.png", "a_prediction.json"]


def test_named_file_is_all_that_is_written(checkpoint, images, tmp_path):
    run(checkpoint, images / "a.png", tmp_path / "new" / "x.jpg", alpha=0.0)
    assert names(tmp_path / "new") == ["x.jpg"]
    overlay = np.array(Image.open(tmp_path / "new" / "x.jpg")).astype(int)
    assert np.abs(overlay - frame_picture(0)).mean() < 4


def test_record_says_where_the_results_come_from(checkpoint, images, tmp_path):
    run(checkpoint, images, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert record["checkpoint_sha256"] == sha256_of(checkpoint)
    assert record["classes"] == DEFAULT_CLASSES.to_dict()
    assert record["outputs_sha256"]["b_overlay.png"] == sha256_of(
        tmp_path / "out" / "b_overlay.png"
    )
    assert record["frames"] == 3
    assert record["versions"]["torch"]


def test_bad_image_is_named_and_the_others_are_done(checkpoint, images, tmp_path):
    cut(images / "b.png", 0.5)
    summary = run(checkpoint, images, tmp_path / "out")
    (problem,) = summary.problems
    assert "b.png" in problem
    assert summary.frames == 2
    assert names(tmp_path / "out") == ["a_overlay.png", "c_overlay.png", "predictions.json"]
    assert "b.png" in json.loads((tmp_path / "out" / "predictions.json").read_text())["problems"][0]


def test_only_bad_images_is_an_error_and_nothing_is_written(checkpoint, images, tmp_path):
    for path in images.iterdir():
        cut(path, 0.3)
    with pytest.raises(DataError, match="3 problems"):
        run(checkpoint, images, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_turned_photograph_gives_a_mask_of_the_upright_picture(checkpoint, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(frame_picture(0)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    run(checkpoint, tmp_path / "a.jpg", tmp_path / "out", save_mask=True)
    assert read_mask(tmp_path / "out" / "a_mask.png", num_classes=6).shape == (64, 48)


def test_coco_file_reads_back_to_the_same_pixels(checkpoint, images, tmp_path):
    out = tmp_path / "out"
    run(checkpoint, images, out, save_mask=True, save_coco=True)
    with contextlib.redirect_stdout(None):
        coco = COCO(str(out / "predictions.coco.json"))
    assert [category["name"] for category in coco.dataset["categories"]] == list(
        DEFAULT_CLASSES.names[1:]
    )
    for image in coco.dataset["images"]:
        stem = image["file_name"].removesuffix(".png")
        mask = np.zeros((image["height"], image["width"]), np.uint8)
        for annotation in coco.imgToAnns[image["id"]]:
            region = coco.annToMask(annotation)
            mask[region == 1] = annotation["category_id"]
            rows, columns = np.nonzero(region)
            left, top, width, height = annotation["bbox"]
            assert annotation["area"] == region.sum()
            assert (left, top) == (columns.min(), rows.min())
            assert (left + width - 1, top + height - 1) == (columns.max(), rows.max())
        np.testing.assert_array_equal(mask, read_mask(out / f"{stem}_mask.png", num_classes=6))


@pytest.mark.parametrize("size_hw", [(48, 64), (47, 63)])
def test_video_keeps_its_frames_and_times(checkpoint, segmenter, tmp_path, size_hw):
    times_ms = [0, 40, 80, 200, 240, 300]
    clip = make_clip(
        tmp_path / "a.mkv",
        frames=6,
        size_hw=size_hw,
        times_ms=times_ms,
        codec="ffv1",
        pix_fmt="bgr0",
    )
    out = tmp_path / "out"
    summary = run(checkpoint, clip, out, save_mask=True, save_coco=True, alpha=0.3)
    masks = list(read_mask_video(out / "a_mask.mkv"))
    for i, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, segmenter.predict_rgb(frame_picture(i, size_hw)))
    with av.open(str(out / "a_overlay.mp4")) as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].codec_context.name == "h264"
    assert len(masks) == len(frames) == summary.frames == 6
    np.testing.assert_allclose([1000 * frame.time for frame in frames], times_ms, atol=1)
    picture = frames[4].to_ndarray(format="rgb24")[: size_hw[0], : size_hw[1]].astype(int)
    expected = blend(frame_picture(4, size_hw), masks[4], DEFAULT_CLASSES, alpha=0.3)
    assert np.abs(picture - expected).mean() < 8
    images = json.loads((out / "predictions.coco.json").read_text())["images"]
    assert [image["file_name"] for image in images][:2] == ["frame_000000.PNG", "frame_000001.PNG"]


def test_images_and_videos_of_one_stem_do_not_meet(checkpoint, images, tmp_path):
    make_clip(images / "a.mp4", frames=2)
    Image.fromarray(frame_picture(9)).save(images / "a.jpg")
    summary = run(checkpoint, images, tmp_path / "out", save_mask=True)
    assert len(set(summary.outputs)) == len(summary.outputs) == 11
    assert all(path.is_file() for path in summary.outputs)


def damaged_clip(tmp_path, fault):
    clip = make_clip(tmp_path / "a.mp4", frames=40)
    if fault == "zero":
        clip.write_bytes(b"")
    elif fault == "text":
        clip.write_text("no video\n" * 99)
    elif fault == "missing":
        clip.unlink()
    elif fault == "cut index":
        cut(clip, 0.95)
    elif fault == "0 frames":
        clip = make_clip(tmp_path / "a.mkv", frames=0)
    elif fault == "cut 50 %":
        clip = cut(with_moov_first(clip), 0.5)
    elif fault == "cut 95 %":
        clip = cut(with_moov_first(clip), 0.95)
    elif fault == "hole":
        clip = punch_hole(with_moov_first(clip))
    elif fault == "wrong fps":
        clip = make_clip(
            tmp_path / "a.mkv", frames=12, fps=120, times_ms=[50 * i for i in range(12)]
        )
    elif fault == "variable size":
        parts = [clip, make_clip(tmp_path / "2.ts", frames=5, size_hw=(64, 96))]
        parts[0] = make_clip(tmp_path / "1.ts", frames=5)
        clip = tmp_path / "a.ts"
        clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    return clip


@pytest.mark.parametrize("fault", ["zero", "text", "missing", "cut index", "0 frames"])
def test_f10_video_without_a_frame_is_an_error_and_writes_nothing(checkpoint, tmp_path, fault):
    with pytest.raises(DataError, match=r"a\.m") as caught:
        run(checkpoint, damaged_clip(tmp_path, fault), tmp_path / "out", save_mask=True)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["cut 50 %", "cut 95 %", "hole", "wrong fps", "variable size"])
def test_f10_damaged_video_is_partial_and_says_how_much(checkpoint, tmp_path, fault):
    out = tmp_path / "out"
    summary = run(checkpoint, damaged_clip(tmp_path, fault), out, save_mask=True)
    (problem,) = summary.problems
    assert f"{summary.frames} " in problem
    assert len(list(read_mask_video(next(out.glob("*_mask.mkv"))))) == summary.frames > 0
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_interrupted_video_leaves_no_half_file(checkpoint, tmp_path, monkeypatch, error):
    clip = make_clip(tmp_path / "a.mp4", frames=10)
    calls = []

    def predict_rgb(self, frame):
        calls.append(1)
        if len(calls) == 5:
            raise error
        return np.zeros(frame.shape[:2], np.uint8)

    monkeypatch.setattr(Segmenter, "predict_rgb", predict_rgb)
    with pytest.raises(error if isinstance(error, type) else OSError):
        run(checkpoint, clip, tmp_path / "out", save_mask=True)
    assert names(tmp_path / "out") == []


def test_interrupted_run_keeps_the_older_result(checkpoint, tmp_path, monkeypatch):
    clip = make_clip(tmp_path / "a.mp4", frames=5)
    run(checkpoint, clip, tmp_path / "out")
    before = sha256_of(tmp_path / "out" / "a_overlay.mp4")

    def fail(self, frame):
        raise KeyboardInterrupt

    monkeypatch.setattr(Segmenter, "predict_rgb", fail)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, clip, tmp_path / "out")
    assert sha256_of(tmp_path / "out" / "a_overlay.mp4") == before


def test_inputs_are_never_changed(checkpoint, images, tmp_path):
    before = {path: sha256_of(path) for path in images.iterdir()}
    with pytest.raises(UsageError, match="is an input"):
        run(checkpoint, images / "a.png", images / "a.png")
    with pytest.raises(UsageError, match="folder of the inputs"):
        run(checkpoint, images, images)
    run(checkpoint, images, tmp_path / "out")
    assert {path: sha256_of(path) for path in images.iterdir()} == before


def test_f32_paths_with_spaces_and_unicode_work(checkpoint, tmp_path):
    folder = tmp_path / "Aufnähmen für Ü 1"
    folder.mkdir()
    Image.fromarray(frame_picture(0)).save(folder / "bild ä.png")
    make_clip(folder / "видео 1.mp4", frames=2)
    model = folder / "mein modell.ckpt"
    model.write_bytes(checkpoint.read_bytes())
    out = tmp_path / "neue ö" / "tiefer"
    summary = run(model, folder, out, save_mask=True)
    assert summary.problems == ()
    assert {"bild ä_mask.png", "видео 1_overlay.mp4", "видео 1_mask.mkv"} <= set(names(out))


def test_f32_output_below_a_file_is_refused_before_any_work(tmp_path, images):
    (tmp_path / "out").touch()
    with pytest.raises(DataError, match="is a file where a folder"):
        run(tmp_path / "none.ckpt", images, tmp_path / "out")


def test_missing_checkpoint_is_named_and_nothing_is_written(tmp_path, images):
    with pytest.raises(CheckpointError, match=r"none\.ckpt: no such file"):
        run(tmp_path / "none.ckpt", images, tmp_path / "out")
    assert not (tmp_path / "out").exists()
