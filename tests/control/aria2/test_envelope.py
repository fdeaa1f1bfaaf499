"""Tests for `rangedaemon.control.aria2.envelope` and `params`."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.aria2.envelope import (
    Batch,
    Broken,
    Call,
    RpcError,
    callback_name,
    failed,
    http_status,
    notification,
    read,
    read_query,
)
from rangedaemon.control.aria2.params import Params


class ReadTests(SynchronousTestCase):
    """Tests for `read`."""

    def code(self, octets: bytes) -> int:
        """The code of the error that *octets* are."""
        broken = read(octets)
        if not isinstance(broken, Broken):
            raise AssertionError(broken)
        return broken.error.code

    def test_broken(self) -> None:
        """aria2's codes for what is no call."""
        for octets, code in (
            (b"", -32700),
            (b"{", -32700),
            (b"\xff", -32700),
            (b"5", -32600),
            (b"null", -32600),
            (b"{}", -32600),
            (b'{"method": "x"}', -32600),
            (b'{"id": 1}', -32600),
            (b'{"id": 1, "method": 5}', -32600),
            (b'{"id": 1, "method": "x", "params": {}}', -32602),
        ):
            self.assertEqual(self.code(octets), code, octets)

    def test_call(self) -> None:
        """Any id is echoed, params may be missing, ``jsonrpc`` is not looked at."""
        for given_id in (-1, "x", None, [1], {"a": 1}):
            octets = json.dumps({"id": given_id, "method": "m"}).encode()
            self.assertEqual(read(octets), Call("m", [], given_id))

    def test_batch(self) -> None:
        """In order; what is no object is passed over, what is no call is answered."""
        batch = read(b'[{"id": 1, "method": "a"}, 5, {"id": 2}]')
        if not isinstance(batch, Batch):
            raise AssertionError(batch)
        self.assertEqual([request.id for request in batch.requests], [1, 2])
        self.assertEqual(batch.requests[0], Call("a", [], 1))

    @given(st.binary())
    def test_any_octets(self, octets: bytes) -> None:
        """Nothing raises, and every error has an answer in JSON."""
        asked = read(octets)
        if isinstance(asked, Broken):
            json.dumps(failed(asked, asked.error))


class QueryTests(SynchronousTestCase):
    """Tests for `read_query` and `callback_name`."""

    def test_call(self) -> None:
        """``params`` is base64 of a JSON list."""
        params = b64encode(b'["token:x", 5]').decode()
        query = {"method": "m", "id": "i", "params": params, "jsonrpc": "2.0"}
        self.assertEqual(read_query(query), Call("m", ["token:x", 5], "i"))
        self.assertEqual(read_query({"method": "m", "id": "i"}), Call("m", [], "i"))

    def test_batch(self) -> None:
        """Without method and id, ``params`` is a whole batch."""
        params = b64encode(b'[{"id": 1, "method": "m"}]').decode()
        self.assertEqual(read_query({"params": params}), Batch([Call("m", [], 1)]))

    def test_broken(self) -> None:
        """Neither base64 nor JSON; no id."""
        for query in (
            {"method": "m", "id": "i", "params": "!"},
            {"method": "m", "id": "i", "params": b64encode(b"{").decode()},
            {"method": "m", "id": "i", "params": "ä"},
            {"method": "m"},
        ):
            self.assertIsInstance(read_query(query), Broken)

    def test_callback(self) -> None:
        """Only a name of a function, since it goes into a script."""
        self.assertEqual(callback_name({"jsoncallback": "a.b_$1"}), "a.b_$1")
        for name in ("", "1a", "alert(1)//", "a b", "a" * 200, "ä"):
            self.assertIsNone(callback_name({"jsoncallback": name}), name)


class AnswerTests(SynchronousTestCase):
    """What an answer is on the wire."""

    def test_status(self) -> None:
        """aria2's HTTP statuses."""
        for code, status in ((1, 400), (-32600, 400), (-32601, 404), (-32602, 500), (-32700, 500)):
            answer = failed(Call("m", [], 1), RpcError("x", code))
            self.assertEqual(http_status(answer), status)
        self.assertEqual(http_status({"id": 1, "result": "OK"}), 200)
        self.assertEqual(http_status([{"error": {"code": 1}}]), 200)

    def test_notification(self) -> None:
        """No id, one struct."""
        self.assertEqual(
            json.loads(notification("aria2.onDownloadStart", "ff")),
            {"jsonrpc": "2.0", "method": "aria2.onDownloadStart", "params": [{"gid": "ff"}]},
        )


class ParamsTests(SynchronousTestCase):
    """Tests for `Params`."""

    def test_words(self) -> None:
        """aria2's words for what does not fit."""
        params = Params(["a", -1, True, {}])
        table: list[tuple[Any, str]] = [
            (lambda: params.text(4), "The parameter at 4 is required but missing."),
            (lambda: params.text(1), "The parameter at 1 has wrong type."),
            (lambda: params.integer(0), "The parameter at 0 has wrong type."),
            (lambda: params.integer(2), "The parameter at 2 has wrong type."),
            (lambda: params.integer(1, 0), "The integer parameter at 1 has invalid value: -1"),
            (lambda: params.texts(3), "The parameter at 3 has wrong type."),
            (lambda: params.options(0), "The parameter at 0 has wrong type."),
        ]
        for take, words in table:
            self.assertEqual(self.assertRaises(RpcError, take).message, words)

    def test_missing(self) -> None:
        """What may be missing has its meaning."""
        params = Params([])
        self.assertEqual((params.options(0), params.keys(0), params.position(0)), ({}, set(), None))
