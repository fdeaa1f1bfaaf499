"""
What stories of every kind have in common: how many are told, faults of the disk, the end of a life.

``RANGEDAEMON_EXAMPLES`` sets how many stories are told, others each time; where it is
not set the same 200 are.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.logger import LogEvent, LogLevel, eventAsText, globalLogPublisher

from tests.simulation.disk import Disk, Image

EXAMPLES = int(os.environ.get("RANGEDAEMON_EXAMPLES", "200"))
SEARCHING = "RANGEDAEMON_EXAMPLES" in os.environ
"""Whether other stories are told each time; else always the same ones."""
LONGEST = 24 * 3600 if SEARCHING else 900
"""Seconds that all of them may take."""
WHICH = st.integers(0, 7)


def tell(engine: type[RuleBasedStateMachine]) -> None:
    """Tell the stories of *engine*."""
    run_state_machine_as_test(
        engine,
        settings=settings(
            max_examples=EXAMPLES,
            derandomize=not SEARCHING,
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


class Story(RuleBasedStateMachine):
    """Some lives of a daemon, one after the other; each may end at any step."""

    disk: Disk
    life: Any
    """The present one."""
    held: bool
    """Whether disk and journal wait until they are told to do their work."""

    def prepare(self, smaller: Sequence[tuple[Any, str, Any]]) -> Path:
        """A home for the files, an ear at the log, and *smaller* measures of what is tried."""
        self.cleanups = ExitStack()
        for module, name, value in smaller:
            self.cleanups.enter_context(patch.object(module, name, value))
        self.errors: list[str] = []
        globalLogPublisher.addObserver(self._logged)
        self.cleanups.callback(globalLogPublisher.removeObserver, self._logged)
        home = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.cleanups.callback(shutil.rmtree, home)
        self.seconds = 0.0
        self.countdown: int | None = None
        self.power_cut = False
        self.left: tuple[Image, Any] | None = None
        return home

    def _logged(self, event: LogEvent) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            self.errors.append(eventAsText(event))

    def _step(self) -> None:
        """Something is about to change the disk or the journal: the last moment to die."""
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown < 0:
                self._die()

    def _die(self) -> None:
        """Keep what would be left; the life itself may go on, nobody will know of it."""
        self.countdown = None
        if self.left is None:
            image = self.disk.after_a_power_cut() if self.power_cut else self.disk.after_a_kill()
            self.left = image, self._committed()

    def _committed(self) -> Any:
        """What the journal would have after the end of this life."""
        raise NotImplementedError

    def _check(self) -> None:
        """After each step: is somebody dead, and does everything hold?"""
        raise NotImplementedError

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
