"""
Commands as hooks: no shell, the job in the environment, an end in time, bounded words.

The environment is ours and a few names of the daemon's: what secrets stand there are none
of the command's business.  What it prints goes to the log, its last part where it is long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.hooks.calls import Call, HookFailed
from rangedaemon.core.occasions import environment

PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR")
MOST_WORDS = 8192
"""Octets of its output that are kept."""
GRACE = 5.0
"""Seconds between being asked to end and being made to."""

_log = Logger()


class _Run(ProcessProtocol):
    """One process; ends with it, however long its children keep its output open."""

    transport: Any

    def __init__(self, reactor: Any, timeout: float) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._end("cut short"))
        self.words = b""
        self._reactor = reactor
        self._timer: IDelayedCall | None = reactor.callLater(
            timeout, self._end, f"it ran longer than {timeout:g} s"
        )
        self._why: str | None = None
        self._killer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """It runs; there is nothing to read for it."""
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: ARG002, N803
        """It prints something."""
        self.words = (self.words + data)[-MOST_WORDS:]

    def processExited(self, reason: Failure) -> None:  # noqa: N802 - Twisted's interface
        """It has ended."""
        for call in (self._timer, self._killer):
            if call is not None and call.active():
                call.cancel()
        self.transport.loseConnection()
        if self.done.called:
            return
        if self._why is not None:
            self.done.errback(HookFailed(self._why))
        elif reason.check(ProcessDone):
            self.done.callback(None)
        else:
            self.done.errback(HookFailed(reason.getErrorMessage()))

    def stillborn(self) -> None:
        """It could not even begin."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, why: str) -> None:
        """Ask it to end; a while later make it."""
        self._why = why
        self._signal("TERM")
        if self._killer is None:
            self._killer = self._reactor.callLater(GRACE, self._signal, "KILL")

    def _signal(self, name: str) -> None:
        try:
            self.transport.signalProcess(name)
        except ProcessExitedAlready:
            return


def command(
    reactor: Any, argv: Sequence[str], timeout: float, environ: Mapping[str, str]
) -> Callable[[Call], Deferred[None]]:
    """
    What runs *argv*.

    :param timeout: seconds that it may run.
    :param environ: the daemon's own environment.
    """

    def act(call: Call) -> Deferred[None]:
        told = environment(call.occasion, call.job, call.text)
        return run_command(reactor, argv, timeout, environ, told)

    return act


def run_command(
    reactor: Any,
    argv: Sequence[str],
    timeout: float,
    environ: Mapping[str, str],
    told: Mapping[str, str],
) -> Deferred[None]:
    """
    Run *argv* once; fires at its end, fails with `HookFailed`.

    :param environ: the daemon's own environment, of which little is passed on.
    :param told: what is put into the command's.
    :raises HookFailed: it cannot even begin.
    """
    run = _Run(reactor, timeout)
    env = {name: environ[name] for name in PASSED_ON if name in environ} | dict(told)
    octets = {key: value.encode("utf-8", "replace") for key, value in env.items()}
    try:
        reactor.spawnProcess(run, argv[0], list(argv), env=octets)
    except OSError as error:
        run.stillborn()
        raise HookFailed(f"cannot run {argv[0]}: {error.strerror}") from error
    return run.done.addBoth(_tell, run, argv[0])


def _tell(result: Any, run: _Run, name: str) -> Any:
    """Write down what it printed."""
    words = run.words.decode("utf-8", "replace").strip()
    if words:
        _log.info("{name}: {words}", name=name, words=words)
    return result
