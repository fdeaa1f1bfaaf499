"""Uploads over TLS, with credentials, and through proxies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.hostile.content import content
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.daemon import DaemonProcess
from tests.integration.nginx import make_certificate
from tests.integration.ports import free_port
from tests.integration.proxies import PASSWORD, USER, tinyproxy

SIZE = 3 << 20
TOKEN = "token-of-the-pushing-tests"


class ReachingTests(IntegrationCase):
    """A server that wants a token, in the open and over TLS."""

    def setUp(self) -> None:
        """The server and a file."""
        self.base, self.out = self.make_directory(), self.make_directory()
        make_certificate(self.base)
        (self.base / "tokens").write_text(f"tester:{TOKEN}\n")
        (self.base / "root").mkdir()
        self.plain, self.secure = free_port(), free_port()
        keys = f"privateKey={self.base / 'key.pem'}:certKey={self.base / 'cert.pem'}"
        at = "interface=127.0.0.1"
        self.server: DaemonProcess = self.make_daemon(
            {
                "server": {
                    "listen": [f"tcp:{self.plain}:{at}", f"ssl:{self.secure}:{at}:{keys}"],
                    "mounts": [
                        {
                            "path": "/in",
                            "root": str(self.base / "root"),
                            "uploads": {"tokens_file": str(self.base / "tokens")},
                        }
                    ],
                }
            }
        ).start()

    def pusher(self, **downloads: Any) -> DaemonProcess:
        """A daemon that trusts the server, and pushes."""
        hosts = [{"match": "127.0.0.1", "ca_file": str(self.base / "cert.pem")}]
        section = {"hosts": hosts, "retry": FAST_RETRY, "no_proxy": [], **downloads}
        pushes = {"directories": [str(self.out)]}
        return self.make_daemon({"downloads": section, "pushes": pushes}).start()

    def push(self, pusher: DaemonProcess, url: str, name: str, **wishes: Any) -> str:
        """The id of a new upload."""
        file = self.out / name
        file.write_bytes(content(1, 0, SIZE))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        wishes = {"headers": headers, "segments": 2, **wishes}
        return str(pusher.api.add(url, kind="upload", file=str(file), **wishes)["id"])

    def arrives(self, pusher: DaemonProcess, url: str, name: str, **wishes: Any) -> None:
        """The file comes to the server."""
        job_id = self.push(pusher, url, name, **wishes)
        pusher.api.wait_for(job_id, "complete")
        self.assert_file(self.base / "root" / name, 1, SIZE)

    @property
    def urls(self) -> dict[str, str]:
        """The same mount in the open, and over TLS."""
        return {
            "plain": f"http://127.0.0.1:{self.plain}/in",
            "secure": f"https://127.0.0.1:{self.secure}/in",
        }

    def test_tls(self) -> None:
        """Each protocol over TLS, with a token."""
        pusher = self.pusher()
        for protocol in ("tus", "ietf", "segmented"):
            with self.subTest(protocol):
                self.arrives(pusher, self.urls["secure"], f"{protocol}.bin", protocol=protocol)

    def test_untrusted(self) -> None:
        """Nothing goes to a server that cannot prove who it is."""
        pusher = self.pusher(hosts=[])
        job_id = self.push(pusher, self.urls["secure"], "file.bin")
        job = pusher.api.wait_for(job_id, "failed")
        self.assertEqual(job["error"]["code"], "untrusted")

    def test_without_token(self) -> None:
        """Who is nobody is refused for good, and no file is there."""
        pusher = self.pusher()
        job_id = self.push(pusher, self.urls["plain"], "file.bin", protocol="tus", headers={})
        job = pusher.api.wait_for(job_id, "failed")
        self.assertEqual(job["error"]["code"], "unauthorized")
        self.assertEqual([*Path(self.base / "root").glob("*.bin")], [])

    def test_proxy(self) -> None:
        """By an HTTP proxy that wants a login: the absolute form in the open, CONNECT for TLS."""
        proxy = tinyproxy(self, self.make_directory(), login=True)
        pusher = self.pusher(proxy=f"http://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}")
        for name, url in self.urls.items():
            with self.subTest(name):
                self.arrives(pusher, url, f"{name}.bin", protocol="tus")
        self.assertIn(f"PATCH http://127.0.0.1:{self.plain}/in", proxy.told())
        self.assertIn(f"CONNECT 127.0.0.1:{self.secure}", proxy.told())
