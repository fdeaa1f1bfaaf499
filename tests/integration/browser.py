"""A real browser: headless Chromium, driven by Selenium; tests are skipped without it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from twisted.trial.unittest import SkipTest

from tests.integration.downloading import DownloadCase
from tests.integration.waiting import PATIENCE, until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1280,900",
)
_MODULE = """const [given, done] = arguments;
(async (args) => { %s })(given).then(
    (value) => done({ value }), (error) => done({ error: String(error.stack) }));"""
_LONGEST_SCRIPT = 120
"""Seconds that axe may take for a page."""
_NOT_YET = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
"""What a page that is being drawn says; none of them has touched it."""
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}


def start_browser(profile: Path) -> Any:
    """A driver with a profile of its own. :raises SkipTest: something it needs is missing."""
    chromium = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise SkipTest("needs Chromium and its driver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(profile / "saved")})
    browser = webdriver.Chrome(service=webdriver.ChromeService(driver), options=options)
    browser.set_script_timeout(_LONGEST_SCRIPT)
    return browser


class BrowserCase(DownloadCase):
    """The page of a real daemon in a real browser; each test signs in anew."""

    browser: ClassVar[Any]
    profile: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        cls.profile = Path(tempfile.mkdtemp(prefix="rangedaemon-browser-"))
        cls.addClassCleanup(shutil.rmtree, cls.profile, ignore_errors=True)
        cls.browser = start_browser(cls.profile)
        cls.addClassCleanup(cls.browser.quit)
        super().setUpClass()

    def setUp(self) -> None:
        super().setUp()
        self.browser.get_log("browser")
        self.addCleanup(self.assert_policy_kept)

    @property
    def page(self) -> str:
        """The address of the page."""
        return f"http://127.0.0.1:{self.daemon.port}/ui/"

    def sign_in(self) -> None:
        """Open the page signed in, as by the link of a daemon, and wait until it is live."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.page}#token={self.daemon.api.token}")
        self.wait_text("#link", "Live")

    def sign_in_wrongly(self) -> None:
        """Give a token that is none to the form of a new tab, and be told so."""
        self.browser.get(self.page)
        self.script("sessionStorage.clear()")
        self.browser.refresh()
        self.fill("#token", "wrong-token-of-some-length")
        self.click("#sign-in button")
        self.wait_text("#sign-in-error", "does not know this token")

    def assert_policy_kept(self) -> None:
        """The browser refused nothing of ours, and no script failed."""
        wrong = [
            entry["message"]
            for entry in self.browser.get_log("browser")
            if "Content Security Policy" in entry["message"] or entry["source"] == "javascript"
        ]
        self.assertEqual(wrong, [])

    # -- looking ----------------------------------------------------------------

    def find(self, selector: str) -> WebElement:
        """The one element."""
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """All elements."""
        found: list[WebElement] = self.browser.find_elements(By.CSS_SELECTOR, selector)
        return found

    def script(self, text: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.browser.execute_script(text, *arguments)

    def module(self, body: str, *arguments: Any) -> Any:
        """What *body*, an asynchronous function of *arguments*, returns; it may import ours."""
        answer = self.browser.execute_async_script(_MODULE % body, list(arguments))
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["value"]

    def row(self, job_id: str) -> str:
        """The selector of a job's row."""
        return f'.job[data-id="{job_id}"]'

    def shown(self, selector: str) -> str | None:
        """The visible text of an element; None while it is not there.

        An element that the page replaces while it is read is looked for again.
        """
        for _ in range(20):
            with contextlib.suppress(StaleElementReferenceException):
                visible = (element for element in self.all(selector) if element.is_displayed())
                return next((element.text for element in visible), None)
        return None

    def wait_text(self, selector: str, text: str, timeout: float = PATIENCE) -> str:
        """Wait until the element is there with *text* in it."""

        def there() -> str | None:
            now = self.shown(selector)
            return now if now is not None and text in now else None

        return until(there, f"{selector}: {text}", timeout)

    def wait_state(self, job_id: str, state: str, timeout: float = PATIENCE) -> None:
        """Wait until the row says so."""
        wanted = f'{self.row(job_id)}[data-state="{state}"]'
        self.wait_for(lambda: bool(self.all(wanted)), f"{wanted} is shown", timeout)

    def wait_for(self, probe: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
        """Wait until *probe* has an answer.

        One that meets an element that the page replaces meanwhile is asked again.
        """

        def settled() -> Any:
            with contextlib.suppress(*_NOT_YET):
                return probe()

        return until(settled, what, timeout)

    # -- doing ------------------------------------------------------------------

    def click(self, selector: str) -> None:
        """Click it, when it is there."""

        def clicked() -> bool:
            self.find(selector).click()
            return True

        self.wait_for(clicked, f"{selector} can be clicked")

    def press(self, job_id: str, label: str) -> None:
        """Press the button of a job's row, when it is there."""

        def pressed() -> bool:
            for button in self.all(f"{self.row(job_id)} .job-acts button"):
                if button.is_displayed() and button.text == label:
                    button.click()
                    return True
            return False

        self.wait_for(pressed, f"{label!r} at {job_id} can be pressed")

    def fill(self, selector: str, text: str) -> None:
        """Type *text* in place of what is there, when it is there."""

        def filled() -> bool:
            field = self.find(selector)
            field.clear()
            field.send_keys(text)
            return True

        self.wait_for(filled, f"{selector} can be filled")
