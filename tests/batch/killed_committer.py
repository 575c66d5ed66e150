"""Copies of this process label inputs and are killed; run by ``test_commits``.

A copy of a process that has loaded its libraries starts in a millisecond: hundreds of kills take
seconds. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.batch.clips import make_inputs, outputs_of
from wristseg.artifacts import sweep_temporaries
from wristseg.batch.inputs import find_items
from wristseg.batch.item import Labeller
from wristseg.batch.job import Item, Job
from wristseg.classes import DEFAULT_CLASSES

_CLIPS = 10
#: A killed attempt counts; here none may end in quarantine.
_JOB = Job(output="", checkpoint="stub", model_sha256="0" * 64, coco=True, attempts=1_000_000)


class _RedModel:
    """Class ids from the red of each pixel."""

    classes = DEFAULT_CLASSES

    def predict_rgb(self, frame_rgb: np.ndarray) -> np.ndarray:
        return (frame_rgb[..., 0] % 6).astype(np.uint8)


def label_all(items: list[Item], output: Path) -> None:
    """Label every input that is not done yet."""
    labeller = Labeller(replace(_JOB, output=str(output)), _RedModel())
    for item in items:
        assert labeller.label(item).status == "done"


def kill_after(seconds: float, items: list[Item], output: Path) -> bool:
    """Label in a copy of this process and kill it; returns whether it was met at work."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            label_all(items, output)
            code = 0
        except BaseException:
            traceback.print_exc()  # os._exit would leave nothing of it
        finally:
            os._exit(code)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def damaged(output: Path, reference: dict[str, str]) -> list[str]:
    """Return the files that count and are not those of a run that nothing disturbed."""
    found = outputs_of(output)
    whole = {name: sha256 for name, sha256 in found.items() if not Path(name).name.startswith(".")}
    counts = [path for path in output.rglob("[!.]*") if path.suffix in {".json", ".attempts"}]
    said = [json.loads(path.read_text()) for path in counts]  # raises if one is cut off
    wrong = [name for manifest in said for name in manifest.get("outputs", ()) if name not in whole]
    made = {name: sha256 for name, sha256 in whole.items() if not name.endswith(".attempts")}
    return wrong + [name for name, sha256 in made.items() if sha256 != reference.get(name)]


def main(folder: Path, kills: int) -> None:
    """Kill ``kills`` copies one after the other and look at what each has left."""
    rng = random.Random(6)
    items = find_items([str(make_inputs(folder / "in", clips=_CLIPS, frames=2))], camera=None)
    began = time.monotonic()
    label_all(items, folder / "one")
    each_s = (time.monotonic() - began) / _CLIPS
    reference = outputs_of(folder / "one")
    output, wrong, half_written, met, rounds = folder / "out", [], 0, 0, 0
    for kill in range(kills):
        met += kill_after(rng.uniform(0, 2 * each_s), items, output)
        half_written += len(list(output.rglob(".*.tmp*")))
        wrong += [[kill, name] for name in damaged(output, reference)]
        for place in output.glob("items/*"):
            sweep_temporaries(place)
        if len(list(output.rglob("*.done.json"))) == _CLIPS:
            shutil.rmtree(output)  # all done: from the start again
            rounds += 1
    label_all(items, output)
    same = outputs_of(output) == reference and not list(output.rglob("*.tmp*"))
    said = {"damaged": wrong, "half": half_written, "met": met, "rounds": rounds, "same": same}
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
