"""Time the page of ``wristseg review`` in a browser: until it can be used, and from key to frame.

In: a ``Run`` with a data set. Out: ``PageTiming``. Each round copies the data set's frames under
new names, starts the command with an empty cache and opens the page in a fresh window of the
Chromium that is installed, driven by Playwright. Called by ``benchmark.benchmark``; the browser
tests press keys in the same way.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wristseg.benchmark.process import ContestantError
from wristseg.benchmark.results import PageTiming
from wristseg.benchmark.run import Run
from wristseg.benchmark.summary import summarize
from wristseg.dataset_paths import DatasetPaths

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["BROWSERS", "STEP_FRAMES", "find_browser", "measure_review_page"]

#: Names of the browsers that can be driven, as they are called on the path.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Presses the key for the next frame so many times, four times a second as a person would; returns
#: the milliseconds from each press to the picture on the screen.
STEP_FRAMES = """async (count) => {
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const shown = new Promise((resolve) => document.addEventListener(
      'frame-shown', () => requestAnimationFrame(resolve), { once: true }));
    const start = performance.now();
    document.activeElement.dispatchEvent(
      new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
    await shown;
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return times;
}"""

_START_TIMEOUT_S, _PAGE_TIMEOUT_MS = 120.0, 60_000
_MARKED = ".tile.cursor .badge.grasp"


@dataclass(frozen=True)
class _Round:
    """Seconds from the command to its address, from there to the first mark, and of each key."""

    start: float
    usable: float
    keys: tuple[float, ...]


def measure_review_page(run: Run) -> None:
    """Time the page as often as the plan says.

    Raises:
        ContestantError: Playwright or a browser is missing, or the page did not do what it should.
        DataError: The data set cannot be read.
    """
    browser_path = find_browser()
    if browser_path is None:
        raise ContestantError(f"no browser: none of {', '.join(BROWSERS)} is on the path")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError as error:
        raise ContestantError("Playwright is not installed (uv sync brings it)") from error
    rounds = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=["--no-sandbox"]
            )
            version = browser.version
            for number in range(run.plan.page_rounds):
                rounds.append(_one_round(run, browser, run.scratch / f"page_{number}"))
                run.advance()
            browser.close()
    except Error as error:
        raise ContestantError(f"the browser: {error.message.splitlines()[0]}") from error
    run.results.review_page = PageTiming(
        frames=run.plan.page_frames,
        browser=f"{Path(browser_path).name} {version}",
        start=summarize([done.start for done in rounds]),
        usable=summarize([done.usable for done in rounds]),
        key=summarize([seconds for done in rounds for seconds in done.keys]),
    )


def find_browser() -> str | None:
    """Return the path of a browser that Playwright can drive, or None."""
    return next((found for found in map(shutil.which, BROWSERS) if found is not None), None)


def _one_round(run: Run, browser: Browser, folder: Path) -> _Round:
    dataset = _write_dataset(run, folder / "dataset")
    with _serving(dataset, folder / "cache", run.log) as (url, start):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(_PAGE_TIMEOUT_MS)
        began = time.perf_counter()
        page.goto(url)
        page.wait_for_selector("#frame-0")
        page.keyboard.press("ArrowRight")
        is_marked = page.query_selector(_MARKED) is not None
        page.keyboard.press("g")
        page.wait_for_selector(_MARKED, state="detached" if is_marked else "visible")
        usable = time.perf_counter() - began
        page.keyboard.press("Enter")
        page.wait_for_selector("#stage[data-shown]")
        page.wait_for_timeout(1000)  # whoever opens a frame looks at it
        keys = page.evaluate(STEP_FRAMES, run.plan.page_keys)
        page.close()
    shutil.rmtree(folder)
    return _Round(start, usable, tuple(milliseconds / 1000 for milliseconds in keys))


@contextlib.contextmanager
def _serving(dataset: Path, cache: Path, log: Path) -> Iterator[tuple[str, float]]:
    """Run the command; yield the page's address and the seconds until it was printed."""
    command = [sys.executable, "-m", "wristseg", "review", str(dataset), "--no-open"]
    environment = {**os.environ, "WRISTSEG_CACHE": str(cache), "PYTHONUNBUFFERED": "1"}
    began = time.perf_counter()
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            yield _address(process), time.perf_counter() - began
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    watch = threading.Timer(_START_TIMEOUT_S, process.kill)
    watch.start()
    try:
        for line in process.stdout:
            if line.startswith("open "):
                return line.split()[1]
    finally:
        watch.cancel()
    raise ContestantError("wristseg review ended before it printed its address")


def _write_dataset(run: Run, folder: Path) -> Path:
    """Write a data set of as many frames as the plan says: those of the run's, under new names."""
    from wristseg.data.layout import find_layout

    assert run.dataset is not None
    annotations = find_layout(DatasetPaths(run.dataset)).annotations
    if annotations is None:
        raise ContestantError(f"{run.dataset} has ready-made masks, and no COCO file to show")
    table: dict[str, Any] = json.loads(annotations.read_text(encoding="utf-8"))
    sources = {path.name: path for path in run.images}
    kept = [image for image in table["images"] if Path(image["file_name"]).name in sources]
    labels: dict[int, list[dict[str, Any]]] = {}
    for row in table["annotations"]:
        labels.setdefault(row["image_id"], []).append(row)
    (folder / "images").mkdir(parents=True)
    made: dict[str, Any] = {**table, "images": [], "annotations": []}
    for number in range(run.plan.page_frames):
        turn, place = divmod(number, len(kept))
        image = kept[place]
        name = f"turn{turn}_{Path(image['file_name']).name}"
        shutil.copyfile(sources[Path(image["file_name"]).name], folder / "images" / name)
        made["images"].append({**image, "id": number + 1, "file_name": name})
        for row in labels.get(image["id"], []):
            own = {"id": len(made["annotations"]) + 1, "image_id": number + 1}
            made["annotations"].append({**row, **own})
    (folder / "instances_default.json").write_text(json.dumps(made), encoding="utf-8")
    return folder
