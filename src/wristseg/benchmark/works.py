"""Time what is more than one frame: drawing masks, a clip with overlays, an epoch of training.

In: a ``Workspace`` with a data set. Out: ``Work`` rows, wristseg and the plain implementation in the
same rounds. Called by ``benchmark.benchmark``.
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

from wristseg.benchmark.contestants import PLAIN, Contestant
from wristseg.benchmark.plan import Plan, TrainingWork, size_name
from wristseg.benchmark.prediction import Running
from wristseg.benchmark.process import ContestantProcess, run_timed
from wristseg.benchmark.results import Results, Work
from wristseg.benchmark.rounds import take_turns
from wristseg.benchmark.summary import summarize
from wristseg.benchmark.workspace import Workspace
from wristseg.images import read_mask

__all__ = ["measure_clip", "measure_masks", "measure_mask_commands", "measure_trainings"]

Done = Callable[[], object]

_MASK_IDS = 255


def measure_masks(
    running: Running, work: Workspace, plan: Plan, results: Results, *, seed: int, done: Done
) -> None:
    """Time drawing all masks in running processes, and compare what was drawn."""
    folders = {name: work.scratch / f"masks_{name}" for name in ("wristseg", "plain")}
    arguments = {"dataset": str(work.dataset), "excluded": str(_no_exclusions(work.scratch))}

    def draw(name: str, process: ContestantProcess) -> dict[str, Any]:
        shutil.rmtree(folders[name], ignore_errors=True)
        plain = str(work.plain) if name == "plain" else None
        return process.ask("masks", **arguments, plain=plain, output=str(folders[name]))

    turns = {
        name: partial(draw, name, process) for name, process in _pair(running, "torch").items()
    }
    found = take_turns(turns, rounds=plan.masks_rounds, seed=seed, done=done)
    for name, answers in found.items():
        results.works.append(_per_frame("masks", name, answers))
    if "plain" in found:
        results.masks_identical = _same_masks(*folders.values())


def measure_mask_commands(
    work: Workspace, plan: Plan, results: Results, *, seed: int, done: Done
) -> None:
    """Time drawing all masks as commands, from the start of a process to its end."""
    own, plain = work.scratch / "command_masks", work.scratch / "command_masks_plain"
    excluded = str(_no_exclusions(work.scratch))
    dataset = str(work.dataset)
    commands = {
        "wristseg": [
            *(sys.executable, "-m", "wristseg", "masks", "--dataset-path", dataset),
            *("--output-dir", str(own), "--excluded", excluded),
        ]
    }
    if _has_plain(results):
        commands["plain"] = [
            *(sys.executable, str(work.plain), "masks", "--dataset", dataset),
            *("--output", str(plain), "--excluded", excluded),
            *("--selections", str(Path(dataset) / "selections.json")),
        ]

    def run(command: list[str]) -> float:
        for folder in (own, plain):
            shutil.rmtree(folder, ignore_errors=True)
        return run_timed(command, work.log)

    turns = {name: partial(run, command) for name, command in commands.items()}
    frames = next(found.frames for found in results.works if found.work == "masks")
    for name, seconds in take_turns(turns, rounds=plan.masks_rounds, seed=seed, done=done).items():
        per_frame = summarize([value / frames for value in seconds])
        results.works.append(Work("masks, whole command", name, "frame", per_frame, frames))


def measure_clip(
    running: Running, work: Workspace, plan: Plan, results: Results, *, seed: int, done: Done
) -> None:
    """Time a clip to a clip with overlays, and predicting alone as many frames."""
    size = size_name(plan.sizes_hw[0])
    clip = work.clip
    assert clip is not None
    if plan.clip_frames is not None:
        clip = _shortened(clip, work.scratch / "short.mp4", plan.clip_frames)
    checkpoint = str(work.checkpoints[size])

    def convert(name: str, process: ContestantProcess) -> dict[str, Any]:
        plain = str(work.plain) if name == "plain" else None
        output = work.scratch / f"overlay_{name}.mp4"
        output.unlink(missing_ok=True)
        return process.ask(
            "clip", checkpoint=checkpoint, plain=plain, clip=str(clip), output=str(output)
        )

    pair = _pair(running, results.runtime[size])
    turns: dict[str, Callable[[], dict[str, Any]]] = {
        name: partial(convert, name, process) for name, process in pair.items()
    }
    frames = _count_frames(clip)
    turns["model only"] = partial(
        pair["wristseg"].ask, "predict", size=size, turn_s=0, least=frames
    )
    found = take_turns(turns, rounds=plan.clip_rounds, seed=seed, done=done)
    alone = [value for answer in found.pop("model only") for value in answer["seconds"]]
    for name, answers in found.items():
        results.works.append(_per_frame("clip", name, answers))
    results.works.append(Work("clip, model only", "wristseg", "frame", summarize(alone), frames))


def measure_trainings(
    work: Workspace, plan: Plan, results: Results, *, seed: int, done: Done
) -> None:
    """Time epochs of training, validation included, from the time stamps of their logs."""
    split = _write_split(work)
    masks = work.scratch / "training_masks"
    plain = _has_plain(results)
    if plain:
        dataset = Path(str(work.dataset))
        command = [sys.executable, str(work.plain), "masks", "--dataset", str(dataset)]
        command += ["--output", str(masks), "--selections", str(dataset / "selections.json")]
        run_timed(command, work.log)

    turns: dict[str, Callable[[], list[float]]] = {}
    for training in plan.trainings:
        size = size_name(training.size_hw)
        turns[f"wristseg {size}"] = partial(_train_own, work, training)
        if plain:
            turns[f"plain {size}"] = partial(_train_plain, work, training, split, masks)
    found = take_turns(turns, rounds=plan.train_rounds, seed=seed, done=done)
    frames = sum(len(stems) for stems in json.loads(split.read_text(encoding="utf-8")).values())
    for name, rounds in found.items():
        contestant, size = name.split()
        seconds = summarize([value for epochs in rounds for value in epochs])
        results.works.append(Work(f"training {size}", contestant, "epoch", seconds, frames))


def _pair(running: Running, engine: str) -> dict[str, ContestantProcess]:
    """Return wristseg's process of this engine, or of the first there is, and the plain one."""
    own = [contestant for contestant in running if contestant.family == "wristseg"]
    chosen = next((contestant for contestant in own if contestant.engine == engine), own[0])
    pair = {"wristseg": running[chosen]}
    return pair if PLAIN not in running else {**pair, "plain": running[PLAIN]}


