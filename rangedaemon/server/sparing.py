"""
TLS takes 13 MiB of memory, which are never used where neither ports nor origins have it.

Twisted loads pyOpenSSL, and the second OpenSSL that comes with it, wherever it finds it
installed, and does well without where it does not (it is an extra of Twisted's).  So it
is told that there is none, unless the configuration says something of a port with TLS.
What speaks TLS later loads it then: ports that a reload brings (`rangedaemon.server.bulktls`
needs nothing of the modules that were told so), and the first origin that has it
(`rangedaemon.client.secured`).
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

_OPENSSL: Final = "OpenSSL"
_ASKING: Final = (
    "twisted.internet.endpoints",
    "twisted.internet.posixbase",
    "twisted.internet.tcp",
    "twisted.web.client",
)
"""The modules of Twisted's that look for it when they are loaded, and never again."""
_MENTIONED: Final = re.compile(rb"^[^#\n]*\b(?:ssl|tls):", re.MULTILINE)
"""Outside of comments."""
_ENOUGH: Final = 1 << 20


def spare_tls(config: Path) -> None:
    """
    Load Twisted without TLS, if the file does not mention a port that has it.

    Nothing happens where Twisted's modules, or the library, are loaded already.
    """
    if _OPENSSL in sys.modules or any(name in sys.modules for name in _ASKING):
        return
    if mentions_tls(config):
        return
    # What stands for None cannot be imported, says the documentation of sys.modules.
    sys.modules[_OPENSSL] = None  # type: ignore[assignment]
    try:
        for name in _ASKING:
            import_module(name)
    finally:
        del sys.modules[_OPENSSL]


def mentions_tls(config: Path) -> bool:
    """Whether a port with TLS may be meant; also where the file cannot be looked at twice."""
    if not config.is_file():
        return True
    try:
        with config.open("rb") as stream:
            text = stream.read(_ENOUGH)
    except OSError:
        return True
    return len(text) == _ENOUGH or _MENTIONED.search(text) is not None
