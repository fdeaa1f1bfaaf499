"""Credentials against a real nginx: who is let in, and by what the configuration said."""

from __future__ import annotations

from pathlib import Path

from tests.integration.nginx import Nginx
from tests.integration.rangectl_case import command
from tests.integration.reaching import FAST, SIZE, ReachingCase

PASSWORD = "pa/ss wörd"


class CredentialCase(ReachingCase):
    """An nginx that lets one user in, one token, one cookie, and one more field."""

    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        users = self.secret("htpasswd", f"me:{{PLAIN}}{PASSWORD}\n", 0o644)
        self.secrets.chmod(0o755)
        doors = {
            "basic": f'auth_basic "x"; auth_basic_user_file {users};',
            "bearer": 'if ($http_authorization != "Bearer t0ken") { return 401; }',
            "cookie": 'if ($cookie_session != "c00kie") { return 403; }',
            "field": 'if ($http_x_key != "k3y") { return 403; }',
            "none": "if ($http_authorization) { return 418; }",
        }
        more = "".join(
            f"location /{name}/ {{ alias {self.root}/; {rule} }}\n" for name, rule in doors.items()
        )
        self.nginx: Nginx = self.make_nginx(self.root, more=more)

    def url(self, door: str) -> str:
        """The address of the file behind a door."""
        return self.nginx.url(f"{door}/file.bin")


class JobCredentialTests(CredentialCase):
    """What a job brings along itself."""

    def test_by_the_job(self) -> None:
        """By fields of the API, by userinfo, by headers; without any of them nobody gets in."""
        daemon = self.start({})
        self.fetches(daemon, self.url("basic"), username="me", password=PASSWORD)
        at = f"me:pa%2fss%20w%C3%B6rd@127.0.0.1:{self.nginx.port}"
        job = self.fetches(daemon, f"http://{at}/basic/file.bin")
        self.assertEqual(job["urls"], [self.url("basic")])
        self.fetches(daemon, self.url("bearer"), headers={"Authorization": "Bearer t0ken"})
        self.fetches(daemon, self.url("cookie"), headers={"Cookie": "session=c00kie"})
        self.refuses(daemon, "unauthorized", self.url("basic"))
        self.refuses(daemon, "unauthorized", self.url("basic"), username="me", password="wrong")

    def test_by_rangectl(self) -> None:
        """The password comes from a file or standard input, and is on no command line."""
        daemon = self.start({})
        file = self.secret("password", f"{PASSWORD}\nnot this\n")
        place = ("--url", f"http://127.0.0.1:{daemon.port}")
        token = ("--token-file", str(daemon.api.token_file))
        for source, typed in ((file, ""), ("-", f"{PASSWORD}\n")):
            ended = command(
                *place, *token, "add", "--wait", "--user", "me", "--password-file", source,
                self.url("basic"), stdin=typed,
            )  # fmt: skip
            self.assertEqual(ended.code, 0, ended.err)
        alone = command(*place, *token, "add", "--password-file", file, self.url("basic"))
        self.assertNotEqual(alone.code, 0)
        self.assertIn("username", alone.err)

    def test_after_a_restart(self) -> None:
        """A job that was stopped in the middle still knows its credentials."""
        daemon = self.start({"rate_limit": "256KiB"})
        added = daemon.api.add(self.url("basic"), username="me", password=PASSWORD)
        daemon.api.wait_received(added["id"], 1)
        daemon.configure({"downloads": {"directory": "downloads"}})
        daemon.restart()
        job = daemon.api.wait_for(added["id"], "complete")
        self.assertEqual(Path(job["path"]).read_bytes(), self.content)
        self.assertLess(job["refetched"], SIZE // 2)

    def test_another_password(self) -> None:
        """A job that was refused gets another password, and goes on."""
        daemon = self.start({})
        job = self.refuses(daemon, "unauthorized", self.url("basic"))
        login = {"username": "me", "password": PASSWORD}
        reply = daemon.api.request("PATCH", f"/api/v1/jobs/{job['id']}", login)
        self.assertEqual(reply.status, 200)
        daemon.api.act(job["id"], "retry")
        daemon.api.wait_for(job["id"], "complete")


class HostCredentialTests(CredentialCase):
    """What the operator gives a host."""

    def test_by_host(self) -> None:
        """Each kind, from files, the environment and systemd's credentials; first match wins."""
        self.secret("token", "t0ken\nsecond line\n")
        origin = f"http://127.0.0.1:{self.nginx.port}"
        password = self.secret("password", PASSWORD)
        fields = self.secret("fields", "# mine\nX-Key: k3y\n")
        for door, said in (
            ("basic", {"basic": {"username": "me", "password_file": password}}),
            ("basic", {"basic": {"username": "me", "password": "${SECRET}"}}),
            ("bearer", {"bearer_file": "${CREDENTIALS_DIRECTORY}/token"}),
            ("field", {"headers_file": fields}),
            ("field", {"headers": {"X-Key": "k3y"}}),
        ):
            with self.subTest(said=list(said)):
                hosts = [
                    {"match": "*.example.org", "bearer": "not for here"},
                    {"match": origin, **said},
                    {"match": "*", "bearer": "too late"},
                ]
                env = {"SECRET": PASSWORD, "CREDENTIALS_DIRECTORY": str(self.secrets)}
                daemon = self.start({"hosts": hosts}, env=env)
                self.fetches(daemon, self.url(door))
                daemon.terminate()

    def test_reload(self) -> None:
        """A secret that is another one by now, and another policy, count from a reload on."""
        password = self.secret("password", "wrong")
        hosts = [{"match": "*", "basic": {"username": "me", "password_file": password}}]
        daemon = self.start({"hosts": hosts})
        job = self.refuses(daemon, "unauthorized", self.url("basic"))
        self.secret("password", PASSWORD)
        self.assertEqual(daemon.api.request("POST", "/api/v1/reload").status, 200)
        daemon.api.act(job["id"], "retry")
        daemon.api.wait_for(job["id"], "complete")
        daemon.configure({"downloads": {**FAST, "directory": "downloads", "hosts": hosts,
                                        "deny_addresses": ["loopback"]}})  # fmt: skip
        self.assertEqual(daemon.api.request("POST", "/api/v1/reload").status, 200)
        self.refuses(daemon, "forbidden-address", self.url("basic"))
        self.secret("password", "")
        self.assertEqual(daemon.api.request("POST", "/api/v1/reload").status, 422)

    def test_netrc_and_cookies(self) -> None:
        """By a netrc file, and by a cookie file; the default of a netrc file is for nobody."""
        netrc = self.secret("netrc", f'machine 127.0.0.1 login me password "{PASSWORD}"\n')
        cookies = self.secret(
            "cookies",
            "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/cookie\tFALSE\t0\tsession\tc00kie\n",
        )
        daemon = self.start({"netrc": netrc, "cookies": cookies})
        self.fetches(daemon, self.url("basic"))
        self.fetches(daemon, self.url("cookie"))
        daemon.terminate()
        other = self.secret("other", "default login me password secret\n")
        self.fetches(self.start({"netrc": other}), self.url("none"))
