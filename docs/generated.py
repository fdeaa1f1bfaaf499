"""
Directives whose content comes from the program itself, so that it cannot be outdated.

``configuration`` walks the models of the configuration, ``api`` the table of routes,
``metrics`` a registry of a daemon that does nothing, ``faults`` the tree of errors.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from docutils import nodes
from docutils.statemachine import StringList
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole
from twisted.internet.testing import MemoryReactorClock

from rangedaemon.config import parse
from rangedaemon.config.models import Config
from rangedaemon.control import openapi
from rangedaemon.control.api import table_of
from rangedaemon.control.metrics import Meters, Work
from rangedaemon.control.routes.daemon import DaemonRoutes
from rangedaemon.core.counters import Counters, Durations
from rangedaemon.errors import Fault
from rangedaemon.service.serving import Serving
from rangedaemon.storage.threads import inline

Lines = Iterator[str]


class Generated(SphinxDirective, ABC):
    """A directive that is replaced by the reStructuredText of `lines`."""

    @abstractmethod
    def lines(self) -> Lines:
        """The text."""

    def run(self) -> list[nodes.Node]:
        """As docutils wants it."""
        section = nodes.section()
        section.document = self.state.document
        self.state.nested_parse(StringList(list(self.lines()), self.name), 0, section, True)
        return section.children


class ConfigurationKeys(Generated):
    """Every key of the configuration with its type, default and meaning."""

    def lines(self) -> Lines:
        """One section for each model."""
        schema = Config.model_json_schema()
        yield from _keys("The file", schema)
        for name, model in sorted(schema["$defs"].items()):
            yield from _keys(name, model)


def _keys(name: str, model: dict[str, Any]) -> Lines:
    yield from (f".. _config-{name.lower().replace(' ', '-')}:", "", name, "-" * len(name), "")
    yield from (_plain(model.get("description", "")), "")
    for key, value in model.get("properties", {}).items():
        yield f"``{key}``: {_kind(value)}{_default(value)}"
        yield f"    {_plain(value.get('description', '')) or 'As its name says.'}"
        yield ""


def _kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return f":ref:`config-{value['$ref'].rpartition('/')[2].lower()}`"
    if "enum" in value:
        return " | ".join(f"``{choice}``" for choice in value["enum"])
    if "const" in value:
        return f"``{value['const']}``"
    if "anyOf" in value or "oneOf" in value:
        kinds = [_kind(each) for each in value.get("anyOf", value.get("oneOf"))]
        return " or ".join(dict.fromkeys(kinds))
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}))}"
    return str(value.get("type", "anything"))


def _default(value: dict[str, Any]) -> str:
    return f"; default ``{json.dumps(value['default'])}``" if "default" in value else ""


def _plain(text: str) -> str:
    """A docstring as one line."""
    return " ".join(text.split()).replace("|", r"\|").replace("*", r"\*")


class Api(Generated):
    """Every request of the control API."""

    def lines(self) -> Lines:
        """One entry for each route, then the models."""
        document = openapi.describe(routes())
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                yield from _operation(method, path, operation)
        for name, model in sorted(document["components"]["schemas"].items()):
            yield from _model(name, model)


def routes() -> list[Any]:
    """The table; nobody ever calls what stands behind it here."""
    nobody: Any = Mock()
    return [
        *DaemonRoutes(nobody, nobody, nobody).table(nobody),
        *table_of(nobody, nobody, nobody, directory="", segments=8),
    ]


def _operation(method: str, path: str, operation: dict[str, Any]) -> Lines:
    title = f"``{method.upper()} {path}``"
    yield from (title, "-" * len(title), "", _plain(operation["summary"]), "")
    for parameter in operation.get("parameters", []):
        yield f"* ``{parameter['name']}`` ({parameter['in']})"
    yield ""
    statuses = [f"{status} {HTTPStatus(int(status)).phrase}" for status in operation["responses"]]
    yield from (f"Answers: {', '.join(statuses)}.", "")


def _model(name: str, model: dict[str, Any]) -> Lines:
    yield from (name, "-" * len(name), "", _plain(model.get("description", "")), "")
    for key, value in model.get("properties", {}).items():
        yield f"* ``{key}``: {_plain(value.get('description', '')) or value.get('type', '')}"
    yield ""


class Metrics(Generated):
    """Every metric, as a daemon without work tells it."""

    def lines(self) -> Lines:
        """A definition list."""
        for metric in metrics():
            yield f"``{metric.name}`` ({metric.type})"
            yield f"    {_plain(metric.documentation)}"
            yield ""


def metrics() -> list[Metric]:
    """All of them, by name."""
    return sorted([*_registry().collect(), *_of_the_server()], key=lambda each: each.name)


def _of_the_server() -> Iterator[Metric]:
    server = parse(b"server: {}", {}, name="docs", base=Path("/")).server
    return iter(Serving(server, MemoryReactorClock(), inline).collect())


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    jobs: Any = Mock(running_now=list, counters=Counters())
    tally: Any = Mock(resumed=0, changed=0, retries={}, ended={})
    Meters(registry, Work(jobs, tally, Mock(lag=Durations())))
    return registry


class Faults(Generated):
    """Every code that an error can carry."""

    def lines(self) -> Lines:
        """A table of codes, what they mean, and the HTTP status they are told with."""
        yield from (".. list-table::", "   :header-rows: 1", "")
        yield from ("   * - code", "     - what happened", "     - HTTP", "     - tried again")
        for fault in sorted(_tree(Fault), key=lambda each: each.code):
            again = "yes" if fault.retryable else "no"
            yield f"   * - ``{fault.code}``"
            yield f"     - {_plain(fault.title)}"
            yield from (f"     - {fault.status}", f"     - {again}")
        yield ""


def _tree(fault: type[Fault]) -> Iterator[type[Fault]]:
    seen = set()
    for each in (fault, *_below(fault)):
        if each.code not in seen:
            seen.add(each.code)
            yield each


def _below(fault: type[Fault]) -> Iterator[type[Fault]]:
    for each in fault.__subclasses__():
        yield each
        yield from _below(each)


class Proof(SphinxRole):
    """``:test:`path::Class::method```: the test behind a claim; a small mark that names it."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """As docutils wants it."""
        method = self.text.rpartition("::")[2]
        return [nodes.superscript("", method, classes=["test"])], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directives."""
    app.add_directive("configuration", ConfigurationKeys)
    app.add_directive("api", Api)
    app.add_directive("metrics", Metrics)
    app.add_directive("faults", Faults)
    app.add_role("test", Proof())
    return {"parallel_read_safe": True}
