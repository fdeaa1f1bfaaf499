"""Tests for what a site counts of its answers."""

from __future__ import annotations

from tests.server.test_site import GET, LimitedTestCase


class CountedTests(LimitedTestCase):
    """Answers by status."""

    def test_by_status(self) -> None:
        """Each answer counts once, quick ones and refusals too."""
        head = GET[:-2]
        one = head + b"Range: bytes=0-1\r\n\r\n"
        none = head + b"Range: bytes=90-\r\n\r\n"
        missing = GET.replace(b"/f ", b"/none ")
        self.exchange(GET + one + none + missing, *["GET"] * 4)
        for octets in (one, one, b"hello\r\nmore\r\n", head + b"X: " + b"x" * 200_000):
            protocol, _ = self.come("192.0.2.9")
            protocol.dataReceived(octets)
            protocol.connectionLost(None)
        for _ in range(3):
            self.come("192.0.2.8")
        self.assertEqual(
            self.site.answers, {200: 1, 206: 3, 416: 1, 404: 1, 400: 1, 431: 1, 503: 1}
        )
