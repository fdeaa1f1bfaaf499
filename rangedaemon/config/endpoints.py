"""
Listening endpoints: Twisted's server endpoint strings, checked without listening.

Twisted parses a description by building the endpoint, which needs no reactor and
binds nothing.  Two things are ours: file arguments are resolved against the
configuration's directory like every other path, and ``systemd:`` is checked by
its form only, since its sockets are there only under systemd.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from twisted.internet import endpoints
from twisted.internet.endpoints import quoteStringArgument, serverFromString

_PIECE = re.compile(r"(?:\\.|[^\\:])*", re.DOTALL)
_FILE_ARGUMENTS = frozenset({"address", "privateKey", "certKey", "extraCertChain", "dhParameters"})
_SYSTEMD_DOMAINS = frozenset({"INET", "INET6", "UNIX"})


def resolve_endpoint(description: str, base: Path) -> str:
    """
    Check an endpoint string and make its file arguments absolute.

    :raises ValueError: Twisted would not take it.
    """
    pieces = _split(description)
    kind = pieces[0]
    if kind == "systemd":
        _check_systemd(pieces[1:])
        return description
    if kind in ("tcp", "tcp6", "ssl"):
        _check_port(pieces[1] if len(pieces) > 1 else "")
    if kind == "unix" and not any(pieces[1:2]):
        raise ValueError("unix: needs the path of a socket")
    _check_tls([piece for piece in pieces if piece != "haproxy"])
    resolved = ":".join([kind, *(_resolve(kind, n, p, base) for n, p in enumerate(pieces[1:]))])
    try:
        serverFromString(None, resolved)
    except (ValueError, TypeError, IndexError) as exc:
        raise ValueError(f"is no endpoint that Twisted knows: {_reason(exc)}") from exc
    except OSError as exc:
        raise ValueError(f"cannot read {exc.filename}: {exc.strerror}") from exc
    except _openssl_errors() as exc:
        raise ValueError("its key or certificate file is no PEM that OpenSSL can use") from exc
    return resolved


def reaches_out(description: str) -> bool:
    """
    Whether other machines can reach a port of this description, and without TLS.

    What systemd hands over is not known before the start.
    """
    kind, *arguments = _split(description)
    if kind not in ("tcp", "tcp6"):
        return False
    named = [piece.removeprefix("interface=") for piece in arguments if "interface=" in piece]
    plain = [piece for piece in arguments[1:2] if "=" not in piece]
    return not is_loopback(_unquoted((named or plain or [""])[0]))


def is_loopback(host: str) -> bool:
    """Whether *host*, as an interface is named, is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def for_the_owner(description: str) -> str:
    """A Unix socket whose mode is not given, with mode 600 (Twisted would make it 666)."""
    kind, *arguments = _split(description)
    if kind != "unix" or any(piece.startswith("mode=") for piece in arguments):
        return description
    return f"{description}:mode=600"


def _unquoted(piece: str) -> str:
    return re.sub(r"\\(.)", r"\1", piece)


def _split(description: str) -> list[str]:
    """The arguments of a description, still with their backslashes."""
    pieces, at = [], 0
    while at <= len(description):
        match = _PIECE.match(description, at)
        end = match.end() if match else at
        pieces.append(description[at:end])
        at = end + 1
    return pieces


def _resolve(kind: str, position: int, piece: str, base: Path) -> str:
    """One argument, its path made absolute if it is one."""
    name, equals, value = piece.partition("=")
    if not equals and kind == "unix" and position == 0:
        name, value = "", piece
    elif not equals or name not in _FILE_ARGUMENTS:
        return piece
    path = base / _unquoted(value)
    quoted = quoteStringArgument(str(path))
    return f"{name}{equals}{quoted}"


def _check_port(argument: str) -> None:
    port = argument.removeprefix("port=")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("needs a port from 0 to 65535, such as tcp:8080:interface=127.0.0.1")


def _check_tls(pieces: list[str]) -> None:
    if pieces[:1] == ["tls"] and endpoints.TLSMemoryBIOFactory is None:
        raise ValueError("tls: can be had after a restart, ssl: at once")
    if pieces[:1] != ["ssl"]:
        return
    if not any(piece.startswith("privateKey=") for piece in pieces):
        raise ValueError("ssl: needs privateKey= (and certKey= where that is another file)")
    # Only a port with TLS needs it (`rangedaemon.server.sparing`), and on a reload this is
    # a thread; where it will listen is the reactor's, which cannot wait until it is loaded.
    import rangedaemon.server.tls  # noqa: F401, PLC0415


def _openssl_errors() -> tuple[type[Exception], ...]:
    """What is raised for a file that OpenSSL cannot use."""
    # As above: Python asks for this where something was raised, so only of ports with TLS.
    from OpenSSL import SSL, crypto  # noqa: PLC0415

    return SSL.Error, crypto.Error


def _check_systemd(pieces: list[str]) -> None:
    """``systemd:domain=INET:index=0`` or ``systemd:domain=INET:name=web``."""
    arguments = dict(piece.partition("=")[::2] for piece in pieces)
    sources = arguments.keys() & {"index", "name"}
    if arguments.get("domain") not in _SYSTEMD_DOMAINS or len(sources) != 1:
        raise ValueError("needs systemd:domain=INET|INET6|UNIX and one of index= and name=")
    if arguments.keys() - {"domain", "index", "name"}:
        raise ValueError("systemd: takes domain=, index= and name= only")
    if "index" in arguments and not re.fullmatch(r"[0-9]{1,4}", arguments["index"]):
        raise ValueError("systemd: index= must be a number")


def _reason(exc: Exception) -> str:
    text = str(exc)
    if "unexpected keyword argument" in text:
        return f"unknown argument {text.rsplit(' ', 1)[-1]}"
    return text


def _endpoint(value: str, info: ValidationInfo) -> str:
    context: dict[str, Path] = info.context or {}
    return resolve_endpoint(value, context.get("base", Path.cwd()))


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must not be empty")
    return value


Endpoint = Annotated[str, AfterValidator(_endpoint)]
Endpoints = Annotated[
    tuple[Endpoint, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})
]
OwnEndpoints = Annotated[
    tuple[Annotated[Endpoint, AfterValidator(for_the_owner)], ...],
    AfterValidator(_not_empty),
    Field(json_schema_extra={"minItems": 1}),
]
