"""How long a request waits for octets that others have under way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.uploadfaults import UploadBusy
from rangedaemon.core.uploads import Scope, Upload, UploadProtocol
from rangedaemon.server.arrival import Body
from rangedaemon.server.uploads.arriving import MOST_OF_OURS, MOST_PAUSES, PAUSE, Arriving

SCOPE = Scope("/in", UploadProtocol.SEGMENTED, None)
UPLOAD = cast("Upload", Path("an upload"))


@dataclass(eq=False)
class Bringing:
    """A body as it is seen from here."""

    received: int = 0
    busy: bool = False
    over: bool = False


class ArrivingTests(SynchronousTestCase):
    """One body that is on its way, and one that asks."""

    def setUp(self) -> None:
        """It has just begun."""
        self.clock = Clock()
        self.arriving = Arriving(self.clock)
        self.other = Bringing()
        self.arriving.enter(SCOPE, "id", cast("Body", self.other))

    def quiet(self) -> Deferred[None]:
        """Wait until no octets are on their way."""
        return ensureDeferred(self.arriving.quiet(SCOPE, "id", cast("Body", Bringing())))

    def pauses_of(self, waiting: Deferred[None], *, coming: int = 0) -> int:
        """How many pauses that takes, in each of which so many octets come."""
        count = 0
        while not waiting.called:
            self.other.received += coming
            self.clock.advance(PAUSE)
            count += 1
        self.successResultOf(waiting)
        return count

    def test_nobody(self) -> None:
        """Nothing is waited for where there is nobody."""
        self.arriving.leave(SCOPE, "id", cast("Body", self.other))
        self.assertEqual(self.pauses_of(self.quiet()), 0)

    def test_silent(self) -> None:
        """Who brings nothing is waited for once."""
        self.assertEqual(self.pauses_of(self.quiet()), 1)

    def test_bringing(self) -> None:
        """Who goes on bringing is waited for a while."""
        self.assertEqual(self.pauses_of(self.quiet(), coming=1), MOST_PAUSES)

    def test_held_by_us(self) -> None:
        """Where our disk holds it, it is waited for longer: a cut cannot be seen behind that."""
        self.other.busy = True
        self.assertEqual(self.pauses_of(self.quiet()), MOST_OF_OURS)

    def test_let_go(self) -> None:
        """Once our disk has it, what follows decides."""
        self.other.busy = True
        waiting = self.quiet()
        for _ in range(2 * MOST_PAUSES):
            self.clock.advance(PAUSE)
        self.assertNoResult(waiting)
        self.arriving.leave(SCOPE, "id", cast("Body", self.other))
        self.clock.advance(2 * PAUSE)
        self.successResultOf(waiting)

    def in_turn(self, refusals: int) -> Deferred[Upload]:
        """Try what is refused so often."""
        left = iter(range(refusals))

        async def attempt() -> Upload:
            if next(left, None) is not None:
                raise UploadBusy("the same octets are on their way")
            return UPLOAD

        return ensureDeferred(self.arriving.in_turn(SCOPE, "id", attempt))

    def test_in_turn(self) -> None:
        """It is tried again until it is taken."""
        waiting = self.in_turn(MOST_PAUSES)
        for _ in range(MOST_PAUSES):
            self.assertNoResult(waiting)
            self.clock.advance(PAUSE)
        self.assertIs(self.successResultOf(waiting), UPLOAD)

    def test_not_in_turn(self) -> None:
        """Who still brings the same after a while keeps them."""
        waiting = self.in_turn(MOST_PAUSES + 1)
        for _ in range(MOST_PAUSES):
            self.assertNoResult(waiting)
            self.clock.advance(PAUSE)
        self.failureResultOf(waiting, UploadBusy)

    def test_in_turn_behind_our_disk(self) -> None:
        """While our disk holds the other one the while is longer."""
        self.other.busy = True
        waiting = self.in_turn(MOST_PAUSES * 3)
        for _ in range(MOST_PAUSES * 3):
            self.clock.advance(PAUSE)
        self.assertIs(self.successResultOf(waiting), UPLOAD)
