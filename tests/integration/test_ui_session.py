"""The web page and its daemon: signing in, what it serves, and when it is gone for a while."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.hostile.content import digest
from tests.integration.browser import BrowserCase

MIB = 1 << 20


class SignInTests(BrowserCase):
    """The token: asked for once, kept for the tab, out of sight."""

    def test_wrong_then_right(self) -> None:
        """A wrong token is told in words; the right one opens the page and is asked for once."""
        self.sign_in_wrongly()
        self.fill("#token", self.daemon.api.token)
        self.click("#sign-in button")
        self.wait_text("#link", "Live")
        self.browser.refresh()
        self.wait_text("#link", "Live")

    def test_fragment(self) -> None:
        """A token in the address signs in and is out of the address and the history at once."""
        self.sign_in()
        self.assertEqual(self.browser.current_url, self.page)
        self.assertNotIn(self.daemon.api.token, self.script("return document.body.innerHTML"))
        kept = self.script("return [{...localStorage}, document.cookie]")
        self.assertNotIn(self.daemon.api.token, str(kept))

    def test_sign_out(self) -> None:
        """Signed out, nothing of the jobs is left in the page."""
        self.add(self.path(), 1024)
        self.sign_in()
        self.wait_text("#jobs", f"{self._testMethodName}.bin")
        self.click("#sign-out")
        self.wait_text("#sign-in", "Sign in")
        self.assertEqual(self.all(".job"), [])
        self.assertIsNone(self.script("return sessionStorage.getItem('rangedaemon.token')"))


class PlacesTests(BrowserCase):
    """The served folders, at the foot of the page."""

    sections: ClassVar[Mapping[str, Any]] = {
        "server": {
            "mounts": [
                {"path": "/out", "root": "."},
                {"path": "/in", "root": ".", "uploads": {"anonymous": True}},
            ]
        }
    }

    def test_takes_uploads(self) -> None:
        """Each folder leads to itself; those that take uploads say so."""
        self.sign_in()
        base = f"http://127.0.0.1:{self.daemon.file_port}"
        self.wait_text("#places", f"{base}/out")
        links = {link.text: link.get_attribute("href") for link in self.all("#places a")}
        self.assertEqual(
            links, {f"{base}/out": f"{base}/out", f"{base}/in (takes uploads)": f"{base}/in"}
        )


class ConnectionTests(BrowserCase):
    """A daemon that goes away and comes back."""

    def test_restart(self) -> None:
        """The page says that the daemon is gone, and goes on by itself when it is back."""
        self.sign_in()
        self.daemon.terminate()
        self.wait_text("#link", "trying again")
        self.daemon.start()
        job = self.add(self.path(), MIB)
        self.wait_text("#link", "Live")
        self.wait_state(job["id"], "complete")

    def test_save(self) -> None:
        """A finished file is saved through the browser, whole, with no token in any address."""
        job = self.fetch(self.path(), 3 * MIB)
        self.sign_in()
        self.wait_state(job["id"], "complete")
        self.press(job["id"], "Save a copy")
        saved = self.profile / "saved" / job["filename"]
        self.wait_for(saved.exists, "the file is saved")
        self.assertEqual(hashlib.sha256(saved.read_bytes()).digest(), digest(1, 3 * MIB))
