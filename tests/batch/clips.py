"""Folders of short clips, some of them poison, and ``wristseg label`` in child processes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.predict.clips import cut, make_clip, punch_hole
from wristseg.cli.label import main

__all__ = ["command", "label", "label_here", "make_inputs", "outputs_of", "wait_for", "workers_of"]

#: What each poison input is; none of them holds a frame that can be decoded.
_POISON = (b"", b"no video at all", b"\x00" * 4096, b"\x1aE\xdf\xa3 cut", b"ftypmp42" * 64)


def make_inputs(folder: Path, *, clips: int, poison: int = 0, frames: int = 6) -> Path:
    """Make clips that all differ, and poison between them."""
    folder.mkdir(parents=True)
    for i in range(clips):
        # The rate is part of a file's bytes, so that no two clips are the same input.
        make_clip(folder / f"clip_{i:03d}.mp4", frames=frames + i % 3, fps=10 + i)
    for i in range(poison):
        (folder / f"clip_{i * clips // poison:03d}_poison.mp4").write_bytes(
            _POISON[i % len(_POISON)] + bytes([i])
        )
    return folder


def command(inputs: Path | str, output: Path | str, *options: str) -> list[str]:
    """Return the command line of ``wristseg label`` with the small model."""
    head = [sys.executable, "-m", "wristseg", "label", str(inputs), "--output", str(output)]
    return [*head, "--checkpoint", "sim-84", *options]


def label(inputs: Path | str, output: Path | str, *options: str, timeout_s: float = 240):
    """Run ``wristseg label`` to its end."""
    return subprocess.run(
        command(inputs, output, *options),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def label_here(inputs: Path | str, output: Path | str, *options: str) -> int:
    """Run ``wristseg label`` in this process, without workers; returns the exit code."""
    return main(command(inputs, output, "--workers", "0", *options)[4:])


def outputs_of(folder: Path) -> dict[str, str]:
    """Return SHA-256 by name of everything that must not depend on how it was made."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        # Manifests say when and where, job.json by which commit; locks say nothing.
        if path.is_file() and not path.name.endswith((".done.json", "job.json"))
        if not path.name.startswith(".lock") and not _counts_for_nothing(path)
    }


def _counts_for_nothing(path: Path) -> bool:
    """Tell whether it counts attempts at what is done: its worker was killed before removing it."""
    return path.suffix == ".attempts" and path.with_suffix(".done.json").exists()


def workers_of(driver: int) -> list[int]:
    """Return the process numbers of a driver's workers."""
    found = []
    for child in Path(f"/proc/{driver}/task/{driver}/children").read_text().split():
        try:
            said = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in said:
            found.append(int(child))
    return found


def wait_for(reached, driver: subprocess.Popen, *, timeout_s: float = 270) -> bool:
    """Wait until something holds; False if the driver has ended before."""
    end = time.monotonic() + timeout_s
    while not reached():
        if driver.poll() is not None:
            return False
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return True


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def partly_damaged(folder: Path) -> tuple[Path, Path]:
    """Make a clip that is cut short and one with a hole; both can be decoded in part."""
    short = cut(make_clip(folder / "short.mkv", frames=40), 0.6)
    return short, punch_hole(make_clip(folder / "hole.mkv", frames=40))
