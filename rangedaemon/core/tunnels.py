"""
What is said to a proxy until it lets us through: CONNECT (RFC 9110 9.3.6) and SOCKS5.

Pure: octets in, octets out.  SOCKS5 (RFC 1928, with users by RFC 1929) is written here,
since no kept library for Twisted speaks it with a user and a password.  Names are sent as
they are: whom they mean the proxy looks up.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from rangedaemon.core.proxies import Proxy
from rangedaemon.errors import OriginFault, ProxyRefused, Unauthorized, Unreachable

MOST_HEAD = 16 * 1024
"""Octets of the head that a proxy may answer CONNECT with."""


class Step(NamedTuple):
    """What follows from what came."""

    send: bytes = b""
    rest: bytes | None = None
    """Octets that came after the greeting; None: it goes on."""


class Greeting(Protocol):
    """One conversation with a proxy."""

    def begin(self) -> bytes:
        """What to send first."""

    def received(self, data: bytes) -> Step:
        """Take what came.

        :raises OriginFault: the proxy does not let us through.
        """


def greeting_for(proxy: Proxy, host: str, port: int) -> Greeting:
    """The conversation that leads through *proxy* to *host*."""
    if proxy.kind == "socks5":
        return Socks5(host, port, proxy.login)
    return Connect(host, port, proxy.authorization)


class Connect:
    """CONNECT over HTTP."""

    def __init__(self, host: str, port: int, authorization: str | None) -> None:
        self._target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._authorization = authorization
        self._head = b""

    def begin(self) -> bytes:
        """The request."""
        lines = [f"CONNECT {self._target} HTTP/1.1", f"Host: {self._target}"]
        if self._authorization is not None:
            lines.append(f"Proxy-Authorization: {self._authorization}")
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def received(self, data: bytes) -> Step:
        """Take what came of the answer."""
        self._head += data
        head, blank, rest = self._head.partition(b"\r\n\r\n")
        if not blank:
            if len(self._head) > MOST_HEAD:
                raise ProxyRefused("the head of the proxy's answer has no end")
            return Step()
        match = re.match(rb"HTTP/1\.[01] ([0-9]{3})(?: |\r|$)", head)
        if match is None:
            raise ProxyRefused("the proxy's answer is not HTTP")
        status = int(match[1])
        if 200 <= status < 300:
            return Step(rest=rest)
        raise _refusal(status)


def _refusal(status: int) -> OriginFault:
    if status in (401, 407):  # some proxies mistake themselves for origins
        return Unauthorized(f"the proxy wants other credentials ({status})")
    if status >= 500 or status in (408, 429):
        return Unreachable(f"the proxy answered {status}")
    return ProxyRefused(f"the proxy answered {status}")


_NO_LOGIN, _LOGIN, _NONE_FITS = 0, 2, 255
_REFUSALS = {
    2: "its rules do not allow it",
    7: "it does not do that",
    8: "it takes no such address",
}
_FAILURES = {
    1: "it failed", 3: "no way to the network", 4: "no way to the host",
    5: "the connection was refused", 6: "the way was too long",
}  # fmt: skip
_ADDRESS_OCTETS = {1: 4, 4: 16}


class Socks5:
    """SOCKS5, with a user and a password where there are."""

    def __init__(self, host: str, port: int, login: tuple[str, str] | None) -> None:
        self._login = login
        self._target = _address(host) + port.to_bytes(2, "big")
        self._came = b""
        self._story = self._tell()
        self._wanted = next(self._story)
        self._send = b""

    def begin(self) -> bytes:
        """The methods that we know."""
        methods = [_NO_LOGIN] if self._login is None else [_NO_LOGIN, _LOGIN]
        return bytes([5, len(methods), *methods])

    def received(self, data: bytes) -> Step:
        """Take what came."""
        self._came += data
        send = b""
        while len(self._came) >= self._wanted:
            piece, self._came = self._came[: self._wanted], self._came[self._wanted :]
            try:
                self._wanted = self._story.send(piece)
            except StopIteration:
                return Step(send, self._came)
            send, self._send = send + self._send, b""
        return Step(send)

    def _tell(self) -> Generator[int, bytes, None]:
        """The story: yields how many octets must come next."""
        version, method = yield 2
        if version != 5 or method == _NONE_FITS:
            raise _unwilling(version)
        if method == _LOGIN and self._login is not None:
            user, password = (text.encode() for text in self._login)
            self._send = bytes([1, len(user), *user, len(password), *password])
            _, verdict = yield 2
            if verdict != 0:
                raise Unauthorized("the proxy does not take our user and password")
        elif method != _NO_LOGIN:
            raise ProxyRefused("the proxy wants a method that we did not offer")
        self._send += bytes([5, 1, 0]) + self._target
        version, reply, _, kind = yield 4
        if version != 5 or reply != 0:
            raise _failure(reply)
        length = _ADDRESS_OCTETS.get(kind)
        if length is None:
            (length,) = yield 1
        yield length + 2


def _address(host: str) -> bytes:
    try:
        packed = ip_address(host).packed
    except ValueError:
        name = host.encode("ascii")
        if len(name) > 255:
            raise Unreachable("a name of more than 255 octets") from None
        return bytes([3, len(name)]) + name
    return bytes([1 if len(packed) == 4 else 4]) + packed


def _unwilling(version: int) -> OriginFault:
    if version != 5:
        return ProxyRefused("the proxy does not speak SOCKS5")
    return Unauthorized("the proxy wants other credentials")


def _failure(reply: int) -> OriginFault:
    if reply in _FAILURES:
        return Unreachable(f"the proxy says: {_FAILURES[reply]}")
    return ProxyRefused(f"the proxy says: {_REFUSALS.get(reply, f'refused ({reply})')}")
