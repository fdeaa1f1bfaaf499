"""
TLS towards origins, loaded when it is first spoken.

What it needs takes 8 MiB (pyOpenSSL, with an OpenSSL of its own), and the tenth of a
second: so it is loaded in a thread, and a daemon whose origins have none goes without.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from rangedaemon.storage.threads import InThread

_MODULE = "rangedaemon.client.tls"


class Library:
    """The module of our TLS, by and by."""

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self._module: Any = None

    def load(self) -> Deferred[Any]:
        """The module; at once where it was asked for before."""
        if self._module is not None:
            return succeed(self._module)
        return self._in_thread(import_module, _MODULE).addCallback(self._keep)

    def _keep(self, module: Any) -> Any:
        self._module = module
        return module


@implementer(IStreamClientEndpoint)
class SecuredEndpoint:
    """An endpoint that can be made once the library is there."""

    def __init__(self, library: Library, make: Callable[[Any], IStreamClientEndpoint]) -> None:
        """:param make: is given the module."""
        self._library = library
        self._make = make

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect and shake hands; what may go wrong stands at `tls.TLSEndpoint.connect`."""
        loaded = self._library.load()
        return loaded.addCallback(lambda module: self._make(module).connect(factory))
