"""REDbot (https://redbot.org/), the linter of HTTP resources, finds nothing to complain of."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.integration.test_server import ServingCase
from tests.integration.waiting import PATIENCE

OURS = {"RANGE", "VALIDATION", "CONNEG", "CONNECTION"}
"""The categories in which a warning counts as a fault; elsewhere only what is plainly bad."""


class RedbotTests(ServingCase):
    """REDbot's notes on what we serve."""

    mount = {"cache_control": "max-age=3600", "listing": True, "cors": ["*"]}

    def setUp(self) -> None:
        if find_spec("redbot") is None:
            raise SkipTest("REDbot is not installed")
        super().setUp()
        text = b"".join(b"%d\n" % number for number in range(20_000))
        (self.root / "t.txt").write_bytes(text)
        (self.root / "t.txt.gz").write_bytes(gzip.compress(text))

    def notes(self, name: str) -> set[str]:
        """The identifiers of REDbot's notes on a file; none of them may be a complaint."""
        url = self.url.replace("f.bin", name)
        done = subprocess.run(
            [sys.executable, "-m", "redbot.cli", "-o", "har", url],
            capture_output=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        notes = [note for entry in _entries(done.stdout) for note in entry["_red_messages"]]
        complaints = [
            (note["note_id"], note["summary"])
            for note in notes
            if note["level"] == "BAD" or (note["level"] == "WARN" and note["category"] in OURS)
        ]
        self.assertEqual(complaints, [])
        return {note["note_id"] for note in notes}

    def test_file(self) -> None:
        """Ranges and both conditions work."""
        wanted = {"RANGE_CORRECT", "INM_304", "IMS_304", "CL_CORRECT"}
        self.assertLessEqual(wanted, self.notes("f.bin"))

    def test_negotiated(self) -> None:
        """So they do where there is a compressed sibling, and it is a sound one."""
        wanted = {"RANGE_CORRECT", "INM_304", "IMS_304", "CONNEG_GZIP_GOOD"}
        self.assertLessEqual(wanted, self.notes("t.txt"))

    def test_made(self) -> None:
        """A listing and a metalink are sound too."""
        for name in ["", "f.bin.meta4"]:
            self.assertLessEqual({"RANGE_CORRECT", "INM_304"}, self.notes(name))


def _entries(har: bytes) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(har)["log"]["entries"]
    return entries
