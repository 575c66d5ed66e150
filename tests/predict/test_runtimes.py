"""Exported models in ONNX Runtime and OpenVINO: the masks of the checkpoint, from the cache on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.plain_reference import plain_predict, save_plain_checkpoint
from tests.predict.test_segmenter import noisy_frame
from wristseg.cli.predict import main
from wristseg.errors import CheckpointError, DataError, MissingExtraError, UsageError
from wristseg.modeling.checkpoint import load_network
from wristseg.predict import Segmenter, onnx_backend, runtimes
from wristseg.predict.cache import exported_checkpoint

RUNTIMES = ["onnxruntime", "openvino"]
FRAME_HW = (61, 83)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("WRISTSEG_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, plain_network):
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    return save_plain_checkpoint(path, plain_network, size_hw=(32, 48))


@pytest.fixture(scope="module")
def loaded(cache, checkpoint):
    return {
        name: Segmenter.load(checkpoint, runtime=name, frame_hw=FRAME_HW, threads=1)
        for name in RUNTIMES
    }


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("frame_hw", [FRAME_HW, (32, 48), (120, 90)])
def test_masks_equal_those_of_the_plain_script(loaded, plain_network, runtime, frame_hw):
    frame = noisy_frame(*frame_hw)
    mask = loaded[runtime].predict(frame)
    expected = plain_predict(plain_network, frame, (32, 48))
    assert mask.shape == frame_hw
    assert len(np.unique(expected)) >= 2
    # Random weights make much of a byte that the resize rounded the other way.
    assert (mask == expected).mean() >= (0.97 if frame_hw == FRAME_HW else 0.9999)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_segmenter_says_what_runs_it(loaded, runtime):
    assert (loaded[runtime].runtime, loaded[runtime].device) == (runtime, "cpu")


@pytest.mark.parametrize("frame_hw", [FRAME_HW, (120, 90)])
def test_rgb_and_bgr_of_one_frame_give_one_mask(loaded, frame_hw):
    frame = noisy_frame(*frame_hw)
    mask = loaded["onnxruntime"].predict(frame)
    rgb = np.ascontiguousarray(frame[..., ::-1])
    np.testing.assert_array_equal(mask, loaded["onnxruntime"].predict_rgb(rgb))
    assert (mask != loaded["onnxruntime"].predict(rgb)).any()


def test_a_mask_is_not_changed_by_the_next_frame(loaded):
    first = loaded["onnxruntime"].predict(noisy_frame(*FRAME_HW))
    kept = first.copy()
    second = loaded["onnxruntime"].predict(noisy_frame(*FRAME_HW, seed=1))
    np.testing.assert_array_equal(first, kept)
    assert (second != kept).any()


def test_a_mask_is_written_where_the_caller_wants_it(loaded):
    out = np.full(FRAME_HW, 9, np.uint8)
    frame = noisy_frame(*FRAME_HW)
    assert loaded["onnxruntime"].predict(frame, out=out) is out
    np.testing.assert_array_equal(out, loaded["onnxruntime"].predict(frame))
    with pytest.raises(ValueError, match=r"out is \(3, 4\) uint8, expected \(61, 83\) uint8"):
        loaded["onnxruntime"].predict(frame, out=np.zeros((3, 4), np.uint8))


def test_a_steady_loop_keeps_its_memory(loaded):
    segmenter, out = loaded["onnxruntime"], np.empty(FRAME_HW, np.uint8)
    frame = noisy_frame(*FRAME_HW)

    def resident_pages(runs):
        for _ in range(runs):
            segmenter.predict(frame, out=out)
        return int(Path("/proc/self/statm").read_text().split()[1])

    before = resident_pages(300)
    assert resident_pages(2000) - before < 256, "a megabyte in 2000 frames"


def test_threads_that_share_a_segmenter_get_their_own_masks(loaded):
    frames = [noisy_frame(*FRAME_HW, seed=i) for i in range(6)]
    alone = [loaded["onnxruntime"].predict(frame) for frame in frames]
    found = [None] * len(frames)

    def work(i):
        for _ in range(20):
            found[i] = loaded["onnxruntime"].predict(frames[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(frames))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mask, expected in zip(found, alone, strict=True):
        np.testing.assert_array_equal(mask, expected)


def test_the_second_load_reads_the_cache_and_imports_no_torch(cache, checkpoint, loaded):
    code = (
        "import sys, numpy as np\n"
        "from wristseg.predict import Segmenter\n"
        f"s = Segmenter.load({str(checkpoint)!r}, runtime='onnxruntime', frame_hw={FRAME_HW})\n"
        f"print(s.predict(np.zeros((*{FRAME_HW}, 3), np.uint8)).shape, s.runtime)\n"
        "heavy = {'torch', 'timm', 'lightning', 'onnx', 'matplotlib', 'pycocotools', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"{FRAME_HW} onnxruntime\n[]\n"


@pytest.mark.parametrize(
    "drop",
    [
        "models.pop(0); models.pop()",
        "t = threading.Thread(target=models.clear); t.start(); t.join()",
    ],
    ids=["oldest-first", "in-a-thread"],
)
def test_ctrl_c_is_an_exception_after_models_were_dropped(cache, checkpoint, loaded, drop):
    load = f"Segmenter.load({str(checkpoint)!r}, runtime='openvino', frame_hw={FRAME_HW})"
    code = (
        "import signal, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # may be ignored where we run
        "from wristseg.predict import Segmenter\n"
        f"models = [{load}, {load}]\n"
        f"{drop}\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_nothing_is_reported_to_anyone(cache, checkpoint, loaded, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    # A CI machine's variables would switch the reports off by themselves.
    environment = {"HOME": str(home), "WRISTSEG_CACHE": str(cache), "PATH": os.environ["PATH"]}
    code = (
        "import numpy as np\n"
        "from wristseg.predict import Segmenter\n"
        f"s = Segmenter.load({str(checkpoint)!r}, runtime='onnxruntime')\n"
        "s.predict(np.zeros((32, 48, 3), np.uint8))\n"
    )
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
    assert list(home.rglob("*")) == [], "a device id, or reports that wait to be sent"


def test_an_export_is_named_by_what_is_in_the_checkpoint(cache, checkpoint, tmp_path, loaded):
    copied = tmp_path / "renamed.ckpt"
    copied.write_bytes(checkpoint.read_bytes())
    before = sorted((cache / "exports").iterdir())
    _, info = exported_checkpoint(copied)
    assert sorted((cache / "exports").iterdir()) == before
    assert info.path == copied


@pytest.mark.slow
def test_a_damaged_file_in_the_cache_is_made_again(cache, checkpoint, loaded):
    kept = next((cache / "exports").glob("*-own-*.onnx"))
    whole = kept.read_bytes()
    kept.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    Segmenter.load(checkpoint, runtime="onnxruntime")
    assert exported_checkpoint(checkpoint)[0] == kept.read_bytes()
    assert len(kept.read_bytes()) == len(whole)


def test_auto_takes_what_was_measured_faster_here(cache, checkpoint, loaded, monkeypatch):
    monkeypatch.setattr(
        runtimes, "_medians_ms", lambda backends: {"onnxruntime": 2.0, "openvino": 1.0}
    )
    assert Segmenter.load(checkpoint, runtime="auto", device="cpu").runtime == "openvino"
    (record,) = (cache / "runtimes").iterdir()
    assert json.loads(record.read_text()) == {"median_ms": {"onnxruntime": 2.0, "openvino": 1.0}}
    monkeypatch.setattr(runtimes, "_medians_ms", lambda backends: pytest.fail("measured again"))
    assert Segmenter.load(checkpoint, runtime="auto", device="cpu").runtime == "openvino"
    record.write_text('{"median_ms": {"onnxruntime": 1.0, "openvino": 2.0}}')
    assert Segmenter.load(checkpoint, runtime="auto", device="cpu").runtime == "onnxruntime"


def test_runtimes_are_really_timed(cache, checkpoint, loaded):
    model, info = exported_checkpoint(checkpoint)
    backends = {name: runtimes._open(name, model, info, 1) for name in RUNTIMES}
    medians = runtimes._medians_ms(backends)
    assert set(medians) == set(RUNTIMES)
    assert all(0 < ms < 1000 for ms in medians.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "runtime tensorrt: expected one of auto, onnxruntime"),
        ({"runtime": "openvino", "device": "cuda"}, "runs on the CPU, not on --device cuda"),
    ],
)
def test_impossible_combinations_are_refused(checkpoint, options, message):
    with pytest.raises(UsageError, match=message):
        Segmenter.load(checkpoint, **options)


def test_no_thread_is_no_number_of_threads(checkpoint):
    with pytest.raises(UsageError, match="threads 0: expected 1 or more"):
        Segmenter.load(checkpoint, runtime="onnxruntime", threads=0)


def test_without_a_runtime_pytorch_gives_the_masks(cache, checkpoint, loaded, monkeypatch):
    monkeypatch.setattr(runtimes, "installed_runtimes", list)
    segmenter = Segmenter.load(checkpoint, runtime="auto", device="cpu")
    assert segmenter.runtime == "torch"
    frame = noisy_frame(32, 48)
    np.testing.assert_array_equal(segmenter.predict(frame), loaded["onnxruntime"].predict(frame))
    with pytest.raises(MissingExtraError, match="openvino is not installed"):
        Segmenter.load(checkpoint, runtime="openvino")


def test_auto_leaves_out_a_runtime_that_refuses_the_model(cache, checkpoint, loaded, monkeypatch):
    model, info = exported_checkpoint(checkpoint)
    opened = runtimes._open

    def refuse(name, *rest):
        if name == "onnxruntime":
            raise CheckpointError("refused")
        return opened(name, *rest)

    monkeypatch.setattr(runtimes, "_open", refuse)
    found = runtimes._those_that_open(RUNTIMES, model, info, 1)
    assert list(found) == ["openvino"]
    with pytest.raises(CheckpointError, match="refused"):
        runtimes._those_that_open(["onnxruntime"], model, info, 1)


def test_an_export_with_other_masks_is_not_kept(cache, checkpoint, loaded, tmp_path, monkeypatch):
    right = exported_checkpoint(checkpoint)[0]
    other = save_plain_checkpoint(tmp_path / "other.ckpt", _turned(checkpoint), size_hw=(32, 48))
    monkeypatch.setattr(
        "wristseg.modeling.onnx_export.export_checkpoint", lambda path, **_options: right
    )
    before = sorted((cache / "exports").iterdir())
    with pytest.raises(CheckpointError, match="of a test frame"):
        exported_checkpoint(other)
    assert sorted((cache / "exports").iterdir()) == before


def _turned(checkpoint):
    """Return the network with its classes turned round by one."""
    network = load_network(checkpoint)[0]
    head = network.seg_head
    head.weight.data, head.bias.data = head.weight.data.roll(1, 0), head.bias.data.roll(1, 0)
    return network


def test_exports_for_one_camera_refuse_frames_of_another(cache, checkpoint, loaded, tmp_path):
    path = tmp_path / "camera.onnx"
    path.write_bytes(exported_checkpoint(checkpoint, frame_hw=FRAME_HW)[0])
    segmenter = Segmenter.load(path, runtime="onnxruntime")
    frame = noisy_frame(*FRAME_HW)
    np.testing.assert_array_equal(segmenter.predict(frame), loaded["onnxruntime"].predict(frame))
    with pytest.raises(DataError, match=r"32x48 \(h x w\): .*was exported for frames of 61x83"):
        segmenter.predict(noisy_frame(32, 48))


def test_the_command_goes_on_after_a_frame_of_another_size(
    cache, checkpoint, loaded, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("WRISTSEG_RUNTIME", "onnxruntime")
    model = tmp_path / "camera.onnx"
    model.write_bytes(exported_checkpoint(checkpoint, frame_hw=FRAME_HW)[0])
    frames = tmp_path / "frames"
    frames.mkdir()
    for i, size in enumerate([FRAME_HW, (32, 48), FRAME_HW]):
        Image.fromarray(noisy_frame(*size, seed=i)).save(frames / f"{i}.png")
    output = tmp_path / "out"
    argv = ["--checkpoint", str(model), "--input", str(frames), "--output", str(output)]
    assert main([*argv, "--save-mask"]) == 4
    assert "1.png" in capsys.readouterr().err
    assert sorted(path.name for path in output.glob("*_mask.png")) == ["0_mask.png", "2_mask.png"]


def test_many_images_give_the_masks_of_one_model_in_turns(
    cache, checkpoint, loaded, tmp_path, monkeypatch
):
    monkeypatch.setenv("WRISTSEG_RUNTIME", "onnxruntime")
    frames = tmp_path / "frames"
    frames.mkdir()
    images = [noisy_frame(*FRAME_HW, seed=i) for i in range(20)]
    for i, image in enumerate(images):
        Image.fromarray(image).save(frames / f"{i:02}.png")
    argv = ["--checkpoint", str(checkpoint), "--input", str(frames), "--save-mask"]
    assert main([*argv, "--output", str(tmp_path / "out")]) == 0
    for i, image in enumerate(images):
        mask = np.array(Image.open(tmp_path / "out" / f"{i:02}_mask.png"))
        expected = Segmenter.load(checkpoint, runtime="torch").predict_rgb(image)
        assert (mask == expected).mean() >= 0.97


def test_a_missing_checkpoint_is_named(cache, tmp_path):
    with pytest.raises(CheckpointError, match=r"no\.ckpt: no such file"):
        Segmenter.load(tmp_path / "no.ckpt", runtime="onnxruntime")


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_no_error(checkpoint, tmp_path, monkeypatch, loaded):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("WRISTSEG_CACHE", str(blocked))
    segmenter = Segmenter.load(checkpoint, runtime="onnxruntime")
    frame = noisy_frame(32, 48)
    np.testing.assert_array_equal(segmenter.predict(frame), loaded["onnxruntime"].predict(frame))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux places threads so")
def test_a_run_on_all_cpus_leaves_the_callers_thread_free_to_move(cache, checkpoint, monkeypatch):
    seen = []
    segmenter = Segmenter.load(checkpoint, runtime="onnxruntime")
    allowed = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: seen.append((pid, set(cpus))))
    segmenter.predict(noisy_frame(32, 48))
    if len(allowed) > 1:
        assert seen == [(0, {min(allowed)}), (0, allowed)]
    seen.clear()
    Segmenter.load(checkpoint, runtime="onnxruntime", threads=1).predict(noisy_frame(32, 48))
    assert seen == []


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux places threads so")
def test_a_caller_that_keeps_to_other_cpus_is_left_there(cache, checkpoint, monkeypatch):
    segmenter = Segmenter.load(checkpoint, runtime="onnxruntime")
    seen, backend = [], segmenter._any_backend
    home = max(os.sched_getaffinity(0))
    backend._home_cpu = home
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {home + 1})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: seen.append(cpus))
    segmenter.predict(noisy_frame(32, 48))
    assert seen == []


@pytest.mark.parametrize(
    ("cpus", "threads", "expected"),
    [
        ({0, 1}, 2, (0, "2")),
        ({2, 5, 7}, 3, (2, "6;8")),  # ONNX Runtime counts CPUs from 1
        ({0, 1, 2, 3}, 2, (None, "")),  # others are free to move to
        ({3}, 1, (None, "")),
    ],
)
def test_threads_are_placed_where_a_run_uses_every_cpu(monkeypatch, cpus, threads, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: cpus, raising=False)
    assert onnx_backend._places(threads) == expected
