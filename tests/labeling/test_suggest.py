"""What to label next: what the model is unsure of, nothing twice, nothing that is labelled."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.datasets import make_coco_dataset
from tests.predict.clips import cut, frame_picture, make_clip, with_moov_first
from wristseg.artifacts import sha256_of
from wristseg.errors import DataError, UsageError
from wristseg.labeling.config import SuggestConfig
from wristseg.labeling.suggest import RECORD, Candidate, rank, suggest, uncertainty

NONE_KNOWN = np.empty((0, 0), np.float32)


def candidate(stem, place, doubt, recording="a"):
    """A frame whose thumbnail is one number, 0 to 1."""
    return Candidate(stem, recording, doubt, np.array([place], np.float32))


def chosen(candidates, known=NONE_KNOWN, *, count=10, per_recording=10, **order):
    found = rank(candidates, known, count=count, per_recording=per_recording, **order)
    return [suggestion.stem for suggestion in found]


def test_the_first_choice_is_the_most_unsure_one_where_nothing_is_labelled():
    frames = [candidate("sure", 0.1, 0.1), candidate("unsure", 0.5, 0.6)]
    assert chosen(frames) == ["unsure", "sure"]


def test_a_neighbour_of_the_first_choice_comes_after_a_less_unsure_frame_far_away():
    frames = [candidate("x", 0.5, 0.9), candidate("beside x", 0.55, 0.8), candidate("y", 0.9, 0.3)]
    assert chosen(frames) == ["x", "y", "beside x"]


def test_near_duplicates_and_labelled_frames_are_never_suggested():
    frames = [candidate("x", 0.5, 0.9), candidate("x again", 0.51, 0.8), candidate("old", 0.2, 1)]
    assert chosen(frames, np.array([[0.21]], np.float32)) == ["x"]


def test_by_hand_uncertainty_times_distance_decides():
    """Known at 0: 0.3 * 0.9 = 0.27 beats 0.5 * 0.5 = 0.25."""
    frames = [candidate("unsure", 0.5, 0.5), candidate("far", 0.9, 0.3)]
    (first, _) = rank(frames, np.zeros((1, 1), np.float32), count=2, per_recording=2)
    assert (first.stem, first.distance) == ("far", pytest.approx(0.9))


@pytest.mark.parametrize(
    ("order", "expected"),
    [("uncertainty", ["x", "beside x", "y"]), ("diversity", ["y", "beside x", "x"])],
)
def test_either_part_alone_can_decide(order, expected):
    frames = [candidate("x", 0.5, 0.9), candidate("beside x", 0.55, 0.8), candidate("y", 0.9, 0.3)]
    assert chosen(frames, np.array([[0.3]], np.float32), order=order) == expected


@pytest.mark.parametrize("order", ["uncertainty", "diversity"])
def test_no_order_suggests_near_duplicates(order):
    frames = [candidate("x", 0.5, 0.9), candidate("x again", 0.51, 0.8)]
    assert chosen(frames, order=order) == ["x"]


def test_no_recording_has_more_than_its_cap():
    frames = [candidate(f"a{i}", 0.1 * i, 0.9, "a") for i in range(8)]
    frames += [candidate("b", 0.95, 0.1, "b")]
    found = chosen(frames, per_recording=3)
    assert len(found) == 4
    assert "b" in found


def test_a_small_class_counts_as_much_as_a_large_one():
    """Sure of 98 % of the frame, torn over the cube."""
    probabilities = np.zeros((6, 10, 10), np.float32)
    probabilities[2] = 1
    whole = uncertainty(probabilities)
    probabilities[:, 0, :2] = 0.1
    probabilities[3, 0, :2] = 0.5
    assert whole == pytest.approx(0.0, abs=1e-6)
    assert 0.4 < uncertainty(probabilities) < 0.5


def test_specks_do_not_count_as_a_class():
    probabilities = np.zeros((6, 100, 100), np.float32)
    probabilities[2] = 1
    probabilities[:, 0, 0] = 1 / 6
    probabilities[3, 0, 0] += 0.01
    assert uncertainty(probabilities) < 1e-3


def run(inputs, checkpoint, output, **options):
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    options = {"device": "cpu", "every": 2, **options}
    return suggest(SuggestConfig(tuple(map(str, inputs)), checkpoint, output, **options))


def test_suggested_frames_are_stored_in_order_with_a_record(clip, checkpoint, tmp_path):
    done = run(clip, checkpoint, tmp_path / "out", count=3)
    assert done.candidates == 10
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "images",
        "overview.jpg",
        RECORD,
    ]
    said = json.loads((tmp_path / "out" / RECORD).read_text())
    assert said["checkpoint_sha256"] == sha256_of(checkpoint)
    assert [row["stem"] for row in said["suggestions"]] == [frame.stem for frame in done.frames]
    for row in said["suggestions"]:
        assert (tmp_path / "out" / row["file"]).is_file()
        assert row["number"] % 2 == 0
    assert len(list((tmp_path / "out" / "images").iterdir())) == len(done.frames) <= 3


def test_frames_of_the_labelled_data_set_are_not_suggested_again(checkpoint, tmp_path):
    dataset = make_coco_dataset(tmp_path / "dataset", frames=3)
    folder = tmp_path / "frames"
    folder.mkdir()
    for path in (dataset / "images/default").iterdir():
        Image.open(path).save(folder / f"{path.stem}.png")
    with pytest.raises(DataError, match="all 3 frames look like labelled ones"):
        run(folder, checkpoint, tmp_path / "out", labelled=dataset)
    Image.fromarray(frame_picture(0)).save(folder / "other.png")
    done = run(folder, checkpoint, tmp_path / "out", labelled=dataset)
    assert [frame.stem for frame in done.frames] == ["other"]


def test_the_cap_counts_each_video_for_itself(checkpoint, tmp_path):
    clips = tuple(make_clip(tmp_path / f"{name}.mp4", frames=20) for name in "ab")
    done = run(clips, checkpoint, tmp_path / "out", per_recording=1)
    assert len({frame.recording for frame in done.frames}) == len(done.frames) <= 2


def test_f10_damaged_video_is_looked_at_as_far_as_it_goes(checkpoint, tmp_path):
    clip = cut(with_moov_first(make_clip(tmp_path / "a.mp4", frames=40)), 0.6)
    done = run(clip, checkpoint, tmp_path / "out")
    assert done.frames
    assert len(done.problems) == 1
    assert "declares 40 frames" in done.problems[0]


def test_output_that_holds_the_labelled_data_set_is_refused(clip, checkpoint, tmp_path):
    dataset = make_coco_dataset(tmp_path / "sets" / "dataset", frames=3)
    with pytest.raises(UsageError, match="holds the input"):
        run(clip, checkpoint, tmp_path / "sets", labelled=dataset, overwrite=True)


@pytest.mark.parametrize("name", ["count", "per_recording", "every"])
def test_options_below_1_are_refused(clip, tmp_path, name):
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} 0"):
        SuggestConfig((str(clip),), tmp_path / "x.ckpt", tmp_path / "out", **{name: 0})
