"""
Pydantic's errors in the words of the file's author.

Each becomes a `Problem` at its line: what was expected and what is there instead,
or for an unknown key the nearest known one.  A value is never repeated where it
came from the environment or stands below a key whose content may be secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from rangedaemon.config.document import Document
from rangedaemon.config.problems import KeyPath, Problem

_SECRET = frozenset({"headers", "url", "mirrors", "digest", "password", "bearer", "proxy"})
_SHOWN = 60

_WORDS = {
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "model_attributes_type": "expected keys and values",
    "literal_error": "expected {expected}",
    "enum": "expected {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "missing": "is required",
}


def explain(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    """Every error as a located problem, but none about a value that could not be made."""
    problems = []
    for detail in error.errors():
        path = _real_path(detail["loc"])
        if path in document.unusable:
            continue
        message = _message(detail, path, document, model)
        problems.append(Problem(document.line_of(path), path, message))
    return problems


def _real_path(loc: tuple[int | str, ...]) -> KeyPath:
    """The place in the file; pydantic adds steps of its own, such as ``[key]``."""
    return tuple(step for step in loc if step != "[key]")


def _message(detail: Any, path: KeyPath, document: Document, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    text = str(context["error"]) if kind == "value_error" else _WORDS.get(kind, detail["msg"])
    text = text.format_map(context) if kind in _WORDS else text
    if not text.startswith("expected") or not _may_show(path, document):
        return text
    return f"{text}, got {_shown(detail['input'])}"


def _may_show(path: KeyPath, document: Document) -> bool:
    return path not in document.from_environment and _SECRET.isdisjoint(path)


def _shown(value: object) -> str:
    """A short picture of a value."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# -- unknown keys -------------------------------------------------------------------


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> str:
    """The nearest key of the same section; else the section where such a key belongs."""
    key, section = str(path[-1]), _section(model, path[:-1])
    siblings = list(section.model_fields) if section else []
    if near := difflib.get_close_matches(key, siblings, n=1, cutoff=0.55):
        return f'unknown key, did you mean "{near[0]}"?'
    elsewhere = [full for full in _all_keys(model) if full.rsplit(".", 1)[-1] == key]
    if elsewhere:
        return f'unknown key here, did you mean "{elsewhere[0]}"?'
    return f"unknown key, known ones are {', '.join(siblings)}"


def _section(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model that describes the mapping at *path*."""
    current: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int) or current is None:
            continue
        field = current.model_fields.get(step)
        current = _model_within(field.annotation) if field else None
    return current


def _model_within(annotation: object) -> type[BaseModel] | None:
    """The model in ``Model``, ``Model | None`` or ``tuple[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_within(argument) for argument in get_args(annotation))
    return next((model for model in found if model), None)


def _all_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key of the configuration."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        if section := _model_within(field.annotation):
            yield from _all_keys(section, f"{prefix}{name}.")
