"""TLS on terms of its own, against a real nginx: authorities, client certificates, pins."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from tests.integration.nginx import Nginx, make_certificate
from tests.integration.reaching import ReachingCase


def pin(certificate: Path) -> str:
    """A certificate's pin, as ``openssl`` would print it."""
    key = load_pem_x509_certificate(certificate.read_bytes()).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha-256={b64encode(sha256(octets).digest()).decode()}"


class TlsTermsTests(ReachingCase):
    """Tests for the TLS keys of ``downloads.hosts``."""

    def attempt(self, nginx: Nginx, code: str | None, **said: Any) -> None:
        """Fetch with these terms: it works, or fails with *code*."""
        daemon = self.start({"hosts": [{"match": "127.0.0.1", **said}]})
        if code is None:
            self.fetches(daemon, nginx.url("file.bin"))
        else:
            self.refuses(daemon, code, nginx.url("file.bin"))
        daemon.terminate()

    def test_authorities_and_pins(self) -> None:
        """Trust as it is said, for those hosts alone; a pin comes on top of it."""
        nginx = self.make_nginx(self.root, tls=True)
        other = self.make_directory()
        make_certificate(other)
        ca = str(nginx.certificate)
        for code, said in (
            ("untrusted", {}),
            (None, {"ca_file": ca}),
            ("untrusted", {"ca_file": str(other / "cert.pem")}),
            (None, {"ca_file": ca, "pins": [pin(other / "cert.pem"), pin(nginx.certificate)]}),
            ("untrusted", {"ca_file": ca, "pins": [pin(other / "cert.pem")]}),
            ("untrusted", {"pins": [pin(nginx.certificate)]}),
        ):  # fmt: skip
            with self.subTest(said=list(said), code=code):
                self.attempt(nginx, code, **said)
        requests = [line for line in nginx.served() if "GET" in line]
        self.assertTrue(all(" 206 " in line or " 200 " in line for line in requests), requests)

    def test_client_certificate(self) -> None:
        """Who has none is not let in; who has one, from one file or two, is."""
        mine = self.make_directory()
        make_certificate(mine)
        certificate, key = mine / "cert.pem", mine / "key.pem"
        both = self.secret("both.pem", certificate.read_text() + key.read_text())
        more = f"ssl_client_certificate {certificate}; ssl_verify_client on;"
        nginx = self.make_nginx(self.root, tls=True, more=more)
        ca = {"ca_file": str(nginx.certificate)}
        self.attempt(nginx, "bad-response", **ca)
        self.attempt(nginx, None, **ca, client_cert=str(certificate), client_key=str(key))
        self.attempt(nginx, None, **ca, client_cert=both)

    def test_name(self) -> None:
        """A trusted certificate of another host is not trusted."""
        nginx = self.make_nginx(self.root, tls=True)
        daemon = self.start({"hosts": [{"match": "*", "ca_file": str(nginx.certificate)}]})
        self.fetches(daemon, f"https://localhost:{nginx.port}/file.bin")
        self.refuses(daemon, "untrusted", f"https://127.1:{nginx.port}/file.bin")
