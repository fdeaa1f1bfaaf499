"""The works: each is one question, one stage, one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.stage import Stage
from bench.works import (
    hosts,
    kill,
    latency,
    mirrors,
    paced,
    pull,
    readers,
    repeats,
    serving,
    steering,
    upload,
)

Work = Callable[[Stage], str]

WORKS: dict[str, Work] = {
    "pull": pull.plain,
    "pull16": pull.sixteen,
    "tls": pull.tls,
    "capped": paced.capped,
    "slow": paced.one_slow,
    "kill": kill.kill,
    "latency": latency.latency,
    "serve": serving.serve,
    "serve8": serving.serve8,
    "serve-tls": serving.serve_tls,
    "small": serving.small,
    "readers": readers.readers,
    "readers-tls": readers.readers_tls,
    "upload": upload.upload,
    "posts": steering.posts,
    "crowd": steering.crowd,
    "events": steering.events,
    "repeats": repeats.repeats,
    "hosts": hosts.hosts,
    "mirror": mirrors.mirror,
}

GROUPS: dict[str, tuple[str, ...]] = {
    "pulling": ("pull", "pull16", "tls", "capped", "slow"),
    "serving": ("serve", "serve8", "serve-tls", "small", "readers", "readers-tls"),
}
"""Works that belong together, by a name that stands for all of them."""


def expanded(names: Iterable[str]) -> list[str]:
    """The works of those names and groups, all where there are none."""
    asked = list(names)
    return [work for name in asked for work in GROUPS.get(name, (name,))] or list(WORKS)
