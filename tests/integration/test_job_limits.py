"""Limits of jobs and classes of faults, between a real daemon and a hostile origin."""

from __future__ import annotations

import time
from typing import Any

from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.waiting import until

MIB = 1 << 20
ALWAYS = "00:00-24:00"


class JobLimitsTests(IntegrationCase):
    """One daemon for each test, with its own ``downloads``."""

    def setUp(self) -> None:
        self.origin = self.make_origin()

    def start(self, **downloads: Any) -> None:
        """A daemon."""
        settings = {"segments": 2, "checkpoint_interval": "100ms", "retry": FAST_RETRY}
        self.daemon = self.make_daemon({"downloads": settings | downloads}).start()

    def add(self, name: str, size: int, faults: str = "", **wishes: object) -> str:
        """The id of a new job."""
        path = f"/{faults}/{name}" if faults else f"/{name}"
        job = self.daemon.api.add(self.origin.url(f"{path}?size={size}"), **wishes)
        return str(job["id"])

    def limits(self, **changes: object) -> dict[str, Any]:
        """Change limits; what they are then."""
        reply = self.daemon.api.request("PATCH", "/api/v1/limits", changes)
        self.assertEqual(reply.status, 200, reply.body)
        told: dict[str, Any] = reply.json
        return told

    def complete(self, job_id: str, size: int, timeout: float = 60.0) -> Job:
        """The job, when its file is right in every octet."""
        done = self.daemon.api.wait_for(job_id, "complete", timeout=timeout)
        self.assert_file(done["path"], 1, size)
        return done

    def test_rates(self) -> None:
        """By the hour, and for each host: kept to, and lifted at once for jobs under way."""
        for limit in (
            {"rate_limit": f"{ALWAYS} 1MiB; default 1"},
            {"rate_limit_per_host": {ALWAYS: MIB}},
        ):
            self.start(**limit)
            began = time.monotonic()
            self.complete(self.add("timed.bin", 3 * MIB), 3 * MIB)
            self.assertGreater(time.monotonic() - began, 2.0)
            job_id = self.add("lifted.bin", 100 * MIB)
            self.daemon.api.wait_for(job_id, "active")
            told = self.limits(rate_limit=None, rate_limit_per_host=None)
            self.assertEqual((told["rate_limit_now"], told["rate_limit_per_host"]), (None, None))
            self.complete(job_id, 100 * MIB)  # no minute would do, if the limit still held
            self.daemon.terminate()

    def test_lowered_max_active(self) -> None:
        """Whom the lower number sends away keeps what came, and goes on from there later."""
        self.start(max_active=3)
        size = 32 * MIB  # so that none is done before we are
        low, high, new = (
            self.add(f"{name}.bin", size, "rate=1048576", priority=priority)
            for name, priority in (("low", -1), ("high", 5), ("new", 0))
        )
        for job_id in (low, high, new):
            self.daemon.api.wait_received(job_id, MIB // 2)
        self.limits(max_active=1)
        for job_id in (low, new):
            self.daemon.api.wait_for(job_id, "queued")
        kept = {job_id: self.daemon.api.job(job_id)["received"] for job_id in (low, new)}
        self.assertGreaterEqual(min(kept.values()), MIB // 2)
        self.assertEqual(self.daemon.api.job(high)["state"], "active")
        before = len(self.origin.ledger.of("/rate=1048576/low.bin"))
        self.limits(max_active=3)
        for job_id in (low, high, new):
            self.complete(job_id, size)
        first = self.origin.ledger.of("/rate=1048576/low.bin")[before]
        self.assertRegex(first.fields["range"], r"^bytes=[1-9]")

    def test_too_slow(self) -> None:
        """A job that drips gives way to one that waits; what our own limit holds back does not."""
        self.start(max_active=1, lowest_speed={"rate": "100KiB", "period": "2s"},
                   retry={"attempts": 50, "initial_delay": "5s"})  # fmt: skip
        slow = self.add("slow.bin", 16 * MIB, "rate=10000", segments=1)
        fine = self.add("fine.bin", MIB)
        until(lambda: (self.daemon.api.job(slow)["error"] or {}).get("code") == "too-slow", "told")
        self.complete(fine, MIB)
        self.daemon.api.act(slow, "pause")
        held = self.add("held.bin", MIB // 4, rate_limit=50_000, segments=1)
        self.complete(held, MIB // 4)

    def test_classes(self) -> None:
        """A status that is configured as transient is tried again; one that is permanent is not."""
        self.start(retry={**FAST_RETRY, "classes": {404: "transient", "server-error": "permanent"}})
        self.complete(self.add("late.bin", MIB, "status=404~first2"), MIB)
        failed = self.add("never.bin", MIB, "status=500~first2")
        job = self.daemon.api.wait_for(failed, "failed")
        self.assertEqual((job["error"]["code"], job["attempts"]), ("server-error", 1))

    def test_said_in_the_log(self) -> None:
        """Whatever is tried again is told: why, how often it was, and when it is tried next."""
        self.start(retry={**FAST_RETRY, "attempts": 3})
        self.daemon.api.wait_for(self.add("gone.bin", MIB, "status=500"), "failed")
        log = self.daemon.log
        for tries in (1, 2):
            self.assertRegex(
                log, rf"waiting, server-error: .*; try {tries} without progress, the next at 20"
            )
        until(lambda: "failed, server-error" in self.daemon.log, "the end is told")