def _has_plain(results: Results) -> bool:
    return any(prediction.contestant == PLAIN.name for prediction in results.predictions)


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
        np.array_equal(
            read_mask(first / name, num_classes=_MASK_IDS),
            read_mask(second / name, num_classes=_MASK_IDS),
        )
        for name in names[0]
    )


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


def _write_split(work: Workspace) -> Path:
    """Write the split that ``wristseg train`` draws by default, for the plain implementation."""
    from wristseg.configs import DatasetPaths, TrainConfig
    from wristseg.data.labels import load_labels
    from wristseg.data.split import make_split

    assert work.dataset is not None
    defaults = TrainConfig(work.dataset)
    frames = load_labels(DatasetPaths(work.dataset)).frames
    split = make_split(frames, val_fraction=defaults.val_fraction, seed=defaults.seed)
    path = work.scratch / "split.json"
    text = json.dumps({"train": split.train, "val": split.val})
    path.write_text(text, encoding="utf-8")
    return path


def _train_own(work: Workspace, training: TrainingWork) -> list[float]:
    run = work.scratch / "run"
    command = [sys.executable, "-m", "wristseg", "train", "--dataset-path", str(work.dataset)]
    command += ["--output-dir", str(run), "--pretrained", "none"]
    return _timed_epochs(work, command, run, training, epochs=training.own_epochs)


def _train_plain(work: Workspace, training: TrainingWork, split: Path, masks: Path) -> list[float]:
    run = work.scratch / "run_plain"
    command = [sys.executable, str(work.plain), "train", "--dataset", str(work.dataset)]
    command += ["--output", str(run), "--masks", str(masks), "--split", str(split)]
    command += ["--num-workers", str(training.plain_workers)]
    return _timed_epochs(work, command, run, training, epochs=training.plain_epochs)


def _timed_epochs(
    work: Workspace, command: list[str], run: Path, training: TrainingWork, *, epochs: int
) -> list[float]:
    """Train and return the seconds of each epoch but the first, in which memory is first touched.

    They lie between the times at which val/iou was logged, so that checkpoints count as well.
    """
    shutil.rmtree(run, ignore_errors=True)
    height, width = training.size_hw
    options = ["--img-height", str(height), "--img-width", str(width)]
    options += ["--batch-size", str(training.batch_size), "--epochs", str(epochs)]
    run_timed([*command, *options], work.log)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    times = [event.wall_time for event in events.Scalars("val/iou")]
    return [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
