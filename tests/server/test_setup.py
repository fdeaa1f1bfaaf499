"""A site's setup on its way to another process, and what is shared there."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server.mounts import Mount
from rangedaemon.server.pacing import Pace, Paces
from rangedaemon.server.setup import SiteSetup
from rangedaemon.server.site import Limits
from rangedaemon.storage.threads import inline
from tests.server.wire import WireTestCase, parse_replies

SETUP = SiteSetup(
    mounts=(
        Mount(
            "/ä b", "/r\udcff", True, "attachment", "no-store", ("*", "https://a"), True, True,
            10, 1000, False, False, True,
        ),
        Mount("/", "/other"),
    ),
    limits=Limits(1.5, 2.5, 3.5, 100, 7),
    access_log=Path("/log/a"),
    access_format="json",
    drain_timeout=4.5,
    relay=Path("/state/relay.sock"),
)  # fmt: skip


class SetupTests(SynchronousTestCase):
    """`rangedaemon.server.setup.SiteSetup`."""

    def test_round_trip(self) -> None:
        """Every field arrives, on one line, names that are no text too."""
        for setup in (SETUP, SiteSetup(mounts=())):
            text = setup.to_json()
            self.assertNotIn("\n", text)
            self.assertEqual(SiteSetup.from_json(text), setup)
        unset = [f.name for f in fields(Mount) if getattr(SETUP.mounts[0], f.name) == f.default]
        self.assertEqual(unset, [], "the sample sets every field to something else")

    def test_shares(self) -> None:
        """What counts over all connections is divided, and never to nothing."""
        third = SETUP.shared_by(3)
        self.assertEqual([mount.rate_limit_total for mount in third.mounts], [333, None])
        self.assertEqual(third.limits.connections, 33)
        self.assertEqual(third.mounts[0].rate_limit, 10)
        many = SETUP.shared_by(10_000)
        self.assertEqual((many.mounts[0].rate_limit_total, many.limits.connections), (1, 1))
        self.assertIsNone(SiteSetup(mounts=()).shared_by(2).limits.connections)

    def test_site(self) -> None:
        """The site has the limits that were set."""
        site = SETUP.site(Clock(), inline)
        self.assertEqual([site.crowd.has_room("a"), site.timeOut], [True, 1.5])


class SharedPaceTests(WireTestCase):
    """The rate of a mount over all its connections."""

    def test_shared(self) -> None:
        """Four readers together get the octets of a second in a second."""
        self.serve(rate_limit_total=100_000)
        self.put("f", bytes(200_000))
        transports = []
        for _ in range(4):
            protocol, transport = self.connect()
            protocol.dataReceived(b"GET /files/f HTTP/1.1\r\nHost: h\r\n\r\n")
            transports.append(transport)
        for second in range(1, 4):
            self.clock.pump([0.01] * 100)
            sent = sum(len(transport.value()) for transport in transports)
            self.assertLess(abs(sent - 100_000 * second), 20_000)
        shares = [len(transport.value()) for transport in transports]
        self.assertLess(max(shares) - min(shares), 40_000, "all have their share")
        self.clock.pump([0.05] * 130)
        for transport in transports:
            (reply,) = parse_replies(transport.value(), ["GET"])
            self.assertEqual(len(reply.body), 200_000)

    def test_both(self) -> None:
        """The slower of two rates counts, and each counts all octets."""
        paces = Paces([Pace(1000), Pace(100)])
        self.assertEqual(paces.burst, min(Pace(1000).burst, Pace(100).burst))
        paces.spend(1000, 0.0)
        self.assertEqual(paces.delay(0.0), 10.0)
        self.assertEqual(Paces([Pace(1000)]).delay(0.0), 0.0)
