"""What a route answers, as a value: status, fields, octets; the writing is `routing`'s."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; ``media_type`` None means that there is no body at all."""

    status: int = 200
    body: bytes = b""
    media_type: str | None = JSON
    fields: Mapping[str, str] = field(default_factory=dict)


def json_octets(value: object) -> bytes:
    """*value* (a model, a dataclass, or plain JSON) as compact JSON text."""
    kind: type = type(value)
    if issubclass(kind, BaseModel) or is_dataclass(kind):
        return _writer(kind)(value)
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


@cache
def _writer(kind: type) -> Callable[[object], bytes]:
    """What writes values of that type; making it takes longer than all that it does."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return adapter.serializer.to_json


def json_answer(value: object, status: int = 200, **fields: str) -> Answer:
    """An answer that holds *value* as JSON; *fields* by name, ``_`` for ``-``."""
    names = {name.replace("_", "-"): text for name, text in fields.items()}
    return Answer(status, json_octets(value), fields=names)


NO_CONTENT = Answer(status=204, media_type=None)
"""204: done, nothing to say."""
