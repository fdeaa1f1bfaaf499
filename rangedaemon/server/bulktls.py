"""
TLS for ports that send files: what it is given goes out at once, and in large pieces.

Twisted's own gathers small writes, up to 64 kB of each connection, and pyOpenSSL's
encrypts one record in a call.  Here answers come whole and bodies in blocks.
A connection that waits for its peer gives back the memory that encrypting took.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from twisted.internet.interfaces import IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

_PARTIAL_WRITE: Final = 0x1
"""SSL_MODE_ENABLE_PARTIAL_WRITE, for which pyOpenSSL has no name."""


class _WholeWrites(SSL.Context):
    """Encrypts all that it is given in one call, not one record of it."""

    def __init__(self, method: int) -> None:
        super().__init__(method)
        with suppress(AttributeError):  # an older pyOpenSSL: it works, and costs more
            self.clear_mode(_PARTIAL_WRITE)


class _Factory(TLSMemoryBIOFactory):
    """Without gathering."""

    protocol = TLSMemoryBIOProtocol


def encrypting_blocks(context: Any) -> Any:
    """The same *context*, which is Twisted's and was not used before."""
    if getattr(context, "_contextFactory", None) is SSL.Context:
        context._contextFactory = _WholeWrites  # noqa: SLF001 - nothing public says this
    return context


def over_tls(context: Any, factory: IProtocolFactory) -> TLSMemoryBIOFactory:
    """What listens for *factory* over TLS."""
    return _Factory(encrypting_blocks(context), False, factory)


def release_buffers(connection: Any) -> None:
    """
    Have *connection* read from and write to new, small buffers, where those that it has are empty.

    OpenSSL's stay as large as what was ever in them at once, for as long as the
    connection lasts; pyOpenSSL has no call for others.
    """
    into, out = connection._into_ssl, connection._from_ssl  # noqa: SLF001 - as above
    if not _is_empty(out):
        return
    fresh_into = _buffer() if _is_empty(into) else into
    fresh_out = _buffer()
    # SSL_set_bio(3): what stays does not change hands; what is replaced is freed.
    lib.SSL_set_bio(connection._ssl, fresh_into, fresh_out)  # noqa: SLF001
    connection._into_ssl, connection._from_ssl = fresh_into, fresh_out  # noqa: SLF001


def _is_empty(buffer: Any) -> bool:
    return not lib.BIO_get_mem_data(buffer, ffi.new("char **"))


def _buffer() -> Any:
    fresh = lib.BIO_new(lib.BIO_s_mem())
    if fresh == ffi.NULL:
        raise MemoryError("OpenSSL has no memory for a buffer")
    return fresh
