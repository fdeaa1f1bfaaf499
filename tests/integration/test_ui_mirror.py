"""The web page shows a mirror as one row, and its files where somebody opens that."""

from __future__ import annotations

from tests.integration.browser import BrowserCase
from tests.integration.waiting import until


class MirrorPageTests(BrowserCase):
    """A row with counts of files."""

    def test_mirror(self) -> None:
        """One row whatever it has of files; what failed is named in its details."""
        self.sign_in()
        root = self.make_directory()
        for number in range(4):
            (root / f"file-{number}.bin").write_bytes(b"x" * 100)
        (root / "locked.bin").symlink_to("/nowhere")
        (root / "old.bin").write_bytes(b"x")
        nginx = self.make_nginx(root, more="autoindex on; location /old.bin { return 403; }")
        job = self.daemon.api.add(nginx.url(""), kind="mirror", name="my mirror")
        self.addCleanup(self.daemon.api.request, "DELETE", f"/api/v1/jobs/{job['id']}")
        row = self.row(job["id"])
        self.wait_text(f"{row} .badge", "Failed")
        facts = self.wait_text(f"{row} .facts", "4 of ")
        self.assertIn("4 fetched", facts)
        self.assertIn("Not all of the folder", self.shown(f"{row} .error") or "")
        self.assertEqual(len(self.all(".job")), len(self.tops()))
        self.wait_text("#filters .count", str(len(self.tops())))
        self.assertNotIn("file-1.bin", self.shown("#jobs") or "")
        self.click(f"{row} .job-name")
        told = self.wait_text(f"{row} .files", "old.bin")
        self.assertIn("Failed", told)
        self.assertIn(job["directory"], self.wait_text(f"{row} .facts-list", "Folder"))
        self.click(f"{row} .job-acts .quiet")
        self.wait_text("#remove-what", "forgets the mirror")
        self.click("#remove-keep")
        until(lambda: not self.all(row), "the row is gone")

    def tops(self) -> list[str]:
        """The jobs that are no mirror's files."""
        page = self.daemon.api.request("GET", "/api/v1/jobs?parent=none").json
        return [job["id"] for job in page["jobs"]]
