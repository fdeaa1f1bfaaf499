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

    def test_add(self) -> None:
        """A folder is added by the form, with what is wished for it, and comes as it is wished."""
        self.sign_in()
        root = self.make_directory()
        (root / "below").mkdir()
        for name in ("one.iso", "two.txt", "two.log", "below/three.iso"):
            (root / name).write_bytes(b"x" * 100)
        url = self.make_nginx(root, more="autoindex on;").url("")
        self.click("#add-open")
        self.fill("#addresses", url)
        self.assertIsNone(self.shown("#include"))
        self.click("#folders")
        for selector, text in {
            "#include": "*.iso *.txt",
            "#exclude": "two.*",
            "#depth": "0",
        }.items():
            self.fill(selector, text)
        self.click("#delete-unlisted")
        self.script("document.getElementById('options').open = true")
        self.assertIsNone(self.shown("#checksum"))
        self.fill("#directory", "from the page")
        self.fill("#every", "6 h")
        self.click("#add-go")
        self.wait_text("#notices", "Added.")
        [job] = [job for job in self.daemon.api.jobs() if job["urls"] == [url]]
        self.addCleanup(self.daemon.api.request, "DELETE", f"/api/v1/jobs/{job['id']}")
        self.wait_text(f"{self.row(job['id'])} .facts", "1 of 1 files")
        self.wait_text(f"{self.row(job['id'])} .badge", "Waiting for its turn")
        self.wait_text(f"{self.row(job['id'])} .facts", "next ")
        self.press(job["id"], "Run again")
        came = self.daemon.downloads / "from the page"
        self.assertEqual([path.name for path in came.rglob("*")], ["one.iso"])
        self.assertEqual(self.daemon.api.job(job["id"])["repeat"]["every"], 21600)

    def test_wrong_depth(self) -> None:
        """What the API refuses is told at its line, and nothing is added."""
        self.sign_in()
        self.click("#add-open")
        self.fill("#addresses", "http://127.0.0.1/folder/")
        self.click("#folders")
        self.fill("#depth", "9999")
        self.click("#add-go")
        self.wait_text("#add-errors", "Line 1, depth")

    def tops(self) -> list[str]:
        """The jobs that are no mirror's files."""
        page = self.daemon.api.request("GET", "/api/v1/jobs?parent=none").json
        return [job["id"] for job in page["jobs"]]
