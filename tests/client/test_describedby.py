"""Links to descriptions: what they add, and that nothing hangs on them."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

from rangedaemon.client.describedby import MOST_DESCRIPTIONS
from rangedaemon.core.jobs import JobRecord, JobState, Verified
from rangedaemon.core.metalink_reading import MOST_OCTETS
from rangedaemon.core.transfer import Trigger
from tests.client.scripted import FULL, HOUR_LATER, Exchange, File
from tests.client.test_descriptions import (
    CONTENT,
    HASH,
    KIB,
    META,
    MIRROR,
    SHA256,
    WRONG,
    DescribedCase,
    metalink,
)
from tests.client.world import URL, World

PIECE = 64 * KIB
OTHER_META = "http://elsewhere.test/file.meta4"


def linked(*targets: str, digest: str | None = None) -> File:
    """The file, with links to descriptions."""
    links = ", ".join(
        f'<{t}>; rel=describedby; type="application/metalink4+xml"; pri={n}'
        for n, t in enumerate(targets, 1)
    )
    extra = {"Link": links}
    if digest is not None:
        extra["Repr-Digest"] = f"sha-256=:{b64encode(bytes.fromhex(digest)).decode()}:"
    return File(CONTENT, extra=extra)


def pieces(content: bytes = CONTENT) -> str:
    blocks = [content[at : at + PIECE] for at in range(0, len(content), PIECE)]
    hashes = "".join(f"<hash>{hashlib.sha256(block).hexdigest()}</hash>" for block in blocks)
    return f'<pieces type="sha-256" length="{PIECE}">{hashes}</pieces>'


class LinkedTests(DescribedCase):
    """What the description adds."""

    def assert_plain(self, record: JobRecord) -> None:
        """The file came, without anything of a description."""
        self.assertEqual((record.state, record.error), (JobState.COMPLETE, None))
        self.assertEqual((record.spec.metalink, record.spec.pieces), (None, None))
        self.assertEqual(record.spec.urls, (URL,))

    def test_taken_at_its_word(self) -> None:
        """Mirrors behind the address that was asked for, size, digest, pieces."""
        document = metalink(MIRROR, URL, name="named.bin", more=HASH + pieces())
        world, record = self.run_job({URL: linked(META), META: File(document)})
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.CHECKSUM))
        self.assertEqual((record.filename, world.octets()), ("file.bin", CONTENT))
        spec = record.spec
        self.assertEqual((spec.urls, spec.metalink), ((URL, MIRROR), META))
        self.assertEqual((spec.size, spec.checksum), (len(CONTENT), f"sha-256={SHA256}"))
        assert spec.pieces is not None
        self.assertEqual(spec.pieces.amount, len(CONTENT) // PIECE)

    def test_of_the_former_file(self) -> None:
        """Another file is not measured by what the former one's description promised."""
        world, other = World(self), bytes(reversed(CONTENT))
        former = {
            URL: replace(linked(META), modified=FULL).up_to(PIECE),
            META: File(metalink(URL, more=HASH + pieces())),
        }
        digest = hashlib.sha256(other).hexdigest()
        own = f'<hash type="sha-256">{digest}</hash>' + pieces(other)
        present = {
            URL: replace(linked(META), content=other, etag='"v2"', modified=HOUR_LATER),
            META: File(metalink(URL, more=own), etag='"v2"'),
        }
        world.origin.script = lambda exchange: former[exchange.url](exchange)
        record = world.run()
        self.assertEqual(
            (record.state, record.spec.checksum), (JobState.WAITING, f"sha-256={SHA256}")
        )
        world.origin.script = lambda exchange: present[exchange.url](exchange)
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 1))
        self.assertEqual((record.spec.checksum, world.octets()), (f"sha-256={digest}", other))

    def test_one_place_at_the_host(self) -> None:
        """The answer that links lets go of its place, which the document needs."""
        world = World(self, connections_per_host=1)
        files = {URL: linked(META), META: File(metalink(URL, more=HASH))}
        world.origin.script = lambda exchange: files[exchange.url](exchange)
        record = world.run()
        self.assertEqual((record.state, record.spec.metalink), (JobState.COMPLETE, META))

    def test_the_next_one(self) -> None:
        """Where the first document is missing, broken or contradicts, the second one counts."""
        good = metalink(URL, more=HASH)
        for bad in (
            None,
            File(b"<html>"),
            File(metalink(URL, more=HASH, size=5)),
            File(metalink(URL)),
            File(b" " * (MOST_OCTETS + 1)),
        ):
            with self.subTest(bad=bad and bad.content[:90]):
                files = {URL: linked(META, OTHER_META), OTHER_META: File(good)}
                if bad is not None:
                    files[META] = bad
                _, record = self.run_job(files)
                self.assertEqual(record.state, JobState.COMPLETE)
                self.assertEqual(record.spec.metalink, OTHER_META)

    def test_none_is_good(self) -> None:
        """The file comes without; no document is asked for twice, and not many."""
        targets = [f"http://origin.test/{n}.meta4" for n in range(9)]
        world, record = self.run_job({URL: linked(*targets)})
        self.assert_plain(record)
        asked = [x.url for x in world.origin.exchanges if x.url != URL]
        self.assertEqual(asked, targets[:MOST_DESCRIPTIONS])

    def test_promise_of_the_origin(self) -> None:
        """Its own digest goes first: a document with another one is done without."""
        content = CONTENT * 17
        digest = hashlib.sha256(content).hexdigest()
        served = File(content, extra=linked(META, digest=digest).extra)
        for told, taken in ((digest, True), (WRONG, False)):
            with self.subTest(told):
                document = metalink(URL, size=len(content), more=HASH.replace(SHA256, told))
                _, record = self.run_job({URL: served, META: File(document)})
                self.assertEqual(record.state, JobState.COMPLETE)
                self.assertEqual(record.verified, Verified.REPR_DIGEST)
                self.assertEqual(record.spec.metalink is not None, taken)

    def test_checksum_that_was_asked_for(self) -> None:
        """A document with another one says nothing of the file that is wanted."""
        content = CONTENT * 17
        checksum = "sha-256=" + hashlib.sha256(content).hexdigest()
        served = File(content, extra=linked(META).extra)
        document = File(metalink(URL, size=len(content), more=HASH))
        _, record = self.run_job({URL: served, META: document}, checksum=checksum)
        self.assertEqual((record.state, record.spec.metalink), (JobState.COMPLETE, None))

    def test_nothing_to_gain(self) -> None:
        """A small file that is promised and came with the first answer needs no document."""
        world, record = self.run_job({URL: linked(META, digest=SHA256)})
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.REPR_DIGEST))
        self.assertEqual(len(world.origin.exchanges), 1)

    def test_other_links(self) -> None:
        """Another type, another relation, another subject: not followed."""
        for link in (
            f'<{META}>; rel=describedby; type="application/pgp-signature"',
            f"<{META}>; rel=describedby",
            f'<{META}>; rel=alternate; type="application/metalink4+xml"',
            f'<{META}>; rel=describedby; type="application/metalink4+xml"; anchor="/other"',
        ):
            with self.subTest(link):
                files = {URL: File(CONTENT, extra={"Link": link})}
                world, record = self.run_job(files)
                self.assert_plain(record)
                self.assertEqual(len(world.origin.exchanges), 1)

    def test_silent_document(self) -> None:
        """The file waits a few seconds for it, no longer."""
        world = World(self)
        served = linked(META)
        world.origin.script = lambda x: served(x) if x.url == URL else None
        job, ended = world.start()
        world.pass_time(4)
        self.assertNoResult(ended)
        world.pass_time(2)
        self.successResultOf(ended)
        self.assert_plain(job.record)
        self.assertTrue(world.origin.exchanges[1].closed)


