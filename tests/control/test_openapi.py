"""Tests for the OpenAPI description."""

from __future__ import annotations

import re

from openapi_spec_validator import OpenAPIV31SpecValidator
from twisted.trial.unittest import SynchronousTestCase

from tests.control.wire import Wire

CONTRACT = """
GET /healthz
GET /metrics
GET /openapi.json
GET /api/v1/status
POST /api/v1/jobs
GET /api/v1/jobs
GET /api/v1/jobs/{id}
PATCH /api/v1/jobs/{id}
POST /api/v1/jobs/{id}/pause
POST /api/v1/jobs/{id}/resume
POST /api/v1/jobs/{id}/retry
DELETE /api/v1/jobs/{id}
GET /api/v1/jobs/{id}/segments
GET /api/v1/jobs/{id}/content
GET /api/v1/events
POST /api/v1/shutdown
"""


class DescriptionTests(SynchronousTestCase):
    """Tests for ``GET /openapi.json``."""

    def setUp(self) -> None:
        """The description as it is served."""
        self.document = Wire().ask("GET", "/openapi.json").json()

    def test_valid(self) -> None:
        """It is an OpenAPI 3.1 document."""
        OpenAPIV31SpecValidator(self.document).validate()
        self.assertTrue(self.document["openapi"].startswith("3.1."))

    def test_every_row(self) -> None:
        """Every row of the contract is described."""
        described = {
            f"{method.upper()} {path}"
            for path, methods in self.document["paths"].items()
            for method in methods
        }
        self.assertLessEqual(set(CONTRACT.split("\n")) - {""}, described)

    def test_no_loose_reference(self) -> None:
        """Every reference leads somewhere, every schema is used."""
        used = set(re.findall(r"#/components/schemas/(\w+)", str(self.document)))
        self.assertEqual(used, set(self.document["components"]["schemas"]))

    def test_new_job(self) -> None:
        """The body of a new job is the model: its fields, no others."""
        schema = self.document["components"]["schemas"]["NewJob"]
        self.assertFalse(schema["additionalProperties"])
        self.assertLessEqual(
            {
                "url",
                "urls",
                "name",
                "directory",
                "filename",
                "checksum",
                "headers",
                "segments",
                "priority",
                "rate_limit",
                "paused",
                "on_conflict",
            },
            set(schema["properties"]),
        )
