"""Data sets made by the real lerobot package get masks that its own reader gives back exactly."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
import torch
from lerobot.datasets.dataset_tools import remove_feature
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.scripts.convert_dataset_v21_to_v30 import convert_dataset

from tests.lerobot.datasets import make_dataset
from tests.lerobot.stand_in import ColourSegmenter
from tests.predict.clips import frame_picture
from wristseg.lerobot.config import LerobotMasksConfig
from wristseg.lerobot.mask_camera import ids_of_grey
from wristseg.lerobot.masks import write_lerobot_masks

_CAMERA = "observation.images.wrist"
_MASKS = f"{_CAMERA}_mask"


def video_backends():
    """TorchCodec is LeRobot's usual reader, and loads where FFmpeg's libraries are installed."""
    try:
        from torchcodec.decoders import VideoDecoder  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return ["pyav"]
    return ["pyav", "torchcodec"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Three episodes of two cameras, as lerobot-record writes them: AV1, all in one video."""
    root = tmp_path_factory.mktemp("recorded") / "pick"
    camera = {"dtype": "video", "shape": (96, 128, 3), "names": ["height", "width", "channels"]}
    features = {
        _CAMERA: camera,
        "observation.images.front": camera,
        "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
    }
    dataset = LeRobotDataset.create("me/pick", fps=30, root=root, features=features)
    for episode, length in enumerate((7, 12, 5)):
        for i in range(length):
            picture = frame_picture(10 * episode + i, (96, 128))
            frame = {_CAMERA: picture, "observation.images.front": picture[::-1].copy()}
            dataset.add_frame({**frame, "action": np.zeros(2, np.float32), "task": "pick"})
        dataset.save_episode()
    dataset.finalize()
    return root


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A data set of format v2.1, brought to v3.0 by lerobot's own converter."""
    root = make_dataset(tmp_path_factory.mktemp("old") / "pick", "v2.1")
    convert_dataset("me/pick", root=root, push_to_hub=False)
    return root


@pytest.fixture(scope="module", params=["recorded", "converted"])
def dataset(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setattr("wristseg.lerobot.masks.Segmenter.load", lambda *_, **__: ColourSegmenter())
    (tmp_path / "best.ckpt").write_bytes(b"weights")

    def run(root, name="out"):
        config = LerobotMasksConfig(root, tmp_path / "best.ckpt", tmp_path / name)
        return write_lerobot_masks(config)

    return run


def read(root, backend):
    return LeRobotDataset("me/pick", root=root, video_backend=backend, return_uint8=True)


def ids_and_pictures(root, backend):
    """By frame, in an order of chance: the ids of the mask camera, and the picture it is of."""
    masks, pictures = read(root, backend), read(root, "pyav")
    step = masks.meta.features[_MASKS]["info"]["wristseg"]["grey_step"]
    for i in np.random.default_rng(0).permutation(len(masks)).tolist():
        grey = masks[i][_MASKS]
        assert torch.equal(grey, grey[:1].expand(3, -1, -1))
        picture = pictures[i][_CAMERA].permute(1, 2, 0)
        if picture.is_floating_point():  # as lerobot gives images out of tables
            picture = (picture * 255).round().to(torch.uint8)
        yield ids_of_grey(grey[0].numpy(), step), picture.numpy()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two episodes whose frames are images in the tables, as lerobot writes them."""
    root = tmp_path_factory.mktemp("images") / "pick"
    camera = {"dtype": "image", "shape": (96, 128, 3), "names": ["height", "width", "channels"]}
    features = {_CAMERA: camera, "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]}}
    dataset = LeRobotDataset.create(
        "me/pick", fps=30, root=root, features=features, use_videos=False
    )
    for episode, length in enumerate((4, 3)):
        for i in range(length):
            picture = frame_picture(10 * episode + i, (96, 128))
            action = np.zeros(2, np.float32)
            dataset.add_frame({_CAMERA: picture, "action": action, "task": "pick"})
        dataset.save_episode()
    dataset.finalize()
    return root


def test_masks_of_images_are_read_beside_them(images, write):
    done = write(images)
    seen = 0
    for ids, picture in ids_and_pictures(done.output, "pyav"):
        assert np.array_equal(ids, ColourSegmenter().predict_rgb(picture))
        seen += 1
    assert seen == done.frames == 7


@pytest.mark.parametrize("backend", video_backends())
def test_lerobots_reader_gives_the_ids_of_the_very_frame(dataset, write, backend):
    done = write(dataset)
    seen = 0
    for ids, picture in ids_and_pictures(done.output, backend):
        assert np.array_equal(ids, ColourSegmenter().predict_rgb(picture))
        assert set(np.unique(ids)) == set(range(6))
        seen += 1
    assert seen == done.frames


def test_floats_as_policies_get_them_still_hold_the_ids(recorded, write):
    done = write(recorded)
    item = LeRobotDataset("me/pick", root=done.output, video_backend="pyav")[8]
    ids = torch.round(item[_MASKS][0] * 255 / done.step).to(torch.uint8).numpy()
    picture = (item[_CAMERA].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(ids, ColourSegmenter().predict_rgb(picture))


def test_source_videos_are_the_same_bytes(dataset, write):
    done = write(dataset)
    for place, digest in done.unchanged.items():
        for root in (dataset, done.output):
            assert hashlib.sha256((root / place).read_bytes()).hexdigest() == digest
    assert len(done.unchanged) >= 2


def test_lerobot_takes_the_mask_for_a_camera_with_statistics(dataset, write):
    meta = read(write(dataset).output, "pyav").meta
    assert _MASKS in meta.camera_keys
    assert _MASKS not in meta.depth_keys
    assert set(meta.stats[_MASKS]) == set(meta.stats[_CAMERA])
    assert {k: v.shape for k, v in meta.stats[_MASKS].items()} == {
        k: v.shape for k, v in meta.stats[_CAMERA].items()
    }


def test_mask_camera_can_be_dropped_by_lerobots_own_tool(recorded, write, tmp_path):
    whole = read(write(recorded).output, "pyav")
    remove_feature(whole, [_MASKS], output_dir=tmp_path / "less", repo_id="me/less")
    less = read(tmp_path / "less", "pyav")
    assert _MASKS not in less.meta.features
    assert torch.equal(less[3][_CAMERA], whole[3][_CAMERA])


def test_masks_of_format_v21_stay_exact_through_lerobots_converter(write, tmp_path):
    old = make_dataset(tmp_path / "old", "v2.1")
    root = write(old, "masked").output
    convert_dataset("me/pick", root=root, push_to_hub=False)
    seen = 0
    for ids, picture in ids_and_pictures(root, "pyav"):
        assert np.array_equal(ids, ColourSegmenter().predict_rgb(picture))
        seen += 1
    assert seen == 13
    shutil.rmtree(tmp_path / "masked_old")
