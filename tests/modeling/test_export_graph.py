"""The graph for runtimes: the network's numbers, from a frame's bytes to ids."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.plain_reference import randomised_network
from tests.predict.test_segmenter import noisy_frame
from wristseg.modeling.export_graph import (
    ExportGraph,
    _BandedProduct,
    _CellLabels,
    _Entrance,
    _Labels,
)
from wristseg.modeling.network import SegmentationNetwork
from wristseg.preprocess import PreprocessContract, nearest_indices


@pytest.fixture(scope="module")
def network():
    made = SegmentationNetwork(6)
    made.load_state_dict(randomised_network().state_dict())
    return made.eval()


@torch.inference_mode()
def expected_ids(network, contract, frame_rgb):
    images = torch.from_numpy(contract.normalize(contract.resize_frame(frame_rgb))[None])
    ids = network(images.permute(0, 3, 1, 2)).argmax(dim=1)[0].to(torch.uint8).numpy()
    return contract.restore_mask(ids, frame_rgb.shape[:2])


@pytest.mark.parametrize(
    ("contract", "frame_hw"),
    [
        (PreprocessContract((84, 84)), (84, 84)),
        (PreprocessContract((84, 84)), (120, 160)),
        (PreprocessContract((84, 96), "center-square"), (100, 131)),
        (PreprocessContract((240, 320)), (240, 320)),  # large enough for cells
        (PreprocessContract((200, 204)), (61, 47)),
        (PreprocessContract((75, 101)), (75, 101)),
    ],
)
@pytest.mark.parametrize("color_order", ["rgb", "bgr"])
@torch.inference_mode()
def test_ids_are_those_of_the_network(network, contract, frame_hw, color_order):
    frame = noisy_frame(*frame_hw)
    graph = ExportGraph(network, contract, frame_hw=frame_hw, color_order=color_order)
    given_frame = frame if color_order == "rgb" else np.ascontiguousarray(frame[..., ::-1])
    ids = graph(torch.from_numpy(given_frame)[None])[0].numpy()
    expected = expected_ids(network, contract, frame)
    assert ids.dtype == np.uint8
    assert len(np.unique(expected)) >= 3
    # Random weights make much of a byte that the resize rounded the other way.
    resized = frame_hw != contract.size_hw
    assert (ids == expected).mean() >= (0.99 if resized else 1.0)


@torch.inference_mode()
def test_folding_keeps_the_logits(network):
    network = copy.deepcopy(network).double()
    graph = ExportGraph(network, PreprocessContract((96, 128)), frame_hw=(96, 128)).double()
    pixels = torch.randint(0, 256, (2, 3, 96, 128), generator=torch.Generator().manual_seed(0))
    scale = torch.tensor(PreprocessContract((1, 1)).normalize(np.full((1, 3), 255, np.uint8)))
    zero = torch.tensor(PreprocessContract((1, 1)).normalize(np.zeros((1, 3), np.uint8)))
    images = pixels.double() / 255 * (scale - zero).double().view(1, 3, 1, 1)
    images = images + zero.double().view(1, 3, 1, 1)
    folded = graph.network.coarse_logits(pixels.double() - graph.mean)
    expected = network.coarse_logits(images)
    assert (folded - expected).abs().max() < 1e-4 * expected.abs().max()


def test_the_network_itself_is_not_changed(network):
    before = copy.deepcopy(network.state_dict())
    ExportGraph(network, PreprocessContract((84, 84)), frame_hw=(84, 84))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@given(
    frame_hw=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    size_hw=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_resizing_by_products_is_pillow_s(frame_hw, size_hw, seed):
    frame = np.random.default_rng(seed).integers(0, 256, frame_hw, np.uint8)
    expected = np.asarray(Image.fromarray(frame).resize(size_hw[::-1], Image.Resampling.BILINEAR))
    columns = _BandedProduct(frame_hw[1], size_hw[1], per_block=12)
    rows = _BandedProduct(frame_hw[0], size_hw[0], per_block=28)
    lines = columns.left(torch.from_numpy(frame).t()[None])  # (1, w, H)
    resized = rows.right(lines)[0].t().numpy()
    assert np.abs(resized - expected).max() <= 1, "a half may round the other way"


def test_resizing_a_camera_s_frame_to_a_policy_s_size_differs_in_one_of_ten_thousand_bytes():
    frame = noisy_frame(480, 640)
    expected = PreprocessContract((84, 84)).resize_frame(frame)
    resized = _Entrance(PreprocessContract((84, 84)), (480, 640))(torch.from_numpy(frame)[None])
    differing = resized[0].permute(1, 2, 0).numpy() != expected
    assert differing.mean() <= 1e-4


@given(length_in=st.integers(1, 400), length_out=st.integers(1, 400))
@settings(max_examples=300, deadline=None)
def test_nearest_samples_are_pillow_s(length_in, length_out):
    row = np.arange(length_in, dtype=np.int32)[None]
    image = Image.fromarray(row, mode="I")
    expected = np.asarray(image.resize((length_out, 1), Image.Resampling.NEAREST))[0]
    np.testing.assert_array_equal(nearest_indices(length_in, length_out), expected)


@given(seed=st.integers(0, 2**32 - 1), size=st.tuples(st.integers(1, 9), st.integers(1, 9)))
@settings(max_examples=50, deadline=None)
def test_cells_give_the_ids_of_bilinear_enlargement(seed, size):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 5, *size, generator=generator)
    size_hw = (4 * size[0], 4 * size[1])
    cells, plain = _CellLabels(size_hw)(logits), _Labels(size_hw)(logits)
    assert (cells == plain).float().mean() >= 0.99, "only ties may fall the other way"
