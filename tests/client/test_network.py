"""Tests for `rangedaemon.client.network`: who shares connections, and what proxies are told."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from rangedaemon.client.network import ByScheme, ForProxy, Network
from rangedaemon.core.access import Route, TlsTerms
from rangedaemon.core.addresses import AddressPolicy
from rangedaemon.core.proxies import Proxy, basic

SQUID = Proxy("http", "squid.test", 3128, ("me", "mine"))


class NetworkTests(SynchronousTestCase):
    """Tests for `Network`."""

    def setUp(self) -> None:
        """A network that leads nowhere."""
        reactor = MemoryReactorClock()
        self.network = Network(reactor, AddressPolicy(), connect_timeout=9.0, most_idle_per_host=4)

    def test_one_agent_for_each_route(self) -> None:
        """The same way, the same connections; every other way has its own."""
        routes = [
            Route(), Route(guarded=True), Route(SQUID), Route(SQUID, guarded=True),
            Route(Proxy("http", "squid.test", 3128)), Route(Proxy("socks5", "s.test", 1080)),
            Route(tls=TlsTerms(pins=frozenset({"00"}))),
        ]  # fmt: skip
        agents = [self.network.agent_for(route) for route in routes]
        self.assertEqual(len(set(map(id, agents))), len(routes))
        self.assertEqual([self.network.agent_for(route) for route in routes], agents)

    def test_renewed(self) -> None:
        """After a change of the rules no connection that was made by the old ones is used."""
        before = self.network.agent_for(Route(guarded=True))
        self.network.renew(AddressPolicy.of(["private"], []))
        self.assertIsNot(self.network.agent_for(Route(guarded=True)), before)
        self.successResultOf(self.network.close())


class Recorder:
    """An agent that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Any]] = []

    def request(self, method: bytes, uri: bytes, headers: Any = None, *_more: Any) -> Deferred[Any]:
        """As `IAgent.request`."""
        self.asked.append((uri, headers))
        return Deferred()


class ProxyAgentTests(SynchronousTestCase):
    """Tests for `ForProxy` and `ByScheme`."""

    def test_told_the_proxy(self) -> None:
        """Our login, and never what a job would tell it; the job's headers stay what they are."""
        for proxy, told in ((SQUID, [basic("me", "mine")]), (Proxy("http", "p", 1), None)):
            inner, mine = Recorder(), Headers({"Proxy-Authorization": ["job"], "X": ["y"]})
            ForProxy(inner, proxy).request(b"GET", b"http://a.test/", mine)
            [(_, headers)] = inner.asked
            self.assertEqual(headers.getRawHeaders("Proxy-Authorization"), told)
            self.assertEqual(headers.getRawHeaders("X"), ["y"])
            self.assertEqual(mine.getRawHeaders("Proxy-Authorization"), ["job"])

    def test_by_scheme(self) -> None:
        """What is secure goes by its own way."""
        plain, secure = Recorder(), Recorder()
        both = ByScheme(plain, secure)  # type: ignore[arg-type]
        for uri in (b"http://a.test/", b"https://a.test/", b"HTTPS://b.test/"):
            both.request(b"GET", uri)
        self.assertEqual([uri for uri, _ in plain.asked], [b"http://a.test/"])
        self.assertEqual([u for u, _ in secure.asked], [b"https://a.test/", b"HTTPS://b.test/"])
