"""Tests for tokens, multicalls, batches and GET of aria2's interface, through the real site."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rangedaemon.control.aria2.dispatch import MAX_BATCH, PENALTY
from rangedaemon.errors import NameTaken
from tests.control.aria2.rpc_case import SECRET, URL, RpcTestCase
from tests.control.wire import TOKEN, Wire, request


class TokenTests(RpcTestCase):
    """The token, which is a parameter."""

    def test_without(self) -> None:
        """``Unauthorized``, whatever the method, after a second."""
        for method in ("aria2.getVersion", "aria2.addUri", "aria2.nonsense"):
            for params in ([], ["token:wrong"], [TOKEN], [5, SECRET]):
                status, answer = self.post({"id": 1, "method": method, "params": params})
                self.assertEqual(status, 400)
                self.assertEqual(answer["error"], {"code": 1, "message": "Unauthorized"})

    def test_held_back(self) -> None:
        """The answer to a wrong token is not given at once."""
        connection = self.wire.connect()
        connection.send(request("POST", "/jsonrpc", b'{"id":1,"method":"aria2.getVersion"}'
                                ).replace(TOKEN.encode(), b"wrong"))  # fmt: skip
        self.assertEqual(connection.received(), b"")
        self.wire.clock.advance(PENALTY)
        self.assertEqual(connection.reply().status, 400)

    def test_bearer(self) -> None:
        """The token of the REST API's field is as good."""
        reply = self.wire.ask("POST", "/jsonrpc", {"id": 1, "method": "aria2.getVersion"})
        self.assertEqual(reply.status, 200)

    def test_lists_are_open(self) -> None:
        """``system.list…`` needs none."""
        for name in ("Methods", "Notifications"):
            status, answer = self.post({"id": 1, "method": f"system.list{name}"})
            self.assertEqual(status, 200)
            self.assertTrue(answer["result"])

    def test_other_page(self) -> None:
        """A page of another origin does not even get that."""
        body = {"id": 1, "method": "system.listMethods"}
        reply = self.wire.ask("POST", "/jsonrpc", body, Origin="http://evil.example")
        self.assertEqual(reply.status, 403)

    def test_listed_page(self) -> None:
        """A listed origin gets its preflight and may read the answer."""
        origin = "https://ariang.example"
        wire = Wire(options={"allowed_origins": [origin]})
        for method, body in (
            ("OPTIONS", None),
            ("POST", {"id": 1, "method": "system.listMethods"}),
        ):
            reply = wire.ask(method, "/jsonrpc", body, Origin=origin, Authorization=None)
            self.assertLess(reply.status, 300)
            self.assertEqual(reply.fields["access-control-allow-origin"], origin)


