"""
Where the daemon is, and with which token: from options, environment, configuration.

What is said on the command line comes before the environment, and that before
the configuration files in their usual places.  A token goes only to the address
that it was named with: a URL from the environment never gets the token of some
configuration file that happened to be there.

Control does not know the model of the configuration; of the file it reads the
three keys that say where the daemon listens, and leaves judging the rest to
``twistd rangedaemon --check``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import yaml

from rangedaemon.control.cli.exits import CommandFault, Exit

DEFAULT_URL = "http://127.0.0.1:6880"
DEFAULT_LISTEN = "tcp:6880:interface=127.0.0.1"
DEFAULT_STATE_DIR = "var/state"
USUAL_PLACES = ("~/.config/rangedaemon/rangedaemon.yaml", "/etc/rangedaemon/rangedaemon.yaml")
_LARGEST_FILE = 1 << 20
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API listens: a host and port, or the path of a Unix socket."""

    scheme: Literal["http", "https", "unix"]
    host: str = "localhost"
    port: int = 0
    path: str = ""
    """The socket's path, or what a proxy puts before ``/api/v1``."""

    def __str__(self) -> str:
        """The address as people write it."""
        if self.scheme == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Target:
    """The daemon that is meant, and who said so."""

    address: Address
    token_file: Path | None
    source: str
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of it."""

    url: str | None = None
    token_file: Path | None = None
    config: Path | None = None


def discover(asked: Asked, environ: Mapping[str, str], places: tuple[Path, ...] = ()) -> Target:
    """
    Find the daemon.

    :param places: configuration files to look at where nothing else is said.
    :raises CommandFault: what was said cannot be used.
    """
    config = Path(asked.config) if asked.config else None
    if asked.url is not None:
        named = read_config(config, environ).token_file if config else None
        named = named or _from_environ(environ)
        return Target(parse_url(asked.url), asked.token_file or named, "--url", config)
    if config is None and environ.get("RANGEDAEMON_URL"):
        address = parse_url(environ["RANGEDAEMON_URL"])
        token_file = asked.token_file or _from_environ(environ)
        return Target(address, token_file, "RANGEDAEMON_URL")
    if config is not None:
        return _from_config(config, asked, environ, None)
    found = next((place for place in places if place.is_file()), None)
    if found is not None:
        return _from_config(found, asked, environ, _from_environ(environ))
    token_file = asked.token_file or _from_environ(environ)
    return Target(parse_url(DEFAULT_URL), token_file, "the default address")


def _from_environ(environ: Mapping[str, str]) -> Path | None:
    """The token file that the environment names."""
    named = environ.get("RANGEDAEMON_TOKEN_FILE")
    return Path(named) if named else None


def _from_config(
    config: Path, asked: Asked, environ: Mapping[str, str], override: Path | None
) -> Target:
    """The daemon of a configuration file."""
    said = read_config(config, environ)
    address = next(filter(None, map(parse_endpoint, said.listen)), None)
    if address is None:
        raise CommandFault(
            Exit.USAGE,
            f"{config}: control.listen ({', '.join(said.listen) or 'empty'}) tells no address to"
            " connect to; give --url",
        )
    return Target(address, asked.token_file or override or said.token_file, str(config), config)


@dataclass(frozen=True, slots=True)
class ControlSection:
    """What a configuration file says of the control API."""

    listen: tuple[str, ...]
    token_file: Path
    state_dir: Path


def read_config(path: Path, environ: Mapping[str, str]) -> ControlSection:
    """
    Read where the daemon of *path* listens; relative paths are relative to the file.

    :raises CommandFault: the file cannot be read, or is no such configuration.
    """
    top = _mapping(_load(path), path, "the file")
    control = _mapping(top.get("control"), path, "control")
    base = path.resolve().parent
    made = environ.get("STATE_DIRECTORY", "").split(":")[0]
    state = top.get("state_dir") or made or DEFAULT_STATE_DIR
    listen = control.get("listen", [DEFAULT_LISTEN])
    endpoints = listen if isinstance(listen, list) else [listen]
    token_file = control.get("token_file")
    named = _expand(str(token_file or "control.token"), environ)
    state_dir = Path(os.path.normpath(base / _expand(str(state), environ)))
    folder = base if token_file else state_dir
    return ControlSection(
        tuple(_relative_socket(_expand(str(entry), environ), base) for entry in endpoints),
        folder / named,
        state_dir,
    )


def _load(path: Path) -> object:
    """The YAML document in *path*."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE + 1)
        if len(text) > _LARGEST_FILE:
            raise CommandFault(Exit.USAGE, f"{path}: too large for a configuration")
        return yaml.safe_load(text)
    except OSError as error:
        raise CommandFault(Exit.USAGE, f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise CommandFault(Exit.USAGE, f"{path}: not readable as YAML: {said}") from error


def _mapping(value: object, path: Path, what: str) -> Mapping[str, object]:
    """*value* as a mapping; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CommandFault(Exit.USAGE, f"{path}: {what} is not a mapping")
    return value


def _expand(text: str, environ: Mapping[str, str]) -> str:
    """Put in the environment's values as the configuration does: ``${NAME:-default}``."""
    return _VARIABLE.sub(lambda found: environ.get(found[1]) or found[2] or "", text)


def _relative_socket(endpoint: str, base: Path) -> str:
    """*endpoint* with a Unix socket's path made absolute."""
    match = re.match("unix:(?:address=)?", endpoint)
    return f"unix:{base / endpoint[match.end() :]}" if match else endpoint


def parse_endpoint(text: str) -> Address | None:
    """
    The address that a server endpoint string of Twisted listens at.

    None where it tells none: port 0, a socket handed over by systemd, a plug-in's.
    """
    kind, *fields = _split(text, ":")
    named = {key: value for key, _, value in (_cut(field) for field in fields) if _}
    plain = [value for value, _, rest in (_cut(field) for field in fields) if not _]
    if kind == "unix":
        path = named.get("address") or (plain[0] if plain else "")
        return Address("unix", path=path) if path else None
    if kind not in {"tcp", "tcp4", "tcp6", "ssl"}:
        return None
    port = named.get("port") or (plain[0] if plain else "")
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        return None
    host = named.get("interface", "")
    return Address("https" if kind == "ssl" else "http", _to_connect(host, kind), int(port))


def _to_connect(interface: str, kind: str) -> str:
    """The host to connect to, of one that listens at *interface*."""
    if interface == "::" or (kind == "tcp6" and not interface):
        return "::1"
    return "127.0.0.1" if interface in {"", "0.0.0.0"} else interface  # noqa: S104 (compared, not bound)


def _split(text: str, separator: str) -> list[str]:
    """Split at every *separator* that no backslash precedes; the backslashes stay."""
    return re.split(rf"(?<!\\){separator}", text)


def _cut(field: str) -> tuple[str, str, str]:
    """Key, sign and value of an endpoint string's field; no sign where it has no key."""
    parts = _split(field, "=")
    clean = [re.sub(r"\\(.)", r"\1", part) for part in parts]
    return (clean[0], "=", "=".join(clean[1:])) if len(parts) > 1 else (clean[0], "", "")


def parse_url(text: str) -> Address:
    """
    The address in ``http://host:port``, ``https://host:port/prefix`` or ``unix:/path``.

    :raises CommandFault: it is none of them.
    """
    if text.startswith("unix:"):
        path = re.sub("^//(?=/)", "", text.removeprefix("unix:"))
        if path:
            return Address("unix", path=path)
    try:
        return _from_split(urlsplit(text))
    except ValueError as error:
        raise CommandFault(
            Exit.USAGE,
            f"not the URL of a daemon: {text!r}; write it like {DEFAULT_URL} or unix:/run/rd.sock",
        ) from error


def _from_split(parts: SplitResult) -> Address:
    """The address in a URL of http or https."""
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        raise ValueError(parts.scheme)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return Address(scheme, parts.hostname, port, parts.path.rstrip("/"))
