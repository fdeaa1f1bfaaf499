"""Tests for `rangedaemon.core.tunnels`: octets as the RFCs write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.proxies import Proxy, basic
from rangedaemon.core.tunnels import MOST_HEAD, Greeting, Step, greeting_for
from rangedaemon.errors import ProxyRefused, Unauthorized, Unreachable

HTTP = Proxy("http", "p.test", 3128)
SOCKS = Proxy("socks5", "p.test", 1080)
KNOWN = ("me", "pw")


def talk(greeting: Greeting, octets: bytes, cuts: list[int]) -> tuple[bytes, bytes | None]:
    """All that is sent in answer to *octets* in pieces, and what was left after the end."""
    sent, at = greeting.begin(), 0
    for cut in [*sorted(cuts), len(octets)]:
        step = greeting.received(octets[at:cut])
        sent, at = sent + step.send, cut
        if step.rest is not None:
            return sent, step.rest + octets[at:]
    return sent, None


class ConnectTests(SynchronousTestCase):
    """Tests for CONNECT."""

    def test_request(self) -> None:
        """Host and port as target, credentials for the proxy, nothing else."""
        proxy = Proxy("http", "p.test", 3128, KNOWN)
        self.assertEqual(
            greeting_for(proxy, "a.test", 443).begin().decode(),
            "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n"
            f"Proxy-Authorization: {basic(*KNOWN)}\r\n\r\n",
        )
        self.assertEqual(
            greeting_for(HTTP, "::1", 8443).begin(),
            b"CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
        )

    @given(st.lists(st.integers(0, 60)))
    def test_through(self, cuts: list[int]) -> None:
        """However the answer is cut, what follows its head is the tunnel's."""
        answer = b"HTTP/1.0 200 Connection established\r\nX: y\r\n\r\n\x16\x03"
        _, rest = talk(greeting_for(HTTP, "a", 1), answer, [c for c in cuts if c < len(answer)])
        self.assertEqual(rest, b"\x16\x03")

    def test_refused(self) -> None:
        """Each refusal is told for what it is; only some may be better later."""
        for line, fault, retryable in (
            (b"HTTP/1.1 407 Proxy Authentication Required", Unauthorized, False),
            (b"HTTP/1.1 401 Unauthorized", Unauthorized, False),
            (b"HTTP/1.1 403 Filtered", ProxyRefused, False),
            (b"HTTP/1.1 302 Found", ProxyRefused, False),
            (b"HTTP/1.1 502", Unreachable, True),
            (b"HTTP/1.1 429 Slow down", Unreachable, True),
            (b"SSH-2.0-OpenSSH", ProxyRefused, False),
            (b"HTTP/1.1 2000 x", ProxyRefused, False),
        ):
            greeting = greeting_for(HTTP, "a", 1)
            with self.subTest(line):
                raised = self.assertRaises(fault, greeting.received, line + b"\r\n\r\n")
                self.assertEqual(raised.retryable, retryable)

    def test_endless_head(self) -> None:
        """A head without end is given up."""
        greeting = greeting_for(HTTP, "a", 1)
        self.assertEqual(greeting.received(b"x" * MOST_HEAD), Step())
        self.assertRaises(ProxyRefused, greeting.received, b"x")


class Socks5Tests(SynchronousTestCase):
    """Tests for SOCKS5."""

    @given(st.lists(st.integers(0, 30)))
    def test_without_login(self, cuts: list[int]) -> None:
        """Method, request by name, reply, and then the tunnel (RFC 1928, 3 to 6)."""
        answer = b"\x05\x00" + b"\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90" + b"rest"
        sent, rest = talk(
            greeting_for(SOCKS, "a.test", 443), answer, [c for c in cuts if c < len(answer)]
        )
        self.assertEqual(sent, b"\x05\x01\x00" + b"\x05\x01\x00\x03\x06a.test\x01\xbb")
        self.assertEqual(rest, b"rest")

    @given(st.lists(st.integers(0, 30)))
    def test_with_login(self, cuts: list[int]) -> None:
        """User and password where the proxy wants them (RFC 1929), IPv6 as such."""
        proxy = Proxy("socks5", "p.test", 1080, KNOWN)
        answer = b"\x05\x02" + b"\x01\x00" + b"\x05\x00\x00\x03\x04name\x00\x50"
        sent, rest = talk(
            greeting_for(proxy, "::1", 80), answer, [c for c in cuts if c < len(answer)]
        )
        self.assertEqual(
            sent,
            b"\x05\x02\x00\x02" + b"\x01\x02me\x02pw" + b"\x05\x01\x00\x04" + bytes(15)
            + b"\x01\x00\x50",
        )  # fmt: skip
        self.assertEqual(rest, b"")

    def test_login_not_wanted(self) -> None:
        """A proxy that wants no login gets none."""
        proxy = Proxy("socks5", "p.test", 1080, KNOWN)
        step = greeting_for(proxy, "127.0.0.1", 80).received(b"\x05\x00")
        self.assertEqual(step.send, b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50")

    def test_refused(self) -> None:
        """Each refusal is told for what it is."""
        proxy = Proxy("socks5", "p.test", 1080, KNOWN)
        for octets, fault in (
            (b"\x05\xff", Unauthorized),
            (b"\x04\x5a", ProxyRefused),
            (b"HT", ProxyRefused),
            (b"\x05\x01", ProxyRefused),
            (b"\x05\x02\x01\x01", Unauthorized),
            (b"\x05\x00\x05\x02\x00\x01", ProxyRefused),
            (b"\x05\x00\x05\x05\x00\x01", Unreachable),
            (b"\x05\x00\x05\x63\x00\x01", ProxyRefused),
        ):
            with self.subTest(octets):
                raised = self.assertRaises(fault, greeting_for(proxy, "a", 1).received, octets)
                self.assertNotIn("pw", str(raised))

    def test_name_too_long(self) -> None:
        """A name that the request has no room for."""
        self.assertRaises(Unreachable, greeting_for, SOCKS, "a" * 256, 1)
