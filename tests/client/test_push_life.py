"""Stories of one upload: `rangedaemon.client.push` with a server in memory, a real disk."""

from __future__ import annotations

import hashlib
from base64 import b64decode

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobState, Verified
from rangedaemon.core.repeats import Repeat
from tests.client.pushworld import KIB, MIB, NAME, PushWorld, pattern

S = JobState
CONTENT = pattern(600 * KIB)
PROTOCOLS = ("tus", "ietf", "segmented")


class WholeLifeTests(SynchronousTestCase):
    """An upload that meets no difficulty."""

    def test_each_protocol(self) -> None:
        """The server has the file, every state was journaled, nothing was sent twice."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                world = PushWorld(self, CONTENT)
                record = world.push(protocol=protocol)
                self.assertEqual(record.error, None)
                self.assertEqual(
                    world.store.states(record.id), [S.PROBING, S.ACTIVE, S.VERIFYING, S.COMPLETE]
                )
                self.assertTrue(world.receiver.whole() == [CONTENT])
                self.assertEqual(world.receiver.received, len(CONTENT))
                self.assertEqual(
                    (record.size, record.covered.total, record.refetched, record.verified),
                    (len(CONTENT), len(CONTENT), 0, Verified.LENGTH),
                )
                self.assertTrue(world.octets(NAME) == CONTENT)

    def test_turns(self) -> None:
        """One that repeats looks at its file: the same is not pushed again, another one is."""
        world = PushWorld(self, CONTENT)
        first = world.push(repeat=Repeat(every=3600.0))
        self.assertEqual((first.state, first.verified), (S.WAITING, Verified.LENGTH))
        self.assertEqual((first.retry_at or 0) - (first.finished or 0), 3600.0)
        seen = len(world.receiver.seen)
        second = world.push(world.again(first))
        self.assertEqual((second.state, second.finished), (S.WAITING, first.finished))
        self.assertEqual(len(world.receiver.seen), seen)
        world.file.write_bytes(CONTENT[::-1])
        third = world.push(world.again(second))
        self.assertEqual((third.state, third.error), (S.WAITING, None))
        self.assertTrue(world.receiver.whole() == [CONTENT, CONTENT[::-1]])
        world.file.unlink()
        fourth = world.push(world.again(third))
        self.assertEqual(fourth.state, S.WAITING)
        self.assertEqual(fourth.error and fourth.error.code, "file-missing")

    def test_empty_file(self) -> None:
        """No octets are a file too, in each protocol."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                world = PushWorld(self, b"")
                self.assertIs(world.push(protocol=protocol).state, S.COMPLETE)
                self.assertTrue(world.receiver.whole() == [b""])

    def test_segments_in_parallel(self) -> None:
        """Segments go over several connections at once, each once."""
        content = pattern(20 * MIB)
        world = PushWorld(self, content)
        record = world.push(protocol="segmented", segments=4)
        self.assertEqual((record.state, record.error), (S.COMPLETE, None))
        self.assertTrue(world.receiver.whole() == [content])
        self.assertEqual(world.receiver.received, len(content))
        self.assertEqual(world.endpoints.connections, 4)

    def test_parts_where_the_server_joins_them(self) -> None:
        """With concatenation a large file goes in parts, and becomes one file at the end."""
        content = pattern(20 * MIB)
        world = PushWorld(self, content)
        world.receiver.offer = {"Tus-Version": "1.0.0", "Tus-Extension": "creation,concatenation"}
        record = world.push(protocol="auto", segments=8, metadata={"caption": "x"})
        self.assertEqual((record.state, record.error), (S.COMPLETE, None))
        self.assertTrue(world.receiver.whole() == [content])
        partial = [u for u in world.receiver.uploads.values() if u.partial]
        self.assertEqual([u.length for u in partial], [10 * MIB, 10 * MIB])
        final = world.receiver.asked("POST")[-1].fields
        self.assertTrue(final["upload-concat"].startswith("final;"))
        self.assertIn("caption", final["upload-metadata"])

    def test_parts_only_where_the_server_joins_them(self) -> None:
        """Without concatenation the file goes in one stream."""
        world = PushWorld(self, pattern(20 * MIB))
        world.receiver.offer = {"Tus-Version": "1.0.0", "Tus-Extension": "creation"}
        self.assertIs(world.push(protocol="auto", segments=8).state, S.COMPLETE)
        self.assertEqual(len(world.receiver.uploads), 1)

    def test_what_the_server_is_told(self) -> None:
        """Name, type and length, in the words of each protocol; the job's own fields."""
        told = {}
        for protocol in PROTOCOLS:
            world = PushWorld(self, CONTENT)
            world.push(protocol=protocol, headers={"Authorization": "Bearer key"})
            self.assertTrue(
                all(s.fields["authorization"] == "Bearer key" for s in world.receiver.seen)
            )
            told[protocol] = world.receiver.asked("POST")[0].fields
        values = dict(pair.split() for pair in told["tus"]["upload-metadata"].split(","))
        self.assertEqual(b64decode(values["filename"]).decode(), NAME)
        self.assertEqual(b64decode(values["filetype"]).decode(), "video/mp4")
        self.assertEqual(told["ietf"]["upload-length"], str(len(CONTENT)))
        self.assertEqual(told["ietf"]["upload-complete"], "?0")
        self.assertEqual(told["ietf"]["content-disposition"], f'inline; filename="{NAME}"')
        self.assertEqual(told["segmented"]["x-session-id"], "secret0")
        self.assertEqual(
            told["segmented"]["x-content-range"], f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
        )

    def test_checksum(self) -> None:
        """The local file is compared first; the draft's server gets the digest too."""
        digest = hashlib.sha256(CONTENT).hexdigest()
        world = PushWorld(self, CONTENT)
        record = world.push(protocol="ietf", checksum=f"sha-256={digest}")
        self.assertEqual((record.state, record.verified), (S.COMPLETE, Verified.CHECKSUM))
        sent = world.receiver.asked("POST")[0].fields["repr-digest"]
        self.assertEqual(b64decode(sent.removeprefix("sha-256=:").removesuffix(":")).hex(), digest)

    def test_checksum_of_another_file(self) -> None:
        """Nothing leaves where the local file is not the one that is meant."""
        world = PushWorld(self, CONTENT)
        record = world.push(checksum=f"sha-256={'0' * 64}")
        self.assertIs(record.state, S.FAILED)
        assert record.error is not None
        self.assertEqual(record.error.code, "checksum-mismatch")
        self.assertEqual(world.receiver.seen, [])

    def test_most_of_one_request(self) -> None:
        """A server's limit on what one request may append is kept."""
        world = PushWorld(self, CONTENT)
        world.receiver.created_fields = {"Upload-Limit": "max-append-size=100000"}
        self.assertIs(world.push(protocol="ietf").state, S.COMPLETE)
        sizes = [seen.received for seen in world.receiver.asked("PATCH")]
        self.assertEqual((max(sizes), sum(sizes)), (100000, len(CONTENT)))
