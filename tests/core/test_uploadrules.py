"""Tests for `rangedaemon.core.uploadrules` and `rangedaemon.core.uploads`."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.uploadfaults import (
    AlreadyFinished,
    LengthMismatch,
    NameRefused,
    NotAPart,
    NotWhole,
    OffsetMismatch,
    QuotaExceeded,
    TooLong,
    TooManyPieces,
    TooManyUploads,
    UnknownAlgorithm,
    UploadBusy,
    UploadGone,
)
from rangedaemon.core.uploadrules import (
    LONGEST,
    MOST_PIECES,
    Limits,
    Usage,
    admit_run,
    check_directory,
    check_quota,
    check_unfinished,
    final_name,
    joined_length,
    parse_digest,
    with_length,
)
from rangedaemon.core.uploads import Scope, Upload, UploadProtocol, UploadState
from rangedaemon.errors import Fault

IN_ORDER = Scope("/files", UploadProtocol.IETF)
SEGMENTS = Scope("/files", UploadProtocol.SEGMENTED)
PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=5)


def upload(scope: Scope = IN_ORDER, length: int | None = 10, *pairs: tuple[int, int]) -> Upload:
    """An upload with those octets."""
    arrived = IntervalSet.from_pairs(pairs)
    return Upload("k", "i", scope, "n", "f", 0.0, 0.0, length=length, arrived=arrived)


class NameTests(SynchronousTestCase):
    """Tests for `final_name` and `check_directory`."""

    def test_made_safe(self) -> None:
        """The last part of a path, without what no name should have."""
        for wished, name in (
            ("a.txt", "a.txt"),
            ("C:\\Users\\x\\a.txt", "a.txt"),
            ("/etc/passwd", "passwd"),
            ("a\r\nb", "ab"),
            ("-rf", "_rf"),
            ("con.txt", "_con.txt"),
        ):
            with self.subTest(wished):
                self.assertEqual(final_name(wished, hidden_files=False), name)

    def test_refused(self) -> None:
        """Nothing left, or hidden."""
        for wished in ("", " ", ".", "..", "a/", ".x", " .x", "a/..", "\0"):
            with self.subTest(wished):
                self.assertRaises(NameRefused, final_name, wished, hidden_files=False)

    def test_hidden(self) -> None:
        """With leave, a dot may stand first; a dot alone is no name still."""
        self.assertEqual(final_name(".x", hidden_files=True), ".x")
        for wished in (".", "..", "..."):
            self.assertRaises(NameRefused, final_name, wished, hidden_files=True)

    @given(st.text(max_size=300), st.booleans())
    def test_never_a_path(self, wished: str, hidden: bool) -> None:
        """Whatever is wished: one name, short enough, not hidden without leave."""
        try:
            name = final_name(wished, hidden_files=hidden)
        except NameRefused:
            return
        self.assertTrue({"/", "\\", "\0"}.isdisjoint(name))
        self.assertNotIn(name, {"", ".", ".."})
        self.assertTrue(hidden or not name.startswith("."))
        self.assertLessEqual(len(name.encode("utf-8", "surrogatepass")), 255)

    def test_directories(self) -> None:
        """Segments that are names, none hidden, not too many."""
        check_directory(("a", "b c", "ü"), hidden_files=False)
        check_directory((".git",), hidden_files=True)
        for bad in (("",), (".",), ("a", ".."), ("a/b",), ("a\0",), (".git",), ("d",) * 33):
            with self.subTest(bad):
                self.assertRaises(NameRefused, check_directory, bad, hidden_files=False)


class DigestTests(SynchronousTestCase):
    """Tests for `parse_digest`."""

    def test_forms(self) -> None:
        """Known algorithms with digests of their length, in any case."""
        self.assertEqual(parse_digest("md5=" + "AB" * 16), ("md5", "ab" * 16))
        for bad in ("md5=" + "g" * 32, "md5=ab", "md5", "", "SHA-1=" + "0" * 40, "md6=" + "0" * 32):
            with self.subTest(bad):
                self.assertRaises(UnknownAlgorithm, parse_digest, bad)


class RunTests(SynchronousTestCase):
    """Tests for `admit_run`."""

    def admit(self, of: Upload, offset: int, count: int | None, *writing: ByteRange) -> ByteRange:
        """With a mount that takes 100 octets."""
        return admit_run(of, offset, count, max_size=100, writing=writing)

    def test_admitted(self) -> None:
        """What may come."""
        table = (
            (upload(), 0, None, (0, 10)),
            (upload(IN_ORDER, 10, (0, 4)), 4, 6, (4, 10)),
            (upload(IN_ORDER, 10, (0, 10)), 10, None, (10, 10)),
            (upload(IN_ORDER, 10, (0, 4)), 4, 0, (4, 4)),
            (upload(IN_ORDER, None), 0, None, (0, 100)),
            (upload(SEGMENTS, 10, (2, 4)), 0, 10, (0, 10)),
        )
        for of, offset, count, (start, stop) in table:
            with self.subTest(of=of, offset=offset, count=count):
                self.assertEqual(self.admit(of, offset, count), ByteRange(start, stop))

    def test_refused(self) -> None:
        """What may not, and why."""
        there = upload(IN_ORDER, 10, (0, 4))
        table: tuple[tuple[type[Fault], Upload, int, int | None], ...] = (
            (OffsetMismatch, there, 3, None),
            (OffsetMismatch, there, 0, 1),
            (OffsetMismatch, there, 5, 1),
            (OffsetMismatch, there, -1, 1),
            (TooLong, there, 4, 7),
            (TooLong, upload(IN_ORDER, None), 0, 101),
            (TooLong, upload(SEGMENTS), 9, 2),
            (TooLong, upload(SEGMENTS), 11, 0),
            (TooLong, upload(SEGMENTS), -1, 1),
            (AlreadyFinished, replace(there, state=UploadState.FINISHED), 4, 1),
            (AlreadyFinished, replace(there, state=UploadState.PUBLISHING), 4, 1),
            (UploadGone, replace(there, state=UploadState.GONE), 4, 1),
            (NotAPart, replace(there, parts=("a",)), 4, 1),
        )
        for fault, of, offset, count in table:
            with self.subTest(fault=fault, offset=offset, count=count):
                self.assertRaises(fault, self.admit, of, offset, count)

    @given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
    def test_never_the_same_octet_twice(self, a: int, b: int, c: int, d: int) -> None:
        """Two segments at the same time have no octet in common; others are let pass."""
        first, second = ByteRange(*sorted((a, b))), ByteRange(*sorted((c, d)))
        common = set(range(first.start, first.stop)) & set(range(second.start, second.stop))
        try:
            self.admit(upload(SEGMENTS), second.start, len(second), first)
        except UploadBusy:
            self.assertTrue(common)
        else:
            self.assertFalse(common)

    def test_scattered(self) -> None:
        """No more places than the journal should keep; what joins them is taken."""
        pairs = [(at * 2, at * 2 + 1) for at in range(MOST_PIECES)]
        of = replace(upload(SEGMENTS, LONGEST), arrived=IntervalSet.from_pairs(pairs))
        last = MOST_PIECES * 2
        self.assertRaises(TooManyPieces, admit_run, of, last, 1, max_size=None)
        self.assertEqual(len(admit_run(of, 1, 1, max_size=None)), 1)


class LengthTests(SynchronousTestCase):
    """Tests for `with_length`."""

    @given(PAIRS, st.none() | st.integers(0, 60), st.integers(-5, 120))
    def test_never_changes(self, pairs: list[list[int]], known: int | None, told: int) -> None:
        """A length that is known stays; a new one has room for all that is there."""
        arrived = IntervalSet.from_pairs((a, b) for a, b in pairs)
        of = replace(upload(IN_ORDER, known), arrived=arrived)
        end = max((stop for _, stop in arrived.to_pairs()), default=0)
        try:
            now = with_length(of, told, 100)
        except LengthMismatch:
            self.assertTrue(told < end if known is None else told != known)
        except TooLong:
            self.assertGreater(told, 100)
        else:
            self.assertEqual(now.length, told)
            self.assertTrue(known == told or (known is None and end <= told <= 100))

    def test_after_the_end(self) -> None:
        """The length that is known may be told of a finished one too, no other."""
        done = replace(upload(IN_ORDER, 10), state=UploadState.FINISHED)
        self.assertIs(with_length(done, 10, None), done)
        self.assertRaises(AlreadyFinished, with_length, done, 11, None)


class UploadTests(SynchronousTestCase):
    """Tests for `Upload` and `Scope`."""

    @given(PAIRS, st.none() | st.integers(0, 60))
    def test_whole(self, pairs: list[list[int]], length: int | None) -> None:
        """Whole is every octet of a known length; the offset is where the first run ends."""
        of = replace(
            upload(IN_ORDER, length), arrived=IntervalSet.from_pairs((a, b) for a, b in pairs)
        )
        there = {octet for start, stop in pairs for octet in range(start, stop)}
        self.assertEqual(of.whole, length is not None and there >= set(range(length)))
        self.assertNotIn(of.offset, there)
        self.assertLessEqual(set(range(of.offset)), there)

    @given(st.text(max_size=9), st.text(max_size=9), st.none() | st.text(max_size=9))
    def test_keys_by_client(self, one: str, other: str, owner: str | None) -> None:
        """Different ids, mounts and owners have different keys, which are file names."""
        scopes = [
            Scope(mount, UploadProtocol.SEGMENTED, who)
            for mount in ("/a", "/b")
            for who in {owner, None, "x"}
        ]
        keys = [s.key_of(name) for s in scopes for name in {one, other} if name]
        self.assertEqual(len(set(keys)), len(keys))
        self.assertTrue(all(key and key.isascii() and "/" not in key for key in keys))

    def test_keys_by_us(self) -> None:
        """Ids of ours are 32 hex digits and nothing else."""
        self.assertEqual(IN_ORDER.key_of("0" * 32), "0" * 32)
        for name in ("", "0" * 31, "0" * 33, "G" * 32, "0" * 32 + "\n", "c-" + "0" * 64):
            self.assertIsNone(IN_ORDER.key_of(name))
        self.assertIsNone(SEGMENTS.key_of(""))
        self.assertIsNone(SEGMENTS.key_of("x" * 5000))


class JoinTests(SynchronousTestCase):
    """Tests for `joined_length`."""

    def test_table(self) -> None:
        """All partial, all whole; none is none."""
        whole = replace(upload(IN_ORDER, 4, (0, 4)), partial=True)
        self.assertEqual(joined_length([whole, whole]), 8)
        self.assertEqual(joined_length([]), 0)
        self.assertRaises(NotWhole, joined_length, [whole, replace(whole, length=5)])
        self.assertRaises(NotAPart, joined_length, [whole, replace(whole, partial=False)])


class QuotaTests(SynchronousTestCase):
    """Tests for `check_quota` and `check_unfinished`."""

    @given(
        st.integers(0, 20),
        st.integers(0, 20),
        st.integers(-5, 20),
        st.none() | st.integers(0, 20),
        st.none() | st.integers(0, 20),
    )
    def test_octets(
        self, taken: int, own: int, more: int, quota: int | None, each: int | None
    ) -> None:
        """Refused is exactly what would be above a limit; giving back never is."""
        limits = ((taken, quota), (own, each))
        above = any(limit is not None and used + more > limit for used, limit in limits)
        try:
            check_quota(Usage(taken, own), more, Limits(quota, each))
        except QuotaExceeded:
            self.assertTrue(above and more > 0)
        else:
            self.assertFalse(above and more > 0)

    def test_count(self) -> None:
        """Not one more than the limit."""
        check_unfinished(Usage(unfinished=2), Limits(max_unfinished=3))
        check_unfinished(Usage(unfinished=999), Limits())
        self.assertRaises(
            TooManyUploads, check_unfinished, Usage(unfinished=3), Limits(max_unfinished=3)
        )
