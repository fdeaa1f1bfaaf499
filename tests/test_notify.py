"""What systemd is told, and when: time is a clock, datagrams are a list."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.service import notify
from rangedaemon.service.notify import (
    STATUS_INTERVAL,
    Supervisor,
    status_text,
    watchdog_interval,
)


class IntervalTests(SynchronousTestCase):
    """`watchdog_interval`."""

    def test_table(self) -> None:
        """Half of the time, where it is meant for us; nothing where it is nonsense."""
        for environ, seconds in (
            ({"WATCHDOG_USEC": "30000000"}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "-5"}, None),
            ({"WATCHDOG_USEC": "٣"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({}, None),
        ):
            self.assertEqual(watchdog_interval(environ, 7), seconds, environ)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever the environment says, there is an interval above zero or none."""
        interval = watchdog_interval({"WATCHDOG_USEC": text}, 7)
        self.assertTrue(interval is None or interval > 0)


class StatusTextTests(SynchronousTestCase):
    """`status_text`."""

    def test_table(self) -> None:
        """What is going on, and nothing of what is not."""
        for facts, text in (
            ((0, 0.0, 0, 0.0), "idle"),
            ((3, 12.0 * 2**20, 0, 0.0), "3 active, 12.0 MiB/s"),
            ((1, 0.0, 0, 0.0), "1 active"),
            ((0, 0.0, 1, 2048.0), "1 reader, 2.0 KiB/s"),
            ((2, 1.0, 5, 0.5), "2 active, 1 B/s; 5 readers"),
        ):
            self.assertEqual(status_text(*facts), text)


class SupervisorTests(SynchronousTestCase):
    """`Supervisor`."""

    def setUp(self) -> None:
        """Catch the datagrams."""
        self.clock = Clock()
        self.told: list[tuple[str, ...]] = []
        self.text = "idle"
        self.patch(notify, "notify", self.note)

    def note(self, _environ: Mapping[str, str], *lines: str) -> None:
        """One datagram."""
        self.told.append(lines)

    def supervisor(self, **environ: str) -> Supervisor:
        """One that has started."""

        async def status() -> str:
            return self.text

        made = Supervisor({"NOTIFY_SOCKET": "/x", **environ}, self.clock, status)
        made.startService()
        return made

    def test_watchdog(self) -> None:
        """A sign of life at once and at each half of the time, until the end."""
        made = self.supervisor(WATCHDOG_USEC="4000000")
        self.clock.pump([1.0] * 4)
        self.assertEqual(self.told, [("WATCHDOG=1",)] * 3)
        made.stopService()
        self.clock.pump([1.0] * 4)
        self.assertEqual(len(self.told), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_status(self) -> None:
        """News only, and never oftener than the interval."""
        made = self.supervisor()
        made.ready()
        self.assertEqual(self.told, [("READY=1",), ("STATUS=idle",)])
        for number in range(40):
            self.text = f"{number // 20} active"
            self.clock.advance(STATUS_INTERVAL / 10)
        self.assertEqual(self.told[2:], [("STATUS=0 active",), ("STATUS=1 active",)])

    def test_nobody_listens(self) -> None:
        """Without a socket the status is not even made."""
        made = self.supervisor(NOTIFY_SOCKET="")
        made.ready()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reload(self) -> None:
        """The moment with the message, then ready again; a refusal stays in the status."""
        made = self.supervisor()
        made.ready()
        made.reloading()
        made.reloaded("c.yaml:1: sever:\nunknown")
        (word, moment), ready = self.told[2:]
        self.assertEqual((word, ready), ("RELOADING=1", ("READY=1",)))
        self.assertRegex(moment, r"\AMONOTONIC_USEC=[0-9]+\Z")
        self.clock.advance(STATUS_INTERVAL)
        refused = "idle; the last reload was refused: c.yaml:1: sever: unknown"
        self.assertEqual(self.told[-1], (f"STATUS={refused}",))
        made.reloaded(None)
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.told[-1], ("STATUS=idle",))

    def test_stopping(self) -> None:
        """How long it may take; no other status and no readiness after that."""
        made = self.supervisor()
        made.ready()
        made.stopping(40.0)
        self.assertEqual(
            self.told[-1], ("STOPPING=1", "STATUS=stopping", "EXTEND_TIMEOUT_USEC=40000000")
        )
        self.text = "3 active"
        made.reloaded(None)
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.told[-1][0], "STOPPING=1")
