"""Who may upload, and how everybody else is told."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import bcrypt
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.credentials import (
    basic_of,
    bearer_of,
    parse_htpasswd,
    parse_tokens,
    sha_hash,
)
from rangedaemon.errors import StorageFault
from rangedaemon.server.uploads import access
from rangedaemon.server.uploads.access import Admission, Gate
from rangedaemon.storage.threads import inline
from tests.server.uploads.case import CONTENT, Peer, UploadsServedCase
from tests.server.wire import Reply

TOKEN = "0123456789abcdefXYZ"
OTHER = "another-token-of-16"


def hashed(password: str) -> str:
    """As htpasswd -B makes it, but quick."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")


class FilesTests(SynchronousTestCase):
    """`rangedaemon.core.credentials`."""

    def test_tokens(self) -> None:
        """Lines of tokens and of digests; comments and blank lines are none."""
        digest = sha256(OTHER.encode()).hexdigest()
        found = parse_tokens(f"# who\n\nanna:{TOKEN}\n  bob : sha-256={digest.upper()}\n")
        self.assertEqual(
            found,
            {sha256(TOKEN.encode()).digest(): "anna", sha256(OTHER.encode()).digest(): "bob "},
        )

    def test_bad_tokens(self) -> None:
        """The line is named, its secret is not."""
        for text in ["anna", "anna:", "anna:short", ":" + TOKEN, "anna:sha-256=00", "anna:a b" * 9]:
            with self.subTest(text=text), self.assertRaises(ValueError) as caught:
                parse_tokens("ok:" + TOKEN + "\n" + text)
            self.assertIn("line 2", str(caught.exception))
            self.assertNotIn("short", str(caught.exception))

    def test_htpasswd(self) -> None:
        """Bcrypt and {SHA}; all else is refused by its line."""
        kept = hashed("x")
        found = parse_htpasswd(f"anna:{kept}\nbob:{sha_hash(b'password')}\n")
        self.assertEqual(found, {"anna": kept, "bob": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="})
        for text in ["carl:plain", "carl:$apr1$x$y", "carl:$6$abc$def", "carl:" + kept[:-1]]:
            with self.subTest(text=text), self.assertRaises(ValueError) as caught:
                parse_htpasswd(text)
            self.assertIn("line 1: only bcrypt", str(caught.exception))

    def test_fields(self) -> None:
        """Schemes in any case, one secret each."""
        self.assertEqual(bearer_of(f"bEARER {TOKEN}"), TOKEN)
        for text in [None, "", TOKEN, "Basic x", f"Bearer {TOKEN} x", f"Bearer {TOKEN}, x"]:
            self.assertIsNone(bearer_of(text))
        self.assertEqual(basic_of("basic YTpiOmM="), ("a", b"b:c"))
        for text in [
            None,
            "Basic",
            "Basic YWI=",
            "Basic !",
            "Bearer x",
            "Basic /zox",
            "Basic YTpi ",
        ]:
            self.assertIsNone(basic_of(text))

    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_any_field(self, text: str) -> None:
        """Whatever octets come, nothing breaks."""
        basic_of(f"Basic {text}")
        bearer_of(f"Bearer {text}")


class GateTests(SynchronousTestCase):
    """`Gate` at its start."""

    def test_files(self) -> None:
        """A file that is missing, or that cannot be used, is named; its content is not."""
        place = Path(self.mktemp())
        place.mkdir()
        (place / "bad").write_text("anna:secret")
        (place / "binary").write_bytes(b"\xff\xfe")
        for name, said in {"missing": "cannot read", "bad": "line 1", "binary": "binary"}.items():
            for key in ("tokens_file", "htpasswd_file"):
                gate = Gate(Admission(**{key: place / name}), None, inline)  # type: ignore[arg-type]
                with self.assertRaises(StorageFault) as caught:
                    gate.check_files()
                self.assertIn(said, caught.exception.detail)
                self.assertNotIn("secret", caught.exception.detail)


class AdmissionCase(UploadsServedCase):
    """A mount with tokens and passwords."""

    def setUp(self) -> None:
        place = Path(self.mktemp())
        place.mkdir()
        self.tokens, self.users = place / "tokens", place / "htpasswd"
        self.tokens.write_text(f"anna:{TOKEN}\nbob:{OTHER}\n")
        self.users.write_text(f"carl:{hashed('secret')}\n")
        self.admission = Admission(tokens_file=self.tokens, htpasswd_file=self.users)
        super().setUp()

    def as_(self, authorization: str | None, **fields: str | int) -> Reply:
        """A PUT with that field."""
        told = {} if authorization is None else {"authorization": authorization}
        return self.request("PUT", "/files/f", CONTENT, **told | fields)

    def basic(self, user: str, password: str) -> str:
        """The field of a user."""
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class AdmissionTests(AdmissionCase):
    """Who is let in."""

    def test_known(self) -> None:
        """Tokens and passwords; the file belongs to whose they are."""
        for field in [f"Bearer {TOKEN}", f"Bearer {OTHER}", self.basic("carl", "secret")]:
            self.assert_status(self.as_(field), 201)
        owners = [upload.scope.owner for upload in self.published]
        self.assertEqual(owners, ["anna", "bob", "carl"])

    def test_unknown(self) -> None:
        """Nothing, or something wrong: 401, and both ways are told."""
        for field in [
            None, "Bearer " + TOKEN[:-1], "Bearer", self.basic("carl", "wrong"), "Nonsense x",
        ]:  # fmt: skip
            reply = self.assert_status(self.as_(field), 401)
            told = reply.fields.get_all("WWW-Authenticate")
            self.assertEqual(
                told, ['Bearer realm="uploads"', 'Basic realm="uploads", charset="UTF-8"']
            )
        self.assertEqual(list(self.root.iterdir()), [])

    def test_reading(self) -> None:
        """Files are read, and abilities are told, without credentials."""
        self.put("there", b"content")
        self.assertEqual(self.request("GET", "/files/there").body, b"content")
        self.assert_status(self.request("OPTIONS", "/files"), 204)
        self.assert_status(self.request("HEAD", "/files/.uploads/tus/" + "0" * 32), 401)

    def test_revoked(self) -> None:
        """A line that is gone is void at once, without a start; a new one counts."""
        self.assert_status(self.as_(f"Bearer {TOKEN}"), 201)
        self.tokens.write_text(f"dora:{'d' * 20}\n")
        self.assert_status(self.as_(f"Bearer {TOKEN}"), 401)
        self.assert_status(self.as_(f"Bearer {'d' * 20}"), 201)

    def test_password_changed(self) -> None:
        """A password that was right is remembered, but not beyond its change."""
        right = self.basic("carl", "secret")
        self.assert_status(self.as_(right), 201)
        hashes = []
        self.patch(access, "fits_hash", lambda *args: hashes.append(args) or False)
        self.assert_status(self.as_(right), 201)
        self.assertEqual(hashes, [], "not hashed again")
        self.users.write_text(f"carl:{hashed('other')}\n")
        self.assert_status(self.as_(right), 401)
        self.assertEqual(len(hashes), 1)

    def test_broken_file(self) -> None:
        """A file that became unreadable lets nobody in."""
        self.tokens.write_text("nonsense")
        self.assert_status(self.as_(f"Bearer {TOKEN}"), 500)
        self.assertEqual(list(self.root.iterdir()), [])

    def test_scopes(self) -> None:
        """Nobody finds, goes on with, or ends another's upload."""
        reply = self.request(
            "POST", "/files", tus_resumable="1.0.0", upload_length=10,
            authorization=f"Bearer {TOKEN}",
        )  # fmt: skip
        path = reply.fields["Location"].removeprefix("http://h")
        for method in ["HEAD", "DELETE", "PATCH"]:
            told = {"tus_resumable": "1.0.0", "authorization": f"Bearer {OTHER}"}
            if method == "PATCH":
                told |= {"upload_offset": "0", "content_type": "application/offset+octet-stream"}
            self.assert_status(self.request(method, path, **told), 404)
        told = {"authorization": f"Bearer {TOKEN}"}
        self.assert_status(self.request("HEAD", path, **told), 200)

    def test_quota(self) -> None:
        """Each has its own: 507 for who is above, room for the other."""
        self.take(quota_per_owner=150)
        self.assert_status(self.as_(f"Bearer {TOKEN}"), 201)
        self.assert_status(self.as_(f"Bearer {TOKEN}"), 507)
        self.assert_status(self.as_(f"Bearer {OTHER}"), 201)

    def test_slower(self) -> None:
        """Wrong tokens are refused more and more slowly, right ones at once."""
        for _ in range(5):
            self.assert_status(self.as_("Bearer wrong"), 401)
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=0, authorization="Bearer wrong")
        self.assertEqual(peer.heard(), b"")
        self.assert_status(self.as_(f"Bearer {TOKEN}"), 201)
        self.clock.advance(2)
        self.assert_status(peer.reply("PUT"), 401)

    def test_early(self) -> None:
        """Nobody has to send a gigabyte to learn it."""
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=1 << 30)
        self.assert_status(peer.reply("PUT"), 401)


