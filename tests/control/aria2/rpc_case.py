"""Calls to aria2's interface of the real control site."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.aria2.dispatch import PENALTY
from tests.control.wire import TOKEN, Wire, request

SECRET = f"token:{TOKEN}"
URL = "http://h/a.iso"


class RpcTestCase(SynchronousTestCase):
    """A site, and calls to it."""

    def setUp(self) -> None:
        """A fresh site."""
        self.wire = Wire()

    def post(self, value: Any) -> tuple[int, Any]:
        """Post anything: the status and the answer (after the penalty, if there is one)."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        connection = self.wire.connect()
        octets = request("POST", "/jsonrpc", body, Authorization=None, Content_Type=None)
        connection.send(octets)
        self.wire.clock.advance(PENALTY)
        reply = connection.reply()
        self.assertEqual(reply.fields["content-type"], "application/json-rpc")
        return reply.status, reply.json()

    def call(self, method: str, *params: Any) -> Any:
        """The result of a method that succeeds."""
        call = {"jsonrpc": "2.0", "id": "x", "method": method, "params": [SECRET, *params]}
        status, answer = self.post(call)
        self.assertEqual((status, answer.get("error")), (200, None))
        self.assertEqual((answer["id"], answer["jsonrpc"]), ("x", "2.0"))
        return answer["result"]

    def refused(self, method: str, *params: Any, token: bool = True) -> str:
        """The message of a method that fails."""
        given = [SECRET, *params] if token else [*params]
        status, answer = self.post({"id": 1, "method": method, "params": given})
        self.assertEqual((status, answer["error"]["code"]), (400, 1))
        return str(answer["error"]["message"])

    def added(self, **options: Any) -> str:
        """A new download's GID."""
        return str(self.call("aria2.addUri", [URL], options))

    def gids(self, structs: list[dict[str, Any]]) -> list[int]:
        """Their GIDs as numbers."""
        return [int(struct["gid"], 16) for struct in structs]
