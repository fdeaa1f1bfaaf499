"""What the daemon does not load, because memory counts; and what it loads later."""

from __future__ import annotations

import os
import signal
import ssl
from contextlib import closing
from pathlib import Path

from tests.integration.ops_case import OpsCase, make_certificate
from tests.integration.readers import Reader, get
from tests.integration.waiting import until

_TELLING = """
import os, signal, sys
def tell(*_):
    names = "\\n".join(list(sys.modules))
    with open("modules.new", "w") as file:
        file.write(names)
    os.replace("modules.new", "modules")
signal.signal(signal.SIGUSR2, tell)
from twisted.scripts.twistd import run; run()
"""
NEVER = frozenset({
    "alembic", "mako", "jinja2", "click", "rich", "pygments", "markdown_it", "hypothesis",
    "sqlalchemy.orm", "twisted.web.static", "twisted.web.wsgi", "pydantic.v1",
})  # fmt: skip
"""`rangectl`'s, migrations', and what nobody asks for."""
TLS = frozenset({"OpenSSL", "cryptography", "service_identity", "twisted.protocols.tls"})
PASSWORDS = frozenset({"bcrypt"})
"""Of users who upload; TLS has a use for it, too."""


class SparedTests(OpsCase):
    """The modules of a daemon that has served and pulled."""

    options = {"program": _TELLING}

    def loaded(self) -> set[str]:
        """The names of its modules."""
        told = self.daemon.directory / "modules"
        told.unlink(missing_ok=True)
        os.kill(self.daemon.pid, signal.SIGUSR2)
        until(told.exists, "the daemon tells its modules")
        names = set(told.read_text().splitlines())
        self.assertIn("rangedaemon.service.daemon", names)
        return names

    def listen(self, *descriptions: str) -> None:
        """Serve there."""
        self.configure(server={"listen": [*descriptions], "mounts": [self.mount("/files")]})

    def secured(self) -> str:
        """The description of a port with TLS."""
        pem = make_certificate(self.make_directory(), "here")
        port = self.daemon.file_port
        return f"ssl:{port}:interface=127.0.0.1:privateKey={pem}:certKey={pem}"

    def pull(self) -> None:
        """Pull what we serve ourselves."""
        job = self.daemon.api.add(f"http://127.0.0.1:{self.daemon.file_port}/files/f.bin")
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assertEqual(Path(done["path"]).read_bytes(), (self.root / "f.bin").read_bytes())

    def test_never_needed(self) -> None:
        """Neither at the start nor by serving and pulling: TLS of ports, and what is never used."""
        self.daemon.start()
        self.pull()
        self.assertEqual(self.loaded() & (NEVER | TLS | PASSWORDS), set())

    def test_tls_from_the_start(self) -> None:
        """A port with TLS has what it needs from the start, and still nothing that is not used."""
        self.listen(self.secured())
        self.daemon.start()
        names = self.loaded()
        self.assertEqual(names & TLS, TLS)
        self.assertEqual(names & NEVER, set())
        self.assert_serves_tls()

    def test_tls_later(self) -> None:
        """A daemon that began without TLS has ports with it after a reload."""
        self.daemon.start()
        self.assertEqual(self.loaded() & TLS, set())
        self.listen(self.secured())
        self.assertEqual(self.reloaded(), {"server.listen"})
        self.assert_serves_tls()
        self.assertIn("OpenSSL", self.loaded())
        self.assertEqual(self.reloaded(), set())  # which reads the certificate anew
        self.assert_serves_tls()

    def test_bad_certificate_later(self) -> None:
        """One that cannot be used is refused in the same words as at the start."""
        self.daemon.start()
        bad = self.make_directory() / "bad.pem"
        bad.write_text("nonsense")
        self.listen(f"ssl:{self.daemon.file_port}:privateKey={bad}:certKey={bad}")
        (error,) = self.refused()["errors"]
        self.assertIn("no PEM that OpenSSL can use", error["msg"])
        self.assertEqual(get(self.daemon.file_port, "/files/f.bin")[0], 200)

    def test_folder_of_certificates_later(self) -> None:
        """The kind of TLS that Twisted alone gives is to be there at the start; this is said."""
        self.daemon.start()
        self.listen(f"tls:{self.daemon.file_port}:path={self.make_directory()}")
        (error,) = self.refused()["errors"]
        self.assertIn("after a restart", error["msg"])

    def assert_serves_tls(self) -> None:
        """The file, whole, over TLS."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with closing(Reader(self.daemon.file_port, "/files/f.bin", context)) as reader:
            self.assertEqual(reader.status, "200")
            self.assert_whole(reader.rest())
