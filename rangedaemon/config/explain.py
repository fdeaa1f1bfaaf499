"""
Pydantic's errors in the words of the file's author.

Each becomes a `Problem` at its line: what was expected and what is there instead,
or for an unknown key the nearest known one.  A value is never repeated where it
came from the environment or stands below a key whose content may be secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rangedaemon.config.document import Document
from rangedaemon.config.problems import KeyPath, Problem

_SECRET = frozenset(
    {"webhook", "headers", "url", "mirrors", "digest", "password", "bearer", "proxy"}
)
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
        path, _ = _place(detail["loc"], model)
        if path in document.unusable:
            continue
        message = _message(detail, path, document, model)
        problems.append(Problem(document.line_of(path), path, message))
    return problems


def _place(
    loc: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[KeyPath, type[BaseModel] | None]:
    """
    The place in the file, and the model of the mapping or value that is there.

    Pydantic adds steps of its own: ``[key]``, and the kind of what may be of several.
    """
    path: list[int | str] = []
    models: list[type[BaseModel]] = [model]
    for step in loc:
        if step == "[key]":
            continue
        if len(models) > 1 and isinstance(step, str):
            models = [one for one in models if _kind(one) == step]
            continue
        path.append(step)
        if isinstance(step, str):
            field = models[0].model_fields.get(step) if models else None
            models = _models_within(field.annotation) if field else []
    return tuple(path), models[0] if models else None


def _kind(model: type[BaseModel]) -> str:
    """What tells *model* from others that may stand in its place."""
    return str(next(iter(get_args(_bare(model.model_fields["kind"].annotation))), ""))


def _bare(annotation: Any) -> Any:
    """What is annotated, where something is."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _message(detail: Any, path: KeyPath, document: Document, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, detail["loc"], model)
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


def _unknown_key(path: KeyPath, loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """The nearest key of the same section; else the section where such a key belongs."""
    key, (_, section) = str(path[-1]), _place(loc[:-1], model)
    siblings = list(section.model_fields) if section else []
    if near := difflib.get_close_matches(key, siblings, n=1, cutoff=0.55):
        return f'unknown key, did you mean "{near[0]}"?'
    elsewhere = [full for full in _all_keys(model) if full.rsplit(".", 1)[-1] == key]
    if elsewhere:
        return f'unknown key here, did you mean "{elsewhere[0]}"?'
    return f"unknown key, known ones are {', '.join(siblings)}"


def _models_within(annotation: object) -> list[type[BaseModel]]:
    """The models in ``Model``, ``Model | None``, ``tuple[Model, ...]`` or a union of some."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_within(argument)]


def _all_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every dotted key of the configuration."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for section in _models_within(field.annotation):
            yield from _all_keys(section, f"{prefix}{name}.")
