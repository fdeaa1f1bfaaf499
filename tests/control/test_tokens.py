"""Tests for `rangedaemon.control.tokens`: the token file and the keyring."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.tokens import Keyring, Principal, Scope, token_at
from rangedaemon.errors import NotWritable, StorageFault


class TokenFileTests(SynchronousTestCase):
    """Tests for `token_at`."""

    def setUp(self) -> None:
        """A directory that is not there yet."""
        self.directory = Path(self.mktemp()) / "state"
        self.file = self.directory / "control.token"

    def token(self, octet: bytes = b"\x01") -> str:
        """The token, were randomness *octet* over and over."""
        return token_at(str(self.file), lambda size: octet * size)

    def test_made_once(self) -> None:
        """The first start makes it, later ones read it."""
        first = self.token(b"\x01")
        self.assertEqual(len(first), 43)
        self.assertEqual(self.token(b"\x02"), first)
        self.assertEqual(self.file.read_text(), first + "\n")

    def test_for_the_owner_alone(self) -> None:
        """Mode 0600, whatever the umask; nothing else is left in the directory."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.token()
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertEqual(os.listdir(self.directory), ["control.token"])

    def test_two_starts_at_once(self) -> None:
        """The token of whoever was first counts for both."""

        def meanwhile(size: int) -> bytes:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text("the-other-daemons-token\n")
            return b"\x01" * size

        self.assertEqual(token_at(str(self.file), meanwhile), "the-other-daemons-token")

    def test_not_a_token(self) -> None:
        """An empty, short or binary file is refused, and stays as it is."""
        self.directory.mkdir(parents=True)
        for octets in (b"", b"short\n", b"\xff" * 40, b"two words of a token", b"a" * 20 + b"\nb"):
            self.file.write_bytes(octets)
            self.assertRaises(StorageFault, self.token)
            self.assertEqual(self.file.read_bytes(), octets)

    def test_no_place(self) -> None:
        """Where it cannot be made, the fault says which file."""
        self.directory.parent.mkdir(parents=True)
        self.directory.write_text("a file")
        fault = self.assertRaises((NotWritable, StorageFault), self.token)
        self.assertIn(str(self.file), str(fault))


class KeyringTests(SynchronousTestCase):
    """Tests for `Keyring`."""

    def test_admit(self) -> None:
        """Whose token it is, exactly."""
        ring = Keyring.of("a-token-a-token-")
        self.assertEqual(ring.admit("a-token-a-token-"), Principal("control", Scope.ADMIN))
        for other in ("", "a-token-a-token", "A-token-a-token-", "a-token-a-token-\x00", "\ud800"):
            self.assertIsNone(ring.admit(other))

    def test_revoked(self) -> None:
        """After a replacement only the new tokens are valid."""
        ring = Keyring.of("old-old-old-old-old")
        ring.replace([("new-new-new-new-new", Principal("new", Scope.READ))])
        self.assertIsNone(ring.admit("old-old-old-old-old"))
        self.assertEqual(ring.admit("new-new-new-new-new"), Principal("new", Scope.READ))

    def test_no_token_in_memory(self) -> None:
        """Nothing that could be shown by accident holds the token."""
        self.assertNotIn("secret-token", repr(vars(Keyring.of("secret-token-secret"))))
