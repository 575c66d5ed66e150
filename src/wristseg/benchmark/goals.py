"""The table of goals: what wristseg has to be, compared with the plain implementation.

In: ``Results``. Out: one ``Goal`` per row whose figures were measured. The bounds are the project's
requirements for two CPU cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wristseg.benchmark.contestants import PLAIN
from wristseg.benchmark.results import Goal, LiveTiming, Results

__all__ = ["find_goals", "live_goals"]


def find_goals(results: Results) -> list[Goal]:
    """Return the rows that this run has figures for."""
    return [
        *_predict_goals(results),
        *_load_goals(results),
        *_clip_goals(results),
        *_work_goals(results),
        *_tail_goals(results),
        *_agreement_goals(results),
        *_review_page_goals(results),
        *(
            goal
            for x in results.live_loops
            if x.model == results.sizes[1]
            for goal in live_goals(x)
        ),
    ]


def _predict_goals(results: Results) -> Iterator[Goal]:
    for size, must, aim in zip(results.sizes, (8.0, 8.0), (12.0, 15.0), strict=True):
        ours = results.prediction(_own(results, size), size)
        plain = results.prediction(PLAIN.name, size)
        if ours is None:
            continue
        seconds = ours.seconds.median
        if plain is not None:
            work = f"predict a frame, model {size}"
            yield _ratio(work, plain.seconds.median, seconds, must=must, aim=aim, text=_ms)
        floor = results.floor_s(size)
        if size == results.sizes[0] and floor is not None:
            yield _at_most(
                f"predict {size} over the floor ({_ms(floor)} at the peak of this run)",
                _ms(seconds),
                seconds / floor,
                must=1.4,
                aim=None,
                suffix="x",
            )


def _load_goals(results: Results) -> Iterator[Goal]:
    size = results.sizes[0]
    ours = results.load("wristseg/auto", size) or results.load(_own(results, size), size)
    plain = results.load(PLAIN.name, size)
    if ours is None:
        return
    seconds = ours.seconds.median
    if plain is not None:
        work = "load to the first mask, fresh process"
        yield _ratio(work, plain.seconds.median, seconds, must=4.0, aim=8.0, text=_s)
    yield _at_most("load to the first mask", _s(seconds), seconds, must=1.0, aim=None, suffix=" s")


def _clip_goals(results: Results) -> Iterator[Goal]:
    ours, plain = results.work("clip", "wristseg"), results.work("clip", "plain")
    alone = results.work("clip, model only", "wristseg")
    if ours is not None and plain is not None:
        seconds = ours.seconds.median
        yield _ratio(
            "clip to overlay mp4", plain.seconds.median, seconds, must=6.0, aim=None, text=_fps
        )
    if ours is not None and alone is not None:
        share = alone.seconds.median / ours.seconds.median
        yield _goal(
            "clip, share of the model-only rate",
            plain=f"{_fps(alone.seconds.median)} model only",
            ours=_fps(ours.seconds.median),
            value=share,
            must=0.9,
            aim=None,
            at_most=False,
            text="{:.0%}",
        )


def _work_goals(results: Results) -> Iterator[Goal]:
    large, small = results.sizes
    rows = (
        (f"training {large}", f"training epoch {large}, batch 4", 4.0, 6.0, _s),
        (f"training {small}", f"training epoch {small}, batch 16", 6.0, 15.0, _s),
        ("masks, whole command", "masks from COCO, whole command", 3.0, 8.0, _fps),
        ("masks", "masks from COCO, the work alone", 3.0, 8.0, _fps),
    )
    for name, work, must, aim, text in rows:
        ours, plain = results.work(name, "wristseg"), results.work(name, "plain")
        if ours is not None and plain is not None:
            seconds = plain.seconds.median, ours.seconds.median
            yield _ratio(work, *seconds, must=must, aim=aim, text=text)


def _tail_goals(results: Results) -> Iterator[Goal]:
    for size in results.sizes:
        tail = results.tail(size)
        if tail is not None:
            ratios = ", ".join(f"{w.p99 / w.median:.2f}" for w in tail.windows)
            yield _at_most(
                f"p99 / p50 of predict, model {size}",
                f"median of {ratios}",
                tail.ratio,
                must=1.5,
                aim=1.2,
                suffix="",
            )


def _review_page_goals(results: Results) -> Iterator[Goal]:
    found = results.review_page
    if found is None:
        return
    usable, key = found.usable, found.key
    yield _at_most(
        f"review page, {found.frames:,} frames usable",
        f"median of {usable.count}",
        usable.median,
        must=2.0,
        aim=None,
        suffix=" s",
    )
    yield _at_most(
        "review page, key to the next frame",
        f"p95 of {key.count}, median {_ms(key.median)}",
        1000 * key.p95,
        must=100.0,
        aim=None,
        suffix=" ms",
        digits=0,
    )


def live_goals(timing: LiveTiming) -> Iterator[Goal]:
    """Yield the rows of a live loop; its requirements are for the small model."""
    work, ticks = f"live, model {timing.model} at {timing.hz:g} Hz", f"{timing.ticks:,} ticks"
    two_periods = 2000 / timing.hz
    age = timing.age_ms["p99"]
    yield _at_most(
        f"{work}: p99 of the age", ticks, age, must=two_periods, aim=None, suffix=" ms", digits=1
    )
    missed = 100 * timing.missed
    yield _at_most(f"{work}: deadlines missed", ticks, missed, must=1.0, aim=None, suffix=" %")
    if timing.memory_mib is not None:
        first, last = timing.memory_mib
        text = f"{first:.0f} MiB after 1,000 ticks, {last:.0f} at the end"
        growth = 100 * (last / first - 1)
        yield _at_most(f"{work}: memory grows", text, growth, must=5.0, aim=None, suffix=" %")


def _agreement_goals(results: Results) -> Iterator[Goal]:
    if not results.agreements:
        return
    worst = min(results.agreements, key=lambda found: found.equal)
    yield _goal(
        "labels equal to the plain fp32 forward pass",
        plain="",
        ours=f"lowest of {len(results.agreements)}: {worst.contestant}, {worst.size}",
        value=worst.equal,
        must=0.9999,
        aim=None,
        at_most=False,
        text="{:.4%}",
    )
    gaps = [
        abs(found.val_iou - found.plain_val_iou)
        for found in results.agreements
        if found.val_iou is not None and found.plain_val_iou is not None
    ]
    if gaps:
        yield _at_most(
            "val/iou beside the plain one", "", max(gaps), must=0.002, aim=None, digits=5
        )


def _own(results: Results, size: str) -> str:
    return f"wristseg/{results.runtime.get(size, 'torch')}"


def _ratio(
    work: str,
    plain_s: float,
    own_s: float,
    *,
    must: float,
    aim: float | None,
    text: Callable[[float], str],
) -> Goal:
    return _goal(
        work,
        plain=text(plain_s),
        ours=text(own_s),
        value=plain_s / own_s,
        must=must,
        aim=aim,
        at_most=False,
        text="{:.1f}x",
    )


def _at_most(
    work: str,
    ours: str,
    value: float,
    *,
    must: float,
    aim: float | None,
    suffix: str = "",
    digits: int = 2,
) -> Goal:
    text = f"{{:.{digits}f}}{suffix}"
    return _goal(
        work, plain="", ours=ours, value=value, must=must, aim=aim, at_most=True, text=text
    )


def _goal(
    work: str,
    *,
    plain: str,
    ours: str,
    value: float,
    must: float,
    aim: float | None,
    at_most: bool,
    text: str,
) -> Goal:
    sign = "at most " if at_most else ""

    def holds(bound: float) -> bool:
        return value <= bound if at_most else value >= bound

    return Goal(
        work=work,
        plain=plain,
        ours=ours,
        value=value,
        must=must,
        aim=aim,
        at_most=at_most,
        value_text=text.format(value),
        must_text=sign + text.format(must),
        aim_text="" if aim is None else sign + text.format(aim),
        reached=holds(must),
        aim_reached=None if aim is None else holds(aim),
    )


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _fps(seconds: float) -> str:
    return f"{1 / seconds:.3g} frames/s"
