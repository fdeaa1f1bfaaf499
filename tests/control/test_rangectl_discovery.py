"""Where ``rangectl`` looks for the daemon, and with which token."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.cli.discovery import (
    Address,
    Asked,
    discover,
    parse_endpoint,
    parse_url,
    read_config,
)
from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.transport import read_token


class ConfigFiles(SynchronousTestCase):
    """Tests that write configuration files."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rangectl-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def config(self, text: str, name: str = "conf.yaml") -> Path:
        """A file that holds *text*."""
        path = self.folder / name
        path.write_text(text)
        return path


class EndpointTests(SynchronousTestCase):
    """Server endpoint strings, seen by who connects."""

    def test_addresses(self) -> None:
        """Each form of endpoint becomes the address that reaches it."""
        table = [
            ("tcp:6880:interface=127.0.0.1", "http://127.0.0.1:6880"),
            ("tcp:port=6880", "http://127.0.0.1:6880"),
            ("tcp:6880:interface=0.0.0.0", "http://127.0.0.1:6880"),
            ("tcp:6880:interface=192.0.2.7:backlog=9", "http://192.0.2.7:6880"),
            (r"tcp:6880:interface=\:\:1", "http://[::1]:6880"),
            (r"tcp6:6880:interface=2001\:db8\:\:5", "http://[2001:db8::5]:6880"),
            ("tcp6:6880", "http://[::1]:6880"),
            (r"tcp:6880:interface=\:\:", "http://[::1]:6880"),
            ("ssl:6881:privateKey=k.pem:interface=127.0.0.1", "https://127.0.0.1:6881"),
            ("unix:/run/rd.sock:mode=660", "unix:/run/rd.sock"),
            (r"unix:address=/run/a\:b.sock", "unix:/run/a:b.sock"),
        ]
        for endpoint, address in table:
            with self.subTest(endpoint):
                self.assertEqual(str(parse_endpoint(endpoint)), address)

    def test_no_address(self) -> None:
        """Where an endpoint tells no address there is none, not a wrong one."""
        for endpoint in ("systemd:domain=INET:index=0", "tcp:0", "tcp:99999", "tcp:", "unix:", ""):
            with self.subTest(endpoint):
                self.assertIsNone(parse_endpoint(endpoint))


class UrlTests(SynchronousTestCase):
    """What ``--url`` takes."""

    def test_forms(self) -> None:
        """Schemes, default ports, prefixes and both spellings of sockets."""
        table = {
            "http://localhost:6880": Address("http", "localhost", 6880),
            "http://localhost:6880/": Address("http", "localhost", 6880),
            "https://example.org/rd/": Address("https", "example.org", 443, "/rd"),
            "http://[::1]:1": Address("http", "::1", 1),
            "unix:/run/rd.sock": Address("unix", path="/run/rd.sock"),
            "unix:///run/rd.sock": Address("unix", path="/run/rd.sock"),
        }
        for text, address in table.items():
            with self.subTest(text):
                self.assertEqual(parse_url(text), address)

    def test_refused(self) -> None:
        """Anything else is a usage error that shows what was given."""
        for text in ("localhost:6880", "ftp://x", "http://", "http://x:99999", "unix:", ""):
            with self.subTest(text):
                fault = self.assertRaises(CommandFault, parse_url, text)
                self.assertEqual(fault.exit_code, Exit.USAGE)
                self.assertIn(repr(text), str(fault))


class ReadConfigTests(ConfigFiles):
    """What is read of a configuration file."""

    def test_relative_to_file(self) -> None:
        """Paths are relative to the file, whatever the working directory is."""
        said = read_config(
            self.config("control: {listen: ['unix:run/s.sock:mode=600'], token_file: t/token}"), {}
        )
        self.assertEqual(said.token_file, self.folder / "t/token")
        self.assertEqual(said.listen, (f"unix:{self.folder}/run/s.sock:mode=600",))

    def test_defaults(self) -> None:
        """An empty file means the defaults of the configuration."""
        said = read_config(self.config(""), {})
        self.assertEqual(said.token_file, self.folder / "var/state/control.token")
        self.assertEqual(said.listen, ("tcp:6880:interface=127.0.0.1",))

    def test_state_dir(self) -> None:
        """The token lies in the state directory, systemd's where the file names none."""
        under_systemd = {"STATE_DIRECTORY": "/var/lib/rd:/var/lib/other"}
        named = self.config("state_dir: st", "named.yaml")
        self.assertEqual(
            read_config(self.config("{}"), under_systemd).token_file,
            Path("/var/lib/rd/control.token"),
        )
        self.assertEqual(
            read_config(named, under_systemd).token_file, self.folder / "st/control.token"
        )

    def test_state_dir_is_told_short(self) -> None:
        """A way up and down again is none that messages name."""
        said = read_config(self.config("state_dir: ../st"), {})
        self.assertEqual(said.state_dir, self.folder.parent / "st")

    def test_environment(self) -> None:
        """References to the environment are replaced, with their defaults."""
        path = self.config(
            "control: {listen: ['tcp:${PORT:-6880}:interface=${HOST}'], token_file: '${T:-x}/y'}"
        )
        said = read_config(path, {"HOST": "127.0.0.9", "T": ""})
        self.assertEqual(said.listen, ("tcp:6880:interface=127.0.0.9",))
        self.assertEqual(said.token_file, self.folder / "x/y")

    def test_bad_files(self) -> None:
        """A file that is missing, no YAML or no mapping is a usage error that names it."""
        paths = [
            self.folder / "missing.yaml",
            self.config("a: [", "broken.yaml"),
            self.config("[1]", "list.yaml"),
            self.config("control: 7", "control.yaml"),
            self.config("x" * ((1 << 20) + 1), "huge.yaml"),
            self.config("[" * 5000, "deep.yaml"),
        ]
        for path in paths:
            with self.subTest(path.name):
                fault = self.assertRaises(CommandFault, read_config, path, {})
                self.assertEqual(fault.exit_code, Exit.USAGE)
                self.assertIn(path.name, str(fault))


