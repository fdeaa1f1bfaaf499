"""
The ports that one site listens at, and how they change while its connections go on.

A change has two halves, so that several of them can be made together or not at all:
what can fail is done first, then nobody can say no any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from rangedaemon.server.listening import has_certificate
from rangedaemon.service.ports import PromptEndpoint, StartFailed
from rangedaemon.storage.threads import InThread

_NETWORK = re.compile(r"(?:tcp6?|ssl):(?:port=)?([0-9]+)")
_UNIX = re.compile(r"unix:(?:address=)?((?:\\.|[^:\\])+)")


def place_of(description: str) -> str:
    """What two endpoints cannot both have: a port's number, a socket's path."""
    network, local = _NETWORK.match(description), _UNIX.match(description)
    if network:
        return network[1]
    return local[1] if local else description


def replaced(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Which of *old* must go before all of *new* can be there."""
    taken = {place_of(text) for text in new if text not in old}
    return [text for text in old if text not in new and place_of(text) in taken]


class Listeners(Service):
    """
    Listens with *factory* at the endpoints of *descriptions*, in their order.

    :param deaf: accept nothing; other processes do, at the same sockets.
    """

    def __init__(
        self, reactor: Any, descriptions: Sequence[str], factory: Any, *, deaf: bool = False
    ) -> None:
        self._reactor = reactor
        self._factory = factory
        self._deaf = deaf
        factory.noisy = False
        self.endpoints = [self._endpoint(text) for text in descriptions]

    def _endpoint(self, description: str) -> PromptEndpoint:
        return PromptEndpoint(self._reactor, description, deaf=self._deaf)

    def open(self) -> None:
        """
        Listen, where it does not yet.

        :raises StartFailed, CannotListenError: a port cannot be had.
        """
        _listen(self.endpoints, self._factory)

    def privilegedStartService(self) -> None:
        """Listen, perhaps at ports that need privileges."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self.open()

    def startService(self) -> None:
        """Listen, if that was not done before."""
        super().startService()  # type: ignore[no-untyped-call]
        self.open()

    def stopService(self) -> Deferred[Any]:
        """Listen no more."""
        super().stopService()  # type: ignore[no-untyped-call]
        return gatherResults([_close(endpoint) for endpoint in self.endpoints])

    def change_to(self, descriptions: Sequence[str], *, deaf: bool = False) -> Change:
        """
        A change that is to be begun.

        :param deaf: whether all ports are to accept nothing once the change is made.
        """
        known = {endpoint.description: endpoint for endpoint in self.endpoints}
        after = [known.get(text) or self._endpoint(text) for text in descriptions]
        return Change(self, after, self._factory, deaf=deaf)

    def adopt(self, endpoints: Sequence[PromptEndpoint], *, deaf: bool) -> None:
        """These, which listen already, are ours from now on."""
        self._deaf = deaf
        self.endpoints = list(endpoints)
        for endpoint in self.endpoints:
            endpoint.hear(deaf=deaf)


class Change:
    """Listening elsewhere: `begin`, and whatever comes of that, `commit` or `undo`."""

    def __init__(
        self,
        listeners: Listeners,
        after: Sequence[PromptEndpoint],
        factory: Any,
        *,
        deaf: bool,
    ) -> None:
        self._listeners = listeners
        self._before = listeners.endpoints
        self.after = after
        self._factory = factory
        self._deaf = deaf
        self.moved = False
        """Whether a port was closed to make room for another."""
        # So that the factory does not stop, and its connections with it, between two ports.
        factory.doStart()

    @property
    def kept(self) -> list[PromptEndpoint]:
        """The ports that stay."""
        return [endpoint for endpoint in self.after if endpoint in self._before]

    async def begin(self) -> None:
        """
        Open what is new, after what is in its way is closed.

        :raises StartFailed, CannotListenError: a port cannot be had; `undo` is due.
        """
        old = {endpoint.description: endpoint for endpoint in self._before}
        self._refuse_spent()
        for text in replaced(list(old), [endpoint.description for endpoint in self.after]):
            self.moved = True
            await _close(old[text])
        _listen(self.after, self._factory)

    def _refuse_spent(self) -> None:
        """:raises StartFailed: systemd hands its sockets over once, at the start."""
        for endpoint in self.after:
            if endpoint.port is None and endpoint.description.startswith("systemd:"):
                raise StartFailed(
                    f"{endpoint.description}: systemd hands over sockets at the start only; "
                    "restart the daemon"
                )

    async def commit(self) -> None:
        """Close what is not wanted any more."""
        self._listeners.adopt(self.after, deaf=self._deaf)
        await self._close_all(self._before, but=self.after)
        self._factory.doStop()

    async def undo(self) -> None:
        """
        Listen where it was before.

        :raises CannotListenError: somebody was quicker, at a port that was closed for another.
        """
        try:
            await self._close_all(self.after, but=self._before)
            _listen(self._before, self._factory)
        finally:
            self._factory.doStop()

    async def _close_all(
        self, these: Sequence[PromptEndpoint], but: Sequence[PromptEndpoint]
    ) -> None:
        for endpoint in these:
            if endpoint not in but:
                await _close(endpoint)


def _listen(endpoints: Sequence[PromptEndpoint], factory: Any) -> None:
    for endpoint in endpoints:
        if endpoint.port is None:
            endpoint.listen(factory)


def _close(endpoint: PromptEndpoint) -> Deferred[Any]:
    port, endpoint.port = endpoint.port, None
    return maybeDeferred(port.stopListening if port is not None else lambda: None)


def descriptors_of(endpoints: Sequence[PromptEndpoint]) -> list[int]:
    """The descriptors of their sockets."""
    ports: list[Any] = [endpoint.port for endpoint in endpoints]
    return [port.fileno() for port in ports]


async def read_certificates(
    endpoints: Sequence[PromptEndpoint], in_thread: InThread
) -> Callable[[], None]:
    """
    Read the certificates of TLS endpoints anew.

    :returns: what puts them in force.
    :raises BadCertificate: one cannot be used.
    """
    concerned = [each for each in endpoints if has_certificate(each.description)]
    if not concerned:
        return lambda: None
    # Only a port with TLS needs it: see `rangedaemon.server.sparing`.
    from rangedaemon.server.certificates import read_certificate, renew  # noqa: PLC0415

    read = [(each, await in_thread(read_certificate, each.description)) for each in concerned]

    def put_in_force() -> None:
        for endpoint, context in read:
            if endpoint.port is not None:
                renew(endpoint.port, context)

    return put_in_force
