"""Tests for aria2's methods over HTTP, through the real site."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.aria2.dispatch import PENALTY
from rangedaemon.control.aria2.endpoint import SHUTDOWN_DELAY
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import JobState, Live, Remembered, SegmentSnapshot
from rangedaemon.errors import NameTaken
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

    def refused(self, method: str, *params: Any) -> str:
        """The message of a method that fails."""
        status, answer = self.post({"id": 1, "method": method, "params": [SECRET, *params]})
        self.assertEqual((status, answer["error"]["code"]), (400, 1))
        return str(answer["error"]["message"])

    def added(self, **options: Any) -> str:
        """A new download's GID."""
        return str(self.call("aria2.addUri", [URL], options))

    def gids(self, structs: list[dict[str, Any]]) -> list[int]:
        """Their GIDs as numbers."""
        return [int(struct["gid"], 16) for struct in structs]


class AddTests(RpcTestCase):
    """``aria2.addUri``."""

    def test_add(self) -> None:
        """A GID of 16 hex digits; the addresses are mirrors of one file."""
        gid = self.call("aria2.addUri", [URL, "ftp://x/", "http://m/a.iso"], {"out": "b"})
        self.assertRegex(gid, "^[0-9a-f]{16}$")
        struct = self.call("aria2.tellStatus", gid)
        self.assertEqual((struct["gid"], struct["status"]), (gid, "waiting"))
        self.assertEqual(struct["files"][0]["path"], "/srv/downloads/b")
        uris = [uri["uri"] for uri in self.call("aria2.getUris", gid)]
        self.assertEqual(uris, [URL, "http://m/a.iso"])

    def test_refused(self) -> None:
        """aria2's words; nothing is added."""
        for params, words in (
            ([[]], "URI is not provided."),
            ([["ftp://x/", "nonsense"]], "No URI to download."),
            ([], "The parameter at 0 is required but missing."),
            ([URL], "The parameter at 0 has wrong type."),
            ([[URL], []], "The parameter at 1 has wrong type."),
            ([[URL], {}, -1], "The integer parameter at 2 has invalid value: -1"),
            ([[URL], {"split": "x"}], "We encountered a problem while processing the option"),
            ([[URL], {"dir": "/etc"}], "/etc is not below /srv/downloads"),
        ):
            self.assertIn(words, self.refused("aria2.addUri", *params))
        self.assertEqual(self.wire.jobs.jobs, {})

    def test_position(self) -> None:
        """A place in the queue; beyond its end is its end."""
        for position in (None, None, 0, 1, 99):
            params = [] if position is None else [{}, position]
            self.call("aria2.addUri", [URL], *params)
        waiting = self.call("aria2.tellWaiting", 0, 10, ["gid"])
        self.assertEqual(self.gids(waiting), [3, 4, 1, 2, 5])


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