class OtherAddressesTests(DescribedCase):
    """A job whose first address is a metalink that cannot be had."""

    def test_another_metalink(self) -> None:
        """The next document is as good."""
        files = {OTHER_META: File(metalink(URL, more=HASH)), URL: File(CONTENT)}
        _, record = self.run_job(files, urls=(META, OTHER_META))
        self.assertEqual((record.state, record.spec.metalink), (JobState.COMPLETE, OTHER_META))

    def test_the_file_itself(self) -> None:
        """Without a document the other addresses are asked."""
        _, record = self.run_job({URL: File(CONTENT)}, urls=(META, URL), headers={"X-Key": "s"})
        self.assertEqual((record.state, record.spec.urls), (JobState.COMPLETE, (URL,)))
        self.assertEqual(record.spec.headers, {"X-Key": "s"})

    def test_headers_stay_at_home(self) -> None:
        """They were given for the first address' origin, and go to no other."""
        world, record = self.run_job(
            {MIRROR: File(CONTENT)}, urls=(META, MIRROR), headers={"X-Key": "s"}
        )
        self.assertEqual(record.state, JobState.COMPLETE)
        self.assertIsNone(world.origin.last.asked("X-Key"))


class StoppedTests(DescribedCase):
    """A job that is told to stop asks nobody else."""

    def assert_asked_once(self, answer: Callable[[Exchange], object], **wishes: object) -> None:
        world = World(self)
        world.origin.script = answer
        job, ended = world.start(**wishes)
        world.pass_time(1)
        asked = len(world.origin.exchanges)
        job.stop(Trigger.PAUSE)
        world.pass_time(1)
        self.successResultOf(ended)
        self.assertEqual(job.record.state, JobState.PAUSED)
        self.assertEqual(len(world.origin.exchanges), asked)

    def test_while_the_first_address_is_asked(self) -> None:
        """The mirrors are left alone."""
        self.assert_asked_once(lambda _: None, urls=(URL, MIRROR))

    def test_while_a_metalink_is_asked_for(self) -> None:
        """So is the next metalink, and so are the mirrors."""
        self.assert_asked_once(lambda _: None, urls=(META, OTHER_META, URL))

    def test_while_a_description_is_asked_for(self) -> None:
        """So is the next description."""
        served = linked(META, OTHER_META)
        self.assert_asked_once(lambda x: served(x) if x.url == URL else None)


