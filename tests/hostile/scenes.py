"""
What the origin believes the representation to be, and how its server behaves.

A scene is made from the query and then bent by the faults of `SCENE_FAULTS`:
another size, seed, entity tag or date, no ranges, an odd way with If-Range.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from time import time

from tests.hostile.asks import Ask, octets
from tests.hostile.content import digest

LONG_AGO = 1_500_000_000.0
_DAY = 86400.0


@dataclass(frozen=True)
class Scene:
    """A representation and the habits of the server that has it."""

    seed: int
    size: int
    etag: str | None
    modified: float | None
    ranges: bool = True
    if_range: str = "right"
    """``right``, ``date`` (tags never match), ``never`` (always 200), ``ignored`` (always 206)."""
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def last_modified(self) -> str | None:
        """The Last-Modified field."""
        return None if self.modified is None else formatdate(self.modified, usegmt=True)

    def with_field(self, name: str, value: str) -> Scene:
        """The scene with one more response field."""
        return replace(self, fields=(*self.fields, (name, value)))


def scene_of(ask: Ask, seed: int | None) -> Scene:
    """The scene of a request before any fault; *seed* overrides that of the query."""
    size = octets(ask.query.get("size", "64KiB"))
    return version(size, int(ask.query.get("seed", "1")) if seed is None else seed)


def version(size: int, seed: int) -> Scene:
    """An honest version: tag and date move with the seed."""
    return Scene(seed, size, f'"s{seed}-{size:x}"', LONG_AGO + seed * _DAY)


def _etag(scene: Scene, argument: str, ask: Ask) -> Scene:
    tags = {
        "none": None,
        "weak": f"W/{scene.etag}",
        "fixed": '"fixed"',
        "request": f'"request-{ask.number}"',
        "node": f'"node-{ask.connection % 2}"',
    }
    return replace(scene, etag=tags.get(argument, f'"{argument}"'))


def _date(scene: Scene, argument: str, ask: Ask) -> Scene:
    dates = {"none": None, "fresh": time(), "fixed": LONG_AGO}
    return replace(scene, modified=dates[argument])


def _repr_digest(scene: Scene, argument: str, ask: Ask) -> Scene:
    seed = scene.seed if argument != "wrong" else scene.seed + 1
    value = base64.b64encode(digest(seed, scene.size)).decode()
    return scene.with_field("Repr-Digest", f"sha-256=:{value}:")


SceneFault = Callable[[Scene, str, Ask], Scene]

SCENE_FAULTS: dict[str, SceneFault] = {
    "seed": lambda scene, argument, ask: version(scene.size, int(argument)),
    "size": lambda scene, argument, ask: version(octets(argument), scene.seed),
    "bytes": lambda scene, argument, ask: replace(scene, seed=int(argument)),
    "etag": _etag,
    "date": _date,
    "digest": _repr_digest,
    "disposition": lambda scene, argument, ask: scene.with_field("Content-Disposition", argument),
    "noranges": lambda scene, argument, ask: replace(scene, ranges=False),
    "ifrange": lambda scene, argument, ask: replace(scene, if_range=argument),
}
"""
``bytes=N`` changes the octets and nothing else (the validators lie), ``seed=N`` is
an honest new version, ``size=N`` one of another size.
"""
