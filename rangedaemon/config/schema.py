"""The JSON Schema of the configuration, generated from its models: ``make schema``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rangedaemon.config.models import Config

_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_REPLACEABLE = frozenset({"integer", "number", "boolean"})


def schema_text() -> str:
    """The schema as it stands in ``conf/``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_with_references(Config.model_json_schema()),
    }
    return json.dumps(schema, indent=2) + "\n"


def _with_references(schema: Any) -> Any:
    """The schema with ``${NAME}`` allowed wherever a number or a boolean is."""
    if isinstance(schema, list):
        return [_with_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in _REPLACEABLE:
        notes = {key: schema[key] for key in ("default", "description", "title") if key in schema}
        bare = {key: value for key, value in schema.items() if key not in notes}
        return {"anyOf": [bare, _REFERENCE], **notes}
    return {key: _with_references(value) for key, value in schema.items()}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
