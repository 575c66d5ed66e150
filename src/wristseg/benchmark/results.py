"""Everything that a run of the benchmark found, as data; ``results.json`` is this and no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from wristseg.benchmark.summary import Summary

__all__ = [
    "Agreement",
    "Goal",
    "LiveTiming",
    "Load",
    "PageTiming",
    "Prediction",
    "Results",
    "Tail",
    "Work",
]


@dataclass(frozen=True)
class Prediction:
    """Time of predicting a frame, as one contestant does it with a model of one size.

    Attributes:
        contestant: Its name.
        label: Its name in tables.
        size: Network input that was asked for, ``640x480``.
        input: Network input that it ran at.
        seconds: Per frame.
        misses: Rate in Hz to the share of frames that took longer than its period.
        round_medians_s: Median of each round.
    """

    contestant: str
    label: str
    size: str
    input: str
    seconds: Summary
    misses: dict[int, float]
    round_medians_s: tuple[float, ...]


@dataclass(frozen=True)
class Tail:
    """Long runs of frames by one model alone.

    Attributes:
        contestant: Its name; ``machine`` for a matrix product.
        size: Network input; None there.
        windows: Seconds per frame of each run.
    """

    contestant: str
    size: str | None
    windows: tuple[Summary, ...]

    @property
    def ratio(self) -> float:
        """p99 over the median of a run; of several runs the one in the middle."""
        return median(window.p99 / window.median for window in self.windows)


@dataclass(frozen=True)
class Load:
    """From the start of a process to the first mask, and its memory after some more.

    Attributes:
        contestant: Its name.
        label: Its name in tables.
        size: Network input.
        seconds: From the start of a fresh process, files in the disk cache.
        peak_bytes: Most memory that the process held; None where the system does not tell.
    """

    contestant: str
    label: str
    size: str
    seconds: Summary
    peak_bytes: int | None


@dataclass(frozen=True)
class Work:
    """Time of other work, as wristseg or the plain implementation does it.

    Attributes:
        work: ``masks``, ``masks, whole command``, ``clip``, ``clip, model only`` or
            ``training 640x480``.
        contestant: ``wristseg`` or ``plain``.
        unit: What ``seconds`` counts: ``frame`` or ``epoch``.
        seconds: Per unit.
        frames: Frames of a run, or of an epoch.
    """

    work: str
    contestant: str
    unit: str
    seconds: Summary
    frames: int


@dataclass(frozen=True)
class PageTiming:
    """The page of ``wristseg review`` in a browser.

    Attributes:
        frames: Frames of the data set.
        browser: Which one.
        start: Seconds from the start of the command to the page's address.
        usable: Seconds from opening the address to the first mark that the server has saved.
        key: Seconds from a key press to the next frame on the screen.
    """

    frames: int
    browser: str
    start: Summary
    usable: Summary
    key: Summary


@dataclass(frozen=True)
class LiveTiming:
    """``wristseg live`` on a clip that is played in real time.

    Attributes:
        model: Its name in tables.
        hz: Rate of the clip and of the loop.
        ticks: Results that were handed out.
        ok: Those of them with a new mask.
        age_ms: ``p50``, ``p95``, ``p99`` and ``max`` of the age of a mask as it was handed out.
        infer_ms: ``p50`` and ``p99`` of the network with its resizing.
        total_p99_ms: p99 from the camera to the mask.
        missed: Share of deadlines missed.
        dropped: Share of the clip's frames that were not segmented.
        memory_mib: After 1,000 ticks, and at the end; None for shorter runs.
        ended: Why the loop ended early; empty if it did not.
    """

    model: str
    hz: float
    ticks: int
    ok: int
    age_ms: dict[str, float]
    infer_ms: dict[str, float]
    total_p99_ms: float
    missed: float
    dropped: float
    memory_mib: tuple[float, float] | None
    ended: str = ""


@dataclass(frozen=True)
class Agreement:
    """How far the labels of one contestant are those of the plain forward pass.

    Attributes:
        contestant: Its name.
        size: Network input.
        frames: Frames compared.
        equal: Share of pixels with equal labels.
        worst_frame: The lowest share of one frame.
        val_iou: val/iou on the checkpoint's validation frames; None without labels.
        plain_val_iou: The same of the plain implementation.
    """

    contestant: str
    size: str
    frames: int
    equal: float
    worst_frame: float
    val_iou: float | None
    plain_val_iou: float | None


@dataclass(frozen=True)
class Goal:
    """One row of the table of goals.

    Attributes:
        work: What is compared.
        plain: Figure of the plain implementation, as text; empty where there is none.
        ours: Figure of wristseg, as text.
        value: What ``must`` and ``aim`` bound, mostly a ratio.
        must: Bound that has to hold.
        aim: Bound that is aimed at; None where there is none.
        at_most: Whether the bounds are upper ones.
        value_text: ``value`` as text.
        must_text: ``must`` as text.
        aim_text: ``aim`` as text.
        reached: Whether ``must`` holds.
        aim_reached: Whether ``aim`` holds; None where there is none.
    """

    work: str
    plain: str
    ours: str
    value: float
    must: float
    aim: float | None
    at_most: bool
    value_text: str
    must_text: str
    aim_text: str
    reached: bool
    aim_reached: bool | None


@dataclass
class Results:
    """What a run found; parts that were left out are empty and named in ``notes``.

    Attributes:
        machine: What it ran on.
        versions: Libraries by name.
        git_commit: Commit of the code.
        started: When, ISO 8601 with the offset from UTC.
        seconds: How long all of it took.
        options: Options of the command and amounts of the plan.
        sizes: Network inputs of the models, the large one first.
        stolen: Share of processor time that the host of a virtual machine gave to others meanwhile.
        frame: Size of the frames that are predicted.
        weights: Size to what its weights are.
        runtime: Size to the runtime that wristseg picked.
        gemm_gflops: Library to the best rate of a float32 matrix product.
        gmacs: Size to 10^9 multiplications of one forward pass.
        predictions: Time per frame.
        tails: Slow frames of long runs.
        loads: Time to the first mask and memory.
        works: Masks, clips, trainings.
        review_page: The review page; None where it was left out.
        live_loops: The live loop, by model.
        masks_identical: Whether both ways drew the same masks; None if not compared.
        agreements: Labels compared with the plain forward pass.
        goals: The table of goals.
        notes: What was left out, and why.
    """

    machine: dict[str, Any]
    versions: dict[str, str]
    git_commit: str | None
    started: str
    options: dict[str, Any]
    sizes: tuple[str, str]
    seconds: float = 0.0
    stolen: float | None = None
    frame: str = ""
    weights: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, str] = field(default_factory=dict)
    gemm_gflops: dict[str, float] = field(default_factory=dict)
    gmacs: dict[str, float] = field(default_factory=dict)
    predictions: list[Prediction] = field(default_factory=list)
    tails: list[Tail] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    review_page: PageTiming | None = None
    live_loops: list[LiveTiming] = field(default_factory=list)
    masks_identical: bool | None = None
    agreements: list[Agreement] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def prediction(self, contestant: str, size: str) -> Prediction | None:
        """Return the timing of one contestant at one size, where there is one."""
        found = (p for p in self.predictions if (p.contestant, p.size) == (contestant, size))
        return next(found, None)

    def tail(self, size: str) -> Tail | None:
        """Return the long runs at one size, where there are any."""
        return next((x for x in self.tails if x.size == size and x.windows), None)

    def load(self, contestant: str, size: str) -> Load | None:
        """Return the loading time of one contestant at one size, where there is one."""
        return next((x for x in self.loads if (x.contestant, x.size) == (contestant, size)), None)

    def work(self, work: str, contestant: str) -> Work | None:
        """Return the timing of other work, where there is one."""
        return next((x for x in self.works if (x.work, x.contestant) == (work, contestant)), None)

    @property
    def gemm_peak(self) -> float | None:
        """The best rate of a float32 matrix product in this run, GFLOP/s."""
        return max(self.gemm_gflops.values(), default=None)

    def floor_s(self, size: str) -> float | None:
        """Return the seconds that the network's multiplications take at the measured peak."""
        peak = self.gemm_peak
        return None if peak is None or size not in self.gmacs else 2 * self.gmacs[size] / peak
