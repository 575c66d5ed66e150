"""The gate: which exports are kept.

In: how alike the masks are, val/iou of both, latencies. Out: the reasons against an export, none if
it is kept. The limits are those of the design for fp32; those of fp16 and int8 were set from
measurements (docs/how-to/export.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wristseg.export.parity import Parity

__all__ = ["GATES", "Gate", "objections"]


@dataclass(frozen=True)
class Gate:
    """What an export of one precision has to reach.

    Attributes:
        agreement: Least share of pixels that have the checkpoint's class.
        iou_drop: Most that val/iou may be below the checkpoint's.
        must_be_faster: Whether it has to be faster than the same format in fp32.
    """

    agreement: float
    iou_drop: float
    must_be_faster: bool = False


#: Measured with trained models at 640x480 and 84x84: of the pixels, fp16 kept 99.994 and 99.969 %,
#: int8 99.4 and 97.7 %; fp16 moved val/iou by up to 0.0002, int8 by up to 0.010.
GATES: Mapping[str, Gate] = {
    "fp32": Gate(agreement=0.999, iou_drop=0.002),
    "fp16": Gate(agreement=0.995, iou_drop=0.002),
    "int8": Gate(agreement=0.99, iou_drop=0.005, must_be_faster=True),
}


def objections(
    parity: Parity, latency_ms: Mapping[str, Mapping[str, float]], *, gate: Gate
) -> list[str]:
    """Return one line per limit that an export misses.

    Args:
        parity: Its masks beside the checkpoint's.
        latency_ms: ``p50`` of ``export`` and, where speed matters, of ``export in fp32``.
        gate: The limits.
    """
    found = []
    worst = parity.worst
    # Not "less than": a comparison with NaN is false, and NaN is no agreement.
    if not parity.agreement >= gate.agreement:
        found.append(
            f"{parity.agreement:.3%} of pixels have the checkpoint's class, expected "
            f"{gate.agreement:.1%} (worst frame {worst.frame.name}: {worst.agreement:.3%})"
        )
    iou = parity.val_iou()
    if iou is not None and iou[0] - iou[1] > gate.iou_drop:
        found.append(
            f"val/iou is {iou[1]:.4f}, the checkpoint's {iou[0]:.4f}; expected at most "
            f"{gate.iou_drop} less"
        )
    if gate.must_be_faster:
        mine, plain = (latency_ms[name]["p50"] for name in ("export", "export in fp32"))
        if mine >= plain:
            found.append(
                f"a frame takes {mine:.1f} ms on this machine and {plain:.1f} ms in fp32; "
                "expected less"
            )
    return found
