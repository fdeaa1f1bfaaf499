"""
Connections to the daemon: over TCP, TLS or a Unix socket, and what their failures mean.

Every wait has an end; whatever goes wrong is a `CommandFault` whose sentence says
what to do.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from rangedaemon.control.cli.discovery import Address, Target
from rangedaemon.control.cli.exits import CommandFault, Exit

LONGEST_TOKEN = 4096


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def read_token(path: Path | None) -> str | None:
    """
    The token in *path*, None where there is no such file to look in.

    :raises CommandFault: the file cannot be read, or holds no token.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            token = file.read(LONGEST_TOKEN + 1).strip()
    except OSError as error:
        raise CommandFault(Exit.TOKEN, _token_trouble(path, error)) from error
    if not 0 < len(token) <= LONGEST_TOKEN or any(not 0x21 <= octet < 0x7F for octet in token):
        raise CommandFault(Exit.TOKEN, f"{path} does not hold a token; give --token-file")
    return token.decode("ascii")


def _token_trouble(path: Path, error: OSError) -> str:
    """What to do about a token file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return f"no token file {path}; the daemon makes it at its first start: is it running?"
    if isinstance(error, PermissionError):
        return f"token file {path}: not readable by you; run as the daemon's user or give a copy"
    return f"token file {path}: {error.strerror}; give --token-file"


def connect(address: Address, timeout: float) -> HTTPConnection:
    """A connection to *address*, made at its first request."""
    if address.scheme == "unix":
        return UnixConnection(address.path, timeout)
    if address.scheme == "https":
        context = ssl.create_default_context()
        return HTTPSConnection(address.host, address.port, timeout=timeout, context=context)
    return HTTPConnection(address.host, address.port, timeout=timeout)


@contextmanager
def naming(target: Target) -> Iterator[None]:
    """
    Give the failures of connections inside a name.

    :raises CommandFault: in the place of what the connection raised.
    """
    try:
        yield
    except (OSError, HTTPException) as error:
        raise unreachable(target, error) from error


def unreachable(target: Target, error: Exception) -> CommandFault:
    """The fault of a daemon that cannot be reached, and what to do about it."""
    where = f"no daemon answers at {target.address} (from {target.source})"
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "its certificate is not trusted; name its CA's file in SSL_CERT_FILE"
        return CommandFault(Exit.UNREACHABLE, f"{where}: {hint}")
    reason, hint = _reason(error), f"start it by: twistd -n rangedaemon -c {_config(target)}"
    if isinstance(error, PermissionError):
        hint = "you may not open its socket; run as its user or group"
    elif isinstance(error, TimeoutError):
        hint = "it hangs, or a firewall is between"
    elif isinstance(error, HTTPException):
        hint = "is this the URL of a rangedaemon?"
    return CommandFault(Exit.UNREACHABLE, f"{where}: {reason}; {hint}")


def _config(target: Target) -> str:
    """The configuration to start the daemon by."""
    return str(target.config or "conf.yaml")


def _reason(error: Exception) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, HTTPException):
        return "its answer breaks off, or is not HTTP"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).lower()
