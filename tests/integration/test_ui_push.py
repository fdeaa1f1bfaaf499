"""The web page shows what leaves: an upload in a real browser."""

from __future__ import annotations

from typing import Any

from tests.hostile.content import content
from tests.integration.browser import BrowserCase
from tests.integration.daemon import DaemonProcess

MIB = 1 << 20
SIZE = 12 * MIB


class UploadPageTests(BrowserCase):
    """A row and its details, from the first octet to the last."""

    def setUp(self) -> None:
        super().setUp()
        self.sign_in()

    def pushed(self, **wishes: Any) -> str:
        """The id of an upload to another daemon."""
        self.root = self.make_directory()
        mount = {"path": "/inbox", "root": str(self.root), "uploads": {"anonymous": True}}
        other: DaemonProcess = self.make_daemon({"server": {"mounts": [mount]}}).start()
        self.host = f"127.0.0.1:{other.file_port}"
        file = self.daemon.downloads / f"{self._testMethodName}.mp4"
        file.write_bytes(content(1, 0, SIZE))
        url = f"http://{self.host}/inbox"
        job = self.daemon.api.add(url, kind="upload", file=str(file), name="my film", **wishes)
        self.addCleanup(self.daemon.api.request, "DELETE", f"/api/v1/jobs/{job['id']}")
        return str(job["id"])

    def test_upload(self) -> None:
        """Its arrow, its words, where it goes; at the end nothing to save or play."""
        job_id = self.pushed(rate_limit=MIB // 8)  # 96 s, of which a busy browser needs some
        row = self.row(job_id)
        self.wait_text(f"{row} .badge", "Uploading")
        self.assertIn("↑", self.shown(f"{row} h3") or "")
        facts = self.wait_text(f"{row} .facts", "sent")
        self.assertIn(f"to {self.host}", facts)
        self.click(f"{row} .job-name")
        self.wait_text(f"{row} .map-legend", "1 connection")
        told = self.wait_text(f"{row} .facts-list", "tus 1.0.0")
        self.assertIn("Pushed to", told)
        self.daemon.api.request("PATCH", f"/api/v1/jobs/{job_id}", {"rate_limit": None})
        self.wait_state(job_id, "complete")
        self.wait_text(f"{row} .badge", "Complete")
        self.wait_text(f"{row} .map-legend", "at the server")
        words = self.shown(f"{row} .job-acts") or ""
        self.assertNotIn("Save a copy", words)
        self.assertNotIn("Play", words)
        self.assert_file(self.root / f"{self._testMethodName}.mp4", 1, SIZE)

    def test_remove(self) -> None:
        """Who removes an upload is not asked about a file: that stays."""
        job_id = self.pushed(paused=True)
        file = self.daemon.api.job(job_id)["path"]
        self.wait_text(f"{self.row(job_id)} .badge", "Paused")
        self.click(f"{self.row(job_id)} .job-acts .quiet")
        self.wait_text("#remove-what", "forgets the upload")
        self.assertFalse(self.find("#remove-all").is_displayed())
        self.click("#remove-keep")
        self.wait_text("#notices", "forgotten")
        self.assert_file(file, 1, SIZE)

    def test_advice(self) -> None:
        """What went wrong with an upload is told in words about uploads."""
        job_id = self.pushed(protocol="tus", checksum="sha-256=" + "0" * 64)
        self.wait_state(job_id, "failed")
        self.wait_text(f"{self.row(job_id)} .error", "Nothing was sent")
