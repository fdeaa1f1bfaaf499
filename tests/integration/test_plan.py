"""``rangectl plan`` and a reload, against a real daemon and its file."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.ops_case import OpsCase
from tests.integration.rangectl_case import command


class PlanTests(OpsCase):
    """Declared jobs that are others by and by."""

    def job(self, name: str, **more: Any) -> dict[str, Any]:
        """One that never starts by itself."""
        return {"name": name, "url": f"http://127.0.0.1:9/{name}", "paused": True, **more}

    def ctl(self, *words: str) -> str:
        """What rangectl prints."""
        ended = command("-c", str(self.daemon.config_file), *words)
        self.assertEqual((ended.code, ended.err), (0, ""))
        return ended.out

    def test_plan_then_reload(self) -> None:
        """The plan says what the reload does, and afterwards there is nothing to do."""
        self.configure(jobs=[self.job("a", headers={"Cookie": "hunter2"}), self.job("b")])
        self.daemon.start()
        self.assertIn("as declared", self.ctl("plan"))
        changed = self.job("a", headers={"Cookie": "hunter3"}, priority=5)
        self.configure(jobs=[changed, self.job("c")], downloads={"on_removed": "remove"})
        said = self.ctl("plan").splitlines()
        expected = ["~ a: headers (secret) -> (secret), priority 0 -> 5", "+ c", "- b"]
        self.assertEqual(said, expected)
        self.assertNotIn("hunter", self.ctl("--json", "plan"))
        self.assertEqual({job["name"] for job in self.daemon.api.jobs()}, {"a", "b"})
        self.assertEqual(self.reloaded(), {"downloads.on_removed", "jobs"})
        jobs = {job["name"]: job for job in self.daemon.api.jobs()}
        self.assertEqual((set(jobs), jobs["a"]["priority"]), ({"a", "c"}, 5))
        self.assertEqual(json.loads(self.ctl("--json", "plan")), {"changes": []})
