"""Make a data set or clips: plan the frames, draw them on several processes, write the files.

Called by ``render`` once it is known that the ``sim`` extra is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from wristseg.errors import UsageError, WristsegError
from wristseg.synth.clip import write_clip
from wristseg.synth.config import RenderConfig
from wristseg.synth.dataset_v0 import plan_clip, plan_dataset_v0
from wristseg.synth.export import IMAGES, write_dataset
from wristseg.synth.holdout import plan_holdout
from wristseg.synth.lifelike import plan_lifelike
from wristseg.synth.plan import FramePlan
from wristseg.synth.randomised import plan_randomised
from wristseg.synth.scene import Scene
from wristseg.synth.wild import plan_wild
from wristseg.synth.worker import draw_batch, draw_pictures
from wristseg.worker_process import prepare_worker

__all__ = ["produce_clips", "produce_dataset"]

DrawnT = TypeVar("DrawnT")

#: Frames handed to a worker at a time; few, so that the bar moves and the workers end together.
_BATCH = 4
_DEFAULT_DRAWN = 200
#: Presets that have as many frames as are asked for.
_DRAWN: dict[str, Callable[..., list[FramePlan]]] = {
    "randomised": plan_randomised,
    "lifelike": plan_lifelike,
    "wild": plan_wild,
    "holdout": plan_holdout,
}
_DEFAULT_CLIP = 120


def produce_dataset(config: RenderConfig, folder: Path) -> list[FramePlan]:
    """Render a preset into ``folder`` and return what was drawn.

    Raises:
        UsageError: More frames are asked for than the preset has, or there is no OpenGL.
        WristsegError: A worker process died.
    """
    plans = _thinned(_plan(config), config)
    images = folder / IMAGES
    images.mkdir(parents=True)
    exact_masks = folder / "exact_masks" if config.exact_masks else None
    if exact_masks is not None:
        exact_masks.mkdir()
    annotations = _on_workers(config, plans, draw_batch, config.size_hw, images, exact_masks)
    write_dataset(folder, plans, list(annotations), config=config)
    return plans


def _plan(config: RenderConfig) -> list[FramePlan]:
    scene = Scene.build()
    if config.preset == "dataset-v0":
        return plan_dataset_v0(scene, seed=config.seed)
    frames = _DEFAULT_DRAWN if config.frames is None else config.frames
    plan = _DRAWN[config.preset]
    return plan(scene, frames=frames, seed=config.seed, burst=config.frames_per_look)


def _thinned(plans: list[FramePlan], config: RenderConfig) -> list[FramePlan]:
    """Pick ``--frames`` of a preset with a fixed number, evenly."""
    wanted = len(plans) if config.frames is None else config.frames
    if wanted > len(plans):
        raise UsageError(
            f"--frames {wanted}: --preset {config.preset} has {len(plans)}; "
            "ask for no more, or use --preset randomised"
        )
    return [plans[i * len(plans) // wanted] for i in range(wanted)]


def produce_clips(config: RenderConfig, folder: Path) -> list[FramePlan]:
    """Render the clips that ``config`` names into ``folder`` and return what was drawn.

    Raises:
        UsageError: There is no OpenGL.
        WristsegError: A worker process died.
    """
    frames = _DEFAULT_CLIP if config.frames is None else config.frames
    plans: list[FramePlan] = []
    for name in config.clips:
        clip = plan_clip(Scene.build(), name, frames=frames, seed=config.seed)
        pictures = _on_workers(config, clip, draw_pictures, config.size_hw)
        write_clip(folder / f"{name}.mp4", pictures, size_hw=config.size_hw)
        plans += clip
    return plans


def _on_workers(
    config: RenderConfig,
    plans: Sequence[FramePlan],
    draw: Callable[..., list[DrawnT]],
    *arguments: object,
) -> Iterator[DrawnT]:
    """Draw plans in batches on several processes; results come in the order of the plans."""
    batches = [plans[i : i + _BATCH] for i in range(0, len(plans), _BATCH)]
    wanted = config.workers or os.cpu_count() or 1
    pool = ProcessPoolExecutor(
        min(wanted, len(batches)),
        # A fork would share the parent's OpenGL state.
        mp_context=get_context("spawn"),
        initializer=prepare_worker,
    )
    with pool, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("rendering", total=len(plans))
        futures = [pool.submit(draw, batch, *arguments) for batch in batches]
        try:
            for future in futures:
                drawn = _result(future)
                progress.advance(task, len(drawn))
                yield from drawn
        finally:
            pool.shutdown(cancel_futures=True)


def _result(future: Future[DrawnT]) -> DrawnT:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise WristsegError(
            "a rendering process died; for the reason run again with --workers 1, and with fewer "
            "workers if memory is short"
        ) from error
