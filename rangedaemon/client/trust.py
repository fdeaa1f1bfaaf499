"""
Whom to trust over TLS, who we are there, and which keys we know.

A pin is the SHA-256 of a public key (SPKI; RFC 7469 2.4) that the host's own certificate
must have.  It is asked for beside the usual checks, never in place of them, and before
a single octet of a request is sent.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from rangedaemon.core.access import TlsTerms

_NO_PARTIAL_WILDCARDS = 0x4
"""X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS: a star stands for a whole label (RFC 9525, 6.3)."""
_OF_ANOTHER = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""


def context_of(terms: TlsTerms | None) -> SSL.Context:
    """Host names checked, TLS 1.2 or newer, and what *terms* say; their files are read once.

    :param terms: None: trust in the system's authorities, and we show no certificate.
    :raises OSError: a file cannot be read.
    """
    terms = terms or TlsTerms()
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_protos([b"http/1.1"])
    context.set_verify(SSL.VERIFY_PEER)
    if terms.ca_file is not None:
        with _reading(terms.ca_file):
            context.load_verify_locations(terms.ca_file)
    else:
        _trust_as_the_system(context)
    if terms.client_cert is not None:
        _show(context, terms.client_cert, terms.client_key or terms.client_cert)
    return context


def _trust_as_the_system(context: SSL.Context) -> None:
    """
    As the standard library does, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` heeded.

    The library that decrypts may have been built to look elsewhere.
    """
    paths = ssl.get_default_verify_paths()
    for file, directory in ((paths.cafile, None), (None, paths.capath)):
        if file or directory:
            with suppress(SSL.Error):  # nothing that could be trusted is in it
                context.load_verify_locations(file, directory)


def _show(context: SSL.Context, certificate: str, key: str) -> None:
    with _reading(certificate):
        context.use_certificate_chain_file(certificate)
    with _reading(key):
        context.use_privatekey_file(key)
        context.check_privatekey()


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """:raises OSError: *path* cannot be read, or holds nothing of use."""
    with Path(path).open("rb"):
        pass
    try:
        yield
    except SSL.Error as error:
        raise ssl.SSLError(f"{path}: {words_of(error)}") from error


def words_of(error: SSL.Error) -> str:
    """What OpenSSL says."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(entry[-1]) for entry in entries) or str(error) or "no reason was given"


def insist_on(tls: SSL.Connection, host: str) -> None:
    """Have the handshake of *tls* refuse whoever has no certificate for *host*.

    :param host: a name, in ASCII, or an address.
    """
    try:
        address = ip_address(host).packed
    except ValueError:
        name = host.encode("ascii")
        tls.set_tlsext_host_name(name)
        done = lib.X509_VERIFY_PARAM_set1_host(_rules(tls), name, len(name))
    else:
        done = lib.X509_VERIFY_PARAM_set1_ip(_rules(tls), address, len(address))
    if done != 1:
        raise ssl.SSLError(f"no certificate can be for {host!r}")
    lib.X509_VERIFY_PARAM_set_hostflags(_rules(tls), _NO_PARTIAL_WILDCARDS)


def _rules(tls: SSL.Connection) -> object:
    return lib.SSL_get0_param(tls._ssl)  # noqa: SLF001 - pyOpenSSL has no call for a host


def refusal_of(tls: SSL.Connection, host: str) -> ssl.SSLCertVerificationError | None:
    """Why the peer's certificate was refused; None: it was not, or none has come."""
    code = lib.SSL_get_verify_result(tls._ssl)  # noqa: SLF001 - as above
    if code == lib.X509_V_OK:
        return None
    words = ffi.string(lib.X509_verify_cert_error_string(code)).decode("ascii", "replace")
    refusal = ssl.SSLCertVerificationError(1, f"certificate verify failed: {words}")
    of_another = f", certificate is not valid for {host!r}" if code in _OF_ANOTHER else ""
    refusal.verify_code, refusal.verify_message = code, f"{words}{of_another}"
    return refusal


def shown_by(tls: SSL.Connection) -> bytes | None:
    """The peer's certificate, DER; None: it has shown none."""
    certificate = tls.get_peer_certificate()
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) if certificate else None


def pin_of(certificate: bytes) -> str:
    """The SHA-256 of a certificate's public key, hexadecimal; the certificate is DER."""
    key = load_der_x509_certificate(certificate).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
