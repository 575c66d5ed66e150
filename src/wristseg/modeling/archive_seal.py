"""The SHA-256 of a checkpoint inside the checkpoint itself.

``torch.save`` writes a ZIP archive, whose checksums cover what its members hold, but not their
names, sizes and dates; ``torch.load`` compares none of it. The hash stands in the comment of
the archive, the last field of the file, which readers of ZIP archives pass over: the file stays one
file, and ``torch.load`` opens it as before. Written by ``train.checkpoints``, read by
``safe_load``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from wristseg.errors import CheckpointError

__all__ = ["check_seal", "seal"]

_MARK = b"wristseg sha256 "
_DIGITS = 64
_END = b"PK\x05\x06"  # ZIP's end record: 20 bytes, the comment's length in two, the comment
_END_BYTES = 22


def seal(archive: bytes) -> bytes:
    """Return an archive of ``torch.save`` with the SHA-256 of all that precedes it at its end."""
    assert archive[-_END_BYTES:].startswith(_END)
    assert archive.endswith(b"\0\0")  # no comment yet
    length = (len(_MARK) + _DIGITS).to_bytes(2, "little")
    content = archive[:-2] + length + _MARK
    return content + hashlib.sha256(content).hexdigest().encode()


def check_seal(path: Path) -> bool:
    """Tell whether a file has a hash of its own; other programs' files have none.

    Raises:
        CheckpointError: The hash is not that of the file.
    """
    content = path.read_bytes()
    covered, digits = content[:-_DIGITS], content[-_DIGITS:]
    if not covered.endswith(_MARK):
        return False
    if hashlib.sha256(covered).hexdigest().encode() != digits:
        raise CheckpointError(f"{path}: is damaged (SHA-256); copy the file again")
    return True
