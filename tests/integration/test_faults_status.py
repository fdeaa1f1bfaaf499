"""Statuses and redirects: what ends a job, what makes it wait, what it follows."""

from __future__ import annotations

import time

from tests.integration.downloading import SIZE, DownloadCase

SHORT_RETRY = {"attempts": 4, "initial_delay": "20ms", "max_delay": "200ms"}
FEW = 60
"""Requests; a job that sends more for one file hammers the server."""


class StatusCase(DownloadCase):
    """Origins that never get better are given up soon."""

    downloads = {"retry": SHORT_RETRY}

    def completes(self, faults: str, most: float = 1.2) -> None:
        """The file is right, and at most so many times its size was sent."""
        path = self.path(faults)
        self.fetch(path)
        self.assert_sent(f"/{self.name}", 1.0, most)

    def refuses(self, faults: str, code: str, requests: int = FEW) -> None:
        """The job fails with *code* after no more than so many requests."""
        path = self.path(faults)
        self.assert_fails(path, code)
        self.assertLessEqual(len(self.origin.ledger.of(f"/{self.name}")), requests)

    @property
    def name(self) -> str:
        """The file of this test, wherever redirects lead."""
        return f"{self._testMethodName}.bin"


class RangeStatusTests(StatusCase):
    """416, 412, 304 and others that belong to ranges."""

    def test_unsatisfiable_but_complete(self) -> None:
        """416 with our very length to every range: the file is asked for whole."""
        self.completes(f"unsat={SIZE}")

    def test_unsatisfiable_without_length(self) -> None:
        """416 without a length."""
        self.completes("unsat=")

    def test_unsatisfiable_meanwhile(self) -> None:
        """From the third request on."""
        self.completes(f"unsat={SIZE}~after2", 2.1)

    def test_shrunk(self) -> None:
        """416 that tells of a shorter file is a change, and the file is fetched anew."""
        self.completes("unsat=5~after2", 2.1)

    def test_precondition_failed(self) -> None:
        """412 for ever: the file changes without end."""
        self.refuses("status=412~after2", "changed")

    def test_not_modified(self) -> None:
        """304 to a request that did not ask for it."""
        self.refuses("status=304~after2", "bad-response")

    def test_no_content(self) -> None:
        """204 is no file."""
        self.refuses("status=204", "bad-response", 4)


class RefusalTests(StatusCase):
    """Statuses that no patience helps against."""

    def test_missing(self) -> None:
        """404: one request, and it is over."""
        self.refuses("status=404", "not-found", 1)

    def test_gone(self) -> None:
        """410 likewise."""
        self.refuses("status=410", "not-found", 1)

    def test_unauthorized(self) -> None:
        """401 likewise."""
        self.refuses("auth=Basic%20YTpi", "unauthorized", 1)

    def test_authorized(self) -> None:
        """With the field that the user gave it is served, on every connection."""
        self.fetch(self.path("auth=Basic%20YTpi"), headers={"Authorization": "Basic YTpi"})

    def test_secret_is_not_shown(self) -> None:
        """The job does not show that field, and neither does the log."""
        job = self.fetch(self.path(), headers={"Authorization": "Basic c2VjcmV0"})
        self.assertNotIn("c2VjcmV0", str(job))
        self.assertNotIn("c2VjcmV0", self.daemon.log)

    def test_missing_meanwhile(self) -> None:
        """404 in the middle: over, and the octets stay in the part file."""
        self.refuses("rate=8MiB/status=404~after4", "not-found")
        self.assertTrue((self.daemon.downloads / f"{self.name}.part").exists())

    def test_forbidden_meanwhile(self) -> None:
        """403 in the middle: the same."""
        self.refuses("rate=8MiB/status=403~after4", "unauthorized")
        self.assertTrue((self.daemon.downloads / f"{self.name}.part").exists())

    def test_forbidden_once(self) -> None:
        """403 to one of many: asked for again."""
        self.completes("status=403~only3")


class PatienceTests(StatusCase):
    """Statuses that pass."""

    def test_every_second(self) -> None:
        """503 to every second request."""
        self.completes("status=503~every2")

    def test_too_many_requests(self) -> None:
        """429 with seconds."""
        began = time.monotonic()
        self.completes("status=429~first1/retry=1")
        self.assertGreaterEqual(time.monotonic() - began, 0.9)

    def test_retry_after_date(self) -> None:
        """429 with a date (whose resolution is a second)."""
        began = time.monotonic()
        self.completes("status=429~first1/retry=date:3")
        self.assertGreaterEqual(time.monotonic() - began, 1.5)

    def test_bad_retry_after(self) -> None:
        """A Retry-After that cannot be read is none."""
        self.completes("status=503~first1/retry=soon")

    def test_past_retry_after(self) -> None:
        """A date that has passed is none either."""
        self.completes("status=503~first1/retry=date:-1000")

    def test_too_many_requests_for_ever(self) -> None:
        """429 without end: given up, without hammering."""
        self.refuses("rate=8MiB/status=429~after4", "throttled")

    def test_errors_for_ever(self) -> None:
        """500 from the middle on: the same."""
        self.refuses("rate=8MiB/status=500~after4", "server-error")

    def test_some_errors(self) -> None:
        """500 to every third request."""
        self.completes("status=500~every3")


class RedirectTests(StatusCase):
    """Where redirects lead, and where not."""

    def test_loop(self) -> None:
        """To itself."""
        self.refuses("loop", "too-many-redirects", 12)

    def test_endless(self) -> None:
        """Ever on."""
        self.refuses("endless", "too-many-redirects", 12)

    def test_nowhere(self) -> None:
        """Without Location."""
        self.refuses("nowhere", "bad-redirect", 1)

    def test_other_scheme(self) -> None:
        """To something that is not http."""
        self.refuses("hopscheme=file", "bad-redirect", 1)

    def test_chain(self) -> None:
        """All kinds of redirect in a row, absolute and relative: each against its own base."""
        self.completes("hop=301/hop=302/hoprel=303/hop=307/hoprel=308")

    def test_relative_is_resolved_in_place(self) -> None:
        """Two relative ones in a row from different folders."""
        self.completes("hop/hoprel/hoprel/etag=none")

    def test_secrets_stay(self) -> None:
        """Fields of the user do not follow to another origin; they do to the first."""
        path = self.path("hophost")
        self.fetch(path, headers={"Authorization": "Basic YTpi", "X-Token": "secret"})
        first = self.origin.ledger.of(path)[0]
        self.assertEqual(first.fields.get("x-token"), "secret")
        elsewhere = [e for e in self.origin.ledger.of(f"/{self.name}") if e.path != path]
        self.assertTrue(elsewhere)
        for exchange in elsewhere:
            self.assertNotIn("authorization", exchange.fields)
            self.assertNotIn("x-token", exchange.fields)

    def test_signed_address_expires(self) -> None:
        """The signed address is good for two requests: the original one gives a new one."""
        self.completes("sign=2")

    def test_signed_address_expires_in_the_middle(self) -> None:
        """The same where connections break and come again."""
        self.completes("sign=2/cut=1MiB")