class SteerTests(RpcTestCase):
    """Pausing, resuming, removing, moving, changing."""

    def test_pause(self) -> None:
        """Once; the GID is the answer."""
        gid = self.added()
        self.assertEqual(self.call("aria2.forcePause", gid), gid)
        self.assertEqual(self.call("aria2.tellStatus", gid, ["status"]), {"status": "paused"})
        self.assertEqual(self.refused("aria2.pause", gid), f"GID#{gid} cannot be paused now")
        self.assertEqual(self.call("aria2.unpause", gid), gid)
        self.assertEqual(self.refused("aria2.unpause", gid), f"GID#{gid} cannot be unpaused now")

    def test_all(self) -> None:
        """All of them, however mixed; what is stopped stays."""
        gids = [self.added(pause=state) for state in ("true", "false", "false")]
        self.wire.jobs.become(gids[2], state=JobState.COMPLETE)
        for method, status in (("pauseAll", "paused"), ("unpauseAll", "waiting")):
            self.assertEqual(self.call(f"aria2.{method}"), "OK")
            states = [self.call("aria2.tellStatus", gid)["status"] for gid in gids]
            self.assertEqual(states, [status, status, "complete"])

    def test_remove(self) -> None:
        """What waits is gone without a trace; its files stay."""
        gid = self.added()
        self.assertEqual(self.call("aria2.remove", gid), gid)
        self.assertEqual(self.refused("aria2.tellStatus", gid), f"No such download for GID#{gid}")
        self.assertEqual(self.wire.jobs.deleted, [(gid, False)])

    def test_remove_active(self) -> None:
        """What runs is remembered as removed until its result is."""
        gid = self.added()
        self.wire.jobs.become(gid, state=JobState.ACTIVE)
        self.call("aria2.forceRemove", gid)
        struct = self.call("aria2.tellStatus", gid)
        self.assertEqual((struct["status"], struct["errorCode"]), ("removed", "31"))
        self.assertEqual(self.gids(self.call("aria2.tellStopped", 0, 9)), [int(gid, 16)])
        self.assertIn("not found", self.refused("aria2.remove", gid))
        self.assertEqual(self.call("aria2.removeDownloadResult", gid), "OK")
        self.refused("aria2.tellStatus", gid)

    def test_results(self) -> None:
        """Only what is stopped has a result to remove."""
        gid = self.added()
        self.assertEqual(
            self.refused("aria2.removeDownloadResult", gid),
            f"Could not remove download result of GID#{gid}",
        )
        done = self.added()
        self.wire.jobs.become(done, state=JobState.COMPLETE)
        self.assertIn("Active Download not found", self.refused("aria2.remove", done))
        self.assertEqual(self.call("aria2.purgeDownloadResult"), "OK")
        self.assertEqual(list(self.wire.jobs.jobs), [gid])

    def test_change_option(self) -> None:
        """Live; the new wish is what ``getOption`` tells."""
        gid = self.added()
        options = {"max-download-limit": "1M", "split": "2"}
        self.assertEqual(self.call("aria2.changeOption", gid, options), "OK")
        told = self.call("aria2.getOption", gid)
        self.assertEqual((told["max-download-limit"], told["split"]), ("1048576", "2"))
        self.wire.jobs.become(gid, state=JobState.COMPLETE)
        self.assertIn("Cannot change option", self.refused("aria2.changeOption", gid, {}))

    def test_retry_by_options(self) -> None:
        """What ``getOption`` tells is taken by ``addUri`` as it is."""
        gid = self.added(dir="x", out="b", split="3")
        told = self.call("aria2.getOption", gid)
        again = self.call("aria2.addUri", [URL], told)
        self.assertEqual(self.call("aria2.getOption", again), told)

    def test_change_uri(self) -> None:
        """How many went and came; never none at all."""
        gid = self.added()
        changed = self.call("aria2.changeUri", gid, 1, [URL, "http://x/"], ["http://m/", "bad"])
        self.assertEqual(changed, [1, 1])
        self.assertEqual(self.call("aria2.getUris", gid)[0]["uri"], "http://m/")
        self.assertEqual(self.call("aria2.changeUri", gid, 1, [], [URL], 0), [0, 1])
        self.assertEqual(self.call("aria2.getUris", gid)[0]["uri"], URL)
        self.refused("aria2.changeUri", gid, 2, [], [])
        self.refused("aria2.changeUri", gid, 1, [URL, "http://m/"], [])

    def test_global_options(self) -> None:
        """Told, never the secret; what is configured stays, what writes files is refused."""
        told = self.call("aria2.getGlobalOption")
        self.assertEqual((told["dir"], told["split"]), ("/srv/downloads", "8"))
        self.assertNotIn(TOKEN, str(told))
        self.assertEqual(self.call("aria2.changeGlobalOption", {"split": "8", "x": "y"}), "OK")
        for options in ({"dir": "/etc"}, {"log": "/x"}, {"save-cookies": "/x"}):
            self.refused("aria2.changeGlobalOption", options)


