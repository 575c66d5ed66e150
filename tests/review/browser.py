"""Chromium for the browser tests: the one that is installed, never a downloaded one."""

from __future__ import annotations

import contextlib

import pytest

from wristseg.benchmark.review_page import BROWSERS, find_browser


@contextlib.contextmanager
def chromium():
    """Yield a headless browser."""
    path = find_browser()
    if path is None:
        pytest.fail(f"none of {', '.join(BROWSERS)} is installed; on Debian: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Page:
    """A page of the review server, with what went wrong in it."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog {dialog.message}"))
        self.page.goto(url)
        self.wait("html[data-ready]")

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, selector, **options):
        return self.page.wait_for_selector(selector, **options)

    def text(self, selector):
        return self.page.inner_text(selector)

    def saved(self):
        self.wait("#saved:text-is('saved')")

    def shown(self, number):
        self.wait(f"#stage[data-shown='{number}']")

    def number(self):
        return int(self.page.get_attribute("#stage", "data-shown"))

    def pixel(self, x, y, pane=0):
        """Colour of a point of a pane, given as shares of its width and height."""
        return self.page.evaluate(
            """([x, y, pane]) => {
              const canvas = document.querySelectorAll('#stage canvas')[pane];
              const at = [x * canvas.width, y * canvas.height].map(Math.floor);
              return [...canvas.getContext('2d').getImageData(...at, 1, 1).data];
            }""",
            [x, y, pane],
        )
