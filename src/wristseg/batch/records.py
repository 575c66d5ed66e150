"""The files by which an input is labelled exactly once, however often its worker is killed.

Below the key of an input (``Job.key``) lie its outputs and, in this order:

    KEY.attempts            how often it was begun; raised before any work, gone when it is done
                            (one that stays, its worker killed just then, counts for nothing)
    KEY.masks.mkv ...       the outputs, each of which appears whole
    KEY.done.json           what they are, with their hashes; only this makes them count
    KEY.quarantined.json    instead of it: why the input is not tried any more

An input may be begun twice, by two machines even: equal inputs give equal bytes, so the second
writing changes nothing. Called by ``batch.item``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from wristseg.batch.store import Store

__all__ = ["FOLDER", "Records", "forget_quarantine"]

#: Folder of everything that belongs to inputs.
FOLDER = "items"

_NO_RESULT = "its worker ended without a result each time: killed, crashed, or out of memory"


class Records:
    """The records of one input.

    Args:
        store: Where they lie.
        key: The input's key.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        # Folders of a few thousand files each stay quick to list.
        self._stem = f"{FOLDER}/{key[:2]}/{key}"

    def output(self, suffix: str) -> str:
        """Return the name of an output, for example with ``masks.mkv``."""
        return f"{self._stem}.{suffix}"

    def finished(self, *, verify: bool) -> dict[str, Any] | None:
        """Return what ``finish`` wrote, if the outputs are there and whole.

        Args:
            verify: Hold them against their hashes, not only against their sizes.
        """
        said = self._read("done.json")
        if said is None:
            return None
        check = self._has_hash if verify else self._has_size
        return said if all(check(*output) for output in said["outputs"].items()) else None

    def quarantined(self) -> dict[str, Any] | None:
        """Return what ``quarantine`` wrote."""
        return self._read("quarantined.json")

    def begin(self) -> int:
        """Count an attempt before it starts, and return its number."""
        number = self.attempts() + 1
        self._count(number, self.reason())
        return number

    def attempts(self) -> int:
        """Return how many attempts were begun."""
        said = self._read("attempts")
        return 0 if said is None else int(said["attempts"])

    def reason(self) -> list[str]:
        """Return what the last attempt said that failed."""
        said = self._read("attempts")
        return [_NO_RESULT] if said is None else list(said["reason"])

    def withdraw(self, *, to: int) -> None:
        """Take an attempt back that was interrupted from outside.

        Args:
            to: How many there were before it, whether or not it has been counted already.
        """
        self._count(to, self.reason())

    def fail(self, reason: list[str]) -> None:
        """Keep why an attempt failed."""
        self._count(self.attempts(), reason)

    def finish(self, said: Mapping[str, Any]) -> None:
        """Write that the input is done; its outputs have to be there."""
        self._store.write_text(f"{self._stem}.done.json", _json(said))
        self._store.delete(f"{self._stem}.quarantined.json")
        self._store.delete(f"{self._stem}.attempts")

    def quarantine(self, said: Mapping[str, Any]) -> None:
        """Write that the input is not tried any more."""
        self._store.write_text(f"{self._stem}.quarantined.json", _json(said))

    def _count(self, attempts: int, reason: list[str]) -> None:
        text = _json({"attempts": attempts, "reason": reason})
        self._store.write_text(f"{self._stem}.attempts", text)

    def _read(self, suffix: str) -> dict[str, Any] | None:
        text = self._store.read_text(f"{self._stem}.{suffix}")
        said = None
        if text is not None:
            with contextlib.suppress(ValueError):  # of a power cut: as if it were not there
                said = json.loads(text)
        return said if isinstance(said, dict) else None

    def _has_size(self, name: str, said: Mapping[str, Any]) -> bool:
        return self._store.size(name) == int(said["bytes"])

    def _has_hash(self, name: str, said: Mapping[str, Any]) -> bool:
        content = self._store.read_bytes(name)
        return content is not None and hashlib.sha256(content).hexdigest() == str(said["sha256"])


def forget_quarantine(store: Store) -> None:
    """Let everything that is in quarantine be tried again."""
    for suffix in (".quarantined.json", ".attempts"):
        for name in store.names(FOLDER, suffix):
            store.delete(name)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
