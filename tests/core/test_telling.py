"""Tests for `rangedaemon.core.telling`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobError, JobSpec
from rangedaemon.core.telling import error_of, plain
from rangedaemon.errors import Missing, NoSpace

OWN = "https://a.test/x?token=mine"
SUMS = "https://a.test/SUMS?token=mine"


class ErrorTests(SynchronousTestCase):
    """Tests for `error_of` and `plain`."""

    def test_addresses(self) -> None:
        """Addresses that the job names are told whole, those that others name without query."""
        spec = JobSpec((OWN,), "/d", checksum=f"sha-256={SUMS}")
        for url, told in (
            (OWN, OWN),
            (SUMS, SUMS),
            ("https://cdn.test/y?X-Signature=secret", "https://cdn.test/y"),
            ("https://u:p@cdn.test/y", "https://cdn.test/y"),
        ):
            error = error_of(Missing("no such file", url=url), spec)
            self.assertEqual(error, JobError("not-found", "no such file", told))

    def test_about(self) -> None:
        """A fault without an address is about the one that the job was at, if at any."""
        spec = JobSpec((OWN,), "/d")
        self.assertEqual(error_of(NoSpace("full"), spec, OWN).url, OWN)
        self.assertIsNone(error_of(NoSpace("full"), spec).url)

    def test_plain(self) -> None:
        """What a log may have."""
        self.assertEqual(plain("http://u:p@a.test/x@y?z=1#f"), "http://a.test/x@y")
        self.assertEqual(plain("http://a.test/"), "http://a.test/")
