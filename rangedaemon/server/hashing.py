"""
Digests of served files, made once in a thread and kept for as long as the file is the same.

The cache is keyed by the file's identity, so a file that changes has no digest until
a new one is made.  Files are hashed one at a time, and all who ask for the same
digest wait for the same work.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Final, Generic, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.python.failure import Failure

from rangedaemon.core.metalink import Hashes, piece_length
from rangedaemon.errors import StorageFault
from rangedaemon.storage.reading import read_exactly
from rangedaemon.storage.threads import InThread
from rangedaemon.storage.tree import Drift, OpenFile

_BLOCK: Final = 256 * 1024
_CAPACITY: Final = 4096
_CAPACITY_PIECES: Final = 128
"""Lists of piece hashes are up to 64 KiB each."""

T = TypeVar("T")


class FileChanged(StorageFault):
    """The file changed while it was hashed."""

    code = "file-changed"
    title = "The file changed while it was hashed"


class DigestCache:
    """
    Digests by file identity.

    Both methods take an open file that the caller may close at once, and fail with
    `StorageFault` or `OSError` where it cannot be read, or changes meanwhile.
    """

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self._turn = DeferredSemaphore(1)
        self._digests: _Results[bytes] = _Results(_CAPACITY)
        self._hashes: _Results[Hashes] = _Results(_CAPACITY_PIECES)

    def digest(self, opened: OpenFile, algorithm: str) -> Deferred[bytes]:
        """The digest of a file by ``sha-256`` or ``sha-512``."""
        name = algorithm.replace("-", "")
        key = (*_identity(opened), name)
        return self._digests.get(key, lambda: self._work(opened, whole_digest, name))

    def hashes(self, opened: OpenFile) -> Deferred[Hashes]:
        """The SHA-256 of a file and of its pieces."""
        return self._hashes.get(_identity(opened), lambda: self._work(opened, piece_hashes))

    def _work(self, opened: OpenFile, function: Callable[..., T], *args: object) -> Deferred[T]:
        own = replace(opened, fd=os.dup(opened.fd))
        work: Deferred[T] = self._turn.run(self._in_thread, _checked, own, function, *args)
        return work.addBoth(_closing, own)


def _identity(opened: OpenFile) -> tuple[object, ...]:
    return (opened.device, opened.inode, opened.size, opened.mtime_ns, opened.ctime_ns)


def _closing(result: T, own: OpenFile) -> T:
    own.close()
    return result


class _Results(Generic[T]):
    """The latest results by key, and the work that is going on."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: OrderedDict[Hashable, T] = OrderedDict()
        self._waiting: dict[Hashable, list[Deferred[T]]] = {}

    def get(self, key: Hashable, begin: Callable[[], Deferred[T]]) -> Deferred[T]:
        """The result for *key*; the work that *begin* starts is started at most once."""
        if key in self._known:
            self._known.move_to_end(key)
            return succeed(self._known[key])
        waiter: Deferred[T] = Deferred(lambda d: self._forget(key, d))
        first = key not in self._waiting
        self._waiting.setdefault(key, []).append(waiter)
        if first:
            begin().addCallbacks(self._keep, self._fail, callbackArgs=(key,), errbackArgs=(key,))
        return waiter

    def _forget(self, key: Hashable, waiter: Deferred[T]) -> None:
        """Somebody gave up; the work goes on, for the next one who asks."""
        if waiter in self._waiting.get(key, ()):
            self._waiting[key].remove(waiter)

    def _keep(self, result: T, key: Hashable) -> None:
        self._known[key] = result
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)
        for waiter in self._waiting.pop(key):
            waiter.callback(result)

    def _fail(self, failure: Failure, key: Hashable) -> None:
        for waiter in self._waiting.pop(key):
            waiter.errback(failure)


def _checked(own: OpenFile, function: Callable[..., T], *args: object) -> T:
    """The result of hashing a file that was the same from its opening to the end."""
    result = function(own.fd, own.size, *args)
    if own.drift() is not Drift.SAME:
        raise FileChanged(own.name)
    return result


def whole_digest(fd: int, size: int, name: str) -> bytes:
    """The digest of a file's first *size* octets by the algorithm that hashlib calls *name*."""
    state = hashlib.new(name)
    for start in range(0, size, _BLOCK):
        state.update(read_exactly(fd, start, min(size, start + _BLOCK)))
    return state.digest()


def piece_hashes(fd: int, size: int) -> Hashes:
    """The SHA-256 of a file's first *size* octets, and of their pieces."""
    length = piece_length(size)
    whole = hashlib.sha256()
    pieces = []
    for begin in range(0, size, length):
        piece = hashlib.sha256()
        for start in range(begin, min(size, begin + length), _BLOCK):
            block = read_exactly(fd, start, min(size, start + _BLOCK))
            whole.update(block)
            piece.update(block)
        pieces.append(piece.digest())
    return Hashes(whole.digest(), length, tuple(pieces))
