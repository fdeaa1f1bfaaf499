"""Tests for aria2's methods over HTTP, through the real site."""

from __future__ import annotations

from rangedaemon.control.aria2.endpoint import SHUTDOWN_DELAY
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import JobState, Limits, Live, Remembered, SegmentSnapshot
from tests.control.aria2.rpc_case import URL, RpcTestCase
from tests.control.wire import TOKEN


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

    def test_change_place(self) -> None:
        """Of one that waits; once its file is begun it stays where it is."""
        gid = self.added()
        self.call("aria2.changeOption", gid, {"dir": "sub", "out": "new.iso"})
        told = self.call("aria2.tellStatus", gid)
        self.assertEqual(told["files"][0]["path"], "/srv/downloads/sub/new.iso")
        self.wire.jobs.become(gid, filename="new.iso")
        self.assertIn("begun", self.refused("aria2.changeOption", gid, {"out": "other.iso"}))
        self.assertEqual(self.call("aria2.changeOption", gid, {"out": "new.iso"}), "OK")

    def test_own_gid(self) -> None:
        """The GID that a client chose is the job's id; it is taken once only."""
        gid = "00000000000000aa"
        self.assertEqual(self.call("aria2.addUri", [URL], {"gid": gid.upper()}), gid)
        self.assertIn(gid, self.refused("aria2.addUri", [URL], {"gid": gid}))
        self.refused("aria2.addUri", [URL], {"gid": "12"})
        self.assertEqual(list(self.wire.jobs.jobs), [gid])

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

    def test_global_limits(self) -> None:
        """Two can be changed while it runs, and are told from then on; bad ones change nothing."""
        changes = {"max-concurrent-downloads": "2", "max-overall-download-limit": "500K"}
        self.assertEqual(self.call("aria2.changeGlobalOption", changes), "OK")
        self.assertEqual(self.wire.jobs.limits, Limits(2, 512000))
        told = self.call("aria2.getGlobalOption")
        self.assertEqual({name: told[name] for name in changes},
                         {**changes, "max-overall-download-limit": "512000"})  # fmt: skip
        self.refused("aria2.changeGlobalOption", {"max-concurrent-downloads": "0"})
        self.refused("aria2.changeGlobalOption", {"max-concurrent-downloads": "3", "dir": "/etc"})
        self.assertEqual(self.wire.jobs.limits, Limits(2, 512000))


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
