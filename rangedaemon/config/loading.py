"""From a file to a `Config`, or to every problem that the file has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from rangedaemon.config.document import MAX_OCTETS, Document, Unreadable, read_document
from rangedaemon.config.endpoints import reaches_out
from rangedaemon.config.explain import explain
from rangedaemon.config.models import Config
from rangedaemon.config.problems import WHOLE_FILE, ConfigError, KeyPath, Problem

_UNIQUE: tuple[tuple[KeyPath, str], ...] = (
    (("jobs",), "name"),
    (("server", "mounts"), "path"),
    (("control", "tokens"), "name"),
    (("hooks",), "name"),
)
"""Lists of sections, and the key by which their items must differ."""


def load(file: str | Path, environ: Mapping[str, str]) -> Config:
    """
    Read a configuration file; nothing on disk changes.

    :raises ConfigError: with every problem, each at its line.
    """
    path = Path(file)
    return parse(read(path), environ, name=str(file), base=path.resolve().parent)


def read(path: Path) -> bytes:
    """
    What the file holds; of one that is too large a little more than is allowed.

    :raises ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_OCTETS + 1)
    except OSError as exc:
        problem = Problem(1, WHOLE_FILE, f"cannot be read: {exc.strerror}")
        raise ConfigError(str(path), [problem]) from exc


def parse(data: bytes, environ: Mapping[str, str], *, name: str, base: Path) -> Config:
    """
    The configuration that *data* describes.

    :param name: what the file is called in messages.
    :param base: the directory that relative paths are relative to.
    :raises ConfigError: with every problem, each at its line.
    """
    try:
        document = read_document(data, environ)
    except Unreadable as exc:
        raise ConfigError(name, [exc.problem]) from exc
    problems = [*document.problems, *_repeated(document), *_exposed(document)]
    try:
        config = Config.model_validate(_with_defaults(document, environ), context={"base": base})
    except ValidationError as exc:
        raise ConfigError(name, problems + explain(exc, document, Config)) from exc
    if problems:
        raise ConfigError(name, problems)
    return config


def _with_defaults(document: Document, environ: Mapping[str, str]) -> object:
    """The document, with what systemd gives where it names nothing: directory and token."""
    if not isinstance(document.value, dict):
        return document.value
    value = {**document.value}
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        value.setdefault("state_dir", given)
    control, token = value.get("control") or {}, _credential(environ, "control.token")
    if token is not None and isinstance(control, dict):
        value["control"] = {"token_file": token, **control}
    return value


def _credential(environ: Mapping[str, str], name: str) -> str | None:
    """The file of a credential (systemd.exec(5)), where there is one of that name."""
    place = environ.get("CREDENTIALS_DIRECTORY", "")
    file = Path(place) / name
    return str(file) if place and file.is_file() else None


def _repeated(document: Document) -> Iterator[Problem]:
    """Items of a list that have the name of an earlier one."""
    for path, key in _UNIQUE:
        seen: dict[object, int] = {}
        items = _at(document.value, path)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            value = item.get(key) if isinstance(item, dict) else None
            value = value.rstrip("/") if key == "path" and isinstance(value, str) else value
            place = (*path, index, key)
            if not isinstance(value, str):
                continue
            if value in seen:
                message = f"the same as on line {seen[value]}; it must be another"
                yield Problem(document.line_of(place), place, message)
            seen.setdefault(value, document.line_of(place))


def _exposed(document: Document) -> Iterator[Problem]:
    """Control ports that other machines could listen in on, where nobody said that they may."""
    place: KeyPath = ("control", "listen")
    if _at(document.value, ("control", "allow_plain_remote")) is True:
        return
    listed = _at(document.value, place)
    for index, text in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(text, str) and reaches_out(text):
            path = (*place, index)
            yield Problem(document.line_of(path), path, _BEYOND)


_BEYOND = (
    "listens beyond loopback without TLS, so that the token could be read on the way: add "
    "interface=127.0.0.1, use ssl: or unix:, or set control.allow_plain_remote: true"
)


def _at(value: object, path: KeyPath) -> object:
    """What stands at *path*, None where there is nothing."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value
