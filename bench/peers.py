"""The peers, and the command lines by which they fetch one file in several connections."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fetch:
    """One file to fetch: from where, to where, over how many connections."""

    url: str
    target: Path
    connections: int


Command = Callable[[Fetch], list[str]]


def _aria2(fetch: Fetch) -> list[str]:
    count = fetch.connections
    return [
        *("aria2c", f"-x{count}", f"-s{count}", "--file-allocation=none", "-q", "-c"),
        *("--no-conf", "--check-certificate=false", "--allow-overwrite=true"),
        *("-d", str(fetch.target.parent), "-o", fetch.target.name, fetch.url),
    ]


def _axel(fetch: Fetch) -> list[str]:
    count = str(fetch.connections)
    return ["axel", "-q", "-k", "-n", count, "-o", str(fetch.target), fetch.url]


def _curl(fetch: Fetch) -> list[str]:
    return ["curl", "-q", "-s", "-k", "-f", "-C", "-", "-o", str(fetch.target), fetch.url]


def _wget2(fetch: Fetch) -> list[str]:
    return [
        *("wget2", "--no-config", "-q", "--no-check-certificate", "--chunk-size=64M"),
        *(f"--max-threads={fetch.connections}", "-O", str(fetch.target), fetch.url),
    ]


def _rclone(fetch: Fetch) -> list[str]:
    parts = urlsplit(fetch.url)
    return [
        *("rclone", "copyto", "-q", "--config", "/dev/null", "--no-check-certificate"),
        *("--multi-thread-cutoff", "1M", "--multi-thread-streams", str(fetch.connections)),
        *("--http-url", f"{parts.scheme}://{parts.netloc}/"),
        *(f":http:{parts.path.lstrip('/')}", str(fetch.target)),
    ]


PEERS: dict[str, Command] = {
    "aria2c": _aria2,
    "axel": _axel,
    "curl": _curl,
    "wget2": _wget2,
    "rclone": _rclone,
}
"""curl has one connection, whatever is asked for; it stands for the plain stream."""


def installed() -> list[str]:
    """The peers that this machine has."""
    return [name for name in PEERS if shutil.which(name)]


def absent() -> list[str]:
    """The peers that it has not."""
    return [name for name in PEERS if not shutil.which(name)]
