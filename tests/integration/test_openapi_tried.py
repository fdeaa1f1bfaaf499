"""The running daemon against its own description: schemathesis asks whatever that allows."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest
from twisted.trial.unittest import SkipTest

from tests.integration.case import IntegrationCase

pytestmark = pytest.mark.integration

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "negative_data_rejection"),
    *("unsupported_method", "missing_required_header", "use_after_free"),
)
ENDLESS = ("/api/v1/shutdown", "/api/v1/events")
"""Not tried: one ends the daemon, the other never ends its answer."""


class SchemathesisTests(IntegrationCase):
    """No 5xx, and no answer that the description does not have."""

    @pytest.mark.timeout(900)
    def test_every_operation(self) -> None:
        """Edge cases, random requests and sequences of them, at every operation."""
        if importlib.util.find_spec("schemathesis") is None:
            raise SkipTest("schemathesis is not installed")
        downloads = {"connect_timeout": "1s", "retry": {"attempts": 1}}
        daemon = self.make_daemon({"downloads": downloads}).start()
        described = daemon.api.request("GET", "/openapi.json").json["paths"]
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"http://127.0.0.1:{daemon.port}/openapi.json",
                *("--header", f"Authorization: Bearer {daemon.api.token}"),
                *(part for path in ENDLESS for part in ("--exclude-path", path)),
                *("--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing,stateful"),
                *("--max-examples", "15", "--seed", "1", "--request-timeout", "30", "--no-color"),
                *("--generation-database", "none"),
            ],
            cwd=daemon.directory, capture_output=True, text=True, timeout=800, check=False,
        )  # fmt: skip
        self.assertEqual(ended.returncode, 0, ended.stdout[-8000:] + ended.stderr[-2000:])
        left_out = {*ENDLESS, "/openapi.json"}  # schemathesis has read that one to begin
        operations = sum(len(row) for path, row in described.items() if path not in left_out)
        self.assertEqual(re.findall(r"Tested: (\d+)", ended.stdout), [str(operations)])
        self.assertNotIn("Traceback", daemon.log)