class AskTests(RpcTestCase):
    """What is told."""

    def test_stretches(self) -> None:
        """From the front in order, from the end backwards."""
        for _ in range(4):
            self.added()
        for offset, number, gids in (
            (0, 2, [1, 2]), (1, 9, [2, 3, 4]), (9, 1, []), (0, 0, []),
            (-1, 2, [4, 3]), (-2, 9, [3, 2, 1]), (-9, 9, []),
        ):  # fmt: skip
            told = self.call("aria2.tellWaiting", offset, number, ["gid"])
            self.assertEqual(self.gids(told), gids, (offset, number))

    def test_stopped_stretches(self) -> None:
        """What is finished, then what was removed; backwards the other way round."""
        gids = [self.added() for _ in range(4)]
        for gid in gids[:2]:
            self.wire.jobs.become(gid, state=JobState.COMPLETE)
        for gid in gids[2:]:
            self.wire.jobs.become(gid, state=JobState.ACTIVE)
            self.call("aria2.remove", gid)
        for offset, number, told in (
            (0, 9, [1, 2, 3, 4]), (1, 2, [2, 3]), (3, 9, [4]), (9, 9, []),
            (-1, 9, [4, 3, 2, 1]), (-2, 2, [3, 2]), (-3, 1, [2]), (-9, 1, []),
        ):  # fmt: skip
            structs = self.call("aria2.tellStopped", offset, number, ["gid"])
            self.assertEqual(self.gids(structs), told, (offset, number))
        self.assertEqual(self.call("aria2.getGlobalStat")["numStopped"], "4")

    def test_active(self) -> None:
        """Whatever runs, with what is known of it."""
        gid = self.added()
        self.wire.jobs.become(
            gid,
            state=JobState.ACTIVE,
            filename="a.iso",
            remembered=Remembered(etag='"e"', length=1000),
            covered=IntervalSet([ByteRange(0, 10)]),
            live=Live(received=30, rate=5.0, connections=2),
        )
        [struct] = self.call("aria2.tellActive")
        told = [struct[key] for key in ("totalLength", "completedLength", "downloadSpeed",
                                        "connections", "etag", "bitfield")]  # fmt: skip
        self.assertEqual(told, ["1000", "30", "5", "2", '"e"', "00"])
        self.wire.jobs.parts[gid] = [SegmentSnapshot(0, 10, 5, "active", "http://u:p@h/")]
        [server] = self.call("aria2.getServers", gid)
        self.assertEqual(server["servers"][0]["currentUri"], "http://h/")
        self.assertEqual(self.call("aria2.getGlobalStat")["numActive"], "1")

    def test_gid_prefix(self) -> None:
        """The start of a GID is enough where no other starts like it."""
        first, second = self.added(), self.added()
        self.assertIn("is not unique", self.refused("aria2.tellStatus", "0"))
        self.assertIn("is not found", self.refused("aria2.tellStatus", "f"))
        for gid in ("", "xyz", "0" * 17):
            self.assertIn("Invalid GID", self.refused("aria2.tellStatus", gid))
        self.call("aria2.remove", second)
        self.assertEqual(self.call("aria2.tellStatus", "0")["gid"], first)

    def test_small_answers(self) -> None:
        """Version, session, peers, session file."""
        self.assertEqual(self.call("aria2.getVersion")["version"], "1.37.0")
        self.assertRegex(self.call("aria2.getSessionInfo")["sessionId"], "^[0-9a-f]{40}$")
        self.assertEqual(self.call("aria2.getPeers", self.added()), [])
        self.assertEqual(self.call("aria2.saveSession"), "OK")

    def test_shutdown(self) -> None:
        """``OK`` first, the stop later."""
        self.assertEqual(self.call("aria2.shutdown"), "OK")
        self.wire.clock.advance(SHUTDOWN_DELAY)
        self.assertEqual(len(self.wire.shutdowns), 1)

    def test_position(self) -> None:
        """The new place is an integer; beyond the ends are the ends."""
        gids = [self.added() for _ in range(4)]
        for gid, place, how, order in (
            (3, 0, "POS_SET", [3, 1, 2, 4]),
            (3, 2, "POS_CUR", [1, 2, 3, 4]),
            (1, 0, "POS_END", [2, 3, 4, 1]),
            (1, -2, "POS_CUR", [2, 1, 3, 4]),
            (4, -9, "POS_CUR", [4, 2, 1, 3]),
            (4, 99, "POS_SET", [2, 1, 3, 4]),
        ):
            moved = self.call("aria2.changePosition", gids[gid - 1], place, how)
            self.assertEqual(moved, order.index(gid))
            self.assertEqual(self.gids(self.call("aria2.tellWaiting", 0, 9)), order)
        self.assertEqual(
            self.refused("aria2.changePosition", gids[0], 0, "UP"), "Illegal argument."
        )
        self.wire.jobs.become(gids[0], state=JobState.ACTIVE)
        self.assertIn("waiting queue", self.refused("aria2.changePosition", gids[0], 0, "POS_SET"))


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
