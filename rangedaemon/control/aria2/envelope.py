"""
The envelope of aria2's JSON-RPC: from octets to calls, from results to octets.

JSON-RPC 2.0 as aria2 speaks it: every failure inside a method has code 1, an ``id``
must be there, ``jsonrpc`` is not looked at.  Pure.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rangedaemon.control.bodies import parse_json
from rangedaemon.control.problems import MalformedJSON

FAILED = 1
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
UNKNOWN_METHOD = -32601
INVALID_PARAMS = -32602

_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]{0,99}")


class RpcError(Exception):
    """A call that failed, as its caller is told."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Unauthorized(RpcError):
    """No token, or the wrong one; its answer is held back for a moment."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@dataclass(frozen=True, slots=True)
class Call:
    """One method with its positional parameters."""

    method: str
    params: list[Any]
    id: Any = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A request that is no call; it is answered with this error."""

    error: RpcError
    id: Any = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Several requests in one array, answered in one array."""

    requests: list[Call | Broken]


def read(octets: bytes) -> Call | Broken | Batch:
    """What a body or a WebSocket message asks; never raises."""
    try:
        value = parse_json(octets)
    except MalformedJSON:
        return Broken(RpcError("Parse error.", PARSE_ERROR))
    return _request(value)


def _request(value: object) -> Call | Broken | Batch:
    if isinstance(value, list):
        return Batch([_one(item) for item in value if isinstance(item, dict)])
    if isinstance(value, dict):
        return _one(value)
    return Broken(RpcError("Invalid Request.", INVALID_REQUEST))


def _one(value: Mapping[str, Any]) -> Call | Broken:
    method, params = value.get("method"), value.get("params", [])
    if "id" not in value or not isinstance(method, str):
        return Broken(RpcError("Invalid Request.", INVALID_REQUEST), value.get("id"))
    if not isinstance(params, list):
        return Broken(RpcError("Invalid params.", INVALID_PARAMS), value["id"])
    return Call(method, params, value["id"])


def read_query(query: Mapping[str, str]) -> Call | Broken | Batch:
    """What a GET asks: ``method``, ``id`` and ``params``, which is base64 of a JSON text."""
    try:
        octets = b64decode(query.get("params", ""), validate=True) or b"[]"
        params = parse_json(octets)
    except (MalformedJSON, binascii.Error, ValueError):
        return Broken(RpcError("Parse error.", PARSE_ERROR))
    if "method" not in query and "id" not in query:
        return _request(params)
    named = {name: query[name] for name in ("method", "id") if name in query}
    return _one({**named, "params": params})


def callback_name(query: Mapping[str, str]) -> str | None:
    """The function that a JSONP caller wants its answer wrapped in."""
    name = query.get("jsoncallback")
    return name if name is not None and _CALLBACK.fullmatch(name) else None


def succeeded(call: Call, result: object) -> dict[str, Any]:
    """The answer to a call that did."""
    return {"id": call.id, "jsonrpc": "2.0", "result": result}


def failed(request: Call | Broken, error: RpcError) -> dict[str, Any]:
    """The answer to a call that did not."""
    told = {"code": error.code, "message": error.message}
    return {"id": request.id, "jsonrpc": "2.0", "error": told}


def notification(method: str, gid: str) -> str:
    """What a WebSocket session is told without having asked."""
    message = {"jsonrpc": "2.0", "method": method, "params": [{"gid": gid}]}
    return json.dumps(message, separators=(",", ":"))


def http_status(answer: object) -> int:
    """The HTTP status that aria2 gives an answer; a batch is always 200."""
    if not isinstance(answer, dict) or "error" not in answer:
        return 200
    statuses = {FAILED: 400, INVALID_REQUEST: 400, UNKNOWN_METHOD: 404}
    return statuses.get(answer["error"]["code"], 500)
