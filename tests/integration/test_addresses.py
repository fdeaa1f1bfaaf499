"""Where jobs of strangers may not lead: judged by the address that is connected to."""

from __future__ import annotations

from typing import Any

from tests.integration.daemon import DaemonProcess
from tests.integration.nginx import Nginx
from tests.integration.proxies import tinyproxy
from tests.integration.reaching import ReachingCase
from tests.integration.waiting import until

CODE = "forbidden-address"
ELSEWHERE = "127.0.0.2"


class AddressCase(ReachingCase):
    """An nginx on 127.0.0.1 that also redirects, and links, to 127.0.0.2."""

    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        away = f"http://{ELSEWHERE}:$server_port/file.bin"
        self.nginx: Nginx = self.make_nginx(
            self.root,
            more=f"location /away/ {{ return 302 {away}; }}\n"
            f"location /links/ {{ alias {self.root}/; add_header Link '<{away}>; rel=duplicate'; }}"
            f"location /round/ {{ return 302 /file.bin; }}",
        )
        self.url = self.nginx.url("file.bin")

    def at(self, host: str) -> str:
        """The address of the file by another name of the host."""
        return f"http://{host}:{self.nginx.port}/file.bin"

    def declared(self, daemon: DaemonProcess) -> dict[str, Any]:
        """The declared job, once it has ended."""

        def ended() -> dict[str, Any] | None:
            [job] = [job for job in daemon.api.jobs() if job["name"] == "declared"]
            return job if job["state"] in ("complete", "failed") else None

        return until(ended, "the declared job has ended")

    def start_with_job(self, downloads: dict[str, Any]) -> DaemonProcess:
        """A daemon whose configuration declares a job for the file."""
        sections = {
            "downloads": {**downloads, "retry": {"attempts": 1}},
            "jobs": [{"name": "declared", "url": self.url}],
        }
        return self.make_daemon(sections).start()


class DeniedTests(AddressCase):
    """Every way to an address that is denied."""

    def test_spellings(self) -> None:
        """Names, numbers in every base, and IPv6 dresses of the address: all are refused."""
        daemon = self.start({"deny_addresses": ["loopback"]})
        for host in (
            "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0x1", "0177.0.0.1",
            "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.9.9.9",
        ):  # fmt: skip
            with self.subTest(host):
                job = self.refuses(daemon, CODE, self.at(host))
                self.assertNotIn("::1", job["error"]["message"])
        self.assertEqual(self.nginx.served(), [])

    def test_every_hop(self) -> None:
        """Redirects, lists of checksums and metalinks are judged like the first address."""
        daemon = self.start({"deny_addresses": [ELSEWHERE]})
        self.fetches(daemon, self.nginx.url("round/file.bin"))
        self.refuses(daemon, CODE, self.nginx.url("away/file.bin"))
        self.refuses(daemon, CODE, self.url, checksum=f"http://{ELSEWHERE}/SHA256SUMS")
        self.refuses(daemon, CODE, f"http://{ELSEWHERE}/file.meta4")

    def test_mirrors(self) -> None:
        """A mirror that is denied is done without, be it the job's or the origin's."""
        daemon = self.start({"deny_addresses": [ELSEWHERE]})
        body = {"urls": [self.at(ELSEWHERE), self.url]}
        job = daemon.api.wait_for(daemon.api.add(**body)["id"], "complete")
        self.assertEqual(job["verified"], "length")
        self.fetches(daemon, self.nginx.url("links/file.bin"))

    def test_by_default(self) -> None:
        """Without a word of configuration: no metadata, no 0.0.0.0, but one's own machine."""
        daemon = self.start({})
        for url in ("http://169.254.169.254/latest/meta-data/", self.at("0.0.0.0"),
                    self.at("[::]"), "http://[fe80::1]/"):  # fmt: skip
            with self.subTest(url):
                self.refuses(daemon, CODE, url)
        self.fetches(daemon, self.url)

    def test_allowed_all_the_same(self) -> None:
        """One address out of those that are denied."""
        daemon = self.start({"deny_addresses": ["0.0.0.0/0"], "allow_addresses": ["127.0.0.1"]})
        self.fetches(daemon, self.url)
        self.refuses(daemon, CODE, self.at(ELSEWHERE))

    def test_through_a_proxy(self) -> None:
        """A proxy is no way round, and may itself be where strangers may not go."""
        proxy = tinyproxy(self, self.make_directory())
        way = {"proxy": f"http://127.0.0.1:{proxy.port}", "no_proxy": []}
        daemon = self.start({**way, "deny_addresses": ["loopback"]})
        for url in (self.url, self.at("127.1"), "https://localhost:1/"):
            self.refuses(daemon, CODE, url)
        self.assertNotIn("GET", proxy.told())
        daemon.terminate()
        open_one = self.start({**way, "deny_addresses": ["private"]})
        self.fetches(open_one, self.url)


class TrustTests(AddressCase):
    """Whose jobs are judged."""

    def test_declared_jobs(self) -> None:
        """Jobs of the configuration may go anywhere; their open connections are for them alone."""
        daemon = self.start_with_job({"deny_addresses": ["loopback"]})
        self.assertEqual(self.declared(daemon)["state"], "complete")
        self.refuses(daemon, CODE, self.url)

    def test_guarded_too(self) -> None:
        """Unless they are to be judged as well."""
        daemon = self.start_with_job({"deny_addresses": ["loopback"], "guard": "all"})
        job = self.declared(daemon)
        self.assertEqual((job["state"], job["error"]["code"]), ("failed", CODE))
