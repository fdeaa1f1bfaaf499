"""How ``rangectl`` reaches the daemon, and what it says where it does not."""

from __future__ import annotations

from tests.integration.rangectl_case import URL, SiteCase, command
from tests.integration.socket_wire import SocketWire


class UnreachableTests(SiteCase):
    """Daemons that are not there, tokens that are wrong, answers of others."""

    def test_wrong_token(self) -> None:
        """4, and which file the token came from."""
        self.token_file.write_text("wrong")
        ended = self.ctl("list")
        self.assertEqual(ended.code, 4)
        self.assertIn(str(self.token_file), ended.err)
        self.assertNotIn("wrong ", ended.err)

    def test_no_token(self) -> None:
        """4, and how to give one."""
        ended = command("--url", self.site.url, "list")
        self.assertEqual(ended.code, 4)
        self.assertIn("--token-file", ended.err)

    def test_missing_token_file(self) -> None:
        """4, and which file is missing."""
        ended = command("--url", self.site.url, "--token-file", "/nonexistent/t", "list")
        self.assertEqual(ended.code, 4)
        self.assertIn("/nonexistent/t", ended.err)

    def test_nobody_there(self) -> None:
        """3, which address was tried, and how to start the daemon."""
        self.site.close()
        for words in (["list"], ["watch"], ["add", URL, "--wait"], ["events"]):
            ended = self.ctl(*words)
            self.assertEqual((ended.code, ended.out), (3, ""))
            self.assertIn(self.site.url, ended.err)
            self.assertIn("twistd -n rangedaemon -c", ended.err)

    def test_from_config(self) -> None:
        """With ``-c`` the message names the configuration to start it by."""
        self.site.close()
        port = self.site.url.rpartition(":")[2]
        config = self.folder / "conf.yaml"
        config.write_text(f"control: {{listen: ['tcp:{port}'], token_file: token}}")
        ended = command("-c", str(config), "list")
        self.assertEqual(ended.code, 3)
        self.assertIn(f"twistd -n rangedaemon -c {config}", ended.err)

    def test_stopping(self) -> None:
        """A host name that the daemon does not go by is told, not traced."""
        port = self.site.url.rpartition(":")[2]
        ended = command(
            "--url", f"http://127.1:{port}", "--token-file", str(self.token_file), "list"
        )
        self.assertEqual((ended.code, ended.err.count("\n")), (4, 1))

    def test_unknown_command(self) -> None:
        """2, as for every wrong command line."""
        self.assertEqual(command("dance").code, 2)
        self.assertEqual(command("--url", "localhost", "list").code, 2)


class UnixSocketTests(SiteCase):
    """The control API on a Unix socket."""

    def test_commands(self) -> None:
        """Works by ``--url`` and by the configuration's endpoint."""
        here = self.folder / "s"
        site = SocketWire(self.wire, here)
        self.addCleanup(site.close)
        config = self.folder / "conf.yaml"
        config.write_text("control: {listen: ['unix:s:mode=600'], token_file: token}")
        for words in (
            ["-c", str(config)],
            ["--url", f"unix:{here}", "--token-file", str(self.token_file)],
        ):
            with self.subTest(words[0]):
                ended = command(*words, "add", URL)
                self.assertEqual((ended.code, ended.err), (0, ""))

    def test_nobody_there(self) -> None:
        """A socket that is missing is a daemon that is not there."""
        ended = command("--url", f"unix:{self.folder}/none", "list")
        self.assertEqual(ended.code, 3)
        self.assertIn("no such file", ended.err)


class EnvironmentTests(SiteCase):
    """Found by the environment."""

    def test_url_and_token(self) -> None:
        """``RANGEDAEMON_URL`` and ``RANGEDAEMON_TOKEN_FILE`` are enough."""
        environ = {"RANGEDAEMON_URL": self.site.url, "RANGEDAEMON_TOKEN_FILE": str(self.token_file)}
        self.assertEqual(command("list", environ=environ).code, 0)
