"""Checkpoints that people have are read; those that are damaged or hostile are refused."""

from __future__ import annotations

import pathlib
import pickle
import zipfile
from argparse import Namespace

import numpy as np
import pytest
import torch
from lightning.fabric.utilities.data import AttributeDict

from tests.own_checkpoint import save_own_checkpoint
from tests.plain_reference import randomised_network, save_plain_checkpoint
from wristseg.classes import DEFAULT_CLASSES, ClassTable
from wristseg.errors import CheckpointError
from wristseg.modeling.checkpoint import load_network, read_checkpoint_info
from wristseg.preprocess import PreprocessContract


@pytest.fixture(scope="module")
def network():
    return randomised_network()


@pytest.fixture(scope="module")
def plain_file(tmp_path_factory, network):
    return save_plain_checkpoint(tmp_path_factory.mktemp("plain") / "best.ckpt", network)


def changed_state(path, network, change):
    state = dict(network.state_dict())
    change(state)
    torch.save({"state_dict": state, "hyper_parameters": {"num_classes": 6, "img_size": 84}}, path)
    return path


def test_plain_file_gives_its_weights_and_its_hyper_parameters(plain_file, network):
    loaded, info = load_network(plain_file)
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert not loaded.training
    assert info.legacy
    assert info.classes == DEFAULT_CLASSES
    assert info.preprocess == PreprocessContract((84, 84))
    assert (info.epoch, info.loss, info.metrics) == (41, "iou", {"val/iou": 0.8125})
    assert info.num_parameters == 846_838


def test_own_file_says_where_it_comes_from(tmp_path, network):
    info = read_checkpoint_info(save_own_checkpoint(tmp_path / "best.ckpt", network))
    assert not info.legacy
    assert info.preprocess == PreprocessContract((84, 96), "center-square")
    assert info.split == {"train": ["a.jpg", "b.jpg"], "val": ["c.jpg"]}
    assert (info.weights_source, info.git_commit, info.seed) == ("imagenet", "c0ffee", 0)
    assert (info.epoch, info.loss, info.metrics) == (3, "ce", {"val/iou": 0.5})


@pytest.mark.parametrize(
    ("changes", "size_hw"),
    [
        ({"img_height": 48, "img_width": 64}, (48, 64)),
        ({"img_height": None, "img_width": None, "img_size": 224}, (224, 224)),
        ({"img_height": None, "img_width": None, "img_size": (48, 64)}, (48, 64)),
        ({"img_height": np.int64(48), "img_width": np.int32(64)}, (48, 64)),
    ],
)
def test_input_size_is_found_in_newer_and_older_plain_files(tmp_path, network, changes, size_hw):
    path = save_plain_checkpoint(tmp_path / "best.ckpt", network, **changes)
    assert read_checkpoint_info(path).preprocess.size_hw == size_hw


def test_plain_file_without_a_size_says_what_it_has(tmp_path, network):
    path = save_plain_checkpoint(tmp_path / "a.ckpt", network, img_height=None, img_width=None)
    with pytest.raises(CheckpointError, match=r"does not say the input size.*loss_type"):
        load_network(path)


def test_other_class_counts_get_numbered_names(tmp_path):
    path = save_plain_checkpoint(tmp_path / "best.ckpt", randomised_network(num_classes=3))
    classes = read_checkpoint_info(path).classes
    assert classes.names == ("class_0", "class_1", "class_2")
    assert len(set(classes.colors_rgb)) == 3


