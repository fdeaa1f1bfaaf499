"""Slots per host: in order, halved by a refusal, quiet for as long as was asked."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client import hosts
from rangedaemon.client.hosts import SHORT_PEACE, Hosts
from rangedaemon.core.congestion import GROWTH_SECONDS
from rangedaemon.errors import Throttled

URL = "http://origin.test/a"


class HostsTests(SynchronousTestCase):
    """Holders that keep their slot until the test lets them go."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.hosts = Hosts(self.clock, 4)
        self.inside: list[str] = []
        self.ends: dict[str, Deferred[None]] = {}

    def hold(self, name: str, url: str = URL) -> Deferred[None]:
        """Ask for a slot and keep it."""
        self.ends[name] = Deferred()
        self.addCleanup(self.end, name)

        async def story() -> None:
            async with self.hosts.slot(url):
                self.inside.append(name)
                await self.ends[name]

        return ensureDeferred(story())

    def end(self, name: str) -> None:
        """Leave no story in its middle to whichever test the garbage collector runs in."""
        if not self.ends[name].called:
            self.ends[name].callback(None)

    def let_go(self, *names: str) -> None:
        """The holders end."""
        for name in names:
            self.ends[name].callback(None)

    def test_in_order(self) -> None:
        """No more than the limit; who waits longest is next."""
        for name in "abcdef":
            self.hold(name)
        self.assertEqual(self.inside, [*"abcd"])
        self.assertFalse(self.hosts.free(URL))
        self.let_go("b")
        self.assertEqual(self.inside, [*"abcde"])
        self.let_go("a", "e")
        self.assertEqual(self.inside, [*"abcdef"])
        self.assertTrue(self.hosts.free(URL))

    def test_limits_of_their_own(self) -> None:
        """A host that has a limit of its own keeps it, also when that of the others changes."""
        self.hosts = Hosts(self.clock, 4, lambda url: 2 if "origin.test" in url else None)
        for name in "abcdef":
            self.hold(name)
            self.hold(name.upper(), "http://other.test/")
        self.assertEqual("".join(sorted(self.inside)), "ABCDab")
        self.hosts.set_limit(5)
        self.assertEqual("".join(sorted(self.inside)), "ABCDEab")
        self.hosts.set_own_limits(lambda url: 6 if "other.test" in url else None)
        self.assertEqual("".join(sorted(self.inside)), "ABCDEFabcde")

    def test_what_one_host_is(self) -> None:
        """Scheme, host and port: other paths share it, other ports do not."""
        for name in "abcd":
            self.hold(name, f"http://ORIGIN.test:80/{name}")
        self.hold("e")
        self.hold("f", "http://origin.test:81/")
        self.hold("g", "https://origin.test/")
        self.assertEqual(self.inside, [*"abcdfg"])

    def test_waiter_that_gives_up(self) -> None:
        """Its place goes to the next."""
        for name in "abcd":
            self.hold(name)
        waiting = self.hold("e")
        self.hold("f")
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.let_go("a")
        self.assertEqual(self.inside, [*"abcdf"])

    def test_halved_and_grown_back(self) -> None:
        """A refusal halves what the host gets, whoever asks; time brings it back."""
        for name in "abcd":
            self.hold(name)
        self.hosts.overloaded(URL, None)
        self.assertTrue(self.hosts.crowded(URL))
        self.hold("e")
        self.let_go("a", "b")
        self.assertFalse(self.hosts.crowded(URL))
        self.assertEqual(self.inside, [*"abcd"])
        self.let_go("c")
        self.assertEqual(self.inside, [*"abcde"])
        self.clock.advance(GROWTH_SECONDS)
        self.assertTrue(self.hosts.free(URL))
        self.hold("f")
        self.hold("g")
        self.assertEqual(self.inside, [*"abcdef"])

    def test_growth_wakes_a_waiter(self) -> None:
        """Who waits gets in when the host has recovered, although nobody ends."""
        for name in "abcd":
            self.hold(name)
        self.hosts.overloaded(URL, None)
        self.let_go("a", "b")
        self.hold("e")
        for _ in range(round(GROWTH_SECONDS) - 1):
            self.clock.advance(1)
        self.assertEqual(self.inside, [*"abcd"])
        for _ in range(3):
            self.clock.advance(1)
        self.assertEqual(self.inside, [*"abcde"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_retry_after(self) -> None:
        """Nobody comes in before the time that the host named; a short one is waited for."""
        self.hosts.overloaded(URL, SHORT_PEACE)
        self.hosts.overloaded(URL, SHORT_PEACE / 4)
        self.hold("a")
        self.assertFalse(self.hosts.free(URL))
        self.clock.advance(SHORT_PEACE / 2)
        self.assertEqual(self.inside, [])
        self.clock.advance(SHORT_PEACE / 2)
        self.assertEqual(self.inside, ["a"])

    def test_long_retry_after(self) -> None:
        """A long one is nobody's to sit out in line, also not who waited already."""
        for name in "abcd":
            self.hold(name)
        waiting = self.hold("e")
        self.hosts.overloaded(URL, 30.0)
        self.let_go("a", "b", "c")
        fault = self.failureResultOf(waiting, Throttled).value
        self.assertEqual(fault.retry_after, 30.0)  # type: ignore[attr-defined]
        self.let_go("d")
        self.clock.advance(31)
        self.assertTrue(self.hosts.free(URL))

    def test_cancelled_in_the_quiet_time(self) -> None:
        """A slot that was taken and not used yet is given back."""
        self.hosts.overloaded(URL, SHORT_PEACE)
        waiting = self.hold("a")
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.clock.advance(60)
        self.assertEqual((self.inside, self.clock.getDelayedCalls()), ([], []))
        for name in "bcde":
            self.hold(name)
        self.assertIn("b", self.inside)

    def test_fault_of_a_holder(self) -> None:
        """Whatever ends a holder, its slot is free again."""
        holders: list[Deferred[Any]] = [self.hold(name) for name in "abcd"]
        self.ends["a"].errback(OSError())
        self.failureResultOf(holders[0], OSError)
        self.assertTrue(self.hosts.free(URL))

    def test_traits_are_kept(self) -> None:
        """What was learned of a host holds for all of its addresses."""
        self.hosts.traits(URL).volatile_tags = True
        self.assertTrue(self.hosts.traits("http://origin.test/other").volatile_tags)
        self.assertFalse(self.hosts.traits("http://other.test/").volatile_tags)

    def test_memory_is_bounded(self) -> None:
        """Idle hosts are forgotten, those at work are not."""
        self.patch(hosts, "MOST_HOSTS", 3)
        self.hold("a")
        self.hosts.traits(URL).rung = 2
        for number in range(10):
            self.hosts.traits(f"http://h{number}.test/").rung = 1
        self.assertEqual(self.hosts.traits(URL).rung, 2)
        self.assertEqual(self.hosts.traits("http://h0.test/").rung, 0)
