"""
From requests to answers: tokens, method names, ``system.*``, batches.

An answer that says ``Unauthorized`` is held back for a second, so that guessing
is slow; it is one second for a whole batch or multicall.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from rangedaemon.control.aria2.envelope import (
    Batch,
    Broken,
    Call,
    RpcError,
    Unauthorized,
    failed,
    succeeded,
)
from rangedaemon.control.aria2.methods import Method
from rangedaemon.control.aria2.params import Params
from rangedaemon.control.slowdown import Slowdown
from rangedaemon.control.tokens import Keyring, Principal, Scope
from rangedaemon.errors import Fault

PENALTY = 1.0
NOTIFICATIONS = [
    "aria2.onDownloadStart",
    "aria2.onDownloadPause",
    "aria2.onDownloadStop",
    "aria2.onDownloadComplete",
    "aria2.onDownloadError",
]
MAX_BATCH = 1000

AddMany = Callable[[Sequence[Params]], Awaitable[Sequence[str | RpcError]]]
"""Several ``addUri`` at once: a GID or an error for each."""

_ADDING = frozenset({"aria2.addUri", "aria2.addMetalink"})
_READING = ("aria2.get", "aria2.tell")
_log = Logger()


@dataclass(slots=True)
class Session:
    """Whoever asks: what has been shown so far."""

    principal: Principal | None = None
    """Whose bearer token came with the request itself."""
    shown: Principal | None = None
    """Whose token was shown last: such a session is told of events while that is valid."""
    peer: str = "local"
    """Where it comes from, as `peer_of` calls it."""
    penalties: int = 0
    """How often a token was missing or wrong."""


def needed_scope(method: str) -> Scope:
    """What a token must allow for *method*."""
    if method.startswith(_READING):
        return Scope.READ
    return Scope.ADD if method in _ADDING else Scope.ADMIN


class Dispatcher:
    """Answers requests by a table of methods."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        keyring: Keyring,
        slowdown: Slowdown,
        add_many: AddMany,
    ) -> None:
        self._methods = methods
        self._add_many = add_many
        self._keyring = keyring
        self._slowdown = slowdown
        self._open: Mapping[str, Callable[[], Any]] = {
            "system.listMethods": lambda: [*sorted(methods), *sorted(_SYSTEM)],
            "system.listNotifications": lambda: NOTIFICATIONS,
        }

    async def answer(self, request: Call | Broken | Batch, session: Session) -> Any:
        """
        The answer, as plain JSON; after a pause where a token was wrong.

        :raises TooManyFailures: hang up instead.
        """
        before = session.penalties
        if isinstance(request, Batch) and len(request.requests) > MAX_BATCH:
            answer: Any = failed(Broken(_too_many()), _too_many())
        elif isinstance(request, Batch):
            answer = [await self._one(each, session) for each in request.requests]
        else:
            answer = await self._one(request, session)
        if session.penalties > before:
            await self._slowdown.wait(session.peer, PENALTY)
        return answer

    async def _one(self, request: Call | Broken, session: Session) -> dict[str, Any]:
        if isinstance(request, Broken):
            return failed(request, request.error)
        try:
            return succeeded(request, await self._result(request, session))
        except RpcError as error:
            return failed(request, error)

    async def _result(self, call: Call, session: Session) -> Any:
        """:raises RpcError: whatever goes wrong."""
        if call.method in self._open:
            return self._open[call.method]()
        if call.method == "system.multicall":
            return await self._multicall(call, session)
        params = self._authorized(call, session)
        method = self._methods.get(call.method)
        if method is None:
            raise RpcError(f"No such method: {call.method[:100]}")
        try:
            return await method(Params(params))
        except Fault as fault:
            raise RpcError(fault.detail) from fault
        except RpcError:
            raise
        except Exception as unforeseen:
            _log.failure("{method} failed", method=call.method)
            raise RpcError("Internal error.") from unforeseen

    def _authorized(self, call: Call, session: Session) -> list[Any]:
        """The parameters without the token. :raises Unauthorized: it does not open this."""
        params, principal = list(call.params), session.principal
        if params and isinstance(params[0], str) and params[0].startswith("token:"):
            principal = self._keyring.admit(params.pop(0).removeprefix("token:"))
        elif principal is not None and not self._keyring.holds(principal):
            principal = None
        if principal is None or not principal.may(needed_scope(call.method)):
            session.penalties += 1
            raise Unauthorized
        session.shown = principal
        return params

    async def _multicall(self, call: Call, session: Session) -> list[Any]:
        """Each result in a list of one, each failure a struct."""
        inner = Params(call.params).structs(0)
        if len(inner) > MAX_BATCH:
            raise _too_many()
        results: list[Any] = []
        for group in _groups(inner):
            results += await self._together(group, session)
        return results

    async def _together(self, group: Sequence[Any], session: Session) -> list[Any]:
        """One call; or neighbours that only add, which the journal then takes as one."""
        if len(group) == 1:
            return [await self._inner(group[0], session)]
        allowed = [self._allowed(item, session) for item in group]
        added = iter(await self._add_many([each for each in allowed if isinstance(each, Params)]))
        outcomes = (next(added) if isinstance(each, Params) else each for each in allowed)
        return [_told(outcome) for outcome in outcomes]

    def _allowed(self, item: Any, session: Session) -> Params | RpcError:
        """The parameters of an inner call that may be made."""
        try:
            return Params(self._authorized(_inner_call(item), session))
        except RpcError as error:
            return error

    async def _inner(self, item: Any, session: Session) -> Any:
        try:
            return [await self._result(_inner_call(item), session)]
        except RpcError as error:
            return _told(error)


def _too_many() -> RpcError:
    """Refused as a whole: who sent them would take calls that are left out for made."""
    return RpcError(f"At most {MAX_BATCH} calls at once.")


def _told(outcome: str | RpcError) -> Any:
    """A result of a multicall."""
    if isinstance(outcome, RpcError):
        return {"code": outcome.code, "message": outcome.message}
    return [outcome]


_SYSTEM = ("system.multicall", "system.listMethods", "system.listNotifications")


def _inner_call(item: Any) -> Call:
    """:raises RpcError: it is no call, or a multicall in a multicall."""
    name = item.get("methodName") if isinstance(item, dict) else None
    params = item.get("params", []) if isinstance(item, dict) else None
    if not isinstance(name, str) or not isinstance(params, list):
        raise RpcError("Invalid params.", -32602)
    if name == "system.multicall":
        raise RpcError("Recursive system.multicall forbidden.")
    return Call(name, params)


def _groups(items: Sequence[Any]) -> list[list[Any]]:
    """Neighbours that only add come together, everything else by itself."""
    groups: list[list[Any]] = []
    for item in items:
        if groups and _only_adds(item) and _only_adds(groups[-1][-1]):
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _only_adds(item: Any) -> bool:
    """Whether it is an ``addUri`` without a place in the queue (token, uris, options)."""
    if not isinstance(item, dict) or item.get("methodName") != "aria2.addUri":
        return False
    params = item.get("params")
    return isinstance(params, list) and not (params and isinstance(params[-1], int))
