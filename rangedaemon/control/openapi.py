"""The OpenAPI 3.1 description, made from the very table and models that answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter

from rangedaemon import __version__
from rangedaemon.control.answers import JSON, PROBLEM
from rangedaemon.control.jobobjects import AddedJobs
from rangedaemon.control.problems import Problem
from rangedaemon.control.routing import Route

_REF = "#/components/schemas/{model}"


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document."""
    rows = list(routes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rangedaemon", "version": __version__},
        "paths": _paths(rows),
        "components": {
            "schemas": _schemas(rows),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _paths(rows: list[Route]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row)
    return paths


def _operation(row: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(row),
        "summary": row.summary,
        "responses": _responses(row),
    }
    if parameters := [*_path_parameters(row), *_query_parameters(row)]:
        operation["parameters"] = parameters
    if row.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(_body_schema(row))}
    if row.path == "/healthz":
        operation["security"] = []
    return operation


def _operation_id(row: Route) -> str:
    return re.sub(r"[^a-z0-9]+", "_", f"{row.method} {row.path}".lower()).strip("_")


def _path_parameters(row: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", row.path)
    ]


def _query_parameters(row: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "schema": dict(schema)}
        for name, schema in row.query.items()
    ]


def _body_schema(row: Route) -> dict[str, Any]:
    one = _reference(row.body)
    if row.other_bodies:
        one = {"oneOf": [one, *map(_reference, row.other_bodies)]}
    if not row.many:
        return one
    return {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 1000}]}


def _responses(row: Route) -> dict[str, Any]:
    statuses = {400, 401, 403, 429, 500, *row.refusals}
    if row.method in ("POST", "PATCH", "DELETE", "PUT"):
        statuses |= {413, 415}
    refusals = {str(status): _refusal(status) for status in sorted(statuses)}
    return {str(row.status): _success(row), **refusals}


def _success(row: Route) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(row.status).phrase}
    if row.answer is not None:
        schema = _reference(row.answer)
        if row.many:
            schema = {"oneOf": [schema, _REF_ADDED]}
        described["content"] = _content(schema)
    elif row.status != HTTPStatus.NO_CONTENT:
        described["content"] = {row.media_type: {}}
    return described


_REF_ADDED = {"$ref": _REF.format(model="AddedJobs")}


def _refusal(status: int) -> dict[str, Any]:
    content = {PROBLEM: {"schema": _reference(Problem)}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {JSON: {"schema": schema}}


def _reference(model: type | None) -> dict[str, Any]:
    return {} if model is None else {"$ref": _REF.format(model=model.__name__)}


def _schemas(rows: list[Route]) -> dict[str, Any]:
    asked = {body for row in rows for body in (row.body, *row.other_bodies) if body is not None}
    answered: set[type] = {Problem, AddedJobs}
    answered |= {row.answer for row in rows if row.answer is not None}
    modes: list[tuple[type, Any]] = [
        *((model, "validation") for model in asked),
        *((model, "serialization") for model in answered),
    ]
    modes.sort(key=lambda pair: pair[0].__name__)
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        (model.__name__, mode, TypeAdapter(model)) for model, mode in modes
    ]
    _, document = TypeAdapter.json_schemas(adapters, ref_template=_REF)
    schemas: dict[str, Any] = document["$defs"]
    return schemas
