"""Where everything is, for people: served folders, page, API, token, downloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from rangedaemon.config import Config
from rangedaemon.control.ports import Place
from rangedaemon.service.ports import PromptEndpoint


def places_of(config: Config, files: Iterable[PromptEndpoint]) -> Iterator[Place]:
    """The addresses of the served folders."""
    for endpoint, mount in product(files, config.server.mounts if config.server else ()):
        yield Place(f"{endpoint}{mount.path}", mount.uploads is not None)


def addresses_of(
    config: Config, files: Iterable[PromptEndpoint], control: Iterable[PromptEndpoint]
) -> Iterator[str]:
    """One line for each thing, for whoever started the daemon."""
    for place in places_of(config, files):
        yield f"files     {place.url}"
    for endpoint in control:
        yield f"page      {endpoint}/ui/"
        yield f"API       {endpoint}/api/v1"
    yield f"token     {config.token_file}"
    yield f"downloads {config.downloads.directory}"
