"""A damaged journal from the outside: the start, the commands, the jobs that go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.hostile import HostileOrigin
from tests.integration.case import IntegrationCase
from tests.integration.rangectl_case import Ended, command

SIZE = 8 << 20
HALF = SIZE // 2
BUFFERS = 1 << 20
PAGE = 4096
INDEX_LEAF = 10


class JournalTests(IntegrationCase):
    """``rangectl journal`` on the state directory of a daemon."""

    def setUp(self) -> None:
        """A daemon whose jobs have come half way when it is killed."""
        self.origin: HostileOrigin = self.make_origin()
        self.daemon = self.make_daemon({"downloads": {"segments": 2}}).start()
        self.journal = self.daemon.directory / "state" / "journal.sqlite"
        self.ids = [self.begin(name) for name in ("a", "b", "c")]
        self.daemon.kill()

    def begin(self, name: str) -> str:
        """A job of which the first half has come."""
        job = self.daemon.api.add(self.origin.url(f"{self.path(name)}?size={SIZE}"), segments=1)
        self.daemon.api.wait_received(job["id"], HALF)
        return str(job["id"])

    def path(self, name: str) -> str:
        """A file behind a gate that half of it may pass."""
        return f"/gate={name}:{HALF}/{name}.bin"

    def ctl(self, verb: str) -> Ended:
        """One of the commands."""
        return command("-c", str(self.daemon.config_file), "journal", verb)

    def test_sound(self) -> None:
        """A journal that a kill has left is sound; a running daemon's is not touched."""
        self.assertEqual(self.ctl("check").code, 0)
        self.daemon.start()
        for verb in ("check", "repair"):
            refused = self.ctl(verb)
            self.assertEqual(refused.code, 6)
            self.assertIn("stop it first", refused.err)

    def test_repaired(self) -> None:
        """Found at the start, checked, repaired: jobs go on where they were, fetched once."""
        self.damage()
        self.daemon.spawn()
        self.assertEqual(self.daemon.wait_ended(), 1)
        self.assertIn("rangectl journal repair", self.daemon.log)
        self.assertNotIn("Traceback", self.daemon.log)
        checked = self.ctl("check")
        self.assertEqual((checked.code, checked.out), (9, ""))
        repaired = self.ctl("repair")
        self.assertEqual(repaired.code, 0, repaired.err)
        self.assertRegex(repaired.out, r"jobs +3 kept, 0 lost")
        self.assertRegex(repaired.out, r"part files +3 go on")
        self.assertEqual(self.ctl("check").code, 0)
        self.daemon.start()
        for name, job in zip("abc", self.ids, strict=True):
            self.origin.gates.open(name)
            done = self.daemon.api.wait_for(job, "complete")
            self.assert_file(done["path"], 1, SIZE)
            self.assertLessEqual(self.origin.ledger.octets(self.path(name)), SIZE + BUFFERS)

    def damage(self) -> None:
        """Break every page of the indexes."""
        with closing(sqlite3.connect(self.journal)) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        octets = bytearray(self.journal.read_bytes())
        for at in range(PAGE, len(octets), PAGE):
            if octets[at] == INDEX_LEAF:
                octets[at : at + PAGE] = b"\xff" * PAGE
        self.journal.write_bytes(octets)

    def test_newer_program(self) -> None:
        """An old program on a new journal says so and changes nothing."""
        with closing(sqlite3.connect(self.journal)) as raw, raw:
            raw.execute("UPDATE alembic_version SET version_num = '9999'")
        before = self.journal.read_bytes()
        self.daemon.spawn()
        self.assertEqual(self.daemon.wait_ended(), 1)
        self.assertIn("has revision 9999, this program knows up to", self.daemon.log)
        self.assertEqual(self.journal.read_bytes(), before)
        self.assertEqual(self.ctl("repair").code, 2)