class OutdatedTests(DescribedCase):
    """A digest belongs to the version that it was told of, not to the next one."""

    def edited(self, at: int) -> bytes:
        """The file with one other octet, which no sample need find."""
        return CONTENT[:at] + bytes([CONTENT[at] ^ 0xFF]) + CONTENT[at + 1 :]

    def cut(self, world: World, served: dict[str, File]) -> JobRecord:
        """A job that has half of the file, by the description of *served*."""
        former = {**served, URL: served[URL].up_to(len(CONTENT) // 2)}
        world.origin.script = lambda exchange: former[exchange.url](exchange)
        record = world.run()
        self.assertIs(record.state, JobState.WAITING)
        return record

    def described(self, content: bytes, etag: str) -> dict[str, File]:
        """A version without a date, and its description."""
        digest = f'<hash type="sha-256">{hashlib.sha256(content).hexdigest()}</hash>'
        served = replace(linked(META), content=content, etag=etag, modified=None)
        return {URL: served, META: File(metalink(URL, more=digest), etag=etag)}

    def go_on(self, world: World, record: JobRecord, served: dict[str, File]) -> JobRecord:
        """The job once more, against *served*."""
        world.origin.exchanges.clear()
        world.origin.script = lambda exchange: served[exchange.url](exchange)
        return world.run(world.again(record))

    def test_tag_moved_alone(self) -> None:
        """The same description for another tag: the part that is there is kept."""
        world = World(self)
        record = self.cut(world, self.described(CONTENT, '"v1"'))
        done = self.go_on(world, record, self.described(CONTENT, '"v2"'))
        self.assertEqual((done.state, done.verified), (JobState.COMPLETE, Verified.CHECKSUM))
        self.assertEqual((done.changes, done.refetched), (0, 0))
        self.assertEqual(world.octets(), CONTENT)

    def test_tag_moved_with_the_octets(self) -> None:
        """Another description: the file changed, whatever samples say of it."""
        world, other = World(self), self.edited(len(CONTENT) // 4 + 77)
        record = self.cut(world, self.described(CONTENT, '"v1"'))
        done = self.go_on(world, record, self.described(other, '"v2"'))
        self.assertEqual((done.state, done.verified), (JobState.COMPLETE, Verified.CHECKSUM))
        self.assertEqual((done.changes, done.refetched), (1, record.covered.total))
        self.assertEqual(world.octets(), other)

    def test_described_no_more(self) -> None:
        """Without a description the octets must tell, and the old digest counts no longer."""
        world, other = World(self), self.edited(len(CONTENT) - 5)
        record = self.cut(world, self.described(CONTENT, '"v1"'))
        served = {URL: File(other, etag='"v2"', modified=None)}
        done = self.go_on(world, record, served)
        self.assertEqual((done.state, done.verified), (JobState.COMPLETE, Verified.LENGTH))
        self.assertEqual((done.spec.checksum, done.changes), (None, 0))
        self.assertEqual(world.octets()[-9:], other[-9:])

    def test_promised_by_a_former_version(self) -> None:
        """A whole file that is not what a former version promised is no broken one."""
        for told in ("repr-digest", "description"):
            with self.subTest(told):
                self.assert_begun_again(told)

    def assert_begun_again(self, told: str) -> None:
        """The tag stays, the octets move: only the digest of the whole tells, at last."""
        world, other = World(self), self.edited(len(CONTENT) - 5)
        versions = []
        for content in (CONTENT, other):
            if told == "description":
                versions.append(self.described(content, '"v"'))
                continue
            promise = b64encode(hashlib.sha256(content).digest()).decode()
            extra = {"Repr-Digest": f"sha-256=:{promise}:"}
            versions.append({URL: File(content, etag='"v"', modified=None, extra=extra)})
        record = self.cut(world, versions[0])
        silent = {**versions[1], URL: replace(versions[1][URL], extra={})}
        asked: list[str] = []

        def script(exchange: Exchange) -> None:
            asked.append(exchange.url)
            (silent if len(asked) < 2 else versions[1])[exchange.url](exchange)

        world.origin.script = script
        done = world.run(world.again(record))
        self.assertEqual((done.state, done.changes), (JobState.COMPLETE, 1), done.error)
        self.assertEqual(world.octets(), other)

    def test_promise_that_stands(self) -> None:
        """A file that is not what its own origin promises still fails, fetched but once."""
        world = World(self)
        world.origin.script = linked(META, digest=WRONG)
        record = world.run()
        self.assert_failed(record, "checksum-mismatch", WRONG)
        self.assertEqual(record.refetched, len(CONTENT))
