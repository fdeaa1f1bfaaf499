"""Addresses that expire: renewed by the first one, or by whoever added the job."""

from __future__ import annotations

from tests.integration.downloading import SIZE, DownloadCase

SHORT_RETRY = {"attempts": 3, "initial_delay": "20ms", "max_delay": "200ms"}


class RenewedTests(DownloadCase):
    """Signed addresses of a hostile origin."""

    downloads = {"retry": SHORT_RETRY}

    def test_by_the_first_address(self) -> None:
        """A signed address is good for one request each: the first one signs again and again."""
        path = self.path("sign=1/cut=2MiB")
        self.fetch(path)
        self.assert_sent(f"/{self._testMethodName}.bin", 1.0, 1.5)

    def test_by_hand(self) -> None:
        """An address that expired for good fails the job; a fresh one takes up what came."""
        path = self.path("rate=8MiB/status=403~after4")
        failed = self.assert_fails(path, "unauthorized")
        self.assertGreater(failed["received"], 0)
        fresh = self.path("etag=fixed")
        url = self.origin.url(f"{fresh}?size={SIZE}")
        reply = self.daemon.api.request("PATCH", f"/api/v1/jobs/{failed['id']}", {"urls": [url]})
        self.assertEqual(reply.status, 200, reply.body)
        self.daemon.api.act(failed["id"], "retry")
        done = self.daemon.api.wait_for(failed["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertEqual(done["refetched"], 0)
        self.assertLessEqual(self.sent(fresh), SIZE - failed["received"] + (1 << 20))
