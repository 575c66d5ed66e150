"""Lay ``Results`` out as a Markdown page: the goals first, then every figure behind them."""

from __future__ import annotations

from collections.abc import Sequence

from wristseg.benchmark.results import LiveTiming, Results
from wristseg.benchmark.summary import RATES_HZ, Summary

__all__ = ["goal_lines", "live_lines", "results_page"]


def goal_lines(results: Results) -> list[str]:
    """Return the table of goals as lines of Markdown."""
    rows = [
        (
            goal.work,
            goal.plain,
            goal.ours,
            goal.value_text,
            goal.must_text,
            goal.aim_text,
            _verdict(goal.reached, goal.aim_reached),
        )
        for goal in results.goals
    ]
    return _table(("work", "plain", "wristseg", "found", "must", "aim", "reached"), rows)


def results_page(results: Results, *, plot: str) -> str:
    """Return the page.

    Args:
        results: What was found.
        plot: File name of the plot beside the page.
    """
    parts = [
        "# Benchmark",
        "Made by `wristseg benchmark`; `results.json` holds every figure. All contestants were "
        "timed in one run, in rounds whose order changes, one at a time, each in a process of "
        "its own.",
        *_origin(results),
        f"![Times faster than the plain implementation, and latency]({plot})",
        "## Goals",
        "\n".join(goal_lines(results)),
        f"## Prediction of a frame of {results.frame}",
        "\n".join(_prediction_lines(results)),
        _floor_text(results),
        *_tail_parts(results),
        "## Process start to first mask, and memory",
        "\n".join(_load_lines(results)),
    ]
    if results.works:
        parts += ["## Other work", "\n".join(_work_lines(results)), *_mask_text(results)]
    parts += _review_page_parts(results)
    if results.live_loops:
        parts += ["## Live loop", _LIVE, "\n".join(live_lines(results.live_loops))]
    if results.agreements:
        parts += ["## Agreement with the plain fp32 forward pass"]
        parts += ["\n".join(_agreement_lines(results))]
    if results.notes:
        parts += ["## Left out, and why", "\n".join(f"- {note}" for note in results.notes)]
    parts += ["## What is compared", _METHOD]
    return "\n\n".join(part for part in parts if part) + "\n"


_TAIL = (
    "Each row is a process of its own that predicts without a pause, nothing else running. The "
    "matrix product, in NumPy, takes about as long as a frame of the large model: its tail is the "
    "machine's own."
)

_LIVE = (
    "`wristseg live` on a 640x480 clip that is played in real time, in milliseconds; the age is "
    "that of a mask as it is handed out, memory that after 1,000 ticks and at the end."
)

_METHOD = """\
- **wristseg**: `Segmenter.load(..., frame_hw=(480, 640)).predict(frame)` in each runtime; "own
  choice" is what it picks by itself on this machine. The one-time export of a checkpoint to a
  runtime's form is not timed.
- **plain**: `benchmarks/plain.py` and `plain_masks.py`, straightforward scripts (Pillow, eager
  PyTorch, Lightning) with the same weights. Training has as many loader processes as was quicker.
- **smp FPN**: `smp.FPN("tu-efficientvit_b0")`; it takes multiples of 32 only, so that 96x96 stands
  in for 84x84. **LR-ASPP**: torchvision's `lraspp_mobilenet_v3_large`. Both with random weights,
  six classes, resize by OpenCV, scaling and argmax inside the graph.
- A turn starts with two frames that are not timed. Percentiles are over all frames of all rounds.
- First mask: from the start of a process, libraries and files in the disk cache, to the first mask.
  Memory is the most that the process held until five masks later.
- Review page: usable is from opening the address to the first mark that is saved and shown; keys
  come four times a second while thumbnails are made in the background.
- An epoch includes validation and checkpoints. The first one of a run is not timed.
- Two works of `plain` end in another file than wristseg's: its overlay clip is MPEG-4 part 2, which
  is quicker to encode than H.264, and its files are not flushed to disk before they are renamed."""