class EnvelopeTests(RpcTestCase):
    """Multicall, batches, GET, what is broken."""

    def test_multicall(self) -> None:
        """Each success in a list of one, each failure a struct, in order."""
        calls = [
            {"methodName": "aria2.addUri", "params": [SECRET, [URL]]},
            {"methodName": "aria2.addUri", "params": [SECRET, [URL]]},
            {"methodName": "aria2.nope", "params": [SECRET]},
            {"methodName": "aria2.getVersion", "params": ["token:wrong"]},
            {"methodName": "system.multicall", "params": [[]]},
            {"methodName": "aria2.saveSession", "params": [SECRET]},
            5,
        ]
        status, answer = self.post({"id": 1, "method": "system.multicall", "params": [calls]})
        self.assertEqual(status, 200)
        results = answer["result"]
        self.assertEqual(self.gids([{"gid": result[0]} for result in results[:2]]), [1, 2])
        self.assertEqual(results[2:4], [{"code": 1, "message": "No such method: aria2.nope"},
                                        {"code": 1, "message": "Unauthorized"}])  # fmt: skip
        self.assertEqual(results[4]["message"], "Recursive system.multicall forbidden.")
        self.assertEqual((results[5], results[6]["code"]), (["OK"], -32602))

    def test_many_adds(self) -> None:
        """Adds in a row, some of which cannot be: each has its own answer, in order."""
        calls = [
            {"methodName": "aria2.addUri", "params": params}
            for params in (
                [SECRET, [URL]],
                [SECRET, ["ftp://x/"]],
                ["token:wrong", [URL]],
                [SECRET, [URL], {"dir": "/etc"}],
                [SECRET, [URL], {"out": "b"}],
                [SECRET],
            )
        ]
        _, answer = self.post({"id": 1, "method": "system.multicall", "params": [calls]})
        first, no_uri, unauthorized, outside, last, missing = answer["result"]
        self.assertEqual([int(first[0], 16), int(last[0], 16)], [1, 2])
        self.assertEqual(no_uri["message"], "No URI to download.")
        self.assertEqual(unauthorized["message"], "Unauthorized")
        self.assertIn("not below", outside["message"])
        self.assertIn("missing", missing["message"])

    def test_many_adds_one_refused(self) -> None:
        """Where the jobs cannot be added as one, each that can be is."""
        add = self.wire.jobs.add

        async def picky(specs: Any) -> Any:
            if any(spec.filename == "taken" for spec in specs):
                raise NameTaken("taken")
            return await add(specs)

        self.wire.jobs.add = picky  # type: ignore[method-assign]
        calls = [
            {"methodName": "aria2.addUri", "params": [SECRET, [URL], {"out": out}]}
            for out in ("a", "taken", "b")
        ]
        _, answer = self.post({"id": 1, "method": "system.multicall", "params": [calls]})
        self.assertEqual(answer["result"][1], {"code": 1, "message": "taken"})
        self.assertEqual(len(self.wire.jobs.jobs), 2)

    def test_batch(self) -> None:
        """A list of answers, always with 200."""
        status, answers = self.post([{"id": 1, "method": "x", "params": [SECRET]}, {"method": "y"}])
        self.assertEqual(status, 200)
        self.assertEqual([answer["error"]["code"] for answer in answers], [1, -32600])

    def test_broken(self) -> None:
        """aria2's statuses for what is no call."""
        for octets, status in (
            (b"{", 500),
            (b"{}", 400),
            (b'{"id":1,"method":"x","params":1}', 500),
        ):
            self.assertEqual(self.post(octets)[0], status)

    def test_get(self) -> None:
        """By GET, and wrapped in a call for a script."""
        params = b64encode(json.dumps([SECRET]).encode()).decode().replace("=", "%3D")
        target = f"/jsonrpc?method=aria2.saveSession&id=i&params={params}"
        reply = self.wire.ask("GET", target, Authorization=None)
        self.assertEqual((reply.status, reply.json()["result"]), (200, "OK"))
        reply = self.wire.ask("GET", target + "&jsoncallback=cb")
        self.assertEqual(reply.fields["content-type"], "text/javascript")
        self.assertRegex(reply.body, rb"^cb\(\{.*\}\)$")

    def test_too_many(self) -> None:
        """More calls at once than are taken are refused as a whole, not in part and silently."""
        call = {"id": 1, "method": "aria2.getVersion", "params": [SECRET]}
        status, answers = self.post([call] * MAX_BATCH)
        self.assertEqual((status, len(answers)), (200, MAX_BATCH))
        status, answer = self.post([call] * (MAX_BATCH + 1))
        self.assertEqual((status, answer["id"]), (400, None))
        inner = {"methodName": "aria2.addUri", "params": [SECRET, [URL]]}
        for told in (
            answer["error"]["message"],
            self.refused("system.multicall", [inner] * (MAX_BATCH + 1), token=False),
        ):
            self.assertEqual(told, "At most 1000 calls at once.")
        self.assertEqual(self.wire.jobs.jobs, {})

    def test_other_paths_and_methods(self) -> None:
        """Only this path, only these methods."""
        self.assertEqual(self.wire.ask("POST", "/jsonrpc/x", {}).status, 404)
        self.assertEqual(self.wire.ask("PUT", "/jsonrpc", {}).status, 405)

    @settings(max_examples=80, deadline=None)
    @given(
        st.sampled_from(
            ["addUri", "tellStatus", "tellWaiting", "tellStopped", "changePosition", "changeUri",
             "changeOption", "pause", "getServers", "changeGlobalOption"]
        ),
        st.lists(st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5)
            | st.sampled_from(["0", "POS_SET", URL]),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["dir", "out", "split", "header"]), inner),
            max_leaves=4,
        ), max_size=5),
    )  # fmt: skip
    def test_any_params(self, method: str, params: list[Any]) -> None:
        """Any parameters are answered, and never by a failure of ours."""
        self.wire = Wire()
        self.added()
        call = {"id": 1, "method": f"aria2.{method}", "params": [SECRET, *params]}
        _, answer = self.post(call)
        self.assertNotEqual(answer.get("error", {}).get("message"), "Internal error.")
        self.assertEqual(self.flushLoggedErrors(), [])
