"""Tests for `rangedaemon.config.reaching` and `.secrets`: what is right, and where wrongs are."""

from __future__ import annotations

import shutil
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.redirects import RedirectRules
from rangedaemon.config import Config, ConfigError, parse
from rangedaemon.config.reaching import Basic, HostAccess
from rangedaemon.config.secrets import parse_pin, read_cookies, read_fields, read_netrc
from rangedaemon.core.access import Access, TlsTerms
from rangedaemon.core.proxies import Proxy, basic
from rangedaemon.service.credentials import access_of, jars_of, reach_of
from rangedaemon.service.ports import StartFailed
from rangedaemon.service.wiring import specs_of
from tests.integration.nginx import make_certificate

PIN = b64encode(bytes(32)).decode()


class ReachingCase(SynchronousTestCase):
    """A directory for the files that a configuration names."""

    def setUp(self) -> None:
        """Make it."""
        self.base = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.base)

    def file(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file in it."""
        path = self.base / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def config(self, downloads: dict[str, Any], **environ: str) -> Config:
        """The configuration with such a section."""
        text = yaml.safe_dump({"downloads": downloads}, sort_keys=False)
        return parse(text.encode(), environ, name="c.yaml", base=self.base)

    def access(self, downloads: dict[str, Any], **environ: str) -> Access:
        """What is made of it."""
        return access_of(self.config(downloads, **environ).downloads, environ)

    def problem(self, downloads: dict[str, Any]) -> str:
        """The one message that it gets."""
        error = self.assertRaises(ConfigError, self.config, downloads)
        self.assertEqual(len(error.problems), 1, str(error))
        return str(error)


class RightTests(ReachingCase):
    """What right values become."""

    def test_credentials(self) -> None:
        """Each kind, from each place."""
        self.file("pw", "hunter2\r\nnot this\n", 0o400)
        self.file("fields", "# these\nX-A: 1\n\nX-B: 2: 3\n")
        hosts = [
            {"match": "a.test", "basic": {"username": "u", "password_file": "pw"}},
            {"match": "b.test", "bearer": "${TOKEN}", "headers_file": "fields"},
            {"match": "*", "headers": {"X-C": "3"}},
        ]
        access = self.access({"hosts": hosts}, TOKEN="t")
        found = {
            host: access.fields(f"https://{host}/", "https://elsewhere.test/", {}, ())
            for host in ("a.test", "b.test", "c.test")
        }
        self.assertEqual(
            found,
            {
                "a.test": {"Authorization": basic("u", "hunter2")},
                "b.test": {"Authorization": "Bearer t", "X-A": "1", "X-B": "2: 3"},
                "c.test": {"X-C": "3"},
            },
        )

    def test_credentials_directory(self) -> None:
        """Systemd's credentials are files in a directory that the environment names."""
        self.file("token", "t")
        hosts = [{"match": "a.test", "bearer_file": "${CREDENTIALS_DIRECTORY}/token"}]
        access = self.access({"hosts": hosts}, CREDENTIALS_DIRECTORY=str(self.base))
        self.assertEqual(access.rules[0].authorization, "Bearer t")

    def test_proxies(self) -> None:
        """By address with the password of a file, by the environment, and none."""
        self.file("pw", "hunter2")
        squid = {"proxy": "http://u@squid.test:3128", "proxy_password_file": "pw"}
        hosts = [{"match": "a.test", "proxy": "environment"}, {"match": "b.test", **squid},
                 {"match": "c.test", "proxy": "direct"}]  # fmt: skip
        access = self.access({"proxy": "socks5://s", "hosts": hosts}, http_proxy="env.test:1")
        proxies = [access.route(f"http://{h}.test/", guarded=True).proxy for h in "abcd"]
        self.assertEqual(
            proxies,
            [Proxy("http", "env.test", 1), Proxy("http", "squid.test", 3128, ("u", "hunter2")),
             None, Proxy("socks5", "s", 1080)],
        )  # fmt: skip
        self.assertIsNone(access.route("http://localhost/", guarded=True).proxy)

    def test_tls(self) -> None:
        """Terms are there where something was said, and only for https."""
        make_certificate(self.base)
        key = {"client_cert": "cert.pem", "client_key": "key.pem"}
        hosts = [{"match": "a.test", "ca_file": "cert.pem", **key, "pins": [f"sha256//{PIN}"]},
                 {"match": "b.test", "connections": 2, "rate_limit": "1MiB"}]  # fmt: skip
        access = self.access({"hosts": hosts})
        files = [str(self.base / name) for name in ("cert.pem", "cert.pem", "key.pem")]
        terms = TlsTerms(*files, pins=frozenset({"0" * 64}))
        self.assertEqual(access.route("https://a.test/", guarded=True).tls, terms)
        self.assertIsNone(access.route("https://b.test/", guarded=True).tls)
        self.assertEqual([access.connections(f"http://{h}.test/") for h in "bc"], [2, None])
        self.assertEqual([access.rate_limit(f"http://{h}.test/") for h in "bc"], [1 << 20, None])

    def test_cookies(self) -> None:
        """Every jar begins with those of the file; 0 is the time of a session's cookie."""
        session = "a.test\tFALSE\t/\tTRUE\t0\tname\tvalue"
        lasting = "#HttpOnly_a.test\tFALSE\t/\tFALSE\t9999999999\tb\tc"
        self.file("cookies", f"# Netscape HTTP Cookie File\n{session}\n{lasting}\n")
        make = jars_of(self.config({"cookies": "cookies"}).downloads)
        jar = make()
        self.assertEqual({(c.name, c.secure) for c in jar}, {("name", True), ("b", False)})
        jar.clear()
        self.assertEqual(len(make()), 2)
        self.assertEqual(len(jars_of(self.config({}).downloads)()), 0)

    def test_guard(self) -> None:
        """Declared jobs are trusted, unless all are to be judged."""
        for guard, guarded in (("api", False), ("all", True)):
            text = f"downloads: {{guard: {guard}}}\njobs: [{{name: a, url: http://h/}}]"
            config = parse(text.encode(), {}, name="c", base=self.base)
            self.assertEqual([spec.guarded for spec in specs_of(config)], [guarded])

    def test_addresses_and_redirects(self) -> None:
        """What is denied, and how far redirects lead."""
        downloads = {"deny_addresses": ["private"], "allow_addresses": ["10.0.0.1"]}
        reach = reach_of(self.config({**downloads, "max_redirects": 3}).downloads, {})
        admitted = [reach.policy.admits(a) for a in ("10.0.0.1", "10.0.0.2", "169.254.169.254")]
        self.assertEqual(admitted, [True, False, True])
        self.assertEqual(reach.redirects, RedirectRules(3, allow_downgrade=False))

    def test_pins(self) -> None:
        """Base64 as curl has it, or hexadecimal."""
        for text in (f"sha-256={PIN}", f"sha256//{PIN}", "sha-256=" + "0" * 64):
            self.assertEqual(parse_pin(text), "0" * 64)


class NothingShowsTests(ReachingCase):
    """What a configuration looks like when it is printed."""

    def test_no_secret(self) -> None:
        """Passwords, tokens, fields and proxies do not show."""
        hosts = [
            {"match": "a", "basic": {"username": "u", "password": "hunter2"}},
            {"match": "b", "bearer": "hunter2", "headers": {"A": "hunter2"}},
            {"match": "c", "proxy": "http://u:hunter2@h"},
        ]
        config = self.config({"hosts": hosts, "proxy": "http://u:hunter2@h"})
        for thing in (config, access_of(config.downloads, {})):
            self.assertNotIn("hunter2", repr(thing))
            self.assertNotIn(basic("u", "hunter2"), repr(thing))


class ReferenceTests(SynchronousTestCase):
    """What ``conf/rangedaemon.yaml`` says of hosts, where it can only be a comment."""

    def test_every_key(self) -> None:
        """Every key of a host's section is named, and the one of its user and password."""
        text = (Path(__file__).parents[1] / "conf" / "rangedaemon.yaml").read_text()
        comment = text[text.index("# What hosts are told") : text.index("  hosts: []")]
        for name in (*HostAccess.model_fields, *Basic.model_fields):
            self.assertIn(name, comment)


class WrongTests(ReachingCase):
    """Wrong values: one message each, at its place, without what may be secret."""

    def test_places(self) -> None:
        """Each wrong value, and the key that is named."""
        self.file("empty", "\nx")
        self.file("fields", "hunter2\n")
        self.file("twice", "A: hunter2\nA: hunter2\n")
        self.file("open", "machine h login u password hunter2", 0o640)
        self.file("broken", "machine h login u hunter2 hunter2", 0o600)
        self.file("nocookies", "hunter2")
        host = {"match": "a.test"}
        user = {"username": "u"}
        for place, downloads in (
            ("max_redirects", {"max_redirects": -1}),
            ("allow_downgrade", {"allow_downgrade": "perhaps"}),
            ("netrc", {"netrc": "missing"}),
            ("netrc", {"netrc": "open"}),
            ("netrc", {"netrc": "broken"}),
            ("cookies", {"cookies": "nocookies"}),
            ("cookies", {"cookies": "open"}),
            ("proxy", {"proxy": "ftp://hunter2@h"}),
            ("proxy", {"proxy": "https://u:hunter2@h"}),
            ("proxy", {"proxy": "socks5://u@h"}),
            ("no_proxy.0", {"no_proxy": ["a b"]}),
            ("deny_addresses.1", {"deny_addresses": ["private", "10.0.0.1/8"]}),
            ("allow_addresses.0", {"allow_addresses": ["example.org"]}),
            ("guard", {"guard": "none"}),
            ("hosts.0.match", {"hosts": [{"match": "http://a/b"}]}),
            ("hosts.0.match", {"hosts": [{}]}),
            ("hosts.0.basic", {"hosts": [{**host, "basic": user}]}),
            ("hosts.0.basic.username",
             {"hosts": [{**host, "basic": {"username": "a:b", "password": "hunter2"}}]}),
            ("hosts.0.basic.password_file",
             {"hosts": [{**host, "basic": {**user, "password_file": "empty"}}]}),
            ("hosts.0.bearer_file", {"hosts": [{**host, "bearer_file": "missing"}]}),
            ("hosts.0.headers_file", {"hosts": [{**host, "headers_file": "fields"}]}),
            ("hosts.0.headers_file", {"hosts": [{**host, "headers_file": "twice"}]}),
            ("hosts.0.headers", {"hosts": [{**host, "headers": {"A": "hunter2\n"}}]}),
            ("hosts.0.ca_file", {"hosts": [{**host, "ca_file": "fields"}]}),
            ("hosts.0.pins.0", {"hosts": [{**host, "pins": ["sha-256=abc"]}]}),
            ("hosts.0.proxy", {"hosts": [{**host, "proxy": "http://u:hunter2@"}]}),
            ("hosts.0.connections", {"hosts": [{**host, "connections": 0}]}),
            ("hosts.0.rate_limit", {"hosts": [{**host, "rate_limit": "much"}]}),
            ("hosts.0.connection", {"hosts": [{**host, "connection": 1}]}),
        ):  # fmt: skip
            with self.subTest(place=place, downloads=downloads):
                said = self.problem(downloads)
                self.assertIn(f": downloads.{place}: ", said)
                self.assertNotIn("hunter2", said)

    def test_together(self) -> None:
        """Keys that do not go together, told of the section that they are in."""
        make_certificate(self.base)
        self.file("pw", "hunter2")
        host = {"match": "a.test"}
        for said, downloads in (
            ("one of basic", {"hosts": [{**host, "bearer": "a", "bearer_file": "pw"}]}),
            ("either headers", {"hosts": [{**host, "headers": {"A": "b"}, "headers_file": "pw2"}]}),
            ("needs client_cert", {"hosts": [{**host, "client_key": "key.pem"}]}),
            ("no certificate", {"hosts": [{**host, "client_cert": "cert.pem"}]}),
            ("needs a user", {"proxy": "http://h", "proxy_password_file": "pw"}),
            ("needs a proxy", {"proxy_password_file": "pw"}),
        ):
            self.file("pw2", "A: b")
            with self.subTest(said):
                self.assertIn(said, self.problem(downloads))

    def test_environment(self) -> None:
        """A proxy of the environment that cannot be used keeps the daemon from starting."""
        config = self.config({"proxy": "environment"})
        environ = {"http_proxy": "ftp://u:hunter2@h"}
        error = self.assertRaises(StartFailed, access_of, config.downloads, environ)
        self.assertIn("http_proxy", str(error))
        self.assertNotIn("hunter2", str(error))

    def test_gone_meanwhile(self) -> None:
        """A file that went away between reading the configuration and the start."""
        path = self.file("netrc", "machine h login u password p")
        config = self.config({"netrc": "netrc"})
        self.assertEqual(access_of(config.downloads, {}).netrc, {"h": ("u", "p")})
        path.unlink()
        self.assertRaises(StartFailed, access_of, config.downloads, {})

    def test_octets(self) -> None:
        """Files that are no text, or have no end, are told as such."""
        path = self.base / "x"
        path.write_bytes(b"\xff\xfe")
        path.chmod(0o600)
        for read in (read_netrc, read_cookies, read_fields):
            self.assertRaises(ValueError, read, path)
        path.write_bytes(b"a" * 300_000)
        for read in (read_netrc, read_cookies, read_fields):
            self.assertIn("larger", str(self.assertRaises(ValueError, read, path)))
