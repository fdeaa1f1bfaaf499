"""
Telling upload servers that nobody will go on with what was begun there.

tus calls it termination, the IETF draft cancellation; the segmented form has nothing of the
kind.  It is done as well as it can be: the server is asked once, its refusal changes
nothing here, and what it was not told of it forgets when it expires.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.habits import Habits
from rangedaemon.client.push.meeting import speak
from rangedaemon.client.push.outbound import Outbound
from rangedaemon.core.jobs import JobRecord
from rangedaemon.errors import Fault, OriginFault

LONGEST = 20.0
"""Seconds that a removed job's server has to answer, over all parts of its upload."""

_log = Logger()


async def abandon(habits: Habits, outbound: Outbound, record: JobRecord) -> None:
    """Let the server forget what it has of *record*, if it will."""
    if record.pushed is None:
        return
    uploading = speak(habits, outbound, record, record.pushed.protocol)
    for part in record.pushed.parts:
        try:
            await uploading.abandon(part)
        except OriginFault as fault:
            _untold(record, fault.detail)
            return  # it would say no more of the other parts


def _untold(record: JobRecord, why: str) -> None:
    _log.info("job {id}: its server keeps what it has until that expires: {why}",
              id=record.id, why=why)  # fmt: skip


class Farewells:
    """Servers that are being told of jobs which are not here any more; nobody waits for them."""

    def __init__(self) -> None:
        self._telling: set[Deferred[None]] = set()

    def tell(self, habits: Habits, record: JobRecord) -> None:
        """Tell the server of an upload that was begun and is not whole."""
        if habits.outbound is None or record.pushed is None or not record.pushed.parts:
            return
        telling = Deferred.fromCoroutine(abandon(habits, habits.outbound, record))
        self._telling.add(telling)
        telling.addTimeout(LONGEST, habits.around.clock)
        telling.addErrback(_broke, record)
        telling.addBoth(lambda _: self._telling.discard(telling))

    def stop(self) -> None:
        """Tell nobody any more."""
        for telling in [*self._telling]:
            telling.cancel()


def _broke(failure: Failure, record: JobRecord) -> None:
    if failure.check(CancelledError, DeferredTimeout):
        _untold(record, "it did not answer in time")
    elif isinstance(failure.value, Fault):
        _untold(record, failure.value.detail)
    else:
        _log.failure("job {id}: its server could not be told", failure, id=record.id)
