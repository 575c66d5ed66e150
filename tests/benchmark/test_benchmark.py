"""A tiny benchmark from end to end, with every contestant that is installed."""

from __future__ import annotations

import io
import json

import av
import numpy as np
import pytest
from rich.console import Console

from tests.datasets import make_coco_dataset
from wristseg.benchmark import benchmark as stage
from wristseg.benchmark.benchmark import benchmark, output_folder
from wristseg.benchmark.contestants import CONTESTANTS, find_plain, present
from wristseg.benchmark.plan import Plan, TrainingWork
from wristseg.cli.benchmark import main
from wristseg.configs import BenchmarkConfig
from wristseg.errors import UsageError

TINY = Plan(
    sizes_hw=((64, 96), (32, 32)),
    predict_rounds=2,
    turn_s=0.0,
    turn_frames=2,
    tail_windows=2,
    tail_frames=3,
    load_rounds=0,
    masks_rounds=1,
    clip_rounds=1,
    clip_frames=3,
    train_rounds=1,
    trainings=(TrainingWork((32, 32), 4, own_epochs=2, plain_epochs=2, plain_workers=0),),
    agreement_frames=4,
)


def write_clip(path):
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for _ in range(6):
            frame = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("WRISTSEG_CACHE", str(tmp_path / "cache"))
    return BenchmarkConfig(
        output=tmp_path / "out",
        dataset_path=make_coco_dataset(tmp_path / "dataset", frames=8),
        clip=write_clip(tmp_path / "clip.mp4"),
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_measures_every_contestant_and_says_where_its_figures_come_from(config):
    results = benchmark(config, plan=TINY, console=Console(file=io.StringIO()))
    # One run, many claims: with a fixture each of pytest's processes would make its own.
    every_contestant_is_timed_at_both_sizes(results)
    long_runs_are_timed_beside_a_matrix_product(results)
    labels_of_every_runtime_are_those_of_the_plain_forward_pass(results)
    other_work_is_timed_for_both(results)
    multiplications_and_the_machines_peak_are_measured(results)
    the_record_says_where_figures_come_from(config.output, results)
    page_and_plot_show_all_of_it(config.output, results)


def every_contestant_is_timed_at_both_sizes(results):
    found, _ = present(find_plain())
    expected = {(contestant.name, size) for contestant in found for size in ("96x64", "32x32")}
    assert {(p.contestant, p.size) for p in results.predictions} == expected
    assert {p.seconds.count for p in results.predictions} == {4}
    assert all(0 < p.seconds.median < 10 for p in results.predictions)


def long_runs_are_timed_beside_a_matrix_product(results):
    windows = {(tail.contestant.split("/")[0], tail.size): tail.windows for tail in results.tails}
    assert set(windows) == {("wristseg", "96x64"), ("wristseg", "32x32"), ("machine", None)}
    assert all([window.count for window in found] == [3, 3] for found in windows.values())


def labels_of_every_runtime_are_those_of_the_plain_forward_pass(results):
    own = {p.contestant for p in results.predictions if p.contestant.startswith("wristseg/")}
    assert {a.contestant for a in results.agreements} == own
    assert all(a.equal >= 0.999 and a.frames == 4 for a in results.agreements)
    assert all(abs(a.val_iou - a.plain_val_iou) <= 0.002 for a in results.agreements)


def other_work_is_timed_for_both(results):
    names = {"masks", "masks, whole command", "clip", "training 32x32"}
    assert {(work.work, work.contestant) for work in results.works} == {
        ("clip, model only", "wristseg"),
        *((name, who) for name in names for who in ("wristseg", "plain")),
    }
    assert results.masks_identical is True
    assert {work.frames for work in results.works if work.work == "masks"} == {8}
    assert {work.frames for work in results.works if work.work == "clip"} == {3}


def multiplications_and_the_machines_peak_are_measured(results):
    # 96x64 has six times the pixels of 32x32.
    assert results.gmacs["96x64"] == pytest.approx(6 * results.gmacs["32x32"], rel=0.05)
    assert set(results.gemm_gflops) == {"torch", "numpy"}
    assert results.floor_s("96x64") > 0


def the_record_says_where_figures_come_from(folder, results):
    record = json.loads((folder / "results.json").read_text())
    assert record["machine"]["cores"] >= 1
    assert {"torch", "numpy", "wristseg"} <= record["versions"].keys()
    assert record["git_commit"] == results.git_commit
    assert record["weights"] == {"96x64": "random, seeded", "32x32": "random, seeded"}
    assert record["options"]["predict_rounds"] == 2
    assert len(record["predictions"]) == len(results.predictions)
    assert record["notes"] == ["live loop: left out by --quick"]


def page_and_plot_show_all_of_it(folder, results):
    page = (folder / "README.md").read_text()
    assert all(p.label in page for p in results.predictions)
    assert "are identical, pixel by pixel" in page
    assert "(benchmark.png)" in page
    assert (folder / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob("*.ckpt"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_quick_measures_on_noise_where_no_data_is_and_prints_the_goals(
    tmp_path, monkeypatch, capsys
):
    tiny = Plan(((64, 96), (32, 32)), 1, 0.0, 1, 0, 0, 1, 1, 1, 2, 0, (), 2)
    pair = [c for c in CONTESTANTS if c.name in {"wristseg/torch", "plain/torch"}]
    monkeypatch.setattr(stage, "QUICK", tiny)
    monkeypatch.setattr(stage, "present", lambda _plain: (pair, ["a peer: left out"]))
    monkeypatch.chdir(tmp_path)
    assert main(["--quick"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("| work | plain | wristseg |")
    assert "load to the first mask" in captured.out
    assert "a peer: left out" in captured.err
    assert "predicting" in captured.err
    folder = tmp_path / "outputs" / "benchmark_quick"
    page = (folder / "README.md").read_text()
    assert "holds no images: frames are noise" in page
    assert "is not here: the clip is left out" in page
    loads = json.loads((folder / "results.json").read_text())["loads"]
    starts = {(load["contestant"], load["size"]): load["seconds"]["count"] for load in loads}
    assert starts["plain/torch", "96x64"] == 2  # the one that stays, and a fresh one
    assert starts["wristseg/auto", "32x32"] == 1
    assert all(load["peak_bytes"] > 2**24 for load in loads)


def test_a_quick_run_never_takes_the_place_of_a_full_one(tmp_path):
    assert output_folder(BenchmarkConfig(quick=True)) != output_folder(BenchmarkConfig())
    assert output_folder(BenchmarkConfig(quick=True, output=tmp_path)) == tmp_path


@pytest.mark.slow
def test_a_checkpoint_of_another_size_is_a_usage_error(config, tmp_path):
    from wristseg.benchmark.random_weights import write_random_checkpoint

    path = tmp_path / "small.ckpt"
    write_random_checkpoint(path, (84, 84))
    wrong = BenchmarkConfig(
        checkpoint_640=path, output=tmp_path / "out", dataset_path=config.dataset_path
    )
    with pytest.raises(UsageError, match=r"small\.ckpt is for 84x84, expected one for 96x64"):
        benchmark(wrong, plan=TINY, console=Console(file=io.StringIO()))
    assert not (tmp_path / "out").exists()
