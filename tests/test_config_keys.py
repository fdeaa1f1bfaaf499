"""
Every key of the configuration, found by walking its models: described, and located when bad.

A key that is added is tested with that.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import ConfigError
from rangedaemon.config.models import Config
from tests.configs import CONF, config_of

WRONG_KINDS = ({"no such": [{"thing": None}]}, [[{}]], "no such thing")
"""Values of which each key refuses at least one for its kind alone."""
PLAUSIBLE = (
    *(-1, 0, 10**40, "", " ", "\x07", "no such thing", "../up", "/\0", "10 parsecs"),
    *("http://", "tcp:x:y", "12-6", "sha-256=12", "ff:zz"),
)
"""Values that somebody might write, of which each key refuses some."""


@dataclass(frozen=True)
class Key:
    """One key, and what stands around it in a file."""

    path: tuple[str | int, ...]
    model: type[BaseModel]
    kinds: Mapping[tuple[str | int, ...], str]
    """The ``kind`` of the jobs on the way."""

    def document(self, value: object) -> str:
        """A file where the key has *value*, and nothing else is said that need not be."""
        tree = value
        for depth in range(len(self.path) - 1, -1, -1):
            step, above = self.path[depth], self.path[:depth]
            if isinstance(step, int):
                tree = [tree]
                continue
            kind = {"kind": self.kinds[above]} if above in self.kinds and step != "kind" else {}
            tree = {**kind, step: tree}
        return yaml.safe_dump(tree, sort_keys=False)

    def line(self, text: str) -> int:
        """Where the key stands in its file: the last one there."""
        key = re.escape(str(self.path[-1]))
        lines = text.splitlines()
        return max(n for n, line in enumerate(lines, 1) if re.match(rf"[ -]*'?{key}'?:", line))


def models_in(annotation: object) -> Iterator[tuple[tuple[int, ...], type[BaseModel]]]:
    """The models in an annotation, each with the steps that lead there."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield (), annotation
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        for each in inner:
            yield from models_in(each)
    elif origin is tuple:
        yield from (((0, *steps), model) for steps, model in models_in(inner[0]))
    elif inner and origin is not Literal:  # Annotated
        yield from models_in(inner[0])


def keys_of(
    model: type[BaseModel],
    at: tuple[str | int, ...] = (),
    kinds: Mapping[tuple[str | int, ...], str] | None = None,
) -> Iterator[Key]:
    """All keys below *model*."""
    kinds = dict(kinds or {})
    kind = model.model_fields.get("kind")
    if kind is not None and kind.is_required():
        kinds[at] = get_args(kind.annotation)[0]
    for name, field in model.model_fields.items():
        yield Key((*at, name), model, kinds)
        for steps, below in models_in(field.annotation):
            yield from keys_of(below, (*at, name, *steps), kinds)


KEYS = list(keys_of(Config))


def problems(text: str) -> list[tuple[int, tuple[str | int, ...], str]]:
    """Line, path and message of all that is wrong."""
    try:
        config_of(text)
    except ConfigError as error:
        return [(each.line, each.path, each.message) for each in error.problems]
    return []


class EachKeyTests(SynchronousTestCase):
    """What holds for all keys."""

    def test_all_are_found(self) -> None:
        """The walk finds sections in lists, in unions, and in sections of their own."""
        found = {".".join(map(str, key.path)) for key in KEYS}
        self.assertGreater(len(KEYS), 150)
        for path in (
            *("server.mounts.0.uploads.quota", "jobs.0.repeat.cron", "jobs.0.metadata"),
            *("downloads.hosts.0.basic.password_file", "control.tokens.0.digest", "hooks.0.on"),
        ):
            self.assertIn(path, found)

    def test_described(self) -> None:
        """Each has a sentence in the models; the reference and the schema are made of it."""
        without = {
            f"{key.model.__name__}.{key.path[-1]}"
            for key in KEYS
            if not key.model.model_fields[str(key.path[-1])].description
        }
        self.assertEqual(without, set())
        published = (CONF / "rangedaemon.schema.json").read_text()
        for key in KEYS:
            self.assertIn(f'"{key.path[-1]}": {{', published)

    def test_wrong_kind(self) -> None:
        """What no value can be is a problem of that very key, at its line."""
        for key in KEYS:
            found = [said for value in WRONG_KINDS for said in self.refused(key, value)]
            self.assertTrue(found, f"{key.path} takes any kind")

    def test_plausible_values(self) -> None:
        """Each key refuses some of what somebody might write, at its line, in words."""
        for key in KEYS:
            refused = [said for value in PLAUSIBLE for said in self.refused(key, value)]
            self.assertTrue(refused, f"{key.path} takes anything")
            for said in refused:
                self.assertRegex(said, r"^\S+ \S+", key.path)

    def refused(self, key: Key, value: object) -> list[str]:
        """What is said of the key where it has *value*."""
        text = key.document(value)
        found = [(line, said) for line, path, said in problems(text) if path == key.path]
        for line, said in found:
            self.assertEqual(line, key.line(text), (text, said))
        return [said for _, said in found]
