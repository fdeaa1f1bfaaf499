"""
Whom to trust over TLS, who we are there, and which keys we know.

A pin is the SHA-256 of a public key (SPKI; RFC 7469 2.4) that the host's own certificate
must have.  It is asked for beside the usual checks, never in place of them, and before
a single octet of a request is sent.
"""

from __future__ import annotations

import ssl
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from rangedaemon.core.access import TlsTerms


def context_of(terms: TlsTerms | None) -> ssl.SSLContext:
    """Host names checked, TLS 1.2 or newer, and what *terms* say; their files are read once.

    :param terms: None: trust in the system's authorities, and we show no certificate.
    :raises OSError: a file cannot be read.
    """
    terms = terms or TlsTerms()
    context = ssl.create_default_context(cafile=terms.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if terms.client_cert is not None:
        context.load_cert_chain(terms.client_cert, terms.client_key)
    return context


def pin_of(certificate: bytes) -> str:
    """The SHA-256 of a certificate's public key, hexadecimal; the certificate is DER."""
    key = load_der_x509_certificate(certificate).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
