"""Tests for `rangedaemon.server.sparing`; what it does is seen in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.internet import endpoints
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server.sparing import mentions_tls, spare_tls

PLAIN = b"""\
server:
  listen: ["tcp:8080"]  # or ssl:8443:privateKey=key.pem
  #   ssl:8443:privateKey=key.pem
  mounts: [{path: /files, root: my-tls}]
jobs: [{name: a, url: "https://a.test/x"}]
"""


class MentionsTests(SynchronousTestCase):
    """`mentions_tls`."""

    def config(self, text: bytes) -> Path:
        """A file of that content."""
        path = Path(self.mktemp())
        path.write_bytes(text)
        return path

    def test_texts(self) -> None:
        """Ports with TLS, however they are written; not what only looks like one."""
        for text, mentioned in (
            (PLAIN, False),
            (b"", False),
            (b'server: {listen: ["tcp:1", "ssl:2:privateKey=k"]}', True),
            (b"control:\n  listen:\n    - ssl:2:privateKey=k\n", True),
            (b"control:\n  listen:\n    - 'tls:2:path=k'\n", True),
            (b"control: {listen: ['haproxy:ssl:2:privateKey=k']}", True),
            (b"\xff\xfe ssl:", True),
            (b"#" * (1 << 20), True),
        ):
            self.assertEqual(mentions_tls(self.config(text)), mentioned, text[:80])

    def test_no_file(self) -> None:
        """What is not there is for others to complain of; what can be read once is left alone."""
        self.assertTrue(mentions_tls(Path(self.mktemp())))
        pipe = self.mktemp()
        os.mkfifo(pipe)
        self.assertTrue(mentions_tls(Path(pipe)))


class SpareTests(SynchronousTestCase):
    """`spare_tls`."""

    def test_too_late(self) -> None:
        """Where Twisted's modules are there, all stays as it is."""
        config = Path(self.mktemp())
        config.write_bytes(PLAIN)
        before = dict(sys.modules)
        spare_tls(config)
        self.assertEqual(sys.modules, before)
        self.assertIsNotNone(endpoints.TLSMemoryBIOFactory)
