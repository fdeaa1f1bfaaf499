"""The how-to guides, run as they stand beside a daemon that is set up as they say."""

from __future__ import annotations

import os
import sys

from tests.hostile import write_content
from tests.integration.api import Api
from tests.integration.case import IntegrationCase
from tests.integration.console import Page, steps_of
from tests.integration.daemon import ROOT, environment

HOWTO = ROOT / "docs" / "howto"
ELSEWHERE = {"systemd.rst"}
"""Pages that another test follows."""
SIZE = 1 << 20


class HowtoTests(IntegrationCase):
    """One daemon for each page."""

    def setUp(self) -> None:
        """It serves, takes uploads, pushes, and has a token for Prometheus."""
        self.origin = self.make_origin()
        self.daemon = self.make_daemon()
        self.place = self.daemon.directory
        self.daemon.api = Api(self.daemon.port, self.place / "var/state/control.token")
        for folder in ("files", "incoming", "out/photos", "programs", "pub/updates/x86"):
            (self.place / folder).mkdir(parents=True)
        for file in ("files/sample.bin", "big.iso", "out/big.iso", "out/photos/1.jpg",
                     "pub/updates/a.rpm", "pub/updates/x86/b.rpm"):  # fmt: skip
            write_content(self.place / file, 1, SIZE)
        (self.place / "upload.tokens").touch()
        self.make_program("rangectl", "from rangedaemon.control.rangectl import main; main()")
        self.make_program(
            "aria2p", "import sys; from aria2p.cli.main import main; sys.exit(main())"
        )
        self.configure()

    def make_program(self, name: str, script: str) -> None:
        """One that the pages name, by this interpreter."""
        program = self.place / "programs" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}" "$@"\n')
        program.chmod(0o755)

    def configure(self, jobs: list[dict[str, object]] | None = None) -> None:
        """The configuration that the pages speak of, with these *jobs*."""
        mounts = [
            {"path": "/files", "root": "files"},
            {"path": "/pub", "root": "pub", "listing": True},
            {"path": "/in", "root": "incoming", "uploads": {"tokens_file": "upload.tokens"}},
        ]
        metrics = {"name": "metrics", "token_file": "var/state/metrics.token"}
        self.daemon.configure({
            "state_dir": "var/state", "server": {"mounts": mounts}, "jobs": jobs or [],
            "control": {"tokens": [metrics], "token_file": "var/state/control.token"},
            "pushes": {"directories": ["out"]},
        })  # fmt: skip

    def follow(self, name: str) -> None:
        """Every line of the page."""
        self.daemon.start()
        self.follow_now(name)

    def follow_now(self, name: str) -> None:
        """The same, where the daemon runs already."""
        env = environment(
            PATH=f"{self.place / 'programs'}:{os.environ['PATH']}",
            RANGEDAEMON_URL=f"http://127.0.0.1:{self.daemon.port}",
            RANGEDAEMON_TOKEN_FILE=str(self.place / "var/state/control.token"),
        )
        names = [
            ("https://drop.example.org", f"http://127.0.0.1:{self.daemon.file_port}"),
            ("https://dist.example.org", f"http://127.0.0.1:{self.daemon.file_port}"),
            ("https://example.org", self.origin.url("")), ("/srv/out", str(self.place / "out")),
            ("8080", str(self.daemon.file_port)), ("6880", str(self.daemon.port)),
        ]  # fmt: skip
        page = Page(HOWTO / name, self.place, names, env)
        self.addCleanup(page.close)
        page.follow()
        self.assertNotIn("Traceback", self.daemon.log)

    def test_calendar(self) -> None:
        """Jobs by the clock; what a reload would change, shown and done."""
        blocklist = {"name": "blocklist", "url": self.origin.url("/b.txt"), "paused": True}
        genome = {"name": "genome", "url": self.origin.url("/g.tar"), "paused": True}
        self.configure([{**blocklist, "headers": {"X-Key": "1"}}, genome])
        self.daemon.start()
        self.configure([{**blocklist, "headers": {"X-Key": "2"}, "priority": 5},
                        {**genome, "name": "debian"}])  # fmt: skip
        self.follow_now("calendar.rst")

    def test_clients(self) -> None:
        """A client of aria2."""
        self.follow("clients.rst")

    def test_limits(self) -> None:
        """Limits of all jobs, and of one."""
        self.follow("limits.rst")

    def test_mirror(self) -> None:
        """A folder that this daemon itself lists."""
        self.follow("mirror.rst")
        for file in ("a.rpm", "x86/b.rpm"):
            self.assert_file(self.daemon.downloads / "updates" / file, 1, SIZE)

    def test_serve(self) -> None:
        """Ranges, digests, a Metalink."""
        self.follow("serve.rst")

    def test_uploads(self) -> None:
        """A file taken from curl, and files pushed."""
        self.follow("uploads.rst")
        self.assertEqual(
            sorted(path.name for path in (self.place / "incoming").glob("[!.]*")),
            ["1.jpg", "big (1).iso", "big.iso"],
        )

    def test_watch(self) -> None:
        """Metrics and events with a token that may only read."""
        self.follow("watch.rst")

    def test_no_page_is_forgotten(self) -> None:
        """Each page with commands is followed by a test."""
        pages = {page.name for page in HOWTO.glob("*.rst") if steps_of(page)}
        here = {
            f"{name.removeprefix('test_')}.rst" for name in dir(self) if name.startswith("test_")
        }
        self.assertEqual(pages - here - ELSEWHERE, set())
