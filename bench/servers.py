"""The servers that are compared: each serves one folder, plain and over TLS."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.proc import cpu_seconds, resident_memory, tree_of
from tests.integration import nginx
from tests.integration.daemon import DaemonProcess
from tests.integration.nginx import Nginx, make_certificate
from tests.integration.ports import accepts, free_port
from tests.integration.waiting import until

_STATIC = """
import sys
from twisted.internet import endpoints, reactor
from twisted.web.server import Site
from twisted.web.static import File
root, *listen = sys.argv[1:]
site = Site(File(root))
for each in listen:
    endpoints.serverFromString(reactor, each).listen(site)
reactor.run()
"""

_AIOHTTP = """
import asyncio, ssl, sys
from aiohttp import web
root, port, tls_port, cert, key = sys.argv[1:]
async def main():
    app = web.Application()
    app.router.add_static("/", root)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    await web.TCPSite(runner, "127.0.0.1", int(port)).start()
    await web.TCPSite(runner, "127.0.0.1", int(tls_port), ssl_context=context).start()
    await asyncio.Event().wait()
asyncio.run(main())
"""

_CADDYFILE = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    root * {root}
    file_server
}}
https://127.0.0.1:{tls_port} {{
    tls {cert} {key}
    root * {root}
    file_server
}}
"""


@dataclass
class Place:
    """What a server needs: a folder to serve, one to write to, two ports, a certificate."""

    root: Path
    base: Path
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)

    @property
    def cert(self) -> Path:
        return self.base / "cert.pem"

    @property
    def key(self) -> Path:
        return self.base / "key.pem"


class Server:
    """A server that runs."""

    def __init__(self, place: Place, pid: int, close: Callable[[], object]) -> None:
        self.place = place
        self.pid = pid
        self.close = close

    def url(self, name: str, *, tls: bool = False) -> str:
        """The address of a file."""
        scheme, port = ("https", self.place.tls_port) if tls else ("http", self.place.port)
        return f"{scheme}://127.0.0.1:{port}/{name}"

    def cpu(self) -> float:
        """CPU seconds of all its processes so far."""
        return sum(cpu_seconds(pid) for pid in tree_of(self.pid))

    def resident(self) -> int:
        """Octets of memory that its processes hold now."""
        return sum(resident_memory(pid) for pid in tree_of(self.pid))


def _spawned(place: Place, *command: str | Path) -> Server:
    log = (place.base / "server.log").open("wb")
    process = subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )

    def close() -> None:
        process.terminate()
        process.wait(20)
        log.close()

    def listening() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{command[0]} ended: {(place.base / 'server.log').read_text()}")
        return accepts(place.port) and accepts(place.tls_port)

    until(listening, f"{command[0]} listens", 60)
    return Server(place, process.pid, close)


def _tcp(place: Place) -> str:
    return f"tcp:{place.port}:interface=127.0.0.1"


def _ssl(place: Place) -> str:
    where = f"ssl:{place.tls_port}:interface=127.0.0.1"
    return f"{where}:privateKey={place.key}:certKey={place.cert}"


def ours(place: Place, workers: int = 0) -> Server:
    """Our daemon."""
    limits = {"connections": 20_000, "stall_timeout": "10m"}
    daemon = DaemonProcess(
        place.base / "ours",
        {
            "server": {
                "listen": [_tcp(place), _ssl(place)],
                "mounts": [{"path": "/", "root": str(place.root)}],
                "workers": workers,
                "limits": limits,
            }
        },
    ).start()
    return Server(place, daemon.pid, daemon.close)


def _nginx(place: Place) -> Server:
    listen = (
        f"listen 127.0.0.1:{place.tls_port} ssl; ssl_protocols TLSv1.2 TLSv1.3; "
        f"ssl_certificate {place.cert}; ssl_certificate_key {place.key};"
    )
    server = Nginx(
        place.base / "nginx", place.root, access_log=False, port=place.port, more=listen
    ).start()
    return Server(place, server.pid, server.close)


def _caddy(place: Place) -> Server:
    config = place.base / "Caddyfile"
    config.write_text(
        _CADDYFILE.format(
            port=place.port, tls_port=place.tls_port, root=place.root,
            cert=place.cert, key=place.key,
        )
    )  # fmt: skip
    return _spawned(place, "caddy", "run", "--adapter", "caddyfile", "--config", config)


def _static(place: Place) -> Server:
    return _spawned(place, sys.executable, "-c", _STATIC, place.root, _tcp(place), _ssl(place))


def _aiohttp(place: Place) -> Server:
    ports = str(place.port), str(place.tls_port)
    return _spawned(
        place, sys.executable, "-c", _AIOHTTP, place.root, *ports, place.cert, place.key
    )


OURS = "rangedaemon"
SERVERS: dict[str, Callable[[Place], Server]] = {
    OURS: ours,
    "nginx": _nginx,
    "caddy": _caddy,
    "twisted.web": _static,
    "aiohttp": _aiohttp,
}


def present() -> list[str]:
    """The servers that this machine has."""
    there = {
        "nginx": nginx.available() is not None,
        "caddy": shutil.which("caddy") is not None,
        "aiohttp": importlib.util.find_spec("aiohttp") is not None,
    }
    return [name for name in SERVERS if there.get(name, True)]


def absent() -> list[str]:
    """The servers that it has not."""
    there = present()
    return [name for name in SERVERS if name not in there]


def start(name: str, root: Path, base: Path) -> Server:
    """Start a server for *root*."""
    base.mkdir(parents=True)
    make_certificate(base)
    return SERVERS[name](Place(root, base))
