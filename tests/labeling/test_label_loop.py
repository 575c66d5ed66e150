"""The simulated label loop: honest counts, one start for all orders, going on where it stopped."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from scripts.label_loop import labels_needed, main, table
from tests.datasets import make_coco_dataset
from wristseg.data.labels import load_labels
from wristseg.dataset_paths import DatasetPaths
from wristseg.images import write_mask

ORDERS = ("random", "both", "uncertainty", "diversity")
SMALL = {"seeds": (1,), "start": 4, "step": 2, "rounds": 2, "steps": 2, "size": (32, 48)}


def rendered(folder, frames, seed):
    """A data set with exact masks, as the renderer writes it."""
    dataset = make_coco_dataset(folder, frames=frames, seed=seed)
    labels = load_labels(DatasetPaths(dataset))
    (dataset / "exact_masks").mkdir()
    for frame in labels.frames:
        write_mask(
            dataset / "exact_masks" / f"{frame.stem}.png", labels.mask(frame), labels.classes
        )
    return dataset


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    return rendered(folder / "pool", 12, 0), rendered(folder / "val", 3, 1)


@pytest.fixture(scope="module")
def finished(sides, tmp_path_factory):
    output = tmp_path_factory.mktemp("loop")
    assert main(*sides, output=output, orders=ORDERS, pretrained="none", **SMALL) == 0
    return output


def rounds_of(output, choice):
    return json.loads((output / f"{choice}_1.json").read_text())


@pytest.mark.parametrize("choice", ORDERS)
def test_each_round_labels_frames_that_were_not_labelled(finished, choice):
    rounds = rounds_of(finished, choice)
    assert [len(done["labelled"]) for done in rounds] == [4, 6, 8]
    for before, after in pairwise(rounds):
        assert after["labelled"] == before["labelled"] + before["next"]
    assert len(set(rounds[-1]["labelled"])) == 8
    assert rounds[-1]["next"] == []


def test_all_orders_start_from_the_same_frames_and_the_same_model(finished):
    first = [rounds_of(finished, choice)[0] for choice in ORDERS]
    assert len({str(done["labelled"]) for done in first}) == 1
    assert len({done["val/iou"] for done in first}) == 1


def test_a_loop_that_was_stopped_goes_on_to_the_same_end(finished, sides, capsys):
    path = finished / "both_1.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole[:1]))
    main(*sides, output=finished, orders=ORDERS, pretrained="none", **SMALL)
    assert json.loads(path.read_text()) == whole
    said = capsys.readouterr()
    assert said.err.count("both 1: ") == 2
    assert "random 1: " not in said.err, "what is finished is not done again"
    assert (finished / "label_loop.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_of_another_plan_is_refused(finished, sides):
    with pytest.raises(SystemExit, match="other options"):
        main(*sides, output=finished, orders=ORDERS, pretrained="none", **{**SMALL, "steps": 3})


def test_a_pool_with_fewer_frames_than_labels_is_refused(sides, tmp_path):
    with pytest.raises(SystemExit, match="14 labels at the end, and the pool has 12 frames"):
        main(*sides, output=tmp_path, pretrained="none", **{**SMALL, "rounds": 5})


def test_labels_needed_lie_on_the_line_between_two_points():
    assert labels_needed([20, 40, 60], [0.5, 0.7, 0.8], 0.6) == 30
    assert labels_needed([20, 40, 60], [0.5, 0.7, 0.8], 0.4) == 20
    assert labels_needed([20, 40, 60], [0.5, 0.7, 0.8], 0.9) is None


def test_by_hand_table_compares_means_and_each_seed_with_its_own_random_end():
    curves = {
        "random": {1: [0.5, 0.6, 0.7], 2: [0.5, 0.7, 0.9]},
        "both": {1: [0.5, 0.7, 0.8], 2: [0.5, 0.9, 0.9]},
    }
    *_, chance, both = table([20, 40, 60], curves)
    assert "60, 0% fewer (60, 60)" in chance
    assert "0.800 (0.700-0.900)" in both
    assert both.endswith("| 40, 33% fewer (40, 40) |")


def test_an_order_that_never_gets_there_says_so():
    curves = {"random": {1: [0.5, 0.9]}, "both": {1: [0.5, 0.6]}}
    assert "not reached (not reached)" in table([20, 40], curves)[-1]
    assert np.isfinite(labels_needed([20, 40], [0.5, 0.9], 0.9))
