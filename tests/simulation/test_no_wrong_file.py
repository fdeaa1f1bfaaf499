"""
No way to a wrong file: the whole engine against faults, crashes and changes at random.

One job, from its addition to its end, over as many lives of the daemon as it takes; it
may have a mirror, which may have another file, and hashes of the pieces of its file.
The machine draws what the origin does, what the disk does, in which order threads and
journal get on, and when the process is killed or the power is cut: at any system call
that changes the disk and at any step of the journal.  Whatever it draws, a file
under its final name is one version of the origin's file, octet by octet, and the
journal claims nothing that is not on the disk; and once the origin and the disk behave,
the job gets done.

``RANGEDAEMON_EXAMPLES`` sets how many stories are told, others each time; where it is
not set the same 200 are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.logger import LogEvent, LogLevel, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client import opening, sources
from rangedaemon.core import overlap, plan
from rangedaemon.core.jobs import JobRecord, JobSpec, JobState, OnChange, OnConflict
from rangedaemon.core.pieces import Pieces
from rangedaemon.errors import StateForbids
from rangedaemon.storage import extentlog, extents
from tests.client.world import URL
from tests.simulation.daemon import Journal, Life
from tests.simulation.disk import Disk, Image
from tests.simulation.origin import TRUSTWORTHY, Manner, Nodes, Validators

EXAMPLES = int(os.environ.get("RANGEDAEMON_EXAMPLES", "200"))
SEARCHING = "RANGEDAEMON_EXAMPLES" in os.environ
"""Whether other stories are told each time; else always the same ones."""
LONGEST = 24 * 1024
SMALLER = [
    (opening, "FIRST_LEASE", 2048),
    (sources, "PROOF_OCTETS", 1024),
    (plan, "SMALLEST_THEFT", 600),
    (plan, "NEAR_OCTETS", 1024),
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
COUNTS = st.sampled_from([1, 100, 513, 2048, 5000, LONGEST])
WHICH = st.integers(0, 7)


def _pieces(content: bytes) -> Pieces:
    blocks = [content[at : at + PIECE] for at in range(0, len(content), PIECE)]
    return Pieces("sha-256", PIECE, "".join(hashlib.sha256(block).hexdigest() for block in blocks))


class Engine(RuleBasedStateMachine):
    """The story of one job."""

    # -- the beginning and the end -------------------------------------------------

    @initialize(
        validators=st.sampled_from(Validators),
        length=st.sampled_from([0, 1, 700, 2048, 2049, 9000, LONGEST]),
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
        self.cleanups = ExitStack()
        for module, name, value in SMALLER:
            self.cleanups.enter_context(patch.object(module, name, value))
        self.errors: list[str] = []
        globalLogPublisher.addObserver(self._logged)
        self.cleanups.callback(globalLogPublisher.removeObserver, self._logged)
        home = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.cleanups.callback(shutil.rmtree, home)
        self.directories = home / "downloads", home / "state"
        logs = home / "state" / "extents"
        for directory in (*self.directories, logs):
            directory.mkdir()
        self.nodes = Nodes(validators)
        self.nodes.rewrite(length)
        if mirror is not None:
            self.nodes.mirrored(MIRROR, mirror, alike=alike)
        self.held = held
        self.seconds = 0.0
        self.countdown: int | None = None
        self.power_cut = False
        self.left: tuple[Image, dict[str, JobRecord]] | None = None
        self.disk = Disk((self.directories[0], logs), Random(chance))
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
                self.nodes.flow_all(LONGEST)
                self.life.work_off()
            self.life.pass_time(5)
            self._check()
        raise AssertionError(f"it does not end: {self._record}")

    def _may_fail(self) -> bool:
        """Whether the job has failed for what the origin did and no retry would better."""
        record = self._record
        if record.state is not JobState.FAILED or record.error is None:
            return False
        if record.error.code == "name-taken":
            # A disk that refuses to sync the log that shows whose file it is, then a power cut
            # between publication and journal: nobody can tell, and nothing is overwritten.
            return record.spec.on_conflict is OnConflict.FAIL
        moved_on = len(set(self.nodes.all_versions())) > 1
        promised = record.spec.checksum is not None or record.spec.pieces is not None
        return moved_on and (
            (record.error.code == "checksum-mismatch" and promised)
            or (record.error.code == "bad-description" and record.spec.size is not None)
            or (record.error.code == "changed" and record.spec.on_change is OnChange.FAIL)
        )

    # -- the lives --------------------------------------------------------------------

    def _boot(self, image: Image | None = None) -> None:
        self.disk.watch(image)
        self.life = Life(
            self.journal,
            self.directories,
            self.nodes,
            held=self.held,
            seconds=self.seconds,
        )
        self.life.start()

    def _step(self) -> None:
        """Something is about to change the disk or the journal: the last moment to die."""
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown < 0:
                self.countdown = None
                self._die()

    def _die(self) -> None:
        """Keep what would be left; the life itself may go on, nobody will know of it."""
        image = self.disk.after_a_power_cut() if self.power_cut else self.disk.after_a_kill()
        self.left = image, dict(self.journal.records)

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

    def _logged(self, event: LogEvent) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self.errors.append(eventAsText(event))

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

    # -- what the origin does --------------------------------------------------------------

    @rule(manners=st.lists(MANNERS, min_size=1, max_size=4))
    def plan_answers(self, manners: list[Manner]) -> None:
        """The next answers will not all be good."""
        self.nodes.manners += manners

    @precondition(lambda self: self.nodes.mirrors)
    @rule(manners=st.lists(MANNERS, min_size=1, max_size=4))
    def plan_answers_of_mirror(self, manners: list[Manner]) -> None:
        """The next answers of the mirror will not all be good."""
        self.nodes.mirrors[MIRROR].manners += manners

    @precondition(lambda self: self.nodes.mirrors)
    @rule()
    def update_mirror(self) -> None:
        """The mirror has what the first address has."""
        self.nodes.update_mirrors()

    @rule(which=WHICH, most=COUNTS)
    def flow(self, which: int, most: int) -> None:
        """Octets come over one of the connections."""
        self.nodes.flow(which, most)
        self._check()

    @rule(most=COUNTS)
    def flow_all(self, most: int) -> None:
        """Octets come over every connection."""
        self.nodes.flow_all(most)
        self._check()

    @rule(which=WHICH)
    def lose_connection(self, which: int) -> None:
        """A connection breaks."""
        self.nodes.break_off(which)
        self._check()

    @rule(length=st.sampled_from([1, 700, 2048, 9000, LONGEST]))
    def change_all(self, length: int) -> None:
        """Another file at the origin."""
        self.nodes.rewrite(length)

    @precondition(lambda self: self._may_edit())
    @rule(offset=st.integers(0, LONGEST), count=st.integers(1, 600))
    def change_some(self, offset: int, count: int) -> None:
        """A few octets are others."""
        self.nodes.edit(offset, count)

    # -- what the machine does ------------------------------------------------------------

    @rule(which=st.lists(WHICH, min_size=1, max_size=6))
    def work(self, which: list[int]) -> None:
        """Disk and journal get on, in any order."""
        for number in which:
            self.life.work(number)
        self._check()

    @rule()
    def work_off(self) -> None:
        """Disk and journal do all that is due."""
        self.life.work_off()
        self._check()

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 12.0, 40.0]))
    def pass_time(self, seconds: float) -> None:
        """Time goes by."""
        self.life.pass_time(seconds)
        self._check()

    @rule(faults=st.lists(st.integers(0, 1), min_size=1, max_size=5))
    def break_disk(self, faults: list[int]) -> None:
        """Some of the next writes and syncs fail."""
        self.disk.faults[:] = faults

    @rule(steps=st.integers(0, 30), power_cut=st.booleans())
    def crash(self, steps: int, power_cut: bool) -> None:
        """The process will die at that step of disk or journal from now."""
        self.countdown, self.power_cut = steps, power_cut

    @rule(power_cut=st.booleans())
    def crash_now(self, power_cut: bool) -> None:
        """The process dies between two steps."""
        self.power_cut = power_cut
        self._die()
        self._check()

    @rule(most=COUNTS, few=st.booleans(), steps=st.integers(0, 30), power_cut=st.booleans())
    def change_and_crash(self, most: int, few: bool, steps: int, power_cut: bool) -> None:
        """A part is claimed, the file changes, and the process dies while that is found out."""
        self.nodes.manners.clear()
        self.nodes.flow_all(most)
        self.life.pass_time(1.5)
        self._check()
        if few and self._may_edit():
            self.nodes.edit(most // 2, 100)
        else:
            self.nodes.rewrite(len(self.nodes.versions[-1].content))
        self.nodes.break_off_all()
        self.countdown, self.power_cut = steps, power_cut
        for _ in range(12):
            self.life.pass_time(5)
            self.nodes.flow_all(100)
            if self.left is not None:
                break
        self._check()

    # -- what the operator does --------------------------------------------------------------

    @rule()
    def restart(self) -> None:
        """An orderly end and a new start."""
        self.life.finish(self.life.runner.stopService())
        if self.left is None:
            self.power_cut = True  # what was ended in order is on the disk
            self._die()
        self._check()

    @rule(what=st.sampled_from(["pause", "resume", "retry"]))
    def steer(self, what: str) -> None:
        """A word of the operator's, which may not fit."""
        with contextlib.suppress(StateForbids):
            self.life.finish(getattr(self.life.runner, what)(self.id))
        self._check()


class NoWrongFileTests(SynchronousTestCase):
    """The stories."""

    @pytest.mark.timeout(24 * 3600 if SEARCHING else 900)
    def test_stories(self) -> None:
        """Whatever happens, no wrong file is called complete, and the right one is at last."""
        run_state_machine_as_test(
            Engine,
            settings=settings(
                max_examples=EXAMPLES,
                derandomize=not SEARCHING,
                stateful_step_count=40,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
