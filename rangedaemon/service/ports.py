"""
Listening ports: whether each could be had is known before the daemon says that it runs.

Twisted's endpoints answer by a Deferred, which twistd would not look at.  Here a
failure is raised while twistd still starts, so that it ends with status 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from rangedaemon.config.endpoints import is_loopback
from rangedaemon.errors import Fault
from rangedaemon.server.listening import Listener


class StartFailed(SystemExit, Exception):
    """
    The daemon cannot start; the text says why.

    twistd tidies up after an `Exception` (pid file, the waiting parent), and the
    interpreter ends without traceback after a `SystemExit`.  This is both.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.code = 1


@contextmanager
def clear_reasons() -> Iterator[None]:
    """Turn what may go wrong at a start into the reason for its end."""
    try:
        yield
    except Fault as exc:
        raise StartFailed(exc.detail) from exc
    except CannotListenError as exc:
        where = f"{exc.interface or '*'}:{exc.port}"
        reason = getattr(exc.socketError, "strerror", None) or exc.socketError
        raise StartFailed(f"cannot listen on {where}: {reason}") from exc


@implementer(IStreamServerEndpoint)
class PromptEndpoint:
    """An endpoint that fails at once where it fails, and remembers its port."""

    def __init__(self, reactor: Any, description: str, *, deaf: bool = False) -> None:
        """:param deaf: accept nothing here; another process does, at the same socket."""
        self._deaf = deaf
        self.description = description
        self.port: IListeningPort | None = None
        self._reactor = reactor

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """As `IStreamServerEndpoint.listen`; what is known to fail now is raised."""
        failures: list[Failure] = []

        def note(failure: Failure) -> Failure:
            failures.append(failure)
            return failure

        began: Deferred[IListeningPort] = self._endpoint().listen(factory)
        began.addCallbacks(self._keep, note)
        if failures:
            began.addErrback(lambda _: None)
            failures[0].raiseException()
        return began

    def _endpoint(self) -> Any:
        try:
            return serverFromString(Listener(self._reactor), self.description)
        except (ValueError, LookupError) as exc:  # a socket that systemd did not hand over
            raise StartFailed(f"cannot listen on {self.description}: no such socket") from exc

    def _keep(self, port: IListeningPort) -> IListeningPort:
        self.port = port
        if self._deaf:
            self.hear(deaf=True)
        return port

    def hear(self, *, deaf: bool) -> None:
        """Leave what comes to another process, or take it from now on."""
        self._deaf = deaf
        port: Any = self.port
        if port is not None and deaf:
            port.stopReading()
        elif port is not None:
            port.startReading()

    @property
    def url(self) -> str | None:
        """Where people reach it, ``http://host:port``; None for no TCP port."""
        address = self.port.getHost() if self.port is not None else None
        scheme = "https" if self.description.startswith("ssl:") else "http"
        if isinstance(address, IPv4Address):
            host = "127.0.0.1" if address.host == "0.0.0.0" else address.host  # noqa: S104
            return f"{scheme}://{host}:{address.port}"
        if isinstance(address, IPv6Address):
            host = "::1" if address.host == "::" else address.host
            return f"{scheme}://[{host}]:{address.port}"
        return None

    def __str__(self) -> str:
        """The address for people."""
        address = self.port.getHost() if self.port is not None else None
        if isinstance(address, UNIXAddress):
            return f"unix:{os.fsdecode(address.name or b'')}"
        return self.url or self.description


def refuse_plain_remote(endpoints: Iterable[PromptEndpoint]) -> None:
    """
    Look at ports once they are there: what systemd handed over, nobody could know before.

    :raises StartFailed: other machines reach one, and without TLS.
    """
    for endpoint in endpoints:
        address = endpoint.port.getHost() if endpoint.port is not None else None
        plain = not endpoint.description.startswith("ssl:")
        remote = isinstance(address, (IPv4Address, IPv6Address)) and not is_loopback(address.host)
        if plain and remote:
            raise StartFailed(
                f"{endpoint.description} listens beyond loopback without TLS: "
                "set control.allow_plain_remote: true if that is meant"
            )
