"""One job over as many lives of the daemon as it takes: its world, and what must hold in it."""

from __future__ import annotations

import hashlib
from functools import partial
from random import Random
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
)

from rangedaemon.client import opening, sources
from rangedaemon.core import caution, overlap, plan
from rangedaemon.core.jobs import JobRecord, JobSpec, JobState, OnChange, OnConflict
from rangedaemon.core.pieces import Pieces
from rangedaemon.storage import extentlog, extents, ledger
from tests.client.world import URL
from tests.simulation.daemon import Journal, Life
from tests.simulation.disk import Disk, Image
from tests.simulation.origin import TRUSTWORTHY, Manner, Nodes, Validators
from tests.simulation.stories import Story

LARGEST = 24 * 1024
SMALLER = [
    (opening, "FIRST_LEASE", 2048),
    (sources, "PROOF_OCTETS", 1024),
    (plan, "SMALLEST_THEFT", 600),
    (plan, "NEAR_OCTETS", 1024),
    (caution, "SHARE", 8),
    (caution, "LEAST_BLOCK", 16),
    (caution, "END_OCTETS", 64),
    (caution, "BLOCK_OCTETS", 16),
    (overlap, "END_OCTETS", 64),
    (overlap, "BLOCK_OCTETS", 16),
    (overlap, "TIE_OCTETS", 64),
    (overlap, "MOST_BEFORE", 512),
    (extents, "BLOCK", 4096),
    (extentlog, "ExtentHasher", partial(extents.ExtentHasher, grain=256)),
]
"""Measures of the engine, so that small files have as many segments and blocks as large ones."""

MIRROR = "http://mirror.test/file.bin"
PIECE = 1024
MANNERS = st.sampled_from(Manner)
COUNTS = st.sampled_from([1, 100, 513, 2048, 5000, LARGEST])


def _pieces(content: bytes) -> Pieces:
    blocks = [content[at : at + PIECE] for at in range(0, len(content), PIECE)]
    return Pieces("sha-256", PIECE, "".join(hashlib.sha256(block).hexdigest() for block in blocks))


