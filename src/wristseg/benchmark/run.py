"""One run of the benchmark: what it reads, where it writes, and how its processes are started.

Made by ``benchmark.prepare``; every part that measures something takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wristseg.benchmark.contestants import Contestant
from wristseg.benchmark.plan import Plan, size_name
from wristseg.benchmark.process import ContestantProcess
from wristseg.benchmark.results import Results

__all__ = ["Run", "Running"]

#: The contestants that are measured, and the process of each.
Running = dict[Contestant, ContestantProcess]


@dataclass
class Run:
    """Files and options of a run.

    Attributes:
        plan: How much is measured.
        results: What was found so far.
        seed: Seed of the order of turns.
        advance: Called after each turn, to show progress.
        scratch: Folder that goes with the run.
        tools: The process that makes files and multiplies matrices.
        plain: The plain implementation, where it is at hand.
        dataset: The data set, where it is at hand.
        images: Its images, sorted.
        clip: Clip to predict, where it is at hand.
        frames: ``.npy`` files of the frames to time, (H, W, 3) uint8 BGR.
        checkpoints: Size to checkpoint.
        peers: Family and size to the files of a peer.
    """

    plan: Plan
    results: Results
    seed: int
    advance: Callable[[], None]
    scratch: Path
    tools: ContestantProcess
    plain: Path | None
    dataset: Path | None = None
    images: list[Path] = field(default_factory=list)
    clip: Path | None = None
    frames: list[Path] = field(default_factory=list)
    checkpoints: dict[str, Path] = field(default_factory=dict)
    peers: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @property
    def sizes(self) -> list[str]:
        """The network inputs by name."""
        return [size_name(size_hw) for size_hw in self.plan.sizes_hw]

    @property
    def log(self) -> Path:
        """File that takes what processes print."""
        return self.scratch / "log.txt"

    def files(self, contestant: Contestant, size: str) -> dict[str, str]:
        """Return the files that a contestant's model of this size is loaded from."""
        if (contestant.family, size) in self.peers:
            return self.peers[contestant.family, size]
        files = {"checkpoint": str(self.checkpoints[size])}
        return files if self.plain is None else {**files, "plain": str(self.plain)}

    def input_of(self, contestant: Contestant, size: str) -> str:
        """Return the network input at which a contestant runs in place of this size."""
        peer = self.peers.get((contestant.family, size))
        return size if peer is None else size_name((int(peer["height"]), int(peer["width"])))

    def start(self, contestant: Contestant) -> ContestantProcess:
        """Start a contestant's process."""
        return ContestantProcess(contestant.name, self.log)

    def load(self, process: ContestantProcess, contestant: Contestant, size: str) -> None:
        """Let a process load a model and predict a first frame."""
        frames = [str(path) for path in self.frames]
        files = self.files(contestant, size)
        process.ask("load", contestant=contestant.name, size=size, files=files, frames=frames)
