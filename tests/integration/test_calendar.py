"""Jobs of a real daemon that have hours of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.integration.downloading import DownloadCase

SIZE = 1 << 16


class HoursTests(DownloadCase):
    """Starts and windows."""

    def test_start(self) -> None:
        """It asks nobody before its time, and is complete after it."""
        at = datetime.now(UTC) + timedelta(seconds=2)
        job = self.add(self.path(), SIZE, start_at=at.isoformat())
        self.assertEqual(job["state"], "waiting")
        due = datetime.fromisoformat(job["retry_at"])
        self.assertLess(abs((due - at).total_seconds()), 0.01)
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assertGreaterEqual(datetime.fromisoformat(done["started"]), due)
        self.assert_file(done["path"], 1, SIZE)

    def test_closed_window(self) -> None:
        """Outside of its window it waits for the opening."""
        begin = datetime.now().astimezone() + timedelta(hours=3)
        window = f"{begin:%H}:00-{begin:%H}:30"
        job = self.add(self.path(), SIZE, window=window)
        self.assertEqual((job["state"], job["window"]), ("waiting", window))
        opening = datetime.fromisoformat(job["retry_at"])
        self.assertEqual(opening, begin.replace(minute=0, second=0, microsecond=0))
        self.assertEqual(self.sent(self.path()), 0)

    def test_refused(self) -> None:
        """What is no time and no window is refused, with its place."""
        wishes = {"url": self.origin.url("/a"), "start_at": "noon", "window": "22-6"}
        reply = self.daemon.api.request("POST", "/api/v1/jobs", wishes)
        self.assertEqual(reply.status, 400)
        self.assertEqual({error["loc"] for error in reply.json["errors"]}, {"start_at", "window"})
