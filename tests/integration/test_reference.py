"""The reference pages against a daemon that runs: nothing is missing, nothing is too much."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

from rangedaemon.control import openapi
from tests.integration.daemon import ROOT
from tests.integration.ops_case import OpsCase

_NAME = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)


def generated() -> ModuleType:
    """What fills the pages."""
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ReferenceTests(OpsCase):
    """A daemon that serves, receives and fetches."""

    def setUp(self) -> None:
        """Each of its ends has done something."""
        super().setUp()
        incoming = self.make_directory()
        taking = {"path": "/in", "root": str(incoming), "uploads": {"anonymous": True}}
        self.configure(server={"mounts": [self.mount("/files"), taking]})
        self.daemon.start()
        job = self.daemon.api.add(self.make_origin().url("/f.bin?size=1000"))
        self.daemon.api.wait_for(job["id"], "complete")

    def test_metrics(self) -> None:
        """The page of metrics has what the daemon tells, each of the same kind."""
        page = self.daemon.api.request("GET", "/metrics").body.decode()
        told = {
            name.removesuffix("_total"): kind
            for name, kind in _NAME.findall(page)
            if not name.endswith("_created")
        }
        documented = {metric.name: metric.type for metric in generated().metrics()}
        self.assertEqual(told, documented)

    def test_api(self) -> None:
        """The page of the API has the requests that the daemon describes."""
        described = self.daemon.api.request("GET", "/openapi.json").json
        documented = openapi.describe(generated().routes())
        self.assertEqual(
            {path: set(methods) for path, methods in described["paths"].items()},
            {path: set(methods) for path, methods in documented["paths"].items()},
        )
        self.assertEqual(described["components"]["schemas"], documented["components"]["schemas"])
