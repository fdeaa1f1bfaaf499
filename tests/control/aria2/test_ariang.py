"""What the web client AriaNg sends, page by page, and what it needs to find in the answers."""

from __future__ import annotations

from typing import Any

from rangedaemon.core.jobs import JobState, Live, Remembered
from tests.control.aria2.rpc_case import SECRET, URL, RpcTestCase

BASIC = """gid totalLength completedLength uploadSpeed downloadSpeed connections numSeeders seeder
status errorCode verifiedLength verifyIntegrityPending""".split()  # noqa: SIM905 - as it sends them
FULL = [*BASIC, "files", "bittorrent", "infoHash"]


class PageTests(RpcTestCase):
    """AriaNg's calls, in its order, each with an id that is a string."""

    def running(self) -> str:
        """A task that runs."""
        gid = self.added()
        self.wire.jobs.become(
            gid,
            state=JobState.ACTIVE,
            filename="a.iso",
            remembered=Remembered(length=5 << 20),
            live=Live(received=100, rate=10.0, connections=1),
        )
        return gid

    def multicall(self, *calls: tuple[str, list[Any]]) -> list[Any]:
        """A multicall as AriaNg makes it: the token inside of each call, none outside."""
        inner = [{"methodName": name, "params": [SECRET, *params]} for name, params in calls]
        call = {"jsonrpc": "2.0", "id": "AriaNg_1", "method": "system.multicall", "params": [inner]}
        status, answer = self.post(call)
        self.assertEqual((status, answer["id"]), (200, "AriaNg_1"))
        return list(answer["result"])

    def test_start(self) -> None:
        """The counters, then the list with all keys, then with fewer."""
        gid = self.running()
        stat = self.call("aria2.getGlobalStat")
        self.assertEqual(
            [int(stat[key]) for key in ("numActive", "numWaiting", "numStopped")], [1, 0, 0]
        )
        [task] = self.call("aria2.tellActive", FULL)
        self.assertEqual(task["gid"], gid)
        self.assertIsInstance(task["files"][0]["path"], str)
        self.assertLessEqual(set(task), set(FULL))
        [task] = self.call("aria2.tellActive", BASIC)
        self.assertNotIn("files", task)
        self.assertEqual(self.call("aria2.tellWaiting", 0, 1000, FULL), [])
        self.assertEqual(self.call("aria2.tellStopped", -1, 1000, FULL), [])
        self.assertTrue(self.call("aria2.getVersion")["enabledFeatures"])

    def test_detail(self) -> None:
        """The pieces of a task as a bitfield, its options."""
        gid = self.running()
        [[task]] = self.multicall(("aria2.tellStatus", [gid]))
        pieces = int(task["numPieces"])
        self.assertEqual((pieces, len(task["bitfield"])), (5, 2))
        self.assertEqual(pieces, -(-int(task["totalLength"]) // int(task["pieceLength"])))
        self.assertTrue(self.call("aria2.getOption", gid)["dir"])

    def test_new_task(self) -> None:
        """The defaults first, then one ``addUri`` per line, started by hand."""
        defaults = self.call("aria2.getGlobalOption")
        options = {"dir": defaults["dir"], "split": defaults["split"], "pause": "true"}
        gid = self.call("aria2.addUri", [URL], options)
        [task] = self.call("aria2.tellWaiting", 0, 1000, FULL)
        self.assertEqual((task["gid"], task["status"]), (gid, "paused"))
        self.assertEqual(task["files"][0]["uris"][0]["uri"], URL)

    def test_retry(self) -> None:
        """What failed is added again with all of its options, and its result removed."""
        gid = self.added(split="3", out="b.iso")
        self.wire.jobs.become(gid, state=JobState.FAILED)
        [[task], [options]] = self.multicall(
            ("aria2.tellStatus", [gid]), ("aria2.getOption", [gid])
        )
        self.assertEqual((task["status"], task["errorCode"]), ("error", "1"))
        again = self.call("aria2.addUri", [uri["uri"] for uri in task["files"][0]["uris"]], options)
        self.assertEqual(self.call("aria2.removeDownloadResult", gid), "OK")
        self.assertEqual(self.call("aria2.getOption", again), options)
        self.assertEqual(list(self.wire.jobs.jobs), [again])
