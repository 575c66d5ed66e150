"""Packing keeps what a network does; what cannot be shipped is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.own_checkpoint import save_own_checkpoint
from tests.packed_models import MADE, pack_random
from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg import packed_file
from wristseg.errors import CheckpointError, UsageError
from wristseg.modeling.checkpoint import load_network
from wristseg.modeling.packed import MAX_BYTES, pack
from wristseg.packed_file import SHIPPED_MODELS, PackedModel, read_packed, shipped_weights


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "weights"
    pack_random(
        folder,
        config={"dataset_path": "/home/somebody/data/rendered", "loss": "ce"},
        split={"train": [f"randomised_frame_{i:05d}" for i in range(5000)], "val": ["a"]},
    )
    return folder


def test_one_packing_is_below_two_megabytes_whatever_the_split(packed):
    assert sum(path.stat().st_size for path in packed.iterdir()) <= MAX_BYTES
    info = read_packed(packed / "sim-84.json").info
    assert info.split == {}


def test_folders_of_the_machine_that_trained_are_not_told(packed):
    assert "somebody" not in (packed / "sim-84.json").read_text()
    assert read_packed(packed / "sim-84.json").info.config["dataset_path"] == "rendered"


def test_what_a_plain_file_says_of_options_is_not_packed(tmp_path):
    checkpoint = save_plain_checkpoint(tmp_path / "plain.ckpt", randomised_network(), lr=0.0)
    record, _ = pack({"sim-84": checkpoint}, tmp_path / "weights", made=MADE)
    for path in (record, *map(shipped_weights, SHIPPED_MODELS)):
        info = read_packed(path).info
        assert not info.legacy
        assert info.config == {}


def test_kernels_are_in_half_precision_and_come_back_nearly_equal(packed):
    stored = load_file(packed / "sim.safetensors")
    expected = randomised_network().state_dict()
    assert {v.dtype for v in stored.values() if v.ndim > 1} == {torch.float16}
    network, info = load_network(packed / "sim-84.json")
    assert len(info.classes) == 6
    assert not network.training
    for name, value in network.state_dict().items():
        assert value.dtype == expected[name].dtype
        if value.ndim < 2:
            assert torch.equal(value, expected[name])
        else:
            torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-6)


def test_masks_are_those_of_the_checkpoint_but_for_rounding(packed):
    frames = torch.rand(2, 3, 84, 84, generator=torch.Generator().manual_seed(0))
    network = load_network(packed / "sim-84.json")[0]
    with torch.inference_mode():
        same = network(frames).argmax(1) == randomised_network()(frames).argmax(1)
    assert same.float().mean() > 0.99


def test_packing_twice_gives_the_same_bytes(packed, tmp_path):
    pack_random(tmp_path / "a")
    pack_random(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_set_for_one_size_has_tensors_of_its_own(tmp_path):
    paths = pack_random(tmp_path / "weights", names=("sim-84",))
    assert [path.name for path in paths] == ["sim-84.json", "sim-84.safetensors"]


def test_models_share_what_is_equal_and_keep_what_is_their_own(tmp_path):
    small = load_network(save_own_checkpoint(tmp_path / "a.ckpt", randomised_network()))[0]
    large = load_network(tmp_path / "a.ckpt")[0]
    statistics = "output_convs.0.1.running_mean"
    large.get_buffer(statistics).add_(1.0)
    checkpoints = {
        "sim-640": save_own_checkpoint(tmp_path / "large.ckpt", large),
        "sim-84": save_own_checkpoint(tmp_path / "small.ckpt", small),
    }
    pack(checkpoints, tmp_path / "weights", made=MADE)
    stored = load_file(tmp_path / "weights" / "sim.safetensors")
    assert {name for name in stored if "/" in name} == {
        f"sim-640/{statistics}",
        f"sim-84/{statistics}",
    }
    for name, network in (("sim-640", large), ("sim-84", small)):
        back = load_network(tmp_path / "weights" / f"{name}.json")[0]
        assert torch.equal(back.get_buffer(statistics), network.get_buffer(statistics))


def test_a_number_beyond_half_precision_is_refused(tmp_path):
    state = {name: value.clone() for name, value in randomised_network().state_dict().items()}
    state["seg_head.weight"][0, 0] = 1e6
    network = load_network(save_own_checkpoint(tmp_path / "a.ckpt", randomised_network()))[0]
    network.load_state_dict(state)
    path = save_own_checkpoint(tmp_path / "b.ckpt", network)
    with pytest.raises(CheckpointError, match=r"seg_head\.weight does not fit into half"):
        pack({"sim-84": path}, tmp_path / "weights", made=MADE)
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("missing", list(MADE))
def test_how_weights_were_made_has_to_be_said(tmp_path, missing):
    made = {key: value for key, value in MADE.items() if key != missing}
    path = save_own_checkpoint(tmp_path / "a.ckpt", randomised_network())
    with pytest.raises(UsageError, match=f"lacks {missing}"):
        pack({"sim-84": path}, tmp_path / "weights", made=made)


def test_what_would_make_the_wheel_too_large_is_refused(tmp_path):
    path = save_own_checkpoint(tmp_path / "a.ckpt", randomised_network())
    made = {**MADE, "figures": "x" * 500_000}
    with pytest.raises(CheckpointError, match="may ship"):
        pack({"sim-84": path}, tmp_path / "weights", made=made)


def _repack(packed, state, folder):
    """Write a record whose hashes are right around other tensors."""
    folder.mkdir()
    save_file(state, folder / "sim.safetensors")
    info, tensors = read_packed(packed / "sim-84.json").info, folder / "sim.safetensors"
    record = PackedModel.of(tensors.read_bytes(), info, MADE).record("sim.safetensors")
    (folder / "m.json").write_text(record)
    return folder / "m.json"


def test_whole_files_of_another_network_are_refused(packed, tmp_path):
    state = load_file(packed / "sim.safetensors")
    del state["seg_head.bias"]
    with pytest.raises(CheckpointError, match=r"1 missing: seg_head\.bias"):
        load_network(_repack(packed, state, tmp_path / "missing"))
    state = load_file(packed / "sim.safetensors")
    state["seg_head.bias"][0] = float("nan")
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        load_network(_repack(packed, state, tmp_path / "nan"))
    state = load_file(packed / "sim.safetensors")
    state["seg_head.weight"] = state["seg_head.weight"][:4].clone()
    with pytest.raises(CheckpointError, match="says 6 classes, its seg_head has 4"):
        load_network(_repack(packed, state, tmp_path / "classes"))


def test_bytes_that_are_no_safetensors_are_refused(packed, tmp_path):
    info = read_packed(packed / "sim-84.json").info
    (tmp_path / "sim.safetensors").write_bytes(b"no tensors")
    (tmp_path / "m.json").write_text(
        PackedModel.of(b"no tensors", info, MADE).record("sim.safetensors")
    )
    with pytest.raises(CheckpointError, match="tensors cannot be read"):
        load_network(tmp_path / "m.json")


def test_the_script_packs_and_says_what_it_wrote(tmp_path, capsys):
    from scripts.pack_weights import main

    checkpoint = save_own_checkpoint(tmp_path / "a.ckpt", randomised_network())
    (tmp_path / "made.json").write_text(json.dumps(MADE))
    assert main((checkpoint,), made=tmp_path / "made.json", output=tmp_path / "weights") == 0
    assert "sim-640.json" in capsys.readouterr().out
    assert main((tmp_path / "no.ckpt",), made=tmp_path / "made.json", output=tmp_path / "w") == 3
    assert main((checkpoint,), made=tmp_path / "no.json", output=tmp_path / "w") == 2
    assert main((checkpoint,) * 2, made=tmp_path / "made.json", output=tmp_path / "w") == 2
    assert not (tmp_path / "w").exists()
    assert Path(packed_file._FOLDER).parts[-2:] == ("wristseg", "weights")
