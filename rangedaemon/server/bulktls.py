"""
TLS for ports that send files: what it is given goes out at once, and in large pieces.

Twisted's own gathers small writes, up to 64 kB of each connection, and pyOpenSSL's
encrypts one record in a call.  Here answers come whole and bodies in blocks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from OpenSSL import SSL
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