def _origin(results: Results) -> list[str]:
    machine = results.machine
    memory = "" if machine["memory_gib"] is None else f", {machine['memory_gib']} GiB"
    flags = f" ({', '.join(machine['instructions'])})" if machine["instructions"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    weights = ", ".join(f"{size}: {text}" for size, text in results.weights.items())
    runtime = ", ".join(f"{size}: {text}" for size, text in results.runtime.items())
    lines = [
        f"- Machine: {machine['processor']}, {machine['cores']} cores{memory}{flags}, "
        f"{machine['system']}",
        f"- Started {results.started}, took {results.seconds / 60:.1f} minutes, "
        f"commit {results.git_commit or 'unknown'}",
        f"- Load before it: {machine['load_before']}{_stolen(results)}",
        f"- Versions: {versions}",
        f"- Weights: {weights}. Runtime that wristseg picked: {runtime}",
    ]
    return ["\n".join(lines)]


def _stolen(results: Results) -> str:
    if results.stolen is None:
        return ""
    return f"; the host gave {results.stolen:.1%} of the processors' time to others meanwhile"


def _prediction_lines(results: Results) -> list[str]:
    late = (f"late at {rate} Hz" for rate in RATES_HZ)
    head = ("contestant", "input", "p50 ms", "p25-p75", "p95", "p99", "frames/s", "GMAC/s", *late)
    rows = []
    for found in sorted(results.predictions, key=lambda p: (-len(p.size), p.seconds.median)):
        spread = found.seconds
        own_network = found.contestant.split("/")[0] in {"wristseg", "plain"}
        gmacs = results.gmacs.get(found.size, 0.0) / spread.median
        rows.append(
            (
                found.label,
                found.input,
                *(_ms(spread.median), f"{_ms(spread.q1)}-{_ms(spread.q3)}"),
                *(_ms(spread.p95), _ms(spread.p99)),
                f"{1 / spread.median:.0f}",
                f"{gmacs:.1f}" if own_network else "",
                *(f"{found.misses[rate]:.1%}" for rate in RATES_HZ),
                str(spread.count),
            )
        )
    return _table((*head, "frames"), rows)


def _floor_text(results: Results) -> str:
    if results.gemm_peak is None:
        return ""
    rates = ", ".join(f"{rate:.0f} in {name}" for name, rate in results.gemm_gflops.items())
    floors = []
    for size, gmacs in results.gmacs.items():
        floor = results.floor_s(size)
        own = results.prediction(f"wristseg/{results.runtime.get(size, 'torch')}", size)
        if floor is not None and own is not None:
            share = own.seconds.median / floor
            floors.append(
                f"the {gmacs:.3g} GMAC of {size} take at least {_ms(floor)} ms; "
                f"wristseg takes {share:.2f} times that"
            )
    return (
        f"Peak of a float32 matrix product in this run, best of all rounds, GFLOP/s: {rates}. "
        f"At that rate {'; '.join(floors)}. GMAC/s counts the multiplications that the result "
        "needs, one output block, for wristseg and the plain implementation alike."
    )


def _tail_parts(results: Results) -> list[str]:
    if not results.tails:
        return []
    rows = [
        (
            "matrix product" if found.size is None else found.contestant,
            found.size or "",
            f"{_ms(window.median)}",
            f"{_ms(window.p95)}",
            f"{_ms(window.p99)}",
            f"{_ms(window.highest)}",
            f"{window.p99 / window.median:.2f}",
            str(window.count),
        )
        for found in results.tails
        for window in found.windows
    ]
    head = ("who", "model", "p50 ms", "p95", "p99", "highest", "p99 / p50", "frames")
    return ["## One model alone, frame after frame", _TAIL, "\n".join(_table(head, rows))]


def _load_lines(results: Results) -> list[str]:
    rows = [
        (
            found.label,
            found.size,
            f"{found.seconds.median:.2f}",
            f"{found.seconds.lowest:.2f}-{found.seconds.highest:.2f}",
            "" if found.peak_bytes is None else f"{found.peak_bytes / 2**20:.0f}",
            str(found.seconds.count),
        )
        for found in sorted(results.loads, key=lambda x: (-len(x.size), x.seconds.median))
    ]
    return _table(
        ("contestant", "model", "s, median", "lowest-highest", "peak MiB", "starts"), rows
    )


def _work_lines(results: Results) -> list[str]:
    rows = []
    for found in results.works:
        rate = f"{1 / found.seconds.median:.3g}" if found.unit == "frame" else ""
        seconds = found.seconds
        rows.append(
            (
                found.work,
                found.contestant,
                *(_per_unit(seconds.median, found.unit), _range(seconds, found.unit)),
                *(rate, str(found.frames), str(seconds.count)),
            )
        )
    head = ("work", "who", "median", "lowest-highest", "frames/s", "frames", "values")
    return _table(head, rows)


def _mask_text(results: Results) -> list[str]:
    if results.masks_identical is None:
        return []
    verdict = "are identical, pixel by pixel" if results.masks_identical else "**differ**"
    return [f"The masks that both drew {verdict}."]


def _review_page_parts(results: Results) -> list[str]:
    found = results.review_page
    if found is None:
        return []
    rows = [
        ("command to the page's address, s", found.start, 1),
        (f"page of {found.frames:,} frames usable, s", found.usable, 1),
        ("key to the next frame, ms", found.key, 1000),
    ]
    cells = [
        (
            name,
            f"{factor * seconds.median:.2f}",
            f"{factor * seconds.lowest:.2f}-{factor * seconds.highest:.2f}",
            f"{factor * seconds.p95:.2f}",
            str(seconds.count),
        )
        for name, seconds, factor in rows
    ]
    head = ("what", "median", "lowest-highest", "p95", "values")
    text = f"`wristseg review` in headless {found.browser}, each start with an empty cache."
    return ["## Review page", text, "\n".join(_table(head, cells))]


def live_lines(timings: Sequence[LiveTiming]) -> list[str]:
    """Return the table of live loops as lines of Markdown, times in milliseconds."""
    head = (
        "model", "age p50", "p95", "p99", "max", "infer p50", "p99", "total p99",
        "deadlines missed", "dropped", "ok", "memory",
    )  # fmt: skip
    rows = [
        (
            found.model,
            *(f"{found.age_ms[name]:.1f}" for name in ("p50", "p95", "p99", "max")),
            *(f"{found.infer_ms[name]:.1f}" for name in ("p50", "p99")),
            f"{found.total_p99_ms:.1f}",
            f"{found.missed:.2%} of {1000 / found.hz:.1f} ms",
            f"{found.dropped:.2%}",
            f"{found.ok} of {found.ticks}" + (", ended early" if found.ended else ""),
            "-" if found.memory_mib is None else "{:.0f}, {:.0f} MiB".format(*found.memory_mib),
        )
        for found in timings
    ]
    return _table(head, rows)


def _agreement_lines(results: Results) -> list[str]:
    rows = [
        (
            found.contestant,
            found.size,
            str(found.frames),
            f"{found.equal:.5%}",
            f"{found.worst_frame:.4%}",
            "" if found.val_iou is None else f"{found.val_iou:.5f}",
            "" if found.plain_val_iou is None else f"{found.plain_val_iou:.5f}",
        )
        for found in results.agreements
    ]
    head = ("contestant", "model", "frames", "equal labels", "worst frame", "val/iou", "plain's")
    return _table(head, rows)


def _verdict(reached: bool, aim_reached: bool | None) -> str:
    if not reached:
        return "**no**"
    return "yes, the aim too" if aim_reached else "yes"


def _per_unit(seconds: float, unit: str) -> str:
    return f"{1000 * seconds:.2f} ms a frame" if unit == "frame" else f"{seconds:.2f} s an epoch"


def _range(seconds: Summary, unit: str) -> str:
    factor = 1000 if unit == "frame" else 1
    return f"{factor * seconds.lowest:.2f}-{factor * seconds.highest:.2f}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
