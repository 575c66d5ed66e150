"""Time what is more than one frame: drawing masks, and a clip with overlays.

In: a ``Run`` with a data set or a clip. Out: ``Work`` rows, wristseg and the plain implementation
in the same rounds. Called by ``benchmark.benchmark``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wristseg.benchmark.contestants import AUTO, PLAIN, Contestant, plain_masks
from wristseg.benchmark.process import ContestantError, ContestantProcess, run_timed
from wristseg.benchmark.results import Work
from wristseg.benchmark.rounds import take_turns
from wristseg.benchmark.run import Run, Running
from wristseg.benchmark.summary import summarize
from wristseg.classes import IGNORE_INDEX
from wristseg.images import read_mask

__all__ = ["measure_clip", "measure_mask_commands", "measure_masks"]


def measure_masks(run: Run, running: Running) -> None:
    """Time drawing all masks in running processes, and compare what was drawn."""
    excluded = str(_no_exclusions(run.scratch))
    processes = {"wristseg": running[_own(running, "torch")]}
    if PLAIN in running:
        processes["plain"] = running[PLAIN]
    folders = {name: run.scratch / f"masks_{name}" for name in processes}

    def draw(name: str) -> dict[str, Any]:
        shutil.rmtree(folders[name], ignore_errors=True)
        return processes[name].ask(
            "masks",
            dataset=str(run.dataset),
            excluded=excluded,
            plain=_plain(name, plain_masks(run.plain)),
            output=str(folders[name]),
        )

    turns = {name: partial(draw, name) for name in processes}
    rounds = run.plan.masks_rounds
    for name, answers in take_turns(turns, rounds=rounds, seed=run.seed, done=run.advance).items():
        run.results.works.append(_per_frame("masks", name, answers))
    if "plain" in processes:
        run.results.masks_identical = _same_masks(folders["wristseg"], folders["plain"])


def measure_mask_commands(run: Run) -> None:
    """Time drawing all masks as commands, from the start of a process to its end."""
    output, excluded = run.scratch / "command_masks", str(_no_exclusions(run.scratch))
    dataset = str(run.dataset)
    commands = {
        "wristseg": [
            *("-m", "wristseg", "masks", "--dataset-path", dataset),
            *("--output-dir", str(output), "--excluded", excluded),
        ]
    }
    if run.plain is not None:
        commands["plain"] = [
            *(str(plain_masks(run.plain)), "--dataset", dataset, "--output", str(output)),
            *("--selections", str(Path(dataset) / "selections.json"), "--excluded", excluded),
        ]

    def draw(command: list[str]) -> float:
        shutil.rmtree(output, ignore_errors=True)
        return run_timed([sys.executable, *command], run.log)

    turns = {name: partial(draw, command) for name, command in commands.items()}
    drawn = [work.frames for work in run.results.works if work.work == "masks"]
    if not drawn:
        raise ContestantError("drawing masks was left out, so that its command was not timed")
    frames = drawn[0]
    rounds = run.plan.masks_rounds
    for name, seconds in take_turns(turns, rounds=rounds, seed=run.seed, done=run.advance).items():
        per_frame = summarize([value / frames for value in seconds])
        run.results.works.append(Work("masks, whole command", name, "frame", per_frame, frames))


def measure_clip(run: Run, running: Running) -> None:
    """Time a clip to a clip with overlays, and predicting alone as many frames."""
    assert run.clip is not None
    size, clip = run.sizes[0], run.clip
    if run.plan.clip_frames is not None:
        clip = _shortened(clip, run.scratch / "short.mp4", run.plan.clip_frames)
    alone = _own(running, run.results.runtime[size])

    def convert(name: str, process: ContestantProcess) -> dict[str, Any]:
        output = run.scratch / f"overlay_{name}.mp4"
        output.unlink(missing_ok=True)
        return process.ask(
            "clip",
            checkpoint=str(run.checkpoints[size]),
            plain=_plain(name, run.plain),
            clip=str(clip),
            output=str(output),
        )

    frames = _count_frames(clip)
    # A process of its own for the stage too: it loads a model itself, and two of them in one
    # process would share its cores with each other's threads.
    with run.start(AUTO) as stage:
        turns: dict[str, Callable[[], dict[str, Any]]] = {
            "wristseg": partial(convert, "wristseg", stage),
            "model only": partial(
                running[alone].ask,
                "predict",
                contestant=alone.name,
                size=size,
                turn_s=0.0,
                least=frames,
            ),
        }
        if PLAIN in running:
            turns["plain"] = partial(convert, "plain", running[PLAIN])
        found = take_turns(turns, rounds=run.plan.clip_rounds, seed=run.seed, done=run.advance)
    seconds = [value for answer in found.pop("model only") for value in answer["seconds"]]
    for name, answers in found.items():
        run.results.works.append(_per_frame("clip", name, answers))
    model_only = Work("clip, model only", "wristseg", "frame", summarize(seconds), frames)
    run.results.works.append(model_only)


def _own(running: Running, engine: str) -> Contestant:
    """Return wristseg in this runtime, or in the first there is."""
    own = [contestant for contestant in running if contestant.family == "wristseg"]
    return next((contestant for contestant in own if contestant.engine == engine), own[0])


def _plain(name: str, path: Path | None) -> str | None:
    return str(path) if name == "plain" else None


def _per_frame(work: str, name: str, answers: Sequence[dict[str, Any]]) -> Work:
    seconds = summarize([answer["seconds"] / answer["frames"] for answer in answers])
    return Work(work, name, "frame", seconds, answers[0]["frames"])


def _no_exclusions(scratch: Path) -> Path:
    """Write an empty ``excluded.json``, with which every frame of a data set is drawn."""
    path = scratch / "excluded.json"
    path.write_text(json.dumps({"marks": {}}), encoding="utf-8")
    return path


def _same_masks(first: Path, second: Path) -> bool:
    names = [sorted(path.name for path in folder.iterdir()) for folder in (first, second)]
    return names[0] == names[1] and all(
        np.array_equal(_ids(first / name), _ids(second / name)) for name in names[0]
    )


def _ids(path: Path) -> NDArray[np.uint8]:
    return read_mask(path, num_classes=IGNORE_INDEX)


def _shortened(clip: Path, path: Path, frames: int) -> Path:
    """Write the first frames of a clip, copied without coding them anew."""
    import av

    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = (packet for packet in source.demux(stream) if packet.dts is not None)
        for packet, _ in zip(packets, range(frames), strict=False):
            packet.stream = copy
            target.mux(packet)
    return path


def _count_frames(clip: Path) -> int:
    import av

    with av.open(str(clip)) as container:
        return sum(1 for _ in container.decode(video=0))