@pytest.mark.parametrize(
    "value",
    [
        pathlib.PurePosixPath("/data/set"),
        pathlib.PosixPath("data/set"),
        np.float64(1e-4),
        np.bool_(True),
        np.str_("iou"),
        AttributeDict(lr=1e-4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_harmless_values_among_hyper_parameters_are_read(tmp_path, network, value):
    path = save_plain_checkpoint(tmp_path / "best.ckpt", network, extra=value)
    read = read_checkpoint_info(path).config["extra"]
    assert read == value
    assert not isinstance(read, np.generic | AttributeDict)


def test_hyper_parameters_that_are_an_attribute_dict_are_read(tmp_path, network):
    hyper_parameters = AttributeDict(num_classes=6, img_height=48, img_width=64)
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": network.state_dict(), "hyper_parameters": hyper_parameters}, path)
    assert read_checkpoint_info(path).preprocess.size_hw == (48, 64)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.2, 0.4, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_f15_cut_file_is_refused(tmp_path, plain_file, share):
    whole = plain_file.read_bytes()
    path = tmp_path / "cut.ckpt"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"cut\.ckpt: is (empty|not a whole file)") as caught:
        load_network(path)
    assert caught.value.exit_code == 3


def test_f15_text_folder_and_missing_file_are_told_apart(tmp_path):
    text = tmp_path / "best.ckpt"
    text.write_text("version https://git-lfs.github.com/spec/v1\n")
    for path, message in (
        (text, "is not a whole file of torch.save"),
        (tmp_path, "is a folder"),
        (tmp_path / "none.ckpt", "no such file"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_network(path)


def test_flipped_bit_in_the_weights_is_noticed(tmp_path, plain_file):
    content = bytearray(plain_file.read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "flipped.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_network(path)


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path(self.path),)


def hostile_reduce(folder, network):
    return save_plain_checkpoint(folder / "x.ckpt", network, payload=Canary(str(folder / "canary")))


def hostile_instantiator(folder, network):
    return save_plain_checkpoint(
        folder / "x.ckpt", network, _instantiator="os.system", command=f"touch {folder}/canary"
    )


def hostile_class_path(folder, network):
    return save_plain_checkpoint(
        folder / "x.ckpt", network, _class_path={"class_path": "subprocess.Popen"}
    )


def hostile_address(folder, network):
    return "https://example.com/best.ckpt"


def hostile_object_array(folder, network):
    array = np.array([Canary(str(folder / "canary"))], dtype=object)
    return save_plain_checkpoint(folder / "x.ckpt", network, payload=array)


def hostile_object_scalar(folder, network):
    return save_plain_checkpoint(folder / "x.ckpt", network, payload=np.datetime64("2026-01-01"))


def hostile_whole_module(folder, network):
    torch.save(network, folder / "x.ckpt")
    return folder / "x.ckpt"


def hostile_bare_pickle(folder, network):
    (folder / "x.ckpt").write_bytes(pickle.dumps(Canary(str(folder / "canary"))))
    return folder / "x.ckpt"


def hostile_zip_bomb(folder, network):
    with zipfile.ZipFile(folder / "x.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 1_000_000)
    return folder / "x.ckpt"


def hostile_namespace(folder, network):
    return save_plain_checkpoint(folder / "x.ckpt", network, payload=Namespace(a=1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (hostile_reduce, "could run code"),
        (hostile_instantiator, "names a class to build"),
        (hostile_class_path, "names a class to build"),
        (hostile_address, "is an address"),
        (hostile_object_array, "numpy.*could run code"),
        (hostile_object_scalar, "neither a number nor text"),
        (hostile_whole_module, "could run code"),
        (hostile_bare_pickle, "is not a whole file"),
        (hostile_zip_bomb, "compressed"),
        (hostile_namespace, "argparse.Namespace"),
    ],
)
def test_f20_hostile_file_is_refused_and_runs_nothing(tmp_path, network, make, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        load_network(make(tmp_path, network))
    assert caught.value.exit_code == 3
    assert not (tmp_path / "canary").exists()


def test_f20_canary_would_sing_without_the_guard(tmp_path, network):
    torch.load(hostile_reduce(tmp_path, network), weights_only=False)
    assert (tmp_path / "canary").exists()


def test_f20_other_network_is_named_by_its_parts(tmp_path, network):
    path = tmp_path / "other.ckpt"
    state = {"encoder.weight": torch.zeros(3), "decoder.weight": torch.zeros(3)}
    torch.save({"state_dict": state, "hyper_parameters": {"img_size": 84}}, path)
    with pytest.raises(CheckpointError, match=r"2 tensors .* parts encoder, decoder; .* missing"):
        load_network(path)


def test_f20_missing_unexpected_and_misshaped_names_are_all_listed(tmp_path, network):
    def change(state):
        del state["lateral_convs.0.bias"]
        state["aux_head.weight"] = torch.zeros(1)
        state["lateral_convs.1.weight"] = torch.zeros(64, 31, 1, 1)

    path = changed_state(tmp_path / "x.ckpt", network, change)
    with pytest.raises(CheckpointError) as caught:
        load_network(path)
    message = str(caught.value)
    assert "1 missing: lateral_convs.0.bias" in message
    assert "1 unexpected: aux_head.weight" in message
    assert "lateral_convs.1.weight [64, 31, 1, 1] (expected [64, 32, 1, 1])" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_f20_weights_that_are_not_finite_are_refused(tmp_path, network, value):
    def change(state):
        state["seg_head.bias"] = torch.full((6,), value)

    path = changed_state(tmp_path / "x.ckpt", network, change)
    with pytest.raises(CheckpointError, match=r"NaN or infinity in 1 tensors: seg_head\.bias"):
        load_network(path)


@pytest.mark.parametrize("said", [5, "six", 300])
def test_f20_plain_file_with_another_class_count_is_refused(tmp_path, network, said):
    path = save_plain_checkpoint(tmp_path / "x.ckpt", network, num_classes=said)
    with pytest.raises(CheckpointError, match="its seg_head has 6"):
        load_network(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 99}, "format version 99"),
        ({"classes": None}, "expected exactly the keys"),
        (
            {
                "classes": ClassTable(
                    ("a", "b"), ((0, 0, 0),) * 2, {"default": ("b",), "grasp": ("b",)}
                ).to_dict()
            },
            "says 2 classes",
        ),
        ({"preprocess": {"size_hw": [84, 84]}}, "crop"),
        ({"preprocess": {**PreprocessContract((84, 84)).to_dict(), "scale": "1/127"}}, "contract"),
        ({"preprocess": PreprocessContract((0, 84)).to_dict()}, "input size 0 x 84"),
        ({"split": ["a"]}, "split is a list"),
    ],
)
def test_f20_own_file_that_contradicts_itself_is_refused(tmp_path, network, changes, message):
    path = save_own_checkpoint(tmp_path / "x.ckpt", network, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_network(path)


def test_path_with_spaces_and_unicode_is_read(tmp_path, network):
    folder = tmp_path / "Modèle ő"
    folder.mkdir()
    assert read_checkpoint_info(str(save_own_checkpoint(folder / "best ü.ckpt", network))).seed == 0


def test_file_of_a_compiled_network_is_read(tmp_path, network):
    def compiled(state):
        for name in list(state):
            state[f"_orig_mod.{name}"] = state.pop(name)

    path = changed_state(tmp_path / "compiled.ckpt", network, compiled)
    read = load_network(path)[0].state_dict()
    assert all(torch.equal(read[name], value) for name, value in network.state_dict().items())
