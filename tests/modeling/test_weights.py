"""Start weights come from where the option says, or the command says why they cannot."""

from __future__ import annotations

import time
import urllib.error

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.errors import CheckpointError, UsageError
from wristseg.modeling import weights
from wristseg.modeling.network import BACKBONE, SegmentationNetwork
from wristseg.modeling.weights import load_start_weights


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


def test_auto_without_cache_and_network_starts_from_scratch_and_says_so(empty_cache):
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


def test_sim_says_that_this_version_has_none():
    with pytest.raises(UsageError, match="no weights from simulation"):
        load_start_weights(SegmentationNetwork(6), "sim")


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
