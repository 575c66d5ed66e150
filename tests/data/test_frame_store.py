"""Decoded frames are kept whole, within the memory they may take."""

from __future__ import annotations

import multiprocessing
import pickle
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from wristseg.data.frame_store import BYTES_PER_PIXEL, FrameStore

SIZES_HW = [(6, 8), (5, 7), (6, 8), (4, 4)]


def frame_of(position, size_hw):
    rng = np.random.default_rng(position)
    return rng.integers(256, size=(*size_hw, 3), dtype=np.uint8), rng.integers(
        6, size=size_hw, dtype=np.uint8
    )


def filled(sizes_hw, *, memory_bytes, folder):
    store = FrameStore(sizes_hw, memory_bytes=memory_bytes, folder=folder)
    for position in reversed(range(len(sizes_hw))):
        store.put(position, *frame_of(position, sizes_hw[position]))
    return store


def holds_all(store, sizes_hw):
    return all(
        np.array_equal(kept, given)
        for position, size_hw in enumerate(sizes_hw)
        for kept, given in zip(store.get(position), frame_of(position, size_hw), strict=True)
    )


@pytest.mark.parametrize("memory_bytes", [0, 200, 400, 10_000])
def test_frames_of_any_size_come_back_from_memory_and_file(tmp_path, memory_bytes):
    store = filled(SIZES_HW, memory_bytes=memory_bytes, folder=tmp_path)
    assert holds_all(store, SIZES_HW)
    assert store.memory_bytes <= memory_bytes


def test_a_frame_that_was_not_put_is_none(tmp_path):
    store = FrameStore(SIZES_HW, memory_bytes=192, folder=tmp_path)
    assert [store.get(position) for position in range(4)] == [None] * 4
    store.put(3, *frame_of(3, SIZES_HW[3]))
    assert store.get(2) is None


def test_the_file_has_no_name_while_it_is_used(tmp_path):
    store = filled(SIZES_HW, memory_bytes=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert holds_all(store, SIZES_HW)


def test_what_fits_into_memory_makes_no_file(tmp_path):
    missing = tmp_path / "missing"  # a file could not be made here
    assert holds_all(filled(SIZES_HW, memory_bytes=10_000, folder=missing), SIZES_HW)


def test_own_memory_does_not_grow_with_frames_beyond_the_bound(tmp_path):
    sizes_hw = [(480, 640)] * 60  # 74 MB
    image, mask = frame_of(0, (480, 640))
    store = FrameStore(sizes_hw, memory_bytes=4_000_000, folder=tmp_path)
    before = own_memory_bytes()
    for position in range(60):
        store.put(position, image, mask)
    for position in range(60):
        kept = store.get(position)
        assert kept is not None
        assert np.array_equal(kept[0], image)
    assert own_memory_bytes() - before < 20_000_000


def own_memory_bytes():
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def test_a_full_disk_is_an_error_of_the_system_and_no_crash(tmp_path):
    sizes_hw = [(64, 64)] * 4
    store = FrameStore(sizes_hw, memory_bytes=0, folder=tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 64 * BYTES_PER_PIXEL, hard))
    try:
        with pytest.raises(OSError, match="File too large") as refused:
            store.put(3, *frame_of(3, (64, 64)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.filename == str(tmp_path)


def test_a_copy_for_another_process_starts_empty_and_works(tmp_path):
    store = filled(SIZES_HW, memory_bytes=192, folder=tmp_path)
    copy = pickle.loads(pickle.dumps(store))
    assert copy.get(0) is None
    for position, size_hw in enumerate(SIZES_HW):
        copy.put(position, *frame_of(position, size_hw))
    assert holds_all(copy, SIZES_HW)
    assert holds_all(store, SIZES_HW)


def test_a_forked_process_reads_the_file_and_leaves_it_alone(tmp_path):
    store = filled(SIZES_HW, memory_bytes=0, folder=tmp_path)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_overwrite, args=(store,))
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert holds_all(store, SIZES_HW)


def _overwrite(store):
    assert holds_all(store, SIZES_HW)
    image, mask = frame_of(0, SIZES_HW[0])
    store.put(0, image // 2, mask)
