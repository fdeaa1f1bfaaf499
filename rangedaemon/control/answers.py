"""What a route answers, as a value: status, fields, octets; the writing is `routing`'s."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

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
    """*value* (a model, or plain JSON) as compact JSON text."""
    if isinstance(value, BaseModel):
        return value.model_dump_json().encode()
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def json_answer(value: object, status: int = 200, **fields: str) -> Answer:
    """An answer that holds *value* as JSON; *fields* by name, ``_`` for ``-``."""
    names = {name.replace("_", "-"): text for name, text in fields.items()}
    return Answer(status, json_octets(value), fields=names)


NO_CONTENT = Answer(status=204, media_type=None)
"""204: done, nothing to say."""