class Downloads(Story):
    """The story of one job, and what must hold in it."""

    # -- the beginning and the end -------------------------------------------------

    @initialize(
        validators=st.sampled_from(Validators),
        length=st.sampled_from([0, 1, 700, 2048, 2049, 9000, LARGEST]),
        segments=st.sampled_from([1, 2, 4, 8]),
        on_change=st.sampled_from(OnChange),
        on_conflict=st.sampled_from(OnConflict),
        promised=st.booleans(),
        described=st.booleans(),
        mirror=st.sampled_from([None, None, *Validators]),
        alike=st.booleans(),
        held=st.booleans(),
        chance=st.integers(0, 1 << 16),
    )
    def begin(
        self,
        validators: Validators,
        length: int,
        segments: int,
        on_change: OnChange,
        on_conflict: OnConflict,
        promised: bool,
        described: bool,
        mirror: Validators | None,
        alike: bool,
        held: bool,
        chance: int,
    ) -> None:
        """An origin with its first version, and a daemon with one job."""
        home = self.prepare(SMALLER)
        self.cleanups.enter_context(patch.object(ledger, "this_boot", lambda: self.boot))
        self.directories = home / "downloads", home / "state"
        logs = home / "state" / "extents"
        for directory in (*self.directories, logs):
            directory.mkdir()
        self.nodes = Nodes(validators)
        self.nodes.rewrite(length)
        if mirror is not None:
            self.nodes.mirrored(MIRROR, mirror, alike=alike)
        self.held = held
        self.boot = 1
        self.disk = Disk((self.directories[0], logs), Random(chance), keep=True)
        self.disk.before = self._step
        self.journal = Journal(self._step)
        content = self.nodes.versions[0].content
        digest = hashlib.sha256(content).hexdigest()
        pieces = _pieces(content) if described and content else None
        spec = JobSpec(
            urls=(URL,) if mirror is None else (URL, MIRROR),
            directory=str(self.directories[0]),
            segments=segments,
            on_change=on_change,
            on_conflict=on_conflict,
            checksum=f"sha-256={digest}" if promised else None,
            pieces=pieces,
            size=len(content) if pieces is not None else None,
        )
        self._boot()
        [snapshot] = self.life.finish(self.life.runner.add([spec]))
        self.id = snapshot.record.id
        self._check()

    def teardown(self) -> None:
        """From now on everybody behaves: the job gets done, rightly."""
        if hasattr(self, "life"):
            with self.cleanups:
                self._come_to_an_end()
                self.life.stop()
                assert not self.errors, f"bugs were logged: {self.errors}"
                self.disk.let_go()

    def _come_to_an_end(self) -> None:
        self.countdown = None
        self.disk.faults.clear()
        for place in (self.nodes, *self.nodes.mirrors.values()):
            place.manners.clear()
        self.life.threads.held = self.journal.held = False
        for _ in range(400):
            if self._record.state is JobState.COMPLETE or self._may_fail():
                return
            if self._record.state is JobState.PAUSED:
                self.life.finish(self.life.runner.resume(self.id))
            elif self._record.state is JobState.FAILED:
                self.life.finish(self.life.runner.retry(self.id))
            for _ in range(20):
                self.nodes.flow_all(LARGEST)
                self.life.work_off()
            self.life.pass_time(5)
            self._check()
        raise AssertionError(f"it does not end: {self._record}")

    def _may_fail(self) -> bool:
        """Whether the job has failed for what the origin did and no retry would better."""
        record = self._record
        if record.state is not JobState.FAILED or record.error is None:
            return False
        moved_on = len(set(self.nodes.all_versions())) > 1
        promised = record.spec.checksum is not None or record.spec.pieces is not None
        return moved_on and (
            (record.error.code == "checksum-mismatch" and promised)
            or (record.error.code == "bad-description" and record.spec.size is not None)
            or (record.error.code == "changed" and record.spec.on_change is OnChange.FAIL)
        )

    # -- the lives --------------------------------------------------------------------

    def _boot(self, image: Image | None = None) -> None:
        self.boot += self.power_cut
        self.disk.watch(image)
        self.life = Life(
            self.journal,
            self.directories,
            self.nodes,
            held=self.held,
            seconds=self.seconds,
        )
        self.life.start()

    def _committed(self) -> dict[str, JobRecord]:
        return dict(self.journal.records)

    def _check(self) -> None:
        """After each step: is somebody dead, and does everything hold?"""
        if self.left is not None:
            self._rise(*self.left)
        self._check_files(self.disk.after_a_kill(), self._record)
        assert not self.errors, f"bugs were logged: {self.errors}"

    def _rise(self, image: Image, records: dict[str, JobRecord]) -> None:
        self.left = self.countdown = None
        self.disk.faults.clear()
        self.seconds = self.life.stop()
        self.disk.let_go()
        self.nodes.bodies.clear()
        self._check_claims(image, records[self.id])
        self._check_files(image, records[self.id])
        image.restore()
        self.journal.records = records
        self.journal.waiting.clear()
        self._boot(image)

    @property
    def _record(self) -> JobRecord:
        return self.journal.records[self.id]

    # -- what must hold ------------------------------------------------------------------

    def _may_edit(self) -> bool:
        """Whether versions may differ in a few octets: samples of a mirror need not find those."""
        return self.nodes.validators in TRUSTWORTHY and not self.nodes.mirrors

    def _contents(self) -> list[bytes]:
        return self.nodes.all_versions()

    def _check_files(self, image: Image, record: JobRecord) -> None:
        """What has a final name is one version; what is called complete is there."""
        names = image.names[self.directories[0]]
        for name in names:
            if not name.endswith(".part") and ".old" not in name:
                content = image.file(self.directories[0] / name)
                assert content in self._contents(), f"{name} is no version of the origin's"
        if record.state is JobState.COMPLETE:
            finals = [name for name in names if not name.endswith(".part") and ".old" not in name]
            assert len(finals) == 1, f"it is there more than once: {finals}"
            assert record.filename in names, f"{record.filename} is not there: {sorted(names)}"
            if record.spec.checksum is not None or record.spec.pieces is not None:
                content = image.file(self.directories[0] / record.filename)
                assert content == self._contents()[0], "it is not what was promised"

    def _check_claims(self, image: Image, record: JobRecord) -> None:
        """The octets that the journal claims are on the disk, all of one version."""
        if record.state is JobState.COMPLETE or not record.covered or record.filename is None:
            return
        part = image.file(self.directories[0] / f"{record.filename}.part")
        final = image.file(self.directories[0] / record.filename)
        there = part if part is not None else final
        if there is None and record.spec.on_change is OnChange.KEEP_OLD:
            return  # it has another name already; that it is gone will be found
        assert there is not None, f"{record.covered} is claimed, and there is no part file"
        pairs = record.covered.to_pairs()
        if record.spec.checksum is not None:  # may join what no validator joins: the end decides
            pairs = [(at, at + 1) for start, stop in pairs for at in range(start, stop)]
            fits = all(any(there[a:b] == c[a:b] != b"" for c in self._contents()) for a, b in pairs)
        else:
            fits = any(
                all(b <= len(there) and there[a:b] == content[a:b] for a, b in pairs)
                for content in self._contents()
            )
        assert fits, f"{record.covered} is claimed and not all there"
