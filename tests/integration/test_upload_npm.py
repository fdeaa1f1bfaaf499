"""tus-js-client: in Node.js, and in a page of another origin in headless Chromium."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest

from tests.hostile.content import content
from tests.integration.browser import start_browser
from tests.integration.test_aria2_npm import SCRIPTS
from tests.integration.uploading import SIZE, UploadCase
from tests.integration.waiting import PATIENCE, until

MIDDLE = SIZE // 2

_PAGE = """<!doctype html><title>upload</title><script src="tus.min.js"></script>"""
_UPLOAD = """
const [endpoint, filename, url, done] = arguments;
fetch(url).then((answer) => answer.blob()).then((blob) => {
  const statuses = [];
  const upload = new tus.Upload(blob, {
    endpoint, retryDelays: [0, 100, 200, 400, 800], metadata: { filename },
    onAfterResponse: (req, res) => { statuses.push([req.getMethod(), res.getStatus()]); },
    onError: (error) => done({ error: String(error) }),
    onSuccess: () => done({ url: upload.url, statuses }),
  });
  upload.start();
});
"""


class NpmUploadCase(UploadCase):
    """Has the client installed."""

    scripts: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        if not (shutil.which("node") and shutil.which("npm")):
            raise SkipTest("Node.js is not installed")
        super().setUpClass()
        cls.scripts = cls._directory / "npm"
        shutil.copytree(SCRIPTS, cls.scripts)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
        installed = subprocess.run(command, cwd=cls.scripts, capture_output=True, check=False)
        if installed.returncode != 0:
            raise SkipTest("npm could not install the clients")


class NodeTests(NpmUploadCase):
    """In Node.js."""

    def run_script(self, port: int, parallel: int = 1) -> Any:
        """What the script prints, as JSON."""
        command = ["node", "with_tus.cjs", self.url(port), str(self.source()), self.name]
        ended = subprocess.run(
            [*command, str(parallel)], cwd=self.scripts, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)

    def test_cut(self) -> None:
        """Cut twice: it asks with HEAD and goes on."""
        proxy = self.cutting(MIDDLE // 2, MIDDLE)
        told = self.run_script(proxy.port)
        self.assertEqual(proxy.broken, 2)
        self.assertEqual(told["statuses"][0], ["POST", 201])
        self.assertIn(["HEAD", 200], told["statuses"])
        self.assertEqual(told["statuses"][-1], ["PATCH", 204])
        self.assert_received()

    def test_parallel(self) -> None:
        """Four parts at once, one of them cut, joined at the end."""
        proxy = self.cutting(MIDDLE)
        told = self.run_script(proxy.port, parallel=4)
        self.assertEqual(proxy.broken, 1)
        self.assertEqual(told["statuses"].count(["POST", 201]), 5, "four parts and the whole")
        self.assert_received()


class BrowserTests(NpmUploadCase):
    """In a page of another origin."""

    mount: ClassVar[dict[str, Any]] = {"cors": ["*"]}

    @classmethod
    def setUpClass(cls) -> None:
        profile = Path(tempfile.mkdtemp(prefix="rangedaemon-browser-"))
        cls.addClassCleanup(shutil.rmtree, profile, ignore_errors=True)
        cls.browser = start_browser(profile)
        cls.addClassCleanup(cls.browser.quit)
        super().setUpClass()
        pages = cls._directory / "pages"
        pages.mkdir()
        (pages / "index.html").write_text(_PAGE)
        (pages / "source.bin").write_bytes(content(1, 0, SIZE))
        client = cls.scripts / "node_modules" / "tus-js-client" / "dist" / "tus.min.js"
        shutil.copy(client, pages)
        cls.page = _serve(cls, pages)

    def test_cut(self) -> None:
        """Preflights, a creation, a cut, a resume, and the file is right."""
        proxy = self.cutting(MIDDLE)
        self.browser.set_script_timeout(60)
        self.browser.get(f"{self.page}/index.html")
        told = self.browser.execute_async_script(
            _UPLOAD, self.url(proxy.port), self.name, f"{self.page}/source.bin"
        )
        self.assertNotIn("error", told)
        self.assertEqual(proxy.broken, 1)
        self.assertIn(["HEAD", 200], told["statuses"])
        self.assert_received()
        until(lambda: "received" in self.daemon.log, "a line of the log")


def _serve(case: type[UploadCase], pages: Path) -> str:
    """Serve *pages* at an origin of their own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(pages))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.addClassCleanup(server.server_close)
    case.addClassCleanup(server.shutdown)
    return f"http://127.0.0.1:{server.server_address[1]}"
