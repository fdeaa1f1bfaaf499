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
How many stories are told is `tests.simulation.stories`'.
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
)
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.errors import StateForbids
from tests.simulation.downloads import COUNTS, LARGEST, MANNERS, MIRROR, Downloads
from tests.simulation.origin import Manner
from tests.simulation.stories import LONGEST, WHICH, tell


class Engine(Downloads):
    """The story of one job."""

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

    @rule(length=st.sampled_from([1, 700, 2048, 9000, LARGEST]))
    def change_all(self, length: int) -> None:
        """Another file at the origin."""
        self.nodes.rewrite(length)

    @precondition(lambda self: self._may_edit())
    @rule(offset=st.integers(0, LARGEST), count=st.integers(1, 600))
    def change_some(self, offset: int, count: int) -> None:
        """A few octets are others."""
        self.nodes.edit(offset, count)

    # -- what the machine does ------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 12.0, 40.0]))
    def pass_time(self, seconds: float) -> None:
        """Time goes by."""
        self.life.pass_time(seconds)
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

    @pytest.mark.timeout(LONGEST)
    def test_stories(self) -> None:
        """Whatever happens, no wrong file is called complete, and the right one is at last."""
        tell(Engine)
