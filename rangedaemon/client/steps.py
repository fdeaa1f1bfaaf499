"""Work in steps off the reactor thread, one at a time, for as long as there is any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred, ensureDeferred

from rangedaemon.errors import Fault, StorageFault


class Steps:
    """Does its step again and again; asleep in between."""

    def __init__(self, step: Callable[[], Awaitable[bool]]) -> None:
        """:param step: does some work; whether there may be more."""
        self.fault: Fault | None = None
        """What ended it for good."""
        self.on_fault: Callable[[Fault], None] = lambda _fault: None
        self._step = step
        self._running = False
        self._stopped = False
        self._waiting: list[Deferred[None]] = []

    def go_on(self) -> None:
        """There may be work again."""
        if not (self._running or self._stopped or self.fault):
            self._running = True
            ensureDeferred(self._run())

    async def idle(self) -> None:
        """Return when nothing is left to do.

        :raises Fault: a step failed, now or earlier.
        """
        await self._resting()
        if self.fault is not None:
            raise self.fault

    async def stop(self) -> None:
        """Do no more; return when the last step has ended."""
        self._stopped = True
        await self._resting()

    async def _resting(self) -> None:
        while self._running:
            waiter: Deferred[None] = Deferred()
            self._waiting.append(waiter)
            await waiter

    async def _run(self) -> None:
        try:
            while not (self._stopped or self.fault) and await self._step():
                pass
        except Fault as fault:
            self.end(fault)
        except Exception as error:
            self.end(StorageFault(f"checking failed: {error}"))
            raise
        finally:
            self._running = False
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.callback(None)

    def end(self, fault: Fault) -> None:
        """It ends for good, with *fault*."""
        self.fault = fault
        self.on_fault(fault)
