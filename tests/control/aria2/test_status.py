"""Tests for `rangedaemon.control.aria2.status`: the struct that clients read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.aria2.status import (
    MAX_PIECES,
    MIN_PIECE,
    bitfield,
    piece_length,
    status,
)
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import JobError, JobSnapshot, JobState, Live
from tests.control.test_views import RECORD

MIB = 1024 * 1024
LIVE = (
    "totalLength",
    "completedLength",
    "uploadLength",
    "downloadSpeed",
    "uploadSpeed",
    "connections",
)
ALWAYS = {*LIVE, "gid", "status", "files", "dir", "numPieces", "pieceLength"}


class StatusTests(SynchronousTestCase):
    """Tests for `status`."""

    def test_strings(self) -> None:
        """Every number is a string; every field that clients insist on is there."""
        for state in JobState:
            struct = status(JobSnapshot(replace(RECORD, state=state), Live(rate=1.5)))
            self.assertLessEqual(ALWAYS, set(struct))
            flat = {key: value for key, value in struct.items() if key != "files"}
            self.assertTrue(all(isinstance(value, str) for value in flat.values()), flat)
            [file] = struct["files"]
            self.assertEqual((file["index"], file["selected"]), ("1", "true"))

    def test_states(self) -> None:
        """Our eight states are five of theirs."""
        words = {
            state.value: status(JobSnapshot(replace(RECORD, state=state)))["status"]
            for state in JobState
        }
        self.assertEqual(
            words,
            {"queued": "waiting", "probing": "active", "active": "active", "waiting": "waiting",
             "paused": "paused", "verifying": "active", "complete": "complete", "failed": "error"},
        )  # fmt: skip

    def test_keys(self) -> None:
        """Only the keys asked for; unknown ones are passed over."""
        self.assertEqual(
            status(JobSnapshot(RECORD), ["gid", "infoHash"]), {"gid": "00000000000000ff"}
        )

    def test_error(self) -> None:
        """Code and message of what is stopped, and of nothing else."""
        error = JobError("checksum-mismatch", "not from http://u:secret@h/")
        failed = status(JobSnapshot(replace(RECORD, state=JobState.FAILED, error=error)))
        self.assertEqual(
            (failed["errorCode"], failed["errorMessage"]), ("32", "not from http://h/")
        )
        complete = status(JobSnapshot(replace(RECORD, state=JobState.COMPLETE)))
        self.assertEqual(complete["errorCode"], "0")
        self.assertNotIn("errorCode", status(JobSnapshot(RECORD)))

    def test_removed(self) -> None:
        """What was removed has no speed, and code 31."""
        struct = status(JobSnapshot(RECORD, Live(rate=5, connections=2)), removed=True)
        self.assertEqual(
            (struct["status"], struct["errorCode"], struct["downloadSpeed"], struct["connections"]),
            ("removed", "31", "0", "0"),
        )

    def test_verifying(self) -> None:
        """While the hashes are looked at clients are told so, whatever the keys they ask for."""
        for state, told in ((JobState.VERIFYING, {"verifyIntegrityPending": "true"}),
                            (JobState.ACTIVE, {})):  # fmt: skip
            struct = status(JobSnapshot(replace(RECORD, state=state)), ["gid"])
            self.assertEqual(struct, {"gid": RECORD.id, **told})
        gone = status(JobSnapshot(replace(RECORD, state=JobState.VERIFYING)), removed=True)
        self.assertNotIn("verifyIntegrityPending", gone)

    def test_unknown_size(self) -> None:
        """Before the size is known there is no bitfield, and no name may be known."""
        bare = replace(RECORD, remembered=type(RECORD.remembered)(), filename=None)
        struct = status(JobSnapshot(bare))
        self.assertNotIn("bitfield", struct)
        self.assertEqual((struct["totalLength"], struct["files"][0]["path"]), ("0", ""))


class BitfieldTests(SynchronousTestCase):
    """Tests for `bitfield`."""

    def test_table(self) -> None:
        """The highest bit is the first piece; the last piece may be short."""
        for size, pairs, bits in (
            (0, [], ""),
            (1, [], "00"),
            (1, [(0, 1)], "80"),
            (2 * MIB + 1, [(0, MIB)], "80"),
            (2 * MIB + 1, [(2 * MIB, 2 * MIB + 1)], "20"),
            (2 * MIB + 1, [(1, 2 * MIB + 1)], "60"),
            (9 * MIB, [(0, 9 * MIB)], "ff80"),
        ):
            self.assertEqual(bitfield(size, IntervalSet.from_pairs(pairs)), bits)

    @given(st.integers(0, 2**50))
    def test_bounded(self, size: int) -> None:
        """However large the file: a bounded number of pieces that cover it."""
        length = piece_length(size)
        pieces = -(-size // length)
        self.assertLessEqual(pieces, MAX_PIECES)
        self.assertTrue(length == MIN_PIECE or pieces > MAX_PIECES // 2)

    @given(st.integers(1, 40 * MIB), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
    def test_model(self, size: int, pairs: list[tuple[int, int]]) -> None:
        """A bit is set where its whole piece is there."""
        pieces = [(min(a, b) * MIB // 2, max(a, b) * MIB // 2) for a, b in pairs]
        clamped = [(min(a, size), min(b, size)) for a, b in pieces]
        covered = IntervalSet.from_pairs(clamped)
        bits = bin(int("1" + bitfield(size, covered), 16))[3:]
        for at, bit in enumerate(bits):
            piece = ByteRange(min(at * MIB, size), min((at + 1) * MIB, size))
            self.assertEqual(bit == "1", bool(piece) and covered.covers(piece))
