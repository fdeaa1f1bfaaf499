"""axe (https://github.com/dequelabs/axe-core) finds no barrier in the page, light or dark."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.integration.browser import PHONE, BrowserCase

MIB = 1 << 20
AXE = "axe-core@4.14.1"
_RUN = """const done = arguments[0];
axe.run(document, { resultTypes: ["violations"] }).then(
    ({ violations }) => done({ violations }), (error) => done({ error: String(error) }));"""


@cache
def axe_source() -> str:
    """The text of axe. :raises SkipTest: there is no npm, or nothing that it could ask."""
    npm = shutil.which("npm")
    if npm is None:
        raise SkipTest("axe comes from npm, which is not installed")
    with tempfile.TemporaryDirectory(prefix="rangedaemon-axe-") as place:
        command = [npm, "install", "--no-save", "--ignore-scripts", "--prefix", place, AXE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=90)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise SkipTest(f"npm cannot install {AXE}") from error
        return (Path(place) / "node_modules/axe-core/axe.min.js").read_text("utf-8")


class AccessTests(BrowserCase):
    """Every state of a job, every dialog, both schemes, two widths."""

    def audit(self, what: str) -> None:
        """No violation now."""
        self.browser.execute_script(axe_source())
        answer: dict[str, Any] = self.browser.execute_async_script(_RUN)
        found = [
            f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in answer["violations"]
            for node in rule["nodes"]
        ]
        self.assertEqual(found, [], what)

    def schemes(self, what: str) -> None:
        """No violation, light and dark; what moves has come to rest."""
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {})
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}, still]
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            self.audit(f"{what}, {scheme}")

    def test_sign_in(self) -> None:
        """The form, with a refusal in it."""
        axe_source()
        self.sign_in_wrongly()
        self.schemes("sign in")

    def test_list(self) -> None:
        """Jobs in every state that stays, one of them open, on a desk and on a phone."""
        axe_source()
        shown = {
            self.add(self.path(), 60 * MIB, rate_limit=MIB)["id"]: "active",
            self.add(self.path("nokeep"), MIB, paused=True)["id"]: "paused",
            self.fetch(self.path("closed"), MIB)["id"]: "complete",
            self.fetch_failing(self.path("status=404"))["id"]: "failed",
        }
        self.sign_in()
        for job_id, state in shown.items():
            self.wait_state(job_id, state)
            self.click(f"{self.row(job_id)} .job-name")
            self.wait_text(f"{self.row(job_id)} .details", "Address")
        self.schemes("list")
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        self.schemes("phone")

    def test_dialogs(self) -> None:
        """Adding, with options and a complaint; removing; the keys; a message."""
        axe_source()
        job = self.fetch(self.path(), MIB)
        self.sign_in()
        self.wait_state(job["id"], "complete")
        self.click("#add-open")
        self.script("document.getElementById('options').open = true")
        self.fill("#addresses", "ftp://example.org/")
        self.click("#add-go")
        self.wait_text("#add-errors", "Line 1")
        self.click("#folders")
        self.schemes("add")
        self.click("#add [data-close]")
        self.press(job["id"], "Remove")
        self.schemes("remove")
        self.click("#remove [data-close]")
        self.click("#help-open")
        self.schemes("keys")
        self.click("#help [data-close]")
        self.module('(await import("/ui/notices.js")).notice("Not done.", "fault")')
        self.schemes("message")