class SharingTests(UploadsServedCase):
    """Pages of other origins."""

    def test_preflight(self) -> None:
        """What a page may send and read."""
        self.take(cors=("https://app",))
        asked = {"origin": "https://app", "access_control_request_method": "PATCH"}
        reply = self.assert_status(self.request("OPTIONS", "/files/.uploads/tus/x", **asked), 204)
        self.assertEqual(reply.fields["Access-Control-Allow-Origin"], "https://app")
        self.assertIn("PATCH", reply.fields["Access-Control-Allow-Methods"])
        for name in ["Upload-Offset", "Tus-Resumable", "Authorization", "Upload-Metadata"]:
            self.assertIn(name, reply.fields["Access-Control-Allow-Headers"])
        reply = self.request(
            "POST", "/files", tus_resumable="1.0.0", upload_length=1, origin="https://app"
        )
        for name in ["Location", "Upload-Offset", "Upload-Expires"]:
            self.assertIn(name, reply.fields["Access-Control-Expose-Headers"])

    def test_others(self) -> None:
        """Other origins get nothing."""
        self.take(cors=("https://app",))
        asked = {"origin": "https://evil", "access_control_request_method": "PATCH"}
        reply = self.request("OPTIONS", "/files", **asked)
        self.assertNotIn("Access-Control-Allow-Methods", reply.fields)
