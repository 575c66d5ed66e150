"""Go over all frames in the background: thumbnails, damage, draw orders, tags, disagreement.

The page is there at once; what is found reaches it bit by bit. One thread, so that the page and
whatever else runs on the machine have the other cores. Called by ``review.server``.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from wristseg.data.agreement import Agreement, agreement
from wristseg.data.tag_hints import Overlap, TagHint, overlap_of, tag_hint
from wristseg.errors import DataError
from wristseg.review.frames import FrameTable
from wristseg.review.pictures import Pictures

__all__ = ["Finding", "Scan"]

#: Seconds without a request for a picture after which the scan goes on, and the longest it waits.
_QUIET_S, _PATIENCE_S = 0.1, 1.0


@dataclass(frozen=True)
class Finding:
    """What was found on one frame.

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
    """A thread that looks at each frame once.

    Args:
        table: The frames.
        pictures: Where thumbnails and masks are made and kept.
    """

    def __init__(self, table: FrameTable, pictures: Pictures) -> None:
        self._table = table
        self._pictures = pictures
        self._found: list[Finding] = []
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
        for number in range(len(self._table)):
            self._wait_for_quiet()
            if self._stopped.is_set():
                return
            self._found.append(self._look(number))

    def _wait_for_quiet(self) -> None:
        # The scan never stands still: a page that asks without end only slows it down.
        latest = time.monotonic() + _PATIENCE_S
        while not self._stopped.is_set():
            left = min(self._asked_at + _QUIET_S, latest) - time.monotonic()
            if left <= 0:
                return
            self._stopped.wait(left)

    def _look(self, number: int) -> Finding:
        fault = self._table.image_fault(number)
        agreements: dict[str, Agreement] = {}
        hints: dict[str, TagHint] = {}
        differs = False
        try:
            if fault is None and not self._pictures.has_thumbnail(number):
                self._pictures.thumbnail(number)
            differs = self._table.orders_differ(number)
            hints = self._hints(number, differs=differs)
            if fault is None and self._pictures.has_model:
                agreements = self._agreements(number, differs=differs)
        except (DataError, OSError) as error:
            fault = fault or str(error)
        return Finding(number, fault, differs, agreements, hints)

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
        if not self._table.frames[number].candidate.labelled:
            return {}
        mask = self._pictures.model_ids(number)
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
