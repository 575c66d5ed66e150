"""Bulk labelling from the command: what comes out, what is kept, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.batch.clips import (
    command,
    label,
    label_here,
    make_inputs,
    outputs_of,
    partly_damaged,
    wait_for,
    workers_of,
)
from tests.predict.clips import frame_picture
from tests.rights import bound_by_rights
from wristseg.cli.label import main
from wristseg.predict import Segmenter, read_mask_runs, read_mask_video
from wristseg.predict.video import VideoReader


def index_of(output):
    return [json.loads(line) for line in (output / "index.jsonl").read_text().splitlines()]


def statuses(output):
    return sorted(entry["status"] for entry in index_of(output))


def manifests(output):
    return {path: path.stat().st_mtime_ns for path in output.rglob("*.done.json")}


def test_every_input_has_a_line_and_every_good_one_its_masks(inputs, in_one_process):
    entries = index_of(in_one_process)
    assert [entry["input"] for entry in entries] == sorted(map(str, inputs.iterdir()))
    assert statuses(in_one_process) == ["done"] * 8 + ["quarantined"] * 2
    segmenter = Segmenter.load("sim-84", device="cpu", threads=1)
    for entry in entries:
        if entry["status"] == "quarantined":
            assert entry["outputs"] == {}
            assert entry["problems"]
            continue
        (name,) = entry["outputs"]
        masks = list(read_mask_video(in_one_process / name))
        with VideoReader(Path(entry["input"])) as reader:
            expected = [segmenter.predict_rgb(frame.rgb) for frame in reader]
        assert len(masks) == entry["frames"] == len(expected)
        assert np.array_equal(masks, expected)


def test_workers_make_the_same_bytes_as_one_process(inputs, in_one_process, tmp_path):
    done = label(inputs, tmp_path / "two", "--workers", "2")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert done.stderr.count("_poison.mp4: quarantined: ") == 2
    assert outputs_of(tmp_path / "two") == outputs_of(in_one_process)


def test_second_run_keeps_everything(inputs, in_one_process, capsys):
    before, made = outputs_of(in_one_process), manifests(in_one_process)
    assert label_here(inputs, in_one_process) == 4
    said = capsys.readouterr().out
    assert "10 of them were there already" in said
    assert "\n0 frames now" in said
    assert outputs_of(in_one_process) == before
    assert manifests(in_one_process) == made


def test_parts_make_together_what_one_run_makes(inputs, in_one_process, tmp_path):
    for shard in ("2/3", "1/3", "3/3"):
        assert label_here(inputs, tmp_path / "parts", "--shard", shard) in {
            0,
            4,
        }
    made, expected = outputs_of(tmp_path / "parts"), outputs_of(in_one_process)
    for found in (made, expected):
        for name in [name for name in found if name.startswith("parts/")]:
            del found[name]
    assert made == expected


def test_damaged_output_is_made_again_if_it_is_looked_for(inputs, in_one_process, capsys):
    before = outputs_of(in_one_process)
    first, second = sorted(in_one_process.rglob("*.masks.mkv"))[:2]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.write_bytes(second.read_bytes()[:-1])  # a size is always looked at
    assert label_here(inputs, in_one_process, "--verify") == 4
    assert "8 of them were there already" in capsys.readouterr().out
    assert outputs_of(in_one_process) == before


def test_quarantine_can_be_left(tmp_path, capsys):
    folder = make_inputs(tmp_path / "in", clips=1, poison=1)
    output = tmp_path / "out"
    assert label_here(folder, output) == 4
    (record,) = output.rglob("*.quarantined.json")
    assert json.loads(record.read_text())["attempt"] == 3
    assert label_here(folder, output, "--retry-quarantined", "--attempts", "1") == 4
    assert "1 of them were there already" in capsys.readouterr().out.splitlines()[-3]
    assert json.loads(record.read_text())["attempt"] == 1
    (poison,) = folder.glob("*poison*")
    shutil.copy(folder / "clip_000.mp4", poison)  # mended
    assert label_here(folder, output) == 0
    assert statuses(output) == ["done", "done"]


def test_f10_video_that_is_damaged_is_partial_and_says_what_is_missing(tmp_path, capsys):
    for path in partly_damaged(tmp_path):
        output = tmp_path / f"out_{path.stem}"
        assert label_here(path, output) == 4
        (entry,) = index_of(output)
        assert entry["status"] == "partial"
        assert 0 < entry["frames"] < 40
        assert entry["problems"]
        assert path.name in capsys.readouterr().err


def test_images_become_pngs_of_class_ids(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(frame_picture(i)).save(folder / f"{i}.png")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:-40])
    output = tmp_path / "out"
    assert label_here(folder, output, "--coco") == 4
    assert statuses(output) == ["done"] * 3 + ["quarantined"]
    segmenter = Segmenter.load("sim-84", device="cpu", threads=1)
    for entry in index_of(output)[:3]:
        name = next(name for name in entry["outputs"] if name.endswith(".png"))
        mask = np.asarray(Image.open(output / name))
        rgb = np.asarray(Image.open(entry["input"]))
        assert np.array_equal(mask, segmenter.predict_rgb(rgb))
    coco = json.loads((output / "images.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["0.png", "1.png", "2.png"]
    numbers = [annotation["id"] for annotation in coco["annotations"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {annotation["image_id"] for annotation in coco["annotations"]} == {1, 2, 3}


def test_run_lengths_and_video_hold_the_same_masks(inputs, in_one_process, tmp_path):
    output = tmp_path / "rle"
    assert label_here(inputs, output, "--masks", "rle", "--coco") == 4
    for video, runs in zip(index_of(in_one_process), index_of(output), strict=True):
        if video["status"] != "done":
            continue
        (mkv,) = video["outputs"]
        jsonl, coco = (
            next(name for name in runs["outputs"] if name.endswith(suffix))
            for suffix in (".jsonl", ".coco.json")
        )
        masks = list(read_mask_video(in_one_process / mkv))
        assert np.array_equal(list(read_mask_runs(output / jsonl)), masks)
        images = json.loads((output / coco).read_text())["images"]
        assert [image["file_name"] for image in images][:1] == ["frame_000000.PNG"]
        assert len(images) == len(masks)


def test_equal_inputs_are_labelled_once(tmp_path):
    folder = make_inputs(tmp_path / "in", clips=1)
    shutil.copy(folder / "clip_000.mp4", folder / "copy.mp4")
    assert label_here(folder, tmp_path / "out") == 0
    first, second = index_of(tmp_path / "out")
    assert first["outputs"] == second["outputs"]
    assert len(manifests(tmp_path / "out")) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--shard", "5/4"], 2, "expected i/n"),
        (["--workers", "-1"], 2, "expected"),
        (["--address", "auto"], 2, "add --engine ray"),
        (["--checkpoint", "nothing.ckpt"], 3, "nothing.ckpt"),
        (["--checkpoint", "sim-85"], 3, "one of sim, sim-640, sim-320, sim-84"),
        (["--shard", "99/100"], 2, "fewer inputs than parts"),
        (["--camera", "wrist"], 2, "no input is a LeRobot data set"),
        ([""], 2, "is empty"),
        (["--output", ""], 2, "is empty"),
        (["--output", "memory://bucket/out"], 2, "or --workers 0"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(
    inputs, tmp_path, capsys, options, code, said
):
    given = [str(inputs), *options]
    if "--output" not in options:
        given += ["--output", str(tmp_path / "out")]
    if "--checkpoint" not in options:
        given += ["--checkpoint", "sim-84"]
    assert main(given) == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not list((tmp_path / "out").rglob("*.*json*"))


def test_outputs_among_the_inputs_are_refused(tmp_path, capsys):
    folder = make_inputs(tmp_path / "in", clips=1)
    assert label_here(folder, folder) == 2
    assert "holds the input" in capsys.readouterr().err


def test_f32_second_run_of_one_folder_is_refused(inputs, tmp_path, capsys):
    with subprocess.Popen(command(inputs, tmp_path / "out", "--workers", "1")) as driver:
        assert wait_for((tmp_path / "out" / "job.json").exists, driver)
        assert label_here(inputs, tmp_path / "out") == 2
        assert "another wristseg label writes" in capsys.readouterr().err
        driver.terminate()


@pytest.mark.parametrize("options", [("--shard", "1/2"), ("--masks", "rle")])
def test_f32_another_job_in_the_folder_of_one_that_runs_is_refused(
    inputs, tmp_path, capsys, options
):
    with subprocess.Popen(command(inputs, tmp_path / "out", "--workers", "1")) as driver:
        assert wait_for((tmp_path / "out" / "job.json").exists, driver)
        assert label_here(inputs, tmp_path / "out", *options) == 2
        assert "with another model, other options or another division" in capsys.readouterr().err
        driver.terminate()
    assert label_here(inputs, tmp_path / "out", *options) in {0, 4}, "once it has ended"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_f32_name_that_is_no_text_is_told_before_anything_is_written(tmp_path, capsys):
    folder = make_inputs(tmp_path / "in", clips=1)
    (folder / "clip_000.mp4").rename(folder / os.fsdecode(b"bad\xff.mp4"))
    assert label_here(folder, tmp_path / "out") == 3
    assert "bad\\udcff.mp4': the name is not UTF-8; rename it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_f32_odd_names_are_labelled_as_others_are(tmp_path):
    folder = make_inputs(tmp_path / "in", clips=4)
    names = ["new\nline.mp4", "-dash [1]*.mp4", "ünïcödé 手.mp4", "100%'\".mp4"]
    for clip, name in zip(sorted(folder.iterdir()), names, strict=True):
        clip.rename(folder / name)
    output = tmp_path / "out ü\n[x]"
    assert label_here(folder, output) == 0
    assert {Path(entry["input"]).name for entry in index_of(output)} == set(names)


def test_links_that_lead_nowhere_are_quarantined(tmp_path):
    folder = make_inputs(tmp_path / "in", clips=1)
    (folder / "loop.mp4").symlink_to("loop.mp4")
    (folder / "nothing.mp4").symlink_to("nothing")
    assert label_here(folder, tmp_path / "out") == 4
    assert statuses(tmp_path / "out") == ["done", "quarantined", "quarantined"]


def test_images_of_one_name_are_told_apart_in_the_coco_file(tmp_path):
    folders = [tmp_path / "in" / name for name in "ab"]
    for i, folder in enumerate(folders):
        folder.mkdir(parents=True)
        Image.fromarray(frame_picture(i)).save(folder / "frame.png")
    assert label_here(f"{tmp_path}/in/**/*.png", tmp_path / "out", "--coco") == 0
    coco = json.loads((tmp_path / "out" / "images.coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["a/frame.png", "b/frame.png"]
    assert label_here(f"{tmp_path}/in/**/*.png", tmp_path / "out") == 0
    assert not (tmp_path / "out" / "images.coco.json").exists(), "of the job before"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_f17_interrupted_run_leaves_no_worker_no_attempt_and_goes_on(
    inputs, in_one_process, tmp_path, number, code
):
    output = tmp_path / "out"
    with subprocess.Popen(
        command(inputs, output, "--workers", "2"), stderr=subprocess.PIPE, text=True
    ) as driver:
        assert wait_for(lambda: list(output.rglob("*.done.json")), driver)
        workers = workers_of(driver.pid)
        driver.send_signal(number)
        _, said = driver.communicate(timeout=200)
    assert driver.returncode == code, said
    assert "Traceback" not in said
    assert workers
    assert not [worker for worker in workers if Path(f"/proc/{worker}/stat").exists()]
    begun = [
        json.loads(path.read_text())
        for path in output.rglob("*.attempts")
        if not path.with_suffix(".done.json").exists()
    ]
    assert all(count["attempts"] == 0 or "no video" in str(count) for count in begun), begun
    assert label_here(inputs, output) == 4
    left = outputs_of(output)
    assert {k: v for k, v in left.items() if not k.endswith(".attempts")} == {
        k: v for k, v in outputs_of(in_one_process).items() if not k.endswith(".attempts")
    }


def test_f13_full_disk_ends_the_job_with_a_message_and_no_half_file(inputs, tmp_path):
    limit = 'ulimit -f 1; exec "$@"'  # blocks of 1 KiB
    done = subprocess.run(
        ["bash", "-c", limit, "bash", *command(inputs, tmp_path / "out", "--workers", "1")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").rglob("*.tmp*"))
    assert not list((tmp_path / "out").rglob("*.quarantined.json"))


@pytest.mark.skipif(sys.platform != "linux", reason="rights that root does not pass over")
def test_f32_read_only_output_is_named(inputs, tmp_path):
    output = tmp_path / "out"
    output.mkdir(mode=0o555)
    done = subprocess.run(
        bound_by_rights(command(inputs, output)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert str(output) in done.stderr
