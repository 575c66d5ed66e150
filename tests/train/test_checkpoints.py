"""Checkpoint files are whole or absent, and a damaged one is passed over."""

from __future__ import annotations

import contextlib
import resource
import zipfile

import numpy as np
import pytest
import torch

from tests.counts import times
from tests.plain_reference import (
    PlainNetwork,
    plain_predict,
    randomised_network,
    save_plain_checkpoint,
)
from wristseg.errors import CheckpointError
from wristseg.modeling.safe_load import load_untrusted
from wristseg.train.checkpoints import AtomicCheckpointIO, find_resume_point
from wristseg.train.module import EfficientViTSegModule


@contextlib.contextmanager
def files_end_at(size_bytes):
    """Let the system refuse to write more than this into any file, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_f13_a_full_disk_keeps_the_old_file_leaves_no_other_and_is_told_by_name(tmp_path):
    path = tmp_path / "last.ckpt"
    writer = AtomicCheckpointIO()
    writer.save_checkpoint({"epoch": 1}, path)
    with files_end_at(1000), pytest.raises(OSError, match="File too large") as refused:
        writer.save_checkpoint({"epoch": 2, "weights": torch.zeros(10_000)}, path)
    assert refused.value.filename == str(path)
    assert writer.load_checkpoint(path) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.fixture(scope="module")
def sealed_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("sealed") / "last.ckpt"
    content = {"state_dict": {"w": torch.randn(5000)}, "epoch": 3, "names": ["a", "b"]}
    AtomicCheckpointIO().save_checkpoint(content, path)
    return path.read_bytes()


@pytest.mark.tried(times(100, 1000))
def test_f14_every_flipped_bit_of_a_checkpoint_is_found(tmp_path, sealed_bytes):
    path = tmp_path / "last.ckpt"
    path.write_bytes(sealed_bytes)
    assert load_untrusted(path)["epoch"] == 3
    at = np.random.default_rng(14).integers(8 * len(sealed_bytes), size=times(100, 1000))
    # And all over the record at the end, which says that there is a hash.
    last = range(8 * (len(sealed_bytes) - 110), 8 * len(sealed_bytes), 3)
    loaded_by_torch = 0
    for bit in (*at, *last):
        damaged = bytearray(sealed_bytes)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_untrusted(path)
        with contextlib.suppress(Exception):
            torch.load(path, weights_only=True)
            loaded_by_torch += 1
    assert loaded_by_torch > len(at) / 2, "the damage is such that anything would notice it"


def test_sealed_checkpoint_is_one_for_every_reader_of_torch_files(tmp_path, sealed_bytes):
    path = tmp_path / "last.ckpt"
    path.write_bytes(sealed_bytes)
    for options in ({}, {"mmap": True}):
        assert torch.load(path, weights_only=True, **options)["names"] == ["a", "b"]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"wristseg sha256 ")


def test_checkpoint_without_a_hash_of_its_own_is_still_read(tmp_path):
    torch.save({"epoch": 1}, tmp_path / "last.ckpt")
    assert load_untrusted(tmp_path / "last.ckpt") == {"epoch": 1}


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_f15_a_truncated_file_is_noticed_and_the_other_taken(tmp_path, share):
    for name in ("best.ckpt", "last.ckpt"):
        torch.save({"weights": torch.randn(1000)}, tmp_path / name)
    whole = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(whole[: int(share * len(whole))])
    path, warning = find_resume_point(tmp_path)
    assert path == tmp_path / "best.ckpt"
    assert warning is not None
    assert "last.ckpt" in warning


def test_f15_a_flipped_bit_is_noticed(tmp_path):
    for name in ("best.ckpt", "last.ckpt"):
        torch.save({"weights": torch.zeros(1000)}, tmp_path / name)
    content = bytearray((tmp_path / "last.ckpt").read_bytes())
    content[content.index(bytes(400)) + 200] ^= 1
    (tmp_path / "last.ckpt").write_bytes(content)
    assert find_resume_point(tmp_path)[0].name == "best.ckpt"


def test_an_intact_last_checkpoint_is_taken_without_a_word(tmp_path):
    torch.save({}, tmp_path / "last.ckpt")
    assert find_resume_point(tmp_path) == (tmp_path / "last.ckpt", None)


def test_f15_without_an_intact_file_both_faults_are_told(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"last.ckpt: is empty.*best.ckpt: no such file"):
        find_resume_point(tmp_path)


@pytest.mark.parametrize("size", [{}, {"img_size": 84, "img_height": None, "img_width": None}])
def test_checkpoints_of_the_plain_script_load_into_the_module(tmp_path, size):
    plain = randomised_network()
    path = save_plain_checkpoint(tmp_path / "best.ckpt", plain, **size)
    module = EfficientViTSegModule.load_from_checkpoint(path).eval()
    assert (module.hparams["img_height"], module.hparams["img_width"]) == (84, 84)
    images = torch.randn(1, 3, 84, 84, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(module(images), plain(images), rtol=1e-4, atol=1e-4)


def test_checkpoints_of_a_run_load_into_the_module(finished_run):
    _, summary, _ = finished_run
    module = EfficientViTSegModule.load_from_checkpoint(summary.best_checkpoint)
    saved = torch.load(summary.best_checkpoint, weights_only=True)["state_dict"]
    loaded = module.network.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in saved.items())


def test_a_plain_network_loads_the_checkpoint_of_a_run_and_predicts_the_same(finished_run):
    import numpy as np

    from wristseg.modeling.checkpoint import load_network

    _, summary, _ = finished_run
    plain = PlainNetwork().eval()
    plain.load_state_dict(torch.load(summary.best_checkpoint, weights_only=True)["state_dict"])
    ours, _ = load_network(summary.best_checkpoint)
    frame = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    same = plain_predict(plain, frame, (32, 48)) == plain_predict(ours, frame, (32, 48))
    assert same.mean() > 0.999
