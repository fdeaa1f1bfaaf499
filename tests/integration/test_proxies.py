"""Downloads in segments through real proxies, over http and https."""

from __future__ import annotations

from typing import Any

from tests.integration.nginx import Nginx
from tests.integration.proxies import PASSWORD, USER, ProxyServer, microsocks, squid, tinyproxy
from tests.integration.reaching import ReachingCase
from tests.integration.waiting import until


def parts_of(nginx: Nginx) -> list[str]:
    """Lines of its log about parts of files; it writes them when it comes to that."""
    return [line for line in nginx.served() if '" 206 ' in line]


def asked(proxy: ProxyServer) -> int:
    """How many requests it was sent; it logs other things too, and when it likes."""
    return proxy.told().count("GET http://")


class ProxyCase(ReachingCase):
    """An nginx for http, another for https."""

    def setUp(self) -> None:
        """Start them."""
        super().setUp()
        self.plain: Nginx = self.make_nginx(self.root)
        self.secure: Nginx = self.make_nginx(self.root, tls=True)
        self.hosts = [{"match": "127.0.0.1", "ca_file": str(self.secure.certificate)}]

    def through(self, proxy: str, **downloads: Any) -> None:
        """Both files come by *proxy*, in several segments each, and are right."""
        settings = {"proxy": proxy, "no_proxy": [], "hosts": self.hosts, **downloads}
        daemon = self.start(settings)
        for nginx in (self.plain, self.secure):
            self.fetches(daemon, nginx.url("file.bin"))
            until(lambda nginx=nginx: len(parts_of(nginx)) >= 2, "several parts are logged")
        daemon.terminate()


class HttpProxyTests(ProxyCase):
    """Through tinyproxy and squid."""

    def test_tinyproxy(self) -> None:
        """Absolute-form for http, CONNECT for https."""
        proxy = tinyproxy(self, self.make_directory())
        self.through(f"http://127.0.0.1:{proxy.port}")
        told = proxy.told()
        self.assertIn(f"GET http://127.0.0.1:{self.plain.port}/file.bin", told)
        self.assertIn(f"CONNECT 127.0.0.1:{self.secure.port}", told)

    def test_squid(self) -> None:
        """The same through squid, whose connections are used again."""
        base = self.make_directory()
        squid_proxy = squid(self, base)
        self.through(f"http://127.0.0.1:{squid_proxy.port}")

        def logged() -> bool:
            told = (base / "access.log").read_text()
            return "CONNECT" in told and "GET http://" in told

        until(logged, "squid has logged both")

    def test_login(self) -> None:
        """With a user and a password, from the address or from a file; without, refused."""
        proxy = tinyproxy(self, self.make_directory(), login=True)
        at = f"127.0.0.1:{proxy.port}"
        self.through(f"http://{USER}:{PASSWORD}@{at}")
        file = self.secret("proxy", PASSWORD)
        self.through(f"http://{USER}@{at}", proxy_password_file=file)
        daemon = self.start({"proxy": f"http://{USER}:wrong@{at}", "no_proxy": [],
                             "hosts": self.hosts})  # fmt: skip
        for nginx in (self.plain, self.secure):
            self.refuses(daemon, "unauthorized", nginx.url("file.bin"))

    def test_environment(self) -> None:
        """By the environment, where that is configured; no_proxy goes past it."""
        proxy = tinyproxy(self, self.make_directory())
        env = {"http_proxy": f"http://127.0.0.1:{proxy.port}", "https_proxy": "", "no_proxy": ""}
        daemon = self.start({"proxy": "environment", "no_proxy": []}, env=env)
        self.fetches(daemon, self.plain.url("file.bin"))
        self.assertIn("GET http://", proxy.told())
        daemon.terminate()
        seen = asked(proxy)
        past = self.start({"proxy": "environment", "no_proxy": ["127.0.0.0/8"]}, env=env)
        self.fetches(past, self.plain.url("file.bin"))
        self.assertEqual(asked(proxy), seen)
        past.terminate()
        usual = self.start({}, env=env)
        self.fetches(usual, self.plain.url("file.bin"))
        self.assertEqual(asked(proxy), seen)

    def test_for_one_host(self) -> None:
        """A host's own proxy, and none of it for the others."""
        proxy = tinyproxy(self, self.make_directory())
        way = {"proxy": f"http://127.0.0.1:{proxy.port}"}
        hosts = [{"match": f"127.0.0.1:{self.plain.port}", **way}, *self.hosts]
        daemon = self.start({"hosts": hosts, "no_proxy": []})
        for nginx in (self.plain, self.secure):
            self.fetches(daemon, nginx.url("file.bin"))
        self.assertIn("GET http://", proxy.told())
        self.assertNotIn("CONNECT 127.0.0.1", proxy.told())

    def test_not_there(self) -> None:
        """A proxy that does not answer is told as such, and can be tried again."""
        daemon = self.start({"proxy": "http://127.0.0.1:1", "no_proxy": [], "hosts": self.hosts})
        for nginx in (self.plain, self.secure):
            job = self.refuses(daemon, "unreachable", nginx.url("file.bin"))
            self.assertIn("proxy", job["error"]["message"])

    def test_refused(self) -> None:
        """A proxy that does not let us through to that port."""
        proxy = tinyproxy(self, self.make_directory(), more="ConnectPort 443\n")
        way = f"http://127.0.0.1:{proxy.port}"
        daemon = self.start({"proxy": way, "no_proxy": [], "hosts": self.hosts})
        self.refuses(daemon, "proxy-refused", self.secure.url("file.bin"))


class SocksTests(ProxyCase):
    """Through microsocks."""

    def test_microsocks(self) -> None:
        """Both schemes, and hosts by name, go through it."""
        proxy: ProxyServer = microsocks(self, self.make_directory())
        self.through(f"socks5://127.0.0.1:{proxy.port}")
        daemon = self.start({"proxy": f"socks5://127.0.0.1:{proxy.port}", "no_proxy": []})
        self.fetches(daemon, f"http://localhost:{self.plain.port}/file.bin")

    def test_login(self) -> None:
        """With a user and a password; with a wrong one nobody gets through."""
        proxy = microsocks(self, self.make_directory(), login=True)
        self.through(f"socks5h://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}")
        wrong = f"socks5://{USER}:wrong@127.0.0.1:{proxy.port}"
        daemon = self.start({"proxy": wrong, "no_proxy": []})
        self.refuses(daemon, "unauthorized", self.plain.url("file.bin"))
        nobody = self.start({"proxy": f"socks5://127.0.0.1:{proxy.port}", "no_proxy": []})
        self.refuses(nobody, "unauthorized", self.plain.url("file.bin"))
