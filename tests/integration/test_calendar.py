"""Jobs of a real daemon that have hours of their own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.downloading import DownloadCase
from tests.integration.waiting import until

SIZE = 1 << 16


class HoursTests(DownloadCase):
    """Starts and windows."""

    def test_start(self) -> None:
        """It asks nobody before its time, and is complete after it."""
        at = datetime.now(UTC) + timedelta(seconds=4)
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

    def test_hard_stop(self) -> None:
        """A job that runs when its window closes lets go, keeps what came, and goes on there."""
        path = self.path("gate=half:1MiB")
        job = self.add(path, 4 << 20, segments=1)
        self.daemon.api.wait_received(job["id"], 1 << 19)
        begin = datetime.now().astimezone() + timedelta(hours=3)
        at = f"/api/v1/jobs/{job['id']}"
        closed = {"window": f"{begin:%H}:00-{begin:%H}:30"}
        self.assertEqual(self.daemon.api.request("PATCH", at, closed).status, 200)
        waits = self.daemon.api.wait_for(job["id"], "waiting")
        self.assertGreaterEqual(waits["received"], 1 << 19)
        self.assertEqual(waits["connections"], 0)
        self.origin.gates.open("half")
        self.daemon.api.request("PATCH", at, {"window": None})
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, 4 << 20)
        self.assertLess(self.sent(path), (4 << 20) + (3 << 20))

    def test_changed(self) -> None:
        """Hours can be changed: what waits for tomorrow starts now, and bad ones are refused."""
        begin = datetime.now().astimezone() + timedelta(hours=3)
        job = self.add(self.path(), SIZE, window=f"{begin:%H}:00-{begin:%H}:30")
        path = f"/api/v1/jobs/{job['id']}"
        bad = {"window": "22-6", "repeat": {"every": 1, "cron": "* * * * *"}, "versions": -1}
        reply = self.daemon.api.request("PATCH", path, bad)
        self.assertEqual(reply.status, 400)
        places = {error["loc"] for error in reply.json["errors"]}
        self.assertEqual(places, {"window", "repeat", "versions"})
        wishes = {"window": None, "repeat": {"cron": "0 3 * * *"}, "versions": 2}
        changed = self.daemon.api.request("PATCH", path, wishes).json
        told = changed["window"], changed["repeat"]["cron"], changed["versions"]
        self.assertEqual(told, (None, "0 3 * * *", 2))
        until(lambda: self.daemon.api.job(job["id"])["verified"], "it is complete")
        waits = self.daemon.api.wait_for(job["id"], "waiting")
        self.assertEqual(datetime.fromisoformat(waits["retry_at"]).astimezone().hour, 3)
        content = self.daemon.api.request("GET", f"{path}/content")
        self.assertEqual((content.status, len(content.body)), (200, SIZE))

    def test_refused(self) -> None:
        """What is no time and no window is refused, with its place."""
        wishes = {"url": self.origin.url("/a"), "start_at": "noon", "window": "22-6"}
        reply = self.daemon.api.request("POST", "/api/v1/jobs", wishes)
        self.assertEqual(reply.status, 400)
        self.assertEqual({error["loc"] for error in reply.json["errors"]}, {"start_at", "window"})


class RepeatTests(IntegrationCase):
    """Files that are kept up to date, from a real nginx."""

    def setUp(self) -> None:
        """An nginx, and a daemon."""
        self.root = self.make_directory()
        self.nginx = self.make_nginx(self.root)
        self.daemon = self.make_daemon({"downloads": {"retry": FAST_RETRY}}).start()

    def turn(self, job: str) -> dict[str, Any]:
        """Have the job's turn come now; the job when that is over."""
        self.assertEqual(self.daemon.api.act(job, "retry").status, 200)
        ended: dict[str, Any] = self.daemon.api.wait_for(job, "waiting")
        return ended

    def statuses(self) -> list[str]:
        """What nginx answered, one after the other."""
        return re.findall(r'HTTP/1\.1" (\d+)', "".join(self.nginx.served()))

    def test_turns(self) -> None:
        """A first run, an unchanged file, a changed one, one that is gone here."""
        served = self.root / "list.txt"
        served.write_bytes(b"first")
        url = self.nginx.url("list.txt")
        job = self.daemon.api.add(url, repeat={"every": 3600}, versions=1)["id"]
        first = self.daemon.api.wait_for(job, "waiting")
        file = Path(first["path"])
        self.assertEqual(file.read_bytes(), b"first")
        until(lambda: self.statuses() == ["206"], "one request is logged")
        inode = file.stat().st_ino
        second = self.turn(job)
        self.assertEqual(file.stat().st_ino, inode)
        until(lambda: self.statuses() == ["206", "304"], "one more request is logged")
        self.assertEqual((second["verified"], second["etag"]), ("length", first["etag"]))
        served.write_bytes(b"another")
        self.turn(job)
        self.assertEqual(file.read_bytes(), b"another")
        self.assertEqual(file.with_name("list.txt.1").read_bytes(), b"first")
        file.unlink()
        self.turn(job)
        self.assertEqual(file.read_bytes(), b"another")
        self.assertEqual(
            sorted(path.name for path in file.parent.iterdir()), ["list.txt", "list.txt.1"]
        )