class DiscoverTests(ConfigFiles):
    """Who wins where several places say something."""

    environ = {"RANGEDAEMON_URL": "http://env:1", "RANGEDAEMON_TOKEN_FILE": "/env/token"}

    def test_url_wins(self) -> None:
        """``--url`` comes before everything; the environment's token goes with it."""
        target = discover(Asked(url="http://opt:2"), self.environ)
        self.assertEqual(str(target.address), "http://opt:2")
        self.assertEqual(target.token_file, Path("/env/token"))

    def test_url_with_config(self) -> None:
        """With ``-c`` beside it, the token is that of the configuration."""
        config = self.config("control: {token_file: /conf/token}")
        target = discover(Asked(url="http://opt:2", config=config), self.environ)
        self.assertEqual(target.token_file, Path("/conf/token"))

    def test_config_before_environment(self) -> None:
        """``-c`` comes before the environment, token and all."""
        config = self.config("control: {listen: ['tcp:7:interface=127.0.0.1'], token_file: /c/t}")
        target = discover(Asked(config=config), self.environ)
        self.assertEqual((str(target.address), target.source), ("http://127.0.0.1:7", str(config)))
        self.assertEqual(target.token_file, Path("/c/t"))

    def test_token_file_option(self) -> None:
        """``--token-file`` wins over every other token."""
        config = self.config("control: {token_file: /c/t}")
        for asked in (
            Asked(token_file=Path("/opt/t")),
            Asked(token_file=Path("/opt/t"), config=config),
            Asked(token_file=Path("/opt/t"), url="http://x"),
        ):
            self.assertEqual(discover(asked, self.environ).token_file, Path("/opt/t"))

    def test_environment(self) -> None:
        """The environment comes before configurations in the usual places."""
        usual = self.config("control: {token_file: /usual/token}")
        target = discover(Asked(), self.environ, (usual,))
        self.assertEqual(str(target.address), "http://env:1")
        self.assertEqual(target.token_file, Path("/env/token"))

    def test_no_foreign_token(self) -> None:
        """A URL of the environment never gets the token of a file that merely lies there."""
        usual = self.config("control: {token_file: /usual/token}")
        target = discover(Asked(), {"RANGEDAEMON_URL": "http://env:1"}, (usual,))
        self.assertIsNone(target.token_file)

    def test_usual_places(self) -> None:
        """The first usual place that is there counts."""
        usual = self.config("control: {listen: ['tcp:9'], token_file: /usual/token}")
        target = discover(Asked(), {}, (self.folder / "none.yaml", usual))
        self.assertEqual(str(target.address), "http://127.0.0.1:9")
        self.assertEqual(target.token_file, Path("/usual/token"))

    def test_nothing_said(self) -> None:
        """Where nobody says anything it is the default address, without a token."""
        target = discover(Asked(), {})
        self.assertEqual(str(target.address), "http://127.0.0.1:6880")
        self.assertIsNone(target.token_file)

    def test_first_usable_endpoint(self) -> None:
        """Of several endpoints the first that tells an address is taken."""
        config = self.config("control: {listen: ['systemd:domain=INET:index=0', 'unix:/s']}")
        self.assertEqual(str(discover(Asked(config=config), {}).address), "unix:/s")

    def test_no_usable_endpoint(self) -> None:
        """Where none does, the message says to give the URL."""
        config = self.config("control: {listen: ['systemd:domain=INET:index=0']}")
        fault = self.assertRaises(CommandFault, discover, Asked(config=config), {})
        self.assertEqual(fault.exit_code, Exit.USAGE)
        self.assertIn("--url", str(fault))


class TokenTests(ConfigFiles):
    """The token file."""

    def test_read(self) -> None:
        """White space around the token is no part of it."""
        self.assertEqual(read_token(self.config(" abc.DEF-9 \n")), "abc.DEF-9")

    def test_none(self) -> None:
        """No file named, no token."""
        self.assertIsNone(read_token(None))

    def test_unusable(self) -> None:
        """A file that is missing, empty or no token ends with the token's code and its path."""
        paths = [
            self.folder / "missing",
            self.config("", "empty"),
            self.config("two\nlines", "lines"),
            self.config("x" * 5000, "long"),
            self.folder,
        ]
        for path in paths:
            with self.subTest(path.name):
                fault = self.assertRaises(CommandFault, read_token, path)
                self.assertEqual(fault.exit_code, Exit.TOKEN)
                self.assertIn(str(path), str(fault))

    def test_content_not_shown(self) -> None:
        """What the file holds never shows in the message."""
        fault = self.assertRaises(CommandFault, read_token, self.config("s3cret s3cret"))
        self.assertNotIn("s3cret", str(fault))
