"""The harness itself: a test that trusts a broken harness proves nothing."""

from __future__ import annotations

import ssl
import urllib.request

from tests.hostile import content, write_content
from tests.integration.case import IntegrationCase
from tests.integration.ports import free_port
from tests.integration.waiting import PATIENCE, until


class NginxTests(IntegrationCase):
    """The nginx of the harness serves what its options say."""

    def test_range(self) -> None:
        """It serves ranges by default."""
        root = self.make_directory()
        write_content(root / "f.bin", 3, 100_000)
        server = self.make_nginx(root)
        asked = urllib.request.Request(server.url("f.bin"), headers={"Range": "bytes=70000-70009"})
        with urllib.request.urlopen(asked, timeout=PATIENCE) as reply:
            self.assertEqual((reply.status, reply.read()), (206, content(3, 70000, 10)))

    def test_no_ranges(self) -> None:
        """It ignores ranges where it is told to."""
        root = self.make_directory()
        write_content(root / "f.bin", 3, 1000)
        server = self.make_nginx(root, ranges=False)
        asked = urllib.request.Request(server.url("f.bin"), headers={"Range": "bytes=0-9"})
        with urllib.request.urlopen(asked, timeout=PATIENCE) as reply:
            self.assertEqual((reply.status, len(reply.read())), (200, 1000))

    def test_tls(self) -> None:
        """Its certificate is good for 127.0.0.1."""
        root = self.make_directory()
        write_content(root / "f.bin", 3, 1000)
        server = self.make_nginx(root, tls=True)
        trust = ssl.create_default_context(cafile=str(server.certificate))
        with urllib.request.urlopen(server.url("f.bin"), context=trust, timeout=PATIENCE) as reply:
            self.assertEqual(reply.read(), content(3, 0, 1000))


class UntilTests(IntegrationCase):
    """Waiting ends."""

    def test_bound(self) -> None:
        """A condition that never holds is an error that names it."""
        error = self.assertRaises(TimeoutError, until, lambda: None, "pigs fly", 0.05)
        self.assertIn("pigs fly", str(error))


class PortTests(IntegrationCase):
    """Ports that are asked for before they are listened at."""

    def test_apart(self) -> None:
        """None is given twice, though nobody has listened there yet; all are below the kernel's."""
        ports = [free_port() for _ in range(200)]
        self.assertEqual(len(set(ports)), 200)
        self.assertLess(max(ports), 32768)
