"""Go over all frames in the background: thumbnails, damage, draw orders, tags, disagreement.

The page is there at once; what is found reaches it bit by bit. Frames are read first and compared
with the model's masks afterwards, for which the model may still have to be made ready. One thread,
so that the page and whatever else runs on the machine have the other cores. Called by
``review.server``.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from wristseg.data.agreement import Agreement, agreement
from wristseg.data.tag_hints import Overlap, TagHint, overlap_of, tag_hint
from wristseg.errors import DataError
from wristseg.review.frames import FrameTable
from wristseg.review.pictures import Pictures

__all__ = ["Finding", "Scan", "ScanState", "Step"]

#: Seconds without a request for a picture after which the scan goes on, and the longest it waits.
_QUIET_S, _PATIENCE_S = 0.1, 1.0


_Item = TypeVar("_Item")

Step = Literal["reading", "waiting", "comparing", "done"]


@dataclass(frozen=True)
class ScanState:
    """How far the scan is: frames done of its step.

    Attributes:
        step: ``reading`` frames, ``waiting`` for the model, ``comparing`` with it, or ``done``.
        frames: Frames that this step is through with.
    """

    step: Step
    frames: int = 0


@dataclass(frozen=True)
class Finding:
    """What was found on one frame; a later finding on the same frame takes its place.

    Attributes:
        number: The frame.
        fault: Why its image or its mask cannot be used, or None.
        differs: Whether the draw order changes a pixel.
        agreements: By draw order how well the model fits; empty without a model.
        hints: By tag what speaks against it, as ``wristseg check`` says it; nothing where the
            outlines fit the tag, and where nobody drew any.
    """

    number: int
    fault: str | None
    differs: bool
    agreements: dict[str, Agreement]
    hints: dict[str, TagHint] = field(default_factory=dict)


class Scan:
    """A thread that looks at each frame, and compares it with the model if there is one.

    Args:
        table: The frames.
        pictures: Where thumbnails and masks are made and kept.
    """

    def __init__(self, table: FrameTable, pictures: Pictures) -> None:
        self._table = table
        self._pictures = pictures
        self._found: list[Finding] = []
        self.state = ScanState("reading")
        self._stopped = threading.Event()
        self._asked_at = 0.0
        self._thread = threading.Thread(target=self._run, name="review-scan", daemon=True)

    def start(self) -> None:
        """Begin; it ends by itself."""
        self._thread.start()

    def stop(self) -> None:
        """End after the frame at hand."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def make_way(self) -> None:
        """Stand back for a moment: somebody waits for a picture."""
        self._asked_at = time.monotonic()

    def found_since(self, position: int) -> Sequence[Finding]:
        """Return what was found after the first ``position`` findings."""
        return self._found[position:]

    def _run(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)  # Linux: this thread
        read = self._each("reading", range(len(self._table)), self._read)
        if self._model_is_there():
            labelled = [f for f in read if f.fault is None and self._labelled(f.number)]
            self._each("comparing", labelled, self._compare)
        if not self._stopped.is_set():
            self.state = ScanState("done")

    def _each(
        self, step: Step, items: Sequence[_Item], look: Callable[[_Item], Finding]
    ) -> list[Finding]:
        """Look at one item after the other; what is found is known from then on."""
        found: list[Finding] = []
        for item in items:
            self.state = ScanState(step, len(found))
            self._wait_for_quiet()
            if self._stopped.is_set():
                break
            found.append(look(item))
            self._found.append(found[-1])
        return found

    def _model_is_there(self) -> bool:
        """Wait until the model is ready; False if there is none, or the scan is stopped."""
        model = self._pictures.model
        if model is None:
            return False
        self.state = ScanState("waiting", len(self._table))
        while not self._stopped.is_set() and not model.wait(_PATIENCE_S):
            pass
        return model.ready is not None

    def _wait_for_quiet(self) -> None:
        # The scan never stands still: a page that asks without end only slows it down.
        latest = time.monotonic() + _PATIENCE_S
        while not self._stopped.is_set():
            left = min(self._asked_at + _QUIET_S, latest) - time.monotonic()
            if left <= 0:
                return
            self._stopped.wait(left)

    def _read(self, number: int) -> Finding:
        fault = self._table.image_fault(number)
        hints: dict[str, TagHint] = {}
        differs = False
        try:
            if fault is None and not self._pictures.has_thumbnail(number):
                self._pictures.thumbnail(number)
            differs = self._table.orders_differ(number)
            hints = self._hints(number, differs=differs)
        except (DataError, OSError) as error:
            fault = fault or str(error)
        return Finding(number, fault, differs, {}, hints)

    def _compare(self, found: Finding) -> Finding:
        try:
            agreements = self._agreements(found.number, differs=found.differs)
        except (DataError, OSError) as error:
            return replace(found, fault=str(error))
        return replace(found, agreements=agreements)

    def _labelled(self, number: int) -> bool:
        return self._table.frames[number].candidate.labelled

    def _hints(self, number: int, *, differs: bool) -> dict[str, TagHint]:
        candidate = self._table.frames[number].candidate
        if candidate.coco is None or not candidate.labelled:
            return {}
        # Where the orders draw the same there is no overlap that is worth a word.
        overlap = overlap_of(candidate.coco, self._table.classes) if differs else Overlap()
        hints = {
            tag: tag_hint(candidate.stem, tag, overlap, candidate.size_hw)
            for tag in self._table.classes.draw_orders
        }
        return {tag: hint for tag, hint in hints.items() if hint is not None}

    def _agreements(self, number: int, *, differs: bool) -> dict[str, Agreement]:
        mask = self._pictures.predicted_ids(number)
        if mask is None:
            return {}
        found: dict[str, Agreement] = {}
        for tag in self._table.classes.draw_orders:
            if found and not differs:
                found[tag] = next(iter(found.values()))
                continue
            label = self._table.labels(number, tag)
            found[tag] = agreement(label, mask, num_classes=len(self._table.classes))
        return found
