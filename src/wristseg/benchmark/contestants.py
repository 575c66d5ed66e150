"""Who is measured: wristseg in each runtime, the plain implementation, and peers.

A contestant whose library is missing is left out with one line that says how to get it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import wristseg

__all__ = [
    "AUTO",
    "CONTESTANTS",
    "PLAIN",
    "TOOLS",
    "Contestant",
    "find_plain",
    "plain_masks",
    "present",
]


@dataclass(frozen=True)
class Contestant:
    """One model in one runtime.

    Attributes:
        name: ``family/engine``, as ``benchmark.models`` takes it.
        label: As tables and plots show it.
        needs: Import name and what to install, for each library beyond wristseg's own.
    """

    name: str
    label: str
    needs: tuple[tuple[str, str], ...] = ()

    @property
    def family(self) -> str:
        """``wristseg``, ``plain``, ``smp`` or ``lraspp``."""
        return self.name.partition("/")[0]

    @property
    def engine(self) -> str:
        """``torch``, ``onnxruntime``, ``openvino``, or ``auto`` for what wristseg picks."""
        return self.name.partition("/")[2]


_ORT = ("onnxruntime", "pip install onnxruntime")
_BENCH = "uv sync --group bench, or pip install segmentation-models-pytorch torchvision"
_SMP = ("segmentation_models_pytorch", _BENCH)
_TORCHVISION = ("torchvision", _BENCH)
_ONNX = ("onnx", _BENCH)

PLAIN = Contestant(
    "plain/torch",
    "plain",
    (("lightning", "pip install 'wristseg[train]'"), _TORCHVISION),
)

#: wristseg without a choice of runtime; measured where loading is.
AUTO = Contestant("wristseg/auto", "wristseg (own choice)")

#: No contestant: the process that makes files and multiplies matrices.
TOOLS = "tools"

CONTESTANTS = (
    Contestant("wristseg/torch", "wristseg, PyTorch"),
    Contestant("wristseg/onnxruntime", "wristseg, ONNX Runtime", (_ORT,)),
    Contestant(
        "wristseg/openvino",
        "wristseg, OpenVINO",
        (("openvino", "pip install 'wristseg[openvino]'"),),
    ),
    PLAIN,
    Contestant("smp/torch", "smp FPN, PyTorch", (_SMP,)),
    Contestant("smp/onnxruntime", "smp FPN, ONNX Runtime", (_SMP, _ONNX, _ORT)),
    Contestant("lraspp/torch", "LR-ASPP, PyTorch", (_TORCHVISION,)),
    Contestant("lraspp/onnxruntime", "LR-ASPP, ONNX Runtime", (_TORCHVISION, _ONNX, _ORT)),
)


def find_plain() -> Path | None:
    """Return ``benchmarks/plain.py`` of the clone that this code runs from, None elsewhere."""
    path = Path(wristseg.__file__).parents[2] / "benchmarks" / "plain.py"
    return path if path.is_file() else None


def plain_masks(plain: Path | None) -> Path | None:
    """Return the plain implementation's script for masks, beside that for the rest."""
    return None if plain is None else plain.with_name("plain_masks.py")


def present(plain: Path | None) -> tuple[list[Contestant], list[str]]:
    """Return the contestants that can run here, and a line for each one that cannot."""
    found, notes = [], []
    for contestant in CONTESTANTS:
        missing = [(name, how) for name, how in contestant.needs if find_spec(name) is None]
        if contestant.family == "plain" and plain is None:
            notes.append(f"{contestant.label}: left out, benchmarks/plain.py comes with a clone")
        elif missing:
            name, how = missing[0]
            notes.append(f"{contestant.label}: left out, {name} is not installed ({how})")
        else:
            found.append(contestant)
    return found, notes
