"""Labels made by a model: only where it is sure, ready to be mixed into a training."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.datasets import make_coco_dataset
from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network
from tests.predict.clips import cut, frame_picture, make_clip, with_moov_first
from tests.train.conftest import small_config
from wristseg.artifacts import sha256_of
from wristseg.classes import DEFAULT_CLASSES, IGNORE_INDEX
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.errors import DataError, UsageError
from wristseg.images import read_image_rgb, read_mask
from wristseg.labeling.config import PseudoLabelConfig
from wristseg.labeling.probabilities import SureModel, confident_mask
from wristseg.labeling.pseudo_label import RECORD, pseudo_label
from wristseg.predict.torch_backend import load_torch_backend
from wristseg.predict.video import VideoReader
from wristseg.preprocess import PreprocessContract
from wristseg.train.data import load_training_data

#: What random weights are sure of.
_SURE = 0.3


def config(clip, checkpoint, output, **options):
    given = {"confidence": _SURE, "least_share": 0.01, "device": "cpu", **options}
    inputs = (str(clip),) if not isinstance(clip, tuple) else tuple(map(str, clip))
    return PseudoLabelConfig(inputs, checkpoint, output, **given)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_probabilities_sum_to_1_and_their_largest_is_the_class(checkpoint):
    backend, _ = load_torch_backend(checkpoint, device="cpu")
    frames = np.stack([frame_picture(i, (32, 48)) for i in range(2)])
    probabilities = backend.class_probabilities(frames)
    assert probabilities.shape == (2, 6, 32, 48)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), backend.class_ids(frames))


def test_mask_has_the_models_class_where_it_is_sure_and_255_elsewhere(checkpoint):
    """By hand: three pixels of a row, sure of the cube, unsure, and sure that nobody drew there."""
    model = SureModel(checkpoint, device="cpu")
    row = np.full((6, 1, 3), 0.02, np.float32)
    row[3, 0, 0], row[2, 0, 1], row[0, 0, 2] = 0.9, 0.89, 0.95
    mask = confident_mask(model, row, (1, 3), confidence=0.9)
    assert mask.tolist() == [[3, IGNORE_INDEX, IGNORE_INDEX]]


def test_what_a_crop_cut_off_is_ignored(cropping_checkpoint):
    model = SureModel(cropping_checkpoint, device="cpu")
    sure = np.zeros((6, 32, 32), np.float32)
    sure[2] = 1
    mask = confident_mask(model, sure, (40, 60), confidence=0.9)
    assert (mask[:, 10:50] == 2).all()
    assert (mask[:, :10] == IGNORE_INDEX).all()
    assert (mask[:, 50:] == IGNORE_INDEX).all()


def test_every_fifth_frame_of_a_clip_gets_an_image_and_a_mask_of_its_number(
    clip, checkpoint, tmp_path
):
    out = tmp_path / "out"
    done = pseudo_label(config(clip, checkpoint, out))
    stems = [f"run_frame_{number:04d}" for number in (0, 5, 10, 15)]
    assert names(out) == ["images", "masks", "overview.jpg", RECORD]
    assert names(out / "images") == [f"{stem}.jpg" for stem in stems] == done.images
    assert names(out / "masks") == [f"{stem}.png" for stem in stems]
    assert read_image_rgb(out / "images" / "run_frame_0005.jpg").shape == (48, 64, 3)
    mask = read_mask(out / "masks" / "run_frame_0005.png", num_classes=6)
    assert 0 not in mask
    assert len(np.unique(mask)) > 2


def test_png_frames_are_those_of_the_clip_to_the_bit(clip, checkpoint, tmp_path):
    out = tmp_path / "out"
    pseudo_label(config(clip, checkpoint, out, every=19, image_format="png"))
    with VideoReader(clip) as reader:
        frames = [frame.rgb for frame in reader]
    written = read_image_rgb(out / "images" / "run_frame_0019.png")
    np.testing.assert_array_equal(written, frames[19])


def test_record_says_where_the_labels_come_from_and_how_many(clip, checkpoint, tmp_path):
    out = tmp_path / "out"
    done = pseudo_label(config(clip, checkpoint, out))
    said = json.loads((out / RECORD).read_text())
    assert said["checkpoint_sha256"] == sha256_of(checkpoint)
    assert said["options"]["confidence"] == _SURE
    assert said["options"]["inputs"] == [str(clip)]
    assert said["frames"] == {"labelled": 4, "left_out": 0}
    masks = [read_mask(path, num_classes=6) for path in (out / "masks").iterdir()]
    pixels = np.bincount(np.concatenate([mask.ravel() for mask in masks]), minlength=256)
    assert list(said["pixels_per_class"].values()) == pixels[1:6].tolist()
    assert said["ignored_pixels"] == pixels[IGNORE_INDEX] == done.ignored
    assert said["versions"]["wristseg"]


def test_it_is_a_data_set_as_it_stands_with_a_recording_per_clip(clip, checkpoint, tmp_path):
    pseudo_label(config(clip, checkpoint, tmp_path / "out"))
    dataset = load_labels(DatasetPaths(tmp_path / "out"))
    assert dataset.layout.kind == "masks"
    assert {frame.recording for frame in dataset.frames} == {"run"}
    assert dataset.warnings == ()


def test_a_training_mixes_it_in(clip, checkpoint, tmp_path):
    pseudo_label(config(clip, checkpoint, tmp_path / "out"))
    first = make_coco_dataset(tmp_path / "dataset", frames=8)
    training = replace(
        small_config(first, tmp_path / "run", epochs=1), mix=tmp_path / "out", mix_share=0.5
    )
    data = load_training_data(training, split_file=None)
    assert len(data.mixed) == 4
    _, mask = data.mixed[0, 0]
    assert IGNORE_INDEX in mask


def test_another_class_table_travels_with_the_masks(clip, tmp_path):
    table = json.loads(json.dumps(DEFAULT_CLASSES.to_dict()).replace("cube", "mug"))
    checkpoint = save_own_checkpoint(
        tmp_path / "mug.ckpt",
        randomised_network(),
        classes=table,
        preprocess=PreprocessContract((32, 48)).to_dict(),
    )
    pseudo_label(config(clip, checkpoint, tmp_path / "out"))
    assert yaml.safe_load((tmp_path / "out" / "dataset.yaml").read_text()) == table
    assert load_labels(DatasetPaths(tmp_path / "out")).classes.names[3] == "mug"


def test_images_are_copied_byte_for_byte(checkpoint, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.fromarray(frame_picture(0)).save(folder / "a.png")
    Image.fromarray(frame_picture(1)).save(folder / "b_frame_0001.jpg")
    pseudo_label(config(folder, checkpoint, tmp_path / "out"))
    for name in ("a.png", "b_frame_0001.jpg"):
        copy = tmp_path / "out" / "images" / name
        assert copy.read_bytes() == (folder / name).read_bytes()


def test_clips_of_one_name_in_two_folders_keep_apart(checkpoint, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_clip(tmp_path / name / "cam.mp4", frames=1)
    clips = (tmp_path / "one" / "cam.mp4", tmp_path / "two" / "cam.mp4")
    done = pseudo_label(config(clips, checkpoint, tmp_path / "out"))
    assert len(done.images) == 2


def test_frames_the_model_knows_too_little_of_are_left_out_and_listed(clip, checkpoint, tmp_path):
    shares = _shares(clip, checkpoint, tmp_path / "all")
    assert len(set(shares.values())) > 1
    least = sorted(shares.values())[-1]
    done = pseudo_label(config(clip, checkpoint, tmp_path / "out", least_share=least, every=1))
    said = json.loads((tmp_path / "out" / RECORD).read_text())
    assert 0 < len(done.images) < 20
    assert len(done.images) + len(said["left_out"]) == 20
    assert all(share < least for share in done.left_out.values())


def _shares(clip, checkpoint, out):
    pseudo_label(config(clip, checkpoint, out, every=1))
    return {
        path.stem: float((read_mask(path, num_classes=6) != IGNORE_INDEX).mean())
        for path in (out / "masks").iterdir()
    }


def test_a_model_sure_of_nothing_says_what_to_do_and_writes_nothing(clip, checkpoint, tmp_path):
    with pytest.raises(DataError, match="lower --confidence or --least-share"):
        pseudo_label(config(clip, checkpoint, tmp_path / "out", confidence=1.0))
    assert names(tmp_path) == ["run.mp4"]


def test_f10_damaged_clip_is_labelled_as_far_as_it_goes(clip, checkpoint, tmp_path):
    short = cut(with_moov_first(clip), 0.6)
    done = pseudo_label(config((short, tmp_path / "run.mp4"), checkpoint, tmp_path / "out"))
    assert any("declares 20 frames" in problem for problem in done.problems)
    assert any(name.startswith("run_frame") for name in done.images)


def test_recordings_the_model_is_validated_on_are_warned_of(clip, cropping_checkpoint, tmp_path):
    done = pseudo_label(config(clip, cropping_checkpoint, tmp_path / "out"))
    assert len(done.warnings) == 1
    assert "validation has frames of run" in done.warnings[0]


def test_folder_with_anything_in_it_is_refused(clip, checkpoint, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(UsageError, match="not empty"):
        pseudo_label(config(clip, checkpoint, tmp_path / "out"))
    with pytest.raises(UsageError, match=r"mine\.txt is something else"):
        pseudo_label(config(clip, checkpoint, tmp_path / "out", overwrite=True))


@pytest.mark.parametrize("overwrite", [False, True])
def test_folder_of_the_inputs_is_refused(clip, checkpoint, tmp_path, overwrite):
    for out in (tmp_path, tmp_path.parent):
        with pytest.raises(UsageError, match="holds the input"):
            pseudo_label(config(clip, checkpoint, out, overwrite=overwrite))
    assert clip.exists()


def test_an_earlier_run_is_replaced_when_asked_for(clip, checkpoint, tmp_path):
    for every in (10, 19):
        pseudo_label(config(clip, checkpoint, tmp_path / "out", every=every, overwrite=True))
    found = names(tmp_path / "out" / "images")
    assert found == ["run_frame_0000.jpg", "run_frame_0019.jpg"]


def test_exported_model_is_refused_with_what_to_give(clip, tmp_path):
    (tmp_path / "best.onnx").touch()
    with pytest.raises(UsageError, match="gives no probabilities"):
        pseudo_label(config(clip, tmp_path / "best.onnx", tmp_path / "out"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.1}, "--confidence 1.1: expected 0 to 1"),
        ({"least_share": -0.1}, "--least-share -0.1: expected 0 to 1"),
        ({"every": 0}, "--every 0: expected 1 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(clip, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        config(clip, tmp_path / "best.ckpt", tmp_path / "out", **options)


def test_no_input_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no input"):
        config((), tmp_path / "best.ckpt", tmp_path / "out")
