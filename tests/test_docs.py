"""What the documents claim, as far as a test can hold it."""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import ConfigError, Problem, parse

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
