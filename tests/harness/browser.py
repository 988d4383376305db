"""Debian's chromium, without a window, driven by its own driver: both of the system, nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

WAIT_SECONDS = 10
__all__ = ["By", "Page", "browser"]


class Page:
    """One window. Scripts of pages are off, as a careful administrator may have it; the policy forbids them anyway."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    @property
    def text(self) -> str:
        return self.one("body").text

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def fill(self, label: str, text: str) -> None:
        """By the label that a person reads."""
        [found] = [element for element in self.all("label") if element.text == label]
        field = self.driver.find_element(By.ID, str(found.get_attribute("for")))
        field.clear()
        field.send_keys(text)

    def press(self, name: str) -> None:
        [button] = [element for element in self.all("button") if element.text == name]
        button.click()

    def wait_for(self, text: str) -> None:
        """Until the page says so; the page that is left may vanish while it is read."""
        waiting = WebDriverWait(self.driver, WAIT_SECONDS, poll_frequency=0.05)
        waiting.until(lambda driver: text in driver.execute_script("return document.body?.innerText ?? ''"))

    def size(self, width: int, height: int) -> None:
        """Of what is drawn, not of the window, which has a smallest width."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, colours: Literal["light", "dark"]) -> None:
        features = [{"name": "prefers-color-scheme", "value": colours}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def complaints(self) -> list[str]:
        """What the browser has to say of the page: blocked styles, errors."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@contextmanager
def browser() -> Iterator[Page]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.fail("chromium and chromium-driver are not installed: scripts/system-packages test")
    options = ChromeOptions()
    options.binary_location = chromium
    # Without a sandbox, as the superuser of a container has to; it only ever shows our own pages.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en"):
        options.add_argument(argument)
    # Nothing of its own on the network: it would fail here, and has no business there.
    for argument in ("--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = Chrome(options=options, service=Service(driver))
    try:
        yield Page(running)
    finally:
        running.quit()
