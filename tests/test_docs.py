"""What the documents claim, as far as a test can hold it."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import ConfigError, Problem, parse
from rangedaemon.control.rangectl import cli
from rangedaemon.errors import Fault

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [page for page in DOCS.rglob("*.rst") if "_build" not in page.parts]
_PROOF = re.compile(r":test:`([^`]+)`")
_YAML = re.compile(r"^\.\. code-block:: yaml\n\n((?:(?:    .*)?\n)+)", re.MULTILINE)


def _methods(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        f"{each.name}::{inner.name}"
        for each in tree.body
        if isinstance(each, ast.ClassDef)
        for inner in each.body
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
    }


class ClaimTests(SynchronousTestCase):
    """Claims, and the tests behind them."""

    def test_each_test_exists(self) -> None:
        """Every test that a page names is there."""
        claims = [claim for page in PAGES for claim in _PROOF.findall(page.read_text())]
        self.assertGreater(len(claims), 45)
        for claim in claims:
            path, _, method = claim.partition("::")
            self.assertIn(method, _methods(ROOT / path), claim)

    def test_no_claim_without(self) -> None:
        """Every claim of the threat model, and every fault that was tried, names one."""
        for page, begin in (("security", r"\n\* "), ("crashes", r"\n(?=\S.*\n    )")):
            text = (DOCS / "explanation" / f"{page}.rst").read_text()
            text = text.partition("Faults, each tried")[2] or text.partition("Not defended")[0]
            claims = re.split(begin, text)[1:]
            self.assertGreater(len(claims), 8)
            for claim in claims:
                self.assertRegex(claim, _PROOF)


class WordsTests(SynchronousTestCase):
    """What pages name of the program is called so."""

    def test_commands(self) -> None:
        """Every command of ``rangectl`` that a page names."""
        named = _named(r"rangectl (?:-[a-z] \S+ )?([a-z]+(?: (?:check|repair))?)")
        self.assertGreater(len(named), 15)
        for command in named:
            first, _, second = command.partition(" ")
            group = cli.commands[first]
            if second:
                assert isinstance(group, click.Group)
                self.assertIn(second, group.commands)

    def test_metrics(self) -> None:
        """Every metric that a page names is in the dashboard, whose names are tested."""
        dashboard = (ROOT / "conf" / "grafana-dashboard.json").read_text()
        for metric in _named(r"``(rangedaemon_[a-z_]+)``"):
            self.assertIn(metric, dashboard)

    def test_codes(self) -> None:
        """Every error that the page for the night names."""
        page = (DOCS / "howto" / "trouble.rst").read_text()
        named = set(re.findall(r"(?:failed|wait) with ``([^`]+)``", page))
        self.assertEqual(named - {fault.code for fault in _below(Fault)}, set())
        self.assertGreater(len(named), 2)


def _named(pattern: str) -> set[str]:
    return {name for page in PAGES for name in re.findall(pattern, page.read_text())}


def _below(fault: type[Fault]) -> Iterator[type[Fault]]:
    for each in fault.__subclasses__():
        yield each
        yield from _below(each)


class DependencyTests(SynchronousTestCase):
    """What is installed with the daemon."""

    def test_each_is_explained(self) -> None:
        """A library that the package asks for has a line that says what for."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        told = (DOCS / "explanation" / "dependencies.rst").read_text().lower()
        for dependency in project["dependencies"]:
            name = re.split(r"[][<>=!~ ;]", dependency)[0]
            self.assertIn(name, told)


class ExampleTests(SynchronousTestCase):
    """Configurations that the documents and the README show."""

    def test_examples(self) -> None:
        """Each can be used as it stands, but for the files that it names."""
        shown = [
            (page, found)
            for page in [ROOT / "README.rst", *PAGES]
            for found in _YAML.findall(page.read_text(encoding="utf-8"))
        ]
        self.assertGreater(len(shown), 4)
        for page, example in shown:
            wrong = [problem for problem in _problems(example) if not _absent(problem)]
            self.assertEqual(wrong, [], f"{page.name}: {example}")


def _problems(example: str) -> list[Problem]:
    try:
        parse(
            textwrap.dedent(example).encode(),
            {"CREDENTIALS_DIRECTORY": "/run/credentials", "ORIGIN_TOKEN": "t"},
            name="example",
            base=ROOT,
        )
    except ConfigError as error:
        return list(error.problems)
    return []


def _absent(problem: Problem) -> bool:
    return "No such file" in problem.message or "does not exist" in problem.message
