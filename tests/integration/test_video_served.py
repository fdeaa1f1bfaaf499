"""A video on a mount, opened and dragged in a real browser."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from tests.integration.browser import start_browser
from tests.integration.case import IntegrationCase
from tests.integration.waiting import until
from tests.integration.webm import webm

MIB = 1 << 20
SECONDS = 64
PADDING = {20: 60 * MIB, 48: 40 * MIB}


class SeekingTests(IntegrationCase):
    """Headless Chromium plays a file of 100 MiB that is mostly nothing."""

    browser: ClassVar[Any]
    workers = 0

    @classmethod
    def setUpClass(cls) -> None:
        profile = Path(tempfile.mkdtemp(prefix="rangedaemon-browser-"))
        cls.addClassCleanup(shutil.rmtree, profile, ignore_errors=True)
        cls.browser = start_browser(profile)
        cls.addClassCleanup(cls.browser.quit)
        super().setUpClass()

    def setUp(self) -> None:
        """Serve the film, and log who asks for which part."""
        root = self.make_directory()
        self.film = webm(SECONDS, PADDING)
        (root / "film.webm").write_bytes(self.film)
        self.log = root / "log" / "access.log"
        server = {
            "mounts": [{"path": "/", "root": str(root)}],
            "access_log": {"path": str(self.log), "format": "json"},
            "workers": self.workers,
        }
        self.daemon = self.make_daemon({"server": server}).start()

    def video(self, name: str) -> Any:
        """A property of the media element that the browser shows a video in."""
        return self.browser.execute_script(
            "return document.querySelector('video')[arguments[0]]", name
        )

    def drag_to(self, second: float) -> None:
        """Have the picture of that moment shown."""
        self.browser.execute_script(
            "document.querySelector('video').currentTime = arguments[0]", second
        )
        until(
            lambda: not self.video("seeking") and self.video("readyState") >= 2,
            f"the picture at {second} s is there",
        )
        self.assertEqual((round(self.video("currentTime")), self.video("videoWidth")), (second, 32))

    def asked(self) -> list[dict[str, Any]]:
        """The answers so far, as the log tells them."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def test_seeking(self) -> None:
        """Dragged forth and back, the parts that are shown are fetched, and the rest is not."""
        self.browser.get(f"http://127.0.0.1:{self.daemon.file_port}/film.webm")
        until(lambda: self.video("readyState") >= 1, "the film's length is known")
        self.assertEqual(round(self.video("duration")), SECONDS)
        self.browser.execute_script("document.querySelector('video').pause()")  # or it plays on
        for second in (55, 5, 30, 60):
            self.drag_to(second)
        self.browser.get("about:blank")
        until(lambda: len(self.asked()) >= 2, "the answers are in the log")
        answers = [each for each in self.asked() if each["path"] == "/film.webm"]
        parts = [each for each in answers if each["range"]]
        starts = [int(each["range"].partition("=")[2].partition("-")[0]) for each in parts]
        statuses = {each["status"] for each in parts}
        self.assertIn(206, statuses)
        self.assertLessEqual(statuses, {206, 304}, "a browser may ask whether what it has is good")
        self.assertGreater(max(starts), 60 * MIB, "what was dragged to was asked for")
        self.assertLess(sum(each["sent"] for each in answers), len(self.film))


class SeekingAtWorkersTests(SeekingTests):
    """The same, where the requests may meet several processes."""

    workers = 2
