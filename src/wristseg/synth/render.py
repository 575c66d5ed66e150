"""Stage ``wristseg render``: plan frames, draw them on several processes, write a data set or clips.

The result lands in a temporary folder beside the target and is renamed when it is complete, so that
a killed run leaves nothing that looks like a data set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from wristseg.errors import UsageError, WristsegError
from wristseg.synth.clip import write_clip
from wristseg.synth.config import RenderConfig
from wristseg.synth.export import IMAGES, write_dataset
from wristseg.synth.extra import require_sim
from wristseg.synth.plan import FramePlan

__all__ = ["RenderSummary", "render"]

DrawnT = TypeVar("DrawnT")

#: Frames handed to a worker at a time; few, so that the bar moves and the ends meet.
_BATCH = 4
_DEFAULT_RANDOMISED = 200
_DEFAULT_CLIP = 120


@dataclass(frozen=True)
class RenderSummary:
    """What was written.

    Attributes:
        output: The folder.
        frames: Frames drawn, over all clips.
        grasp_marks: Frames marked as grasp.
        excluded: Frames whose annotations are bad on purpose.
        size_bytes: Bytes of all files together.
    """

    output: Path
    frames: int
    grasp_marks: int
    excluded: int
    size_bytes: int


def render(config: RenderConfig) -> RenderSummary:
    """Render a data set, or clips where ``config.clips`` names some.

    Raises:
        MissingExtraError: The ``sim`` extra is not installed.
        UsageError: The output folder has something in it, or no off-screen OpenGL can be had.
        WristsegError: A worker process died.
    """
    require_sim()
    _refuse_full_folder(config)
    with _replacing(config.output) as folder:
        plans = _render_clips(config, folder) if config.clips else _render_dataset(config, folder)
    files = [path for path in config.output.rglob("*") if path.is_file()]
    return RenderSummary(
        output=config.output,
        frames=len(plans),
        grasp_marks=sum(plan.tag == "grasp" for plan in plans),
        excluded=sum(plan.flaw is not None for plan in plans),
        size_bytes=sum(path.stat().st_size for path in files),
    )


def _refuse_full_folder(config: RenderConfig) -> None:
    output = config.output
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output}: a file of that name is there; choose a folder")
    if output.is_dir() and any(output.iterdir()) and not config.overwrite:
        raise UsageError(
            f"--output {output}: the folder is not empty; choose another or add --overwrite"
        )


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``output``; on success it takes the latter's place."""
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    retired = output.with_name(f".{output.name}.{os.getpid()}.old")
    temporary.mkdir()
    try:
        yield temporary
        if output.exists():
            output.rename(retired)
        temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(retired, ignore_errors=True)


def _render_dataset(config: RenderConfig, folder: Path) -> list[FramePlan]:
    plans = _thinned(_plan(config), config)
    images = folder / IMAGES
    images.mkdir(parents=True)
    exact_masks = folder / "exact_masks" if config.exact_masks else None
    if exact_masks is not None:
        exact_masks.mkdir()
    from wristseg.synth.worker import draw_batch

    annotations = _on_workers(config, plans, draw_batch, images, exact_masks)
    write_dataset(folder, plans, list(annotations), config=config)
    return plans


def _plan(config: RenderConfig) -> list[FramePlan]:
    from wristseg.synth.dataset_v0 import plan_dataset_v0
    from wristseg.synth.randomised import plan_randomised
    from wristseg.synth.scene import Scene

    scene = Scene.build()
    if config.preset == "dataset-v0":
        return plan_dataset_v0(scene, seed=config.seed)
    frames = _DEFAULT_RANDOMISED if config.frames is None else config.frames
    return plan_randomised(scene, frames=frames, seed=config.seed)


def _thinned(plans: list[FramePlan], config: RenderConfig) -> list[FramePlan]:
    """Pick ``--frames`` of a preset with a fixed number, evenly."""
    wanted = len(plans) if config.frames is None else config.frames
    if wanted > len(plans):
        raise UsageError(
            f"--frames {wanted}: --preset {config.preset} has {len(plans)}; "
            "ask for no more, or use --preset randomised"
        )
    return [plans[i * len(plans) // wanted] for i in range(wanted)]


def _render_clips(config: RenderConfig, folder: Path) -> list[FramePlan]:
    from wristseg.synth.dataset_v0 import plan_clip
    from wristseg.synth.scene import Scene
    from wristseg.synth.worker import draw_pictures

    frames = _DEFAULT_CLIP if config.frames is None else config.frames
    plans: list[FramePlan] = []
    for name in config.clips:
        clip = plan_clip(Scene.build(), name, frames=frames, seed=config.seed)
        pictures = _on_workers(config, clip, draw_pictures)
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
    from wristseg.synth.worker import open_studio

    batches = [plans[i : i + _BATCH] for i in range(0, len(plans), _BATCH)]
    wanted = config.workers or os.cpu_count() or 1
    pool = ProcessPoolExecutor(
        min(wanted, len(batches)),
        # A fork would share the parent's OpenGL state.
        mp_context=get_context("spawn"),
        initializer=open_studio,
        initargs=(config.size_hw,),
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
