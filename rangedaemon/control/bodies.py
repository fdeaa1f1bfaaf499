"""
Request bodies: octets to JSON to models, every fault with its place.

Stricter than `json.loads`: duplicate names, NaN and lone surrogates are refused
(RFC 8259, sections 4, 6 and 8.2), because programs disagree about them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from rangedaemon.control.problems import MalformedJSON
from rangedaemon.errors import Complaint, InvalidInput

Model = TypeVar("Model", bound=BaseModel)

MAX_COMPLAINTS = 20
"""More than that helps nobody."""

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(octets: bytes) -> object:
    """
    The value of a JSON text.

    :raises MalformedJSON: it is none; the message says where.
    """
    try:
        value: object = json.loads(
            octets.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as broken:
        raise MalformedJSON(
            f"{broken.msg} at line {broken.lineno}, column {broken.colno}"
        ) from broken
    except UnicodeDecodeError as broken:
        raise MalformedJSON(f"not UTF-8 at octet {broken.start}") from broken
    except RecursionError as deep:
        raise MalformedJSON("nested too deeply") from deep
    except ValueError as odd:  # also int() of more digits than Python takes
        raise MalformedJSON("a number has too many digits") from odd
    if _ESCAPED_SURROGATE.search(octets):
        _refuse_surrogates(value)
    return value


def validated(model: type[Model], value: object) -> Model:
    """
    *value* as *model*.

    :raises InvalidInput: it does not fit; with every complaint at once.
    """
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        raise InvalidInput(complaints(invalid)) from invalid


def complaints(invalid: ValidationError, *prefix: str | int) -> list[Complaint]:
    """What is wrong, in our words; the values themselves are not repeated (secrets)."""
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    return [
        Complaint(_location((*prefix, *error["loc"])), _message(error["type"], error["msg"]))
        for error in errors[:MAX_COMPLAINTS]
    ]


def _location(loc: Iterable[str | int]) -> str:
    return ".".join(map(str, loc))[:200]


def _message(kind: str, text: str) -> str:
    if kind == "extra_forbidden":
        return "unknown field"
    return text.removeprefix("Value error, ")


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedJSON(f"the name {twice[:100]!a} is there twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJSON(f"{name} is not JSON")


def _refuse_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as broken:
        raise MalformedJSON("a text holds half of a surrogate pair") from broken
