"""A camera's faults on batches: each frame has its own strength, and OpenCV and libjpeg agree."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from wristseg.data.batch_camera import blur, compress, grain, smear


@pytest.fixture
def frames():
    """Two frames with edges and soft colours, (2, 3, 64, 96), 0 to 1."""
    y, x = np.mgrid[:64, :96] / 64
    soft = np.stack([0.5 + 0.4 * np.sin(3 * x), 0.5 + 0.3 * np.cos(4 * y), 0.3 + 0.2 * x * y])
    soft[:, 20:40, 30:60] = np.array([0.8, 0.2, 0.3])[:, None, None]
    return torch.from_numpy(np.stack([soft, soft[:, ::-1].copy()]).astype(np.float32))


def as_picture(image):
    return np.rint(image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)


def test_each_frame_is_blurred_by_its_own_gaussian(frames):
    blurred = blur(frames, np.array([0.7, 2.0]))
    for image, before, sigma in zip(blurred, frames, (0.7, 2.0), strict=True):
        picture = np.ascontiguousarray(before.permute(1, 2, 0).numpy())
        expected = cv2.GaussianBlur(picture, (11, 11), sigma, borderType=cv2.BORDER_REFLECT_101)
        assert np.abs(image.permute(1, 2, 0).numpy() - expected).max() < 0.02


def test_a_smear_runs_along_its_angle_alone():
    dot = torch.zeros(2, 3, 33, 33)
    dot[:, :, 16, 16] = 1.0
    across, down = smear(dot, np.array([9.0, 5.0]), np.array([0.0, np.pi / 2]))
    assert int((across.sum(0).sum(0) > 0).sum()) in {9, 10, 11}
    assert int((across.sum(0).sum(1) > 0).sum()) == 1
    assert int((down.sum(0).sum(1) > 0).sum()) in {5, 6, 7}
    assert float(across.sum()) == pytest.approx(3.0, rel=1e-5)


def test_grain_has_the_strength_that_is_asked_for():
    frames = torch.zeros(2, 3, 200, 200)
    noise = grain(frames, np.array([0.02, 0.1]), generator=torch.Generator().manual_seed(0))
    weak, strong = noise.std(dim=(1, 2, 3)).tolist()
    assert strong / weak == pytest.approx(5.0, rel=0.05)
    assert weak == pytest.approx(0.02, rel=0.25)
    assert noise.mean().abs() < 0.002


@pytest.mark.parametrize("size_hw", [(64, 96), (56, 90)])  # whole blocks, and parts of them
@pytest.mark.parametrize("quality", [20, 50, 75])
def test_compressed_frames_are_those_that_libjpeg_gives(frames, quality, size_hw):
    frames = frames[:, :, : size_hw[0], : size_hw[1]]
    done = compress(frames, np.array([quality, quality], float))
    assert done.shape == frames.shape
    picture = as_picture(frames[0])
    _, file = cv2.imencode(
        ".jpg",
        picture[..., ::-1],
        [
            *(cv2.IMWRITE_JPEG_QUALITY, quality),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
        ],
    )
    expected = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1].astype(float)
    mine = as_picture(done[0]).astype(float)
    lost, mine_lost = (np.abs(done - picture).mean() for done in (expected, mine))
    assert mine_lost == pytest.approx(lost, rel=0.3)
    assert np.abs(mine - expected).mean() < lost


def test_lower_quality_loses_more(frames):
    twice = torch.cat([frames[:1], frames[:1]])
    low, high = (compress(twice, np.array([15.0, 95.0])) - twice).abs().mean(dim=(1, 2, 3))
    assert low > 2 * high
