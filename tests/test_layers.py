"""The direction of imports: down only, and what only one module may import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rangedaemon"

LEVELS = (
    ("tap", "worker"),
    ("service",),
    ("config",),
    ("control",),
    ("client", "server"),
    ("storage",),
    ("core",),
    ("errors",),
)
"""From the top; what shares a level does not import each other."""

TYPES_ONLY = {"random.Random"}
"""What may be imported to say what an argument is."""

DEPTH = {name: depth for depth, names in enumerate(LEVELS) for name in names}


def module_name(file: Path) -> str:
    """The dotted name of a source file."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Every module that is imported anywhere in *tree*, in functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def all_imports() -> Iterator[tuple[str, str]]:
    """Pairs of our modules and what they import."""
    for file in sorted(PACKAGE.rglob("*.py")):
        name = module_name(file)
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for target in imports(ast.parse(file.read_text()), package):
            yield name, target


def level_of(module: str) -> str | None:
    """The part of the package that a module belongs to; None where it is not ours."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "rangedaemon" else None


class LayerTests(SynchronousTestCase):
    """Imports, read from the sources."""

    def setUp(self) -> None:
        """Read them all."""
        self.imports = list(all_imports())

    def importers(self, *names: str) -> set[str]:
        """Our modules that import one of *names* or something below it."""
        return {
            module
            for module, target in self.imports
            if target not in TYPES_ONLY
            and any(target == name or target.startswith(f"{name}.") for name in names)
        }

    def test_down_only(self) -> None:
        """Nothing imports what stands above it or beside it."""
        wrong = [
            f"{module} imports {target}"
            for module, target in self.imports
            if (above := DEPTH.get(level_of(module) or "")) is not None
            and (below := DEPTH.get(level_of(target) or "")) is not None
            and level_of(module) != level_of(target)
            and below <= above
        ]
        self.assertEqual(wrong, [])

    def test_the_reading_sees_something(self) -> None:
        """The reader of imports finds the ones that are there (a blind one would find no fault)."""
        found = set(imports(ast.parse("def f():\n    from ..core import x\n    import a.b"), "p.q"))
        self.assertEqual(found, {"p.core.x", "a.b"})
        self.assertIn(("rangedaemon.tap", "rangedaemon.config.load"), self.imports)

    def test_core_is_pure(self) -> None:
        """The core knows no Twisted, no I/O, no clock and no chance."""
        core = {name for name, _ in self.imports if level_of(name) == "core"}
        barred = (
            "twisted", "treq", "klein", "sqlalchemy", "yaml", "pydantic", "os", "io", "socket",
            "random", "secrets", "subprocess", "threading", "asyncio",
        )  # fmt: skip
        self.assertEqual(core & self.importers(*barred), set())
        clock = re.compile(r"\btime\.(?!gmtime|strftime|struct_time)\w+|\b(?:now|today|utcnow)\(\)")
        for file in (PACKAGE / "core").rglob("*.py"):
            self.assertNotRegex(file.read_text(), clock, str(file))

    def test_reactor(self) -> None:
        """Each process has one place that imports the reactor; everybody else is given it."""
        self.assertEqual(
            self.importers("twisted.internet.reactor"), {"rangedaemon.tap", "rangedaemon.worker"}
        )

    def test_treq(self) -> None:
        """One module knows the HTTP client library."""
        self.assertEqual(self.importers("treq"), {"rangedaemon.client.origin"})

    def test_configuration(self) -> None:
        """Only the top reads the configuration; the others get plain values."""
        readers = {level_of(name) for name in self.importers("rangedaemon.config")}
        self.assertEqual(readers - {"config"}, {"tap", "service"})

    def test_no_plugin_package(self) -> None:
        """``twisted/`` here is no package: with an ``__init__.py`` Twisted would skip it."""
        found = sorted(path.name for path in (ROOT / "twisted").rglob("*.py"))
        self.assertEqual(found, ["rangedaemon_plugin.py"])
