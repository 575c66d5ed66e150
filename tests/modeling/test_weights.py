"""Start weights come from where the option says, or the command says why they cannot."""

from __future__ import annotations

import time
import urllib.error

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from tests.packed_models import pack_random
from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg import packed_file
from wristseg.errors import CheckpointError, UsageError
from wristseg.modeling import weights
from wristseg.modeling.checkpoint import load_network
from wristseg.modeling.network import BACKBONE, SegmentationNetwork
from wristseg.modeling.weights import load_start_weights
from wristseg.packed_file import read_packed


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return folder


@pytest.fixture
def filled_cache(empty_cache):
    """The hub cache as a download leaves it, with random numbers for ImageNet's."""
    torch.manual_seed(5)
    classifier = timm.create_model(BACKBONE, pretrained=False)
    repository = empty_cache / f"models--timm--{BACKBONE}"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    save_file(classifier.state_dict(), snapshot / "model.safetensors")
    return classifier


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A package that ships random weights."""
    folder = tmp_path / "weights"
    pack_random(folder)
    monkeypatch.setattr(packed_file, "_FOLDER", folder)
    return folder


@pytest.fixture
def no_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_file, "_FOLDER", tmp_path / "none")


@pytest.mark.parametrize("choice", ["imagenet", "auto"])
def test_imagenet_weights_come_from_the_hub_cache_without_a_network(filled_cache, choice):
    network = SegmentationNetwork(6)
    got = load_start_weights(network, choice)
    assert got.source == "imagenet"
    theirs = filled_cache.state_dict()["stem.in_conv.conv.weight"]
    assert torch.equal(network.backbone.state_dict()["stem_in_conv.conv.weight"], theirs)
    last = [name for name in filled_cache.state_dict() if name.startswith("stages.3.")][-1]
    ours = last.replace("stages.3.", "stages_3.")
    assert torch.equal(network.backbone.state_dict()[ours], filled_cache.state_dict()[last])


def test_imagenet_without_cache_and_network_is_an_error_that_says_what_to_do(empty_cache):
    with pytest.raises(CheckpointError, match=r"HF_HOME.*--pretrained none"):
        load_start_weights(SegmentationNetwork(6), "imagenet")


def test_auto_without_any_weights_starts_from_scratch_and_says_so(empty_cache, no_shipped):
    network = SegmentationNetwork(6)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    got = load_start_weights(network, "auto")
    assert got.source == "none"
    assert "from scratch" in got.message
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_unreachable_hub_is_noticed_at_the_first_refusal(empty_cache, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    asked = []

    def refuse(request, *, timeout):
        asked.append(timeout)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(weights.urllib.request, "urlopen", refuse)
    started = time.monotonic()
    with pytest.raises(CheckpointError, match="no route to host"):
        load_start_weights(SegmentationNetwork(6), "imagenet")
    assert len(asked) == 1
    assert asked[0] <= 5
    assert time.monotonic() - started < 5


def test_none_leaves_the_network_as_it_is():
    assert load_start_weights(SegmentationNetwork(6), "none").source == "none"


def test_sim_in_a_build_without_weights_says_so(no_shipped):
    with pytest.raises(CheckpointError, match="sim-640: this build ships no simulation weights"):
        load_start_weights(SegmentationNetwork(6), "sim")


@pytest.mark.parametrize(
    ("choice", "size_hw", "name"),
    [
        ("sim", (480, 640), "sim-640"),
        ("sim", (84, 84), "sim-84"),
        ("sim-640", (84, 84), "sim-640"),
    ],
)
def test_sim_is_the_set_for_the_size_unless_it_is_named(shipped, choice, size_hw, name):
    network = SegmentationNetwork(6)
    got = load_start_weights(network, choice, size_hw=size_hw)
    sha256 = read_packed(shipped / f"{name}.json").tensors_sha256
    assert got.source == f"{name} (SHA-256 {sha256[:12]})"
    assert got.message == f"start weights: {name}, from simulation"
    theirs, ours = load_network(shipped / f"{name}.json")[0], network
    theirs.seg_head, ours.seg_head = torch.nn.Identity(), torch.nn.Identity()
    rest = ours.state_dict()
    assert all(torch.equal(value, rest[key]) for key, value in theirs.state_dict().items())


def test_class_0_which_simulation_never_shows_starts_as_the_mean_of_the_others(shipped):
    network = SegmentationNetwork(6)
    load_start_weights(network, "sim")
    theirs = load_network(shipped / "sim-640.json")[0].state_dict()
    for part in ("weight", "bias"):
        ours, packed = getattr(network.seg_head, part), theirs[f"seg_head.{part}"]
        assert torch.equal(ours[1:], packed[1:])
        torch.testing.assert_close(ours[0], packed[1:].mean(dim=0))


def test_sim_for_other_classes_has_a_new_head_and_says_so(shipped):
    network = SegmentationNetwork(3)
    got = load_start_weights(network, "sim")
    assert got.message.endswith("with a new head (6 classes there, 3 here)")


def test_auto_without_imagenet_starts_from_sim_and_says_so_in_one_line(empty_cache, shipped):
    got = load_start_weights(SegmentationNetwork(6), "auto", size_hw=(84, 84))
    assert got.source.startswith("sim-84 (SHA-256 ")
    assert got.message.startswith("start weights: sim-84, from simulation (the ImageNet weights ")
    assert "\n" not in got.message


def test_auto_takes_imagenet_where_it_can_be_had(filled_cache, shipped):
    assert load_start_weights(SegmentationNetwork(6), "auto").source == "imagenet"


def test_a_checkpoint_gives_all_its_weights(tmp_path):
    plain = randomised_network()
    path = save_plain_checkpoint(tmp_path / "mine.ckpt", plain)
    network = SegmentationNetwork(6)
    got = load_start_weights(network, str(path))
    assert got.source == "checkpoint mine.ckpt"
    theirs = plain.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in network.state_dict().items())


def test_a_checkpoint_with_other_classes_gives_all_but_the_head_and_says_so(tmp_path):
    plain = randomised_network(4)
    path = save_plain_checkpoint(tmp_path / "four.ckpt", plain)
    network = SegmentationNetwork(6)
    head = network.seg_head.weight.clone()
    got = load_start_weights(network, str(path))
    assert "new head (4 classes there, 6 here)" in got.message
    assert torch.equal(network.seg_head.weight, head)
    assert torch.equal(network.lateral_convs[0].weight, plain.lateral_convs[0].weight)


def test_a_path_without_a_file_is_refused_with_the_other_choices():
    with pytest.raises(UsageError, match=r"imagenett.*auto, imagenet, sim, none"):
        load_start_weights(SegmentationNetwork(6), "imagenett")
