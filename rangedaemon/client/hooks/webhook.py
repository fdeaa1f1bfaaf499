"""
Webhooks: the job as JSON by POST, signed, tried again while that may help.

``X-Rangedaemon-Signature`` is an HMAC-SHA256 of the body, so that the receiver knows who
sent it; ``X-Rangedaemon-Delivery`` is the same for each try of one call, so that it knows
what it has had.  Redirects are not followed: the receiver was named by the configuration.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.client import FileBodyProducer, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from rangedaemon import __version__
from rangedaemon.client.hooks.calls import Call, HookFailed
from rangedaemon.core.occasions import signature
from rangedaemon.core.retry import RetryClass, RetryPolicy, class_of_status

_BROKEN = (ConnectError, ConnectionClosed, DNSLookupError, ResponseFailed, OSError)

_log = Logger()


@dataclass(frozen=True)
class Receiver:
    """Where a webhook goes to, and how."""

    url: str
    secret: bytes | None
    """None: its calls are not signed."""
    timeout: float
    """Seconds for one try."""
    retry: RetryPolicy


@dataclass(frozen=True)
class Means:
    """What a webhook needs of the process."""

    agent: IAgent
    clock: IReactorTime
    random: Random
    new_id: Callable[[], str]


def body_of(call: Call) -> bytes:
    """What is posted."""
    told = {"event": call.occasion.value, "time": round(call.at, 3), "job": call.job}
    return json.dumps(told, separators=(",", ":")).encode()


def webhook(receiver: Receiver, means: Means) -> Callable[[Call], Awaitable[None]]:
    """What posts to *receiver*."""

    async def act(call: Call) -> None:
        body, delivery = body_of(call), means.new_id()
        headers = _headers(receiver, call, body, delivery)
        attempt = 1
        while (why := await _try(receiver, means, headers, body)) is not None:
            if why.last or receiver.retry.exhausted(attempt):
                raise HookFailed(f"{why.text} (try {attempt})")
            delay = receiver.retry.delay(attempt, means.random.random())
            _log.info(
                "delivery {delivery}: {why}; try {attempt}, the next in {delay:.0f} s",
                delivery=delivery, why=why.text, attempt=attempt, delay=delay,
            )  # fmt: skip
            await deferLater(means.clock, delay)
            attempt += 1

    return act


def _headers(receiver: Receiver, call: Call, body: bytes, delivery: str) -> Headers:
    fields = {
        "Content-Type": "application/json",
        "User-Agent": f"rangedaemon/{__version__}",
        "X-Rangedaemon-Event": call.occasion.value,
        "X-Rangedaemon-Delivery": delivery,
    }
    if receiver.secret is not None:
        fields["X-Rangedaemon-Signature"] = signature(receiver.secret, body)
    return Headers({name: [value] for name, value in fields.items()})


@dataclass(frozen=True)
class _Refusal:
    """Why a try was none."""

    text: str
    last: bool = False
    """Whether another one would not help."""


async def _try(receiver: Receiver, means: Means, headers: Headers, body: bytes) -> _Refusal | None:
    """Post once; None: it was taken."""
    sent: Deferred[Any] = ensureDeferred(_post(receiver, means, headers, body))
    sent.addTimeout(receiver.timeout, means.clock, _as_timeout)
    try:
        status = await sent
    except TimeoutError:
        return _Refusal(f"no answer within {receiver.timeout:g} s")
    except CancelledError:
        raise
    except _BROKEN as error:
        return _Refusal(str(error) or type(error).__name__)
    if 200 <= status < 300:
        return None
    return _Refusal(f"it was answered {status}", class_of_status(status) is RetryClass.PERMANENT)


def _as_timeout(_result: object, _seconds: float) -> Any:
    raise TimeoutError


async def _post(receiver: Receiver, means: Means, headers: Headers, body: bytes) -> int:
    producer = FileBodyProducer(BytesIO(body))
    url = receiver.url.encode("ascii")
    response: IResponse = await means.agent.request(b"POST", url, headers, producer)
    response.deliverBody(_Deaf())
    return int(response.code)


class _Deaf(Protocol):
    """Nobody reads what the receiver has to say."""

    transport: Any

    def connectionMade(self) -> None:
        """Its body would come."""
        self.transport.loseConnection()
