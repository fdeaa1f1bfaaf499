"""
Validators that are weak, odd, missing or false: no two versions are ever joined.

``fetch`` asserts that the file is that of seed 1 in every octet; tests in which the
file changes assert that the result is the new version, whole.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.hostile.content import digest
from tests.hostile.scenes import LONG_AGO as MODIFIED
from tests.integration.api import Job
from tests.integration.downloading import SIZE, DownloadCase

LONG_AGO = f"{int(MODIFIED):x}"
"""As nginx writes it into its tags."""


class ValidatorCase(DownloadCase):
    """What the origin says of its file."""

    def completes(self, faults: str, most: float) -> Job:
        """The file is right, and at most so many times its size was sent."""
        path = self.path(faults)
        done = self.fetch(path)
        self.assert_sent(path, 1.0, most)
        return done

    def renewed(self, faults: str, most: float) -> Job:
        """The result is the version of seed 2, whole."""
        path = self.path(faults)
        job = self.add(path)
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 2, SIZE)
        self.assert_sent(path, 1.0, most)
        return done


class KindTests(ValidatorCase):
    """Which validators there are."""

    def test_old_date(self) -> None:
        """Only a date that is old enough to be strong."""
        self.completes("etag=none", 1.2)

    def test_fresh_date(self) -> None:
        """Only a date of this very minute: no basis to join parts."""
        self.completes("etag=none/date=fresh", 1.5)

    def test_weak_tag(self) -> None:
        """A weak tag beside a strong date."""
        self.completes("etag=weak", 1.2)

    def test_only_a_weak_tag(self) -> None:
        """A weak tag and nothing else."""
        self.completes("etag=weak/date=none", 1.5)

    def test_none(self) -> None:
        """Nothing at all."""
        self.completes("etag=none/date=none", 1.5)

    def test_weak_is_not_sent(self) -> None:
        """A weak tag is never a condition of a range (RFC 9110, 13.1.5)."""
        path = self.path("etag=weak")
        self.fetch(path)
        for exchange in self.origin.ledger.of(path):
            conditions = [exchange.fields.get(n, "") for n in ("if-range", "if-match")]
            self.assertFalse([c for c in conditions if c.startswith("W/")])


class OddityTests(ValidatorCase):
    """Validators that move although the octets do not."""

    def test_tag_per_request(self) -> None:
        """Another tag with each answer, equal octets: it ends right at a bounded cost."""
        self.completes("etag=request", 2.1)

    def test_tag_per_request_alone(self) -> None:
        """The same without a date."""
        self.completes("etag=request/date=none", 2.1)

    def test_tag_per_node(self) -> None:
        """Two nodes behind one address, each with a tag of its own."""
        self.completes("etag=node", 2.1)

    def test_tag_missing_in_parts(self) -> None:
        """The tag is not repeated in 206."""
        self.completes("strip206=ETag", 1.5)

    def test_validators_missing_in_parts(self) -> None:
        """Neither tag nor date in 206."""
        self.completes("strip206=ETag/strip206=Last-Modified", 1.5)

    def test_type_missing_in_parts(self) -> None:
        """Fields that a 206 may leave out are no change."""
        self.completes("strip206=Content-Type", 1.2)

    def test_if_range_only_by_date(self) -> None:
        """A server that honours a date in If-Range but no tag."""
        self.completes("ifrange=date", 1.5)

    def test_if_range_never(self) -> None:
        """A server that answers 200 to every If-Range."""
        self.completes("ifrange=never", 2.1)

    def test_if_range_ignored(self) -> None:
        """A server that never looks at If-Range."""
        self.completes("ifrange=ignored", 1.2)


class ChangeTests(ValidatorCase):
    """The file changes while it is fetched."""

    def test_at_once(self) -> None:
        """After the first answer."""
        self.renewed("seed=2~after1", 2.1)

    def test_in_the_middle(self) -> None:
        """After some answers: the result is the new version, and it says how much was lost."""
        done = self.renewed("rate=8MiB/seed=2~after4", 2.1)
        self.assertGreater(done["refetched"], 0)

    def test_if_range_ignored(self) -> None:
        """A server that sends parts of the new version as if nothing had happened."""
        self.renewed("ifrange=ignored/seed=2~after3", 2.1)

    def test_only_dates(self) -> None:
        """Without tags, the date alone tells."""
        self.renewed("etag=none/seed=2~after3", 2.1)

    def test_tag_stays_date_moves(self) -> None:
        """A tag that stays while the date moves is not trusted."""
        self.renewed("etag=fixed/seed=2~after3", 2.6)

    def test_without_validators(self) -> None:
        """No validators, a cut after a third, another version then: proved by an overlap."""
        self.renewed("etag=none/date=none/cut=4MiB~only1/bytes=2~after1", 2.1)

    def test_tag_per_request(self) -> None:
        """Tags that always differ do not hide that the octets differ too."""
        self.renewed("etag=request/cut=4MiB~only1/seed=2~after1", 2.6)

    def test_other_length(self) -> None:
        """A version of another length: whole, with that length."""
        job = self.add(self.path("rate=8MiB/size=9MiB~after4"))
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, 9 << 20)

    def test_fail_on_change(self) -> None:
        """A job that is told to fail on a change does, and keeps nothing under its name."""
        path = self.path("rate=8MiB/seed=2~after4")
        self.assert_fails(path, "changed", on_change="fail")

    def test_changes_for_ever(self) -> None:
        """A file that changes with every request comes by one of them, of one version."""
        faults = "/".join(f"seed={n + 2}~after{n}" for n in range(1, 40))
        path = self.path(f"rate=16MiB/{faults}")
        done = self.daemon.api.wait_for(self.add(path)["id"], "complete")
        found = hashlib.sha256(Path(str(done["path"])).read_bytes()).digest()
        self.assertIn(found, [digest(seed, SIZE) for seed in range(1, 42)])
        self.assert_sent(path, 1.0, 4.1)

    def test_validators_lie_at_a_resume(self) -> None:
        """Same tag, date and length, other octets from the second request on: they are compared."""
        for faults in (f"etag={LONG_AGO}-{SIZE:x}", "etag=fixed", "etag=none"):
            with self.subTest(faults):
                path = self.path(f"{faults}/date=fixed/cut=2MiB~only1/bytes=2~after1")
                job = self.add(path, segments=1)
                done = self.daemon.api.wait_for(job["id"], "complete")
                self.assert_file(done["path"], 2, SIZE)
                self.assertTrue(0 < done["refetched"] <= 2 << 20, done["refetched"])
                # The cut answer, at most all of the one that was found out, and the new file.
                self.assert_sent(path, 1.0, 1.0 + (2 + 4.5) / 12)

    def test_validators_stay_with_the_octets(self) -> None:
        """The same tag, date and length, and the same octets: nothing is fetched again for long."""
        path = self.path(f"etag={LONG_AGO}-{SIZE:x}/date=fixed/cut=2MiB~only1")
        self.assertEqual(self.fetch(path, segments=1)["refetched"], 0)
        self.assert_sent(path, 1.0, 1.15)  # without the two MiB that are there
        asked = [exchange.range for exchange in self.origin.ledger.of(path)]
        self.assertNotIn(f"bytes={2 << 20}-", " ".join(filter(None, asked)))

    def test_validators_lie(self) -> None:
        """Same tag, date and length, other octets: a checksum keeps the mixture from being done."""
        path = self.path("rate=8MiB/etag=fixed/date=fixed/bytes=2~after4")
        job = self.add(path, checksum=f"sha-256={digest(2, SIZE).hex()}")
        ended = self.daemon.api.wait_for(job["id"], "complete", "failed")
        if ended["state"] == "complete":
            self.assert_file(ended["path"], 2, SIZE)
        else:
            self.assertEqual(ended["error"]["code"], "checksum-mismatch")
            self.assertFalse((self.daemon.downloads / path.rpartition("/")[2]).exists())
