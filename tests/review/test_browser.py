"""The page in a real browser: keys, clicks, two tabs, reload, restart, touch, speed."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from tests.datasets import make_coco_dataset
from tests.review.browser import Page, chromium
from tests.review.process import review_process
from tests.review.serving import awaited, marks_on_disk, plain_model, serving, wait_until
from wristseg.benchmark.review_page import STEP_FRAMES

pytestmark = [pytest.mark.browser]


_FILTERS = ("all", "grasp", "default", "excluded", "problems")


def url_of(client):
    return f"{client.origin}/open?token={client.access.token}"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def context(browser):
    found = browser.new_context(viewport={"width": 1100, "height": 760})
    found.set_default_timeout(10_000)
    yield found
    found.close()


@pytest.fixture
def opened(context, coco_dataset, cache):
    with serving(coco_dataset, cache, model=plain_model(2), scan=True) as client:
        page = Page(context, url_of(client))
        page.client = client
        # Sorting by suspicion waits for the scan; the tests want a fixed order.
        page.page.select_option("#sort", "recording")
        yield page
        assert page.errors == []


def test_address_shows_no_token_and_every_frame_is_in_the_grid(opened):
    assert "token" not in opened.page.url
    assert opened.page.locator(".tile").count() == 6
    assert opened.text("#looked") == "0 of 6 looked at"
    opened.wait("[data-filter=problems] b:text-is('5')")  # when the scan has seen them all
    counts = [opened.text(f"[data-filter={name}] b") for name in _FILTERS]
    assert counts == ["6", "1", "5", "0", "5"]


def test_marking_by_keyboard_alone_is_on_disk_when_the_page_says_saved(opened, coco_dataset):
    opened.page.focus("#grid")
    opened.press("ArrowRight", "g")
    opened.saved()
    names = [f["name"] for f in opened.client.get("/api/state").json["frames"]]
    assert names[1] in marks_on_disk(coco_dataset)[0]
    opened.press("Enter")
    opened.shown(1)
    opened.press("x")
    opened.wait("#exclude[aria-pressed=true]")
    opened.saved()
    assert marks_on_disk(coco_dataset)[1] == {names[1]: "Excluded"}
    opened.press("u")
    opened.wait("#exclude[aria-pressed=false]")
    opened.press("u")
    opened.wait("#grasp[aria-pressed=false]")
    opened.saved()
    assert names[1] not in marks_on_disk(coco_dataset)[0]
    opened.press("r")
    opened.wait("#grasp[aria-pressed=true]")
    opened.press("Escape")
    opened.wait("#grid:visible")


def test_every_view_shows_what_it_says(opened):
    opened.press("Enter")
    opened.shown(0)
    labels = opened.pixel(0.5, 0.1)
    opened.press("2")
    assert opened.pixel(0.5, 0.1) != labels
    opened.press("1")
    assert opened.pixel(0.5, 0.1) == labels
    opened.press("3")
    assert "model" in opened.text(".pane .title")
    opened.press("4")
    assert "differ" in opened.text(".pane .title")
    opened.press("5")
    assert opened.page.locator(".pane").count() == 2
    assert opened.text(".pane .title.used") == "order default"
    assert any(
        opened.pixel(x / 40, y / 40, 0) != opened.pixel(x / 40, y / 40, 1)
        for x in range(40)
        for y in range(40)
    )
    opened.press("6")
    assert opened.page.locator(".pane").count() == 4
    opened.press("t")
    assert opened.page.locator(".pane").count() == 1


def test_the_page_is_there_before_the_model_and_shows_its_masks_once_it_is(
    context, coco_dataset, cache
):
    until = threading.Event()
    model = awaited(plain_model(2), until)
    with serving(coco_dataset, cache, model=model, scan=True) as client:
        page = Page(context, url_of(client))
        page.wait("#scan:text-is('making plain.ckpt ready')")
        page.press("Enter", "3")
        page.wait(".pane .title:text-is('model: being made ready')")
        until.set()
        page.wait(".pane .title:text-is('model')")
        page.wait("#facts :text('model and label agree')")
        page.wait("#scan:empty", state="attached")
        assert page.errors == []


def test_opacity_and_classes_change_the_overlay(opened):
    opened.press("Enter")
    opened.shown(0)
    before = opened.pixel(0.5, 0.1)
    opened.press("]", "]")
    stronger = opened.pixel(0.5, 0.1)
    assert stronger != before
    opened.press("Shift+1")  # background off
    assert not opened.page.is_checked("#classes [data-id='1']")
    assert opened.pixel(0.5, 0.1) != stronger
    opened.page.check("#classes [data-id='1']")
    assert opened.pixel(0.5, 0.1) == stronger


def test_zoom_and_pan_by_wheel_keys_and_mouse(opened):
    opened.press("Enter")
    opened.shown(0)
    opened.press("2")
    whole = opened.pixel(0.3, 0.3)
    box = opened.page.locator("#stage").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.page.mouse.move(*middle)
    opened.page.mouse.wheel(0, -1500)
    opened.page.wait_for_timeout(50)
    opened.press(*["Shift+ArrowUp"] * 20)
    sky = opened.pixel(0.5, 0.5)
    opened.press(*["Shift+ArrowDown"] * 20)
    assert opened.pixel(0.5, 0.5) != sky
    opened.page.mouse.down()
    opened.page.mouse.move(middle[0] + 300, middle[1] + 200, steps=4)
    opened.page.mouse.up()
    assert opened.number() == 0, "panning is no swipe"
    opened.press("0")
    assert opened.pixel(0.3, 0.3) == whole


def test_filters_choose_frames_and_a_filter_without_any_says_so(opened):
    opened.press("f")
    assert opened.page.locator(".tile").count() == 1
    opened.page.click("[data-filter=excluded]")
    opened.wait("#none:visible")
    opened.page.click("[data-filter=all]")
    assert opened.page.locator(".tile").count() == 6
    opened.press("Enter")  # a clicked button does not keep the keys
    opened.wait("#stage[data-shown]")


def test_frames_that_look_mistagged_are_problems_until_they_are_marked(opened):
    opened.wait("[data-filter=problems] b:text-is('5')")
    opened.page.click("[data-filter=problems]")
    assert opened.page.locator(".tile").count() == 5
    opened.press("Enter")
    opened.wait("#stage[data-shown]")
    assert "looks like a grasp frame without a mark" in opened.text("#facts .problem")
    opened.press("g")
    opened.wait("[data-filter=problems] b:text-is('4')")
    assert opened.page.locator("#facts .problem").count() == 0
    opened.press("u", "x")
    opened.saved()
    opened.wait("[data-filter=problems] b:text-is('4')")  # nor is one that is left out


def test_a_selection_is_marked_at_once_and_undone_at_once(opened, coco_dataset):
    opened.page.focus("#grid")
    opened.press("Home", "Shift+ArrowRight", "Shift+ArrowRight", "x")
    opened.saved()
    assert len(marks_on_disk(coco_dataset)[1]) == 3
    opened.press("Control+z")
    opened.wait("[data-filter=excluded] b:text-is('0')")
    opened.saved()
    assert marks_on_disk(coco_dataset)[1] == {}


def test_help_opens_and_closes_by_key_and_names_every_action(opened):
    opened.press("?")
    opened.wait("#help[open]")
    said = opened.text("#keys")
    for word in ("next frame", "previous", "grasp", "exclude", "undo", "redo", "filter", "zoom"):
        assert word in said
    opened.press("g", "Escape")
    opened.wait("#help", state="hidden")
    assert opened.text("[data-filter=grasp] b") == "1", "keys do nothing behind the help"


_FOCUSED = """(({ id, dataset }) => id || dataset.filter || dataset.view)(document.activeElement)"""


def test_tab_key_reaches_every_control(opened):
    opened.press("Enter")
    opened.shown(0)
    opened.page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        opened.press("Tab")
        reached.add(opened.page.evaluate(_FOCUSED))
    expected = {"sort", "mode", "redraw", "ask", "stage", "opacity", "grasp", "exclude", "all",
                "problems", "labels", "orders", "previous", "next"}  # fmt: skip
    assert expected <= reached


def test_two_tabs_lose_no_mark_and_the_one_behind_is_told(opened, context, coco_dataset):
    other = Page(context, opened.client.origin + "/")
    other.page.select_option("#sort", "recording")
    # The news would bring the change within two seconds; here the tab does not hear of it.
    other.page.route("**/api/news*", lambda route: route.abort())
    opened.page.focus("#grid")
    opened.press("Home", "g")
    opened.saved()
    other.page.focus("#grid")
    other.press("End", "g")
    other.wait(".note.bad")
    assert "changed elsewhere" in other.text(".note.bad")
    names = [f["name"] for f in opened.client.get("/api/state").json["frames"]]
    assert names[0] in marks_on_disk(coco_dataset)[0]
    other.wait("#frame-0 .badge.grasp")
    other.press("x")
    other.saved()
    assert names[5] in marks_on_disk(coco_dataset)[1]
    opened.wait("#frame-5 .badge.excluded")  # by the news
    assert other.errors == []


def test_reload_keeps_frame_view_filter_and_marks(opened):
    opened.press("f", "f", "ArrowRight", "Enter")
    opened.wait("#stage[data-shown]")
    number = opened.number()
    opened.press("2")
    opened.page.reload()
    opened.shown(number)
    assert opened.page.get_attribute("[data-filter=default]", "aria-pressed") == "true"
    assert opened.page.get_attribute("[data-view=image]", "aria-pressed") == "true"
    assert opened.text("#looked").startswith("1 of")
    opened.press("x")
    opened.saved()
    opened.page.reload()
    opened.wait("[data-filter=excluded] b:text-is('1')")


def test_masks_are_redrawn_by_a_key(opened, coco_dataset):
    opened.press("m")
    opened.wait(".note", timeout=60_000)
    assert "6 masks in" in opened.text(".note")
    assert len(list((coco_dataset / "masks").glob("*.png"))) == 6


def test_f23_a_name_with_markup_runs_nothing(context, tmp_path, cache):
    name = "<img src=x onerror=alert(1)>_frame_1"
    dataset = make_coco_dataset(tmp_path / "d", frames=1, names=[name], grasp=())
    with serving(dataset, cache) as client:
        page = Page(context, url_of(client))
        page.press("Enter")
        page.shown(0)
        assert page.text("#facts h2") == f"{name}.jpg"
        assert page.errors == []


def test_nothing_breaks_the_content_security_policy(context, coco_dataset, cache):
    said = []
    with serving(coco_dataset, cache) as client:
        context.on("console", lambda message: said.append(message.text))
        page = Page(context, url_of(client))
        page.press("Enter")
        page.shown(0)
        page.press("5", "?", "Escape")
        blocked = page.page.evaluate(
            """() => new Promise((resolve) => {
              document.addEventListener('securitypolicyviolation',
                (event) => resolve(event.violatedDirective));
              const script = document.createElement('script');
              script.textContent = 'window.ran = true';
              document.head.append(script);
            })"""
        )
        assert blocked.startswith("script-src")
        assert page.page.evaluate("window.ran") is None
    assert not [text for text in said if "Content Security Policy" in text and "inline" not in text]


def test_f24_restart_after_sigkill_shows_what_was_saved(context, coco_dataset, tmp_path):
    cache = tmp_path / "cache"
    with review_process(coco_dataset, cache) as review:
        page = Page(context, review.url)
        page.press("Home", "x")
        page.saved()
        review.end(signal.SIGKILL)
        page.wait("#banner:visible")
        assert "start wristseg review again" in page.text("#banner")
        page.press("ArrowRight", "x")
        page.wait("#saved.failed")
        assert page.text("[data-filter=excluded] b") == "1", "what is not saved is not shown"
    with review_process(coco_dataset, cache) as review:
        page = Page(context, review.url)
        page.wait("#frame-0 .badge.excluded")
        assert page.text("[data-filter=excluded] b") == "1"
        assert page.errors == []


def test_tablet_swipes_taps_and_has_targets_for_fingers(browser, coco_dataset, cache):
    context = browser.new_context(
        viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(10_000)
    with serving(coco_dataset, cache) as client:
        page = Page(context, url_of(client))
        page.page.tap("#frame-0")
        page.shown(0)
        page.page.evaluate(
            """() => {
              const stage = document.getElementById('stage');
              const send = (type, x) => stage.dispatchEvent(new PointerEvent(type, {
                pointerId: 1, pointerType: 'touch', clientX: x, clientY: 300, bubbles: true }));
              stage.setPointerCapture = () => {};
              send('pointerdown', 500); send('pointermove', 300); send('pointerup', 300);
            }"""
        )
        page.shown(1)
        page.page.tap("#grasp")
        page.saved()
        for button in page.page.locator("button:visible").all():
            assert button.bounding_box()["height"] >= 44
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.errors == []
    context.close()


def test_dark_and_light_follow_the_system(browser, coco_dataset, cache):
    with serving(coco_dataset, cache) as client:
        seen = []
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme)
            page = Page(context, url_of(client))
            seen.append(page.page.evaluate("getComputedStyle(document.body).backgroundColor"))
            context.close()
    assert seen == ["rgb(255, 255, 255)", "rgb(20, 24, 28)"]


def test_1000_frames_are_usable_within_two_seconds_and_keys_within_100_ms(context, tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", frames=1000, size_hw=(480, 640), recordings=5)
    with serving(dataset, cache, scan=True) as client:
        started = time.perf_counter()
        page = Page(context, url_of(client))
        page.wait("#frame-0")
        page.press("ArrowRight", "g")
        page.wait(".tile.cursor .badge.grasp")
        usable_s = time.perf_counter() - started
        assert page.page.locator(".tile").count() < 100, "only tiles in sight are in the page"
        page.press("End")
        page.wait(".tile[aria-posinset='1000'].cursor")
        page.press("Home", "Enter")
        page.wait("#stage[data-shown]")
        page.page.wait_for_timeout(1500)
        times_ms = sorted(page.page.evaluate(STEP_FRAMES, 30))
        print(
            f"1000 frames: usable after {usable_s:.2f} s; key to next frame"
            f" median {times_ms[15]:.0f} ms, worst {times_ms[-1]:.0f} ms"
        )
        assert page.errors == []
        wait_until(lambda: client.get("/api/state").status == 200)
    assert usable_s < 6  # goal 2 s; the machine may be busy
    assert times_ms[15] < 300  # goal 100 ms


@pytest.mark.slow
def test_10000_frames_scroll_and_step_without_lag(context, tmp_path, cache):
    dataset = make_coco_dataset(tmp_path / "d", frames=10_000, recordings=40)
    with serving(dataset, cache, scan=True) as client:
        started = time.perf_counter()
        page = Page(context, url_of(client))
        page.wait("#frame-0")
        usable_s = time.perf_counter() - started
        page.press("End")
        page.wait(".tile[aria-posinset='10000'].cursor")
        assert page.page.locator(".tile").count() < 100
        frames_ms = sorted(page.page.evaluate(_SCROLL))
        page.press("Home", "Enter")
        page.wait("#stage[data-shown]")
        times_ms = sorted(page.page.evaluate(STEP_FRAMES, 30))
        print(
            f"10000 frames: usable after {usable_s:.2f} s; scrolling, a picture in"
            f" {frames_ms[len(frames_ms) // 2]:.0f} ms; key to next frame median"
            f" {times_ms[15]:.0f} ms, worst {times_ms[-1]:.0f} ms"
        )
        assert page.errors == []
    assert usable_s < 15
    assert times_ms[15] < 300


#: Scrolls through the whole grid in 100 steps; milliseconds between two pictures of the screen.
_SCROLL = """async () => {
  const grid = document.getElementById('grid');
  const times = [];
  for (let i = 0; i <= 100; i += 1) {
    const start = performance.now();
    grid.scrollTop = (grid.scrollHeight * i) / 100;
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    times.push(performance.now() - start);
  }
  return times;
}"""
