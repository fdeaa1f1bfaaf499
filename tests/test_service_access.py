"""What is made of the configuration of access: the ring of tokens, and refused ports."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rangedaemon.config import parse
from rangedaemon.control.tokens import Principal, Scope
from rangedaemon.errors import StorageFault
from rangedaemon.service.ports import PromptEndpoint, StartFailed, refuse_plain_remote
from rangedaemon.service.wiring import keyring_of


class KeyringOfTests(SynchronousTestCase):
    """Tests for `keyring_of`."""

    def setUp(self) -> None:
        """A directory for the configuration."""
        self.base = Path(self.mktemp()).absolute()
        self.base.mkdir()
        digest = sha256(b"phone-phone-phone").hexdigest()
        text = (
            "state_dir: state\ncontrol:\n  tokens:\n  - {name: eyes, token_file: eyes.token}\n"
            f"  - {{name: phone, scope: add, digest: sha-256={digest}}}\n"
        )
        self.config = parse(text.encode(), {}, name="c", base=self.base)

    def test_all(self) -> None:
        """The owner's, one from a file that is made, one by its digest."""
        ring = keyring_of(self.config, os.urandom)
        made = (self.base / "eyes.token").read_text().strip()
        owner = (self.base / "state/control.token").read_text().strip()
        self.assertEqual(ring.admit(made), Principal("eyes", Scope.READ))
        self.assertEqual(ring.admit(owner), Principal("control", Scope.ADMIN))
        self.assertEqual(ring.admit("phone-phone-phone"), Principal("phone", Scope.ADD))
        self.assertIsNone(ring.admit(sha256(b"phone-phone-phone").hexdigest()))

    def test_bad_file(self) -> None:
        """A file that holds no token keeps the daemon from starting, named."""
        (self.base / "eyes.token").write_text("short")
        fault = self.assertRaises(StorageFault, keyring_of, self.config, os.urandom)
        self.assertIn("eyes.token", str(fault))


@implementer(IListeningPort)
class Port:
    """A port that is there already."""

    def __init__(self, address: IAddress) -> None:
        self._address = address

    def getHost(self) -> IAddress:
        """Where it listens."""
        return self._address

    def startListening(self) -> None:
        """It does."""

    def stopListening(self) -> None:
        """It goes on."""


class PlainRemoteTests(SynchronousTestCase):
    """Tests for `refuse_plain_remote`."""

    def test_table(self) -> None:
        """A port that others reach in plain text is refused, by the address it really has."""
        inherited = "systemd:domain=INET:index=0"
        for description, address, fine in (
            (inherited, IPv4Address("TCP", "127.0.0.1", 80), True),
            (inherited, IPv6Address("TCP", "::1", 80), True),
            (inherited, IPv4Address("TCP", "192.0.2.1", 80), False),
            (inherited, IPv6Address("TCP", "::", 80), False),
            ("tcp:80:interface=localhost", IPv4Address("TCP", "0.0.0.0", 80), False),
            ("ssl:443", IPv4Address("TCP", "0.0.0.0", 443), True),
            ("unix:x.sock", UNIXAddress("x.sock"), True),
        ):
            endpoint = PromptEndpoint(MemoryReactorClock(), description)
            endpoint.port = Port(address)
            with self.subTest(description=description, address=address):
                if fine:
                    refuse_plain_remote([endpoint])
                else:
                    error = self.assertRaises(StartFailed, refuse_plain_remote, [endpoint])
                    self.assertIn("allow_plain_remote", str(error))
