"""
Certificates of TLS ports, read anew while the ports listen and their connections go on.

An endpoint reads its files when it is made from its description, so another one is made
from the same description and asked what it would listen with.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory

from rangedaemon.errors import BadCertificate
from rangedaemon.server.bulktls import encrypting_blocks, over_tls


class _Listener:
    """Stands in for the reactor, and keeps what it is told to listen with."""

    context: Any = None

    def listenSSL(  # noqa: N802 - Twisted's interface
        self, _port: int, _factory: Factory, context: Any = None, **named: Any
    ) -> None:
        """As `IReactorSSL.listenSSL`."""
        self.context = encrypting_blocks(named.get("contextFactory", context))


def read_certificate(description: str) -> Any:
    """
    What makes the TLS side of connections, from the files as they are now.  Blocking.

    :raises BadCertificate: they cannot be read, or do not belong together.
    """
    listener = _Listener()
    try:
        serverFromString(listener, description).listen(Factory())
        listener.context.getContext()
    except OSError as exc:
        raise BadCertificate(f"cannot read {exc.filename}: {exc.strerror}") from exc
    except (SSL.Error, crypto.Error, ValueError) as exc:
        raise BadCertificate(f"{description}: its key and certificate cannot be used") from exc
    return listener.context


def renew(port: Any, context: Any) -> None:
    """Have *port*, which listens with TLS, meet whoever comes from now on with *context*."""
    before = port.factory
    port.factory = over_tls(context, before.wrappedFactory)
    port.factory.doStart()
    before.doStop()
