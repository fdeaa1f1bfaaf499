"""Which connections count as silent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.intake import Intake
from rangedaemon.client.weeding import give_up_silent
from rangedaemon.errors import Fault, TimedOut


@dataclass(eq=False)
class Connection:
    """An intake as the weeding sees it."""

    heard_at: float = 0.0
    paused: bool = False
    doubted: bool = False
    url: str = "http://a.test/f"
    given_up: list[Fault] = field(default_factory=list)

    def give_up(self, fault: Fault) -> None:
        """Note why."""
        self.given_up.append(fault)


class SilenceTests(SynchronousTestCase):
    """Tests for `give_up_silent`, with a limit of ten seconds."""

    def setUp(self) -> None:
        """One that was heard at 0."""
        self.one = Connection()

    def look(self, now: float) -> list[Fault]:
        """Why it was given up by then."""
        give_up_silent([cast("Intake", self.one)], now, 10.0)
        return self.one.given_up

    def test_silent(self) -> None:
        """Two looks in a row find it silent for too long."""
        self.assertEqual(self.look(10.0), [])
        self.assertEqual(self.look(10.5), [])
        [fault] = self.look(11.0)
        self.assertIsInstance(fault, TimedOut)
        self.assertIn("10 s", str(fault))

    def test_held_up_ourselves(self) -> None:
        """After an hour in which nobody looked it has until the next look."""
        self.assertEqual(self.look(3600.0), [])
        self.one.heard_at = 3600.1
        for now in (3600.5, 3605.0, 3610.1):
            self.assertEqual(self.look(now), [])

    def test_doubted_anew(self) -> None:
        """One look long ago does not count."""
        self.assertEqual(self.look(11.0), [])
        self.one.heard_at = 11.2
        self.assertEqual(self.look(11.5), [])
        self.assertEqual(self.look(30.0), [])
        self.assertEqual(len(self.look(30.5)), 1)

    def test_paused(self) -> None:
        """Whom we hold back is never silent."""
        self.one.paused = True
        for now in (100.0, 200.0, 300.0):
            self.assertEqual(self.look(now), [])
