"""Jobs that are described elsewhere: metalinks, lists of checksums, links to duplicates."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobRecord, JobState, Verified
from tests.client.scripted import Exchange, File
from tests.client.world import URL, World

KIB = 1024
CONTENT = b"".join(n.to_bytes(4, "big") for n in range(64 * KIB))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WRONG = "0" * 64
META = "http://origin.test/file.bin.meta4"
MIRROR = "http://mirror.test/other-name.bin"


def metalink(
    *urls: str, name: str = "named.bin", size: int = len(CONTENT), more: str = ""
) -> bytes:
    """A document that describes `CONTENT`."""
    inner = "".join(f'<url priority="{n}">{url}</url>' for n, url in enumerate(urls, 1))
    return (
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
        f'<file name="{name}"><size>{size}</size>{more}{inner}</file></metalink>'
    ).encode()


HASH = f'<hash type="sha-256">{SHA256}</hash>'


class Routes:
    """An origin for several addresses; for what it does not have it answers 404."""

    def __init__(self, **files: File) -> None:
        self.files = files

    def __call__(self, exchange: Exchange) -> None:
        """Answer by the address."""
        served = self.files.get(exchange.url)
        if served is None:
            exchange.answer(404, {}, 0).finish()
        else:
            served(exchange)


def routes(files: dict[str, File]) -> Routes:
    """An origin with these files, by address."""
    return Routes(**files)


class DescribedCase(SynchronousTestCase):
    """Runs one job against several addresses."""

    def run_job(self, files: dict[str, File], **wishes: object) -> tuple[World, JobRecord]:
        """A job of those wishes, run to its end."""
        world = World(self)
        world.origin.script = routes(files)
        return world, world.run(**wishes)

    def assert_failed(self, record: JobRecord, code: str, *words: str) -> None:
        """It failed so, and the message has these words."""
        assert record.error is not None, record.state
        self.assertEqual((record.state, record.error.code), (JobState.FAILED, code), record.error)
        for word in words:
            self.assertIn(word, record.error.message)


class MetalinkTests(DescribedCase):
    """A job for a document becomes the job for what it describes."""

    def test_by_address(self) -> None:
        """Name, mirrors, size and checksum come from the document."""
        files = {META: File(metalink(MIRROR, URL, more=HASH)), MIRROR: File(CONTENT)}
        world, record = self.run_job(files, urls=(META,))
        self.assertEqual(record.state, JobState.COMPLETE)
        self.assertEqual(world.names(), ["named.bin"])
        self.assertEqual(world.octets("named.bin"), CONTENT)
        self.assertEqual((record.verified, record.digest), (Verified.CHECKSUM, f"sha-256={SHA256}"))
        self.assertEqual((record.spec.urls, record.spec.metalink), ((MIRROR, URL), META))

    def test_by_type(self) -> None:
        """An answer that turns out to be a document is followed, and not kept as the file."""
        served = File(
            metalink(MIRROR, more=HASH), extra={"Content-Type": "application/metalink4+xml"}
        )
        address = "http://origin.test/download?id=7"
        world, record = self.run_job({address: served, MIRROR: File(CONTENT)}, urls=(address,))
        self.assertEqual((record.state, record.spec.metalink), (JobState.COMPLETE, address))
        self.assertEqual(world.names(), ["named.bin"])
        self.assertEqual(world.octets("named.bin"), CONTENT)

    def test_the_document_itself(self) -> None:
        """Who asks for a name that ends like a document's gets the document."""
        document = metalink(MIRROR)
        world, record = self.run_job({META: File(document)}, urls=(META,), filename="f.meta4")
        self.assertEqual(record.state, JobState.COMPLETE)
        self.assertEqual(world.octets("f.meta4"), document)

    def test_next_mirror(self) -> None:
        """A mirror that has no such file, or one of another size, is passed over."""
        for first in ({}, {MIRROR: File(CONTENT + b"!")}):
            files = {META: File(metalink(MIRROR, URL, more=HASH)), URL: File(CONTENT), **first}
            world, record = self.run_job(files, urls=(META,))
            self.assertEqual(record.state, JobState.COMPLETE, record.error)
            self.assertEqual(world.octets("named.bin"), CONTENT)

    def test_wrong_octets(self) -> None:
        """The promised hash is checked like a checksum that was asked for."""
        bad = f'<hash type="sha-256">{WRONG}</hash>'
        files = {META: File(metalink(URL, more=bad)), URL: File(CONTENT)}
        world, record = self.run_job(files, urls=(META,))
        self.assert_failed(record, "checksum-mismatch")
        self.assertEqual(world.names(), ["named.bin.part"])

    def test_wishes_go_first(self) -> None:
        """A file name and a checksum that were asked for stay."""
        bad = f'<hash type="sha-256">{WRONG}</hash>'
        files = {META: File(metalink(URL, more=bad)), URL: File(CONTENT)}
        world, record = self.run_job(
            files, urls=(META,), filename="mine.bin", checksum=f"sha-256={SHA256}"
        )
        self.assertEqual(record.state, JobState.COMPLETE)
        self.assertEqual(world.names(), ["mine.bin"])

    def test_secrets_stay_at_home(self) -> None:
        """The job's own fields go to the origin that they were given for, and no mirror."""
        files = {META: File(metalink(MIRROR, more=HASH)), MIRROR: File(CONTENT)}
        world, _ = self.run_job(files, urls=(META,), headers={"Authorization": "secret"})
        sent = {x.url: x.asked("Authorization") for x in world.origin.exchanges}
        self.assertEqual(sent, {META: "secret", MIRROR: None})

    def test_no_use(self) -> None:
        """Nothing to fetch, several files and none chosen, no document at all."""
        two = metalink(URL).replace(
            b"</metalink>", b'<file name="b"><url>http://b/</url></file></metalink>'
        )
        table = {
            "no http address": metalink("ftp://x/y"),
            "describes 2 files": two,
            "is no metalink": b"<html></html>",
            "too many": b" " * (5 << 20),
        }
        for words, document in table.items():
            _, record = self.run_job({META: File(document)}, urls=(META,))
            self.assert_failed(record, "bad-description", words)

    def test_one_of_several(self) -> None:
        """The name that was asked for chooses among the files of a document."""
        two = metalink("http://origin.test/wrong", name="a.bin").replace(
            b"</metalink>", b'<file name="b.bin"><url>%s</url></file></metalink>' % URL.encode()
        )
        world, record = self.run_job(
            {META: File(two), URL: File(CONTENT)}, urls=(META,), filename="b.bin"
        )
        self.assertEqual(record.state, JobState.COMPLETE)
        self.assertEqual(world.octets("b.bin"), CONTENT)

    def test_no_document_of_documents(self) -> None:
        """A metalink that leads to a metalink is not followed without end."""
        second = "http://origin.test/second.meta4"
        document = metalink(second, size=7)
        _, record = self.run_job({META: File(document), second: File(document)}, urls=(META,))
        self.assert_failed(record, "bad-description", "the metalink says 7")

    def test_missing_document(self) -> None:
        """Its own fault is the job's."""
        _, record = self.run_job({}, urls=(META,))
        self.assert_failed(record, "not-found")


class SumsTests(DescribedCase):
    """A checksum that is the address of a list."""

    LIST = "http://sums.test/SHA256SUMS"

    def test_looked_up(self) -> None:
        """The line of the job's file is what the file is checked by."""
        octets = f"{WRONG}  other.bin\n{SHA256}  file.bin\n".encode()
        files = {self.LIST: File(octets), URL: File(CONTENT)}
        for checksum in (self.LIST, f"sha-256={self.LIST}"):
            _, record = self.run_job(files, checksum=checksum)
            self.assertEqual(record.state, JobState.COMPLETE, record.error)
            self.assertEqual(
                (record.verified, record.digest), (Verified.CHECKSUM, f"sha-256={SHA256}")
            )

    def test_name_asked_for(self) -> None:
        """A list may know the file by the name that was asked for."""
        files = {self.LIST: File(f"{SHA256}  nice.bin\n".encode()), URL: File(CONTENT)}
        _, record = self.run_job(files, checksum=self.LIST, filename="nice.bin")
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.CHECKSUM))

    def test_mismatch_reads_the_list_again(self) -> None:
        """After a mismatch the next try asks for the list anew: it may have been corrected."""
        world = World(self)
        world.origin.script = routes(
            {self.LIST: File(f"{WRONG}  file.bin\n".encode()), URL: File(CONTENT)}
        )
        record = world.run(checksum=self.LIST)
        self.assert_failed(record, "checksum-mismatch", WRONG)
        world.origin.script = routes(
            {self.LIST: File(f"{SHA256}  file.bin\n".encode()), URL: File(CONTENT)}
        )
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.CHECKSUM))

    def test_no_line(self) -> None:
        """Without a line nothing is fetched: the wish to check cannot be met."""
        world, record = self.run_job(
            {self.LIST: File(f"{SHA256}  other.bin\n".encode()), URL: File(CONTENT)},
            checksum=self.LIST,
        )
        self.assert_failed(record, "bad-description", "file.bin")
        self.assertEqual([x.url for x in world.origin.exchanges], [self.LIST])

    def test_too_long(self) -> None:
        """A list has a bound, whether it tells its length or not."""
        world, record = self.run_job({self.LIST: File(b"x" * (2 << 20))}, checksum=self.LIST)
        self.assert_failed(record, "bad-description", "too many")

        def endless(exchange: Exchange) -> None:
            exchange.answer(200, {}, None)
            for _ in range(40):
                exchange.send(b"x" * 65536)

        world = World(self)
        world.origin.script = endless
        self.assert_failed(world.run(checksum=self.LIST), "bad-description", "more than")
        self.assertTrue(world.origin.last.closed)

    def test_silent(self) -> None:
        """A list that does not come makes the job wait for a better time."""
        world = World(self)
        world.origin.script = lambda exchange: exchange.answer(200, {}, 100)
        job, ended = world.start(checksum=self.LIST)
        world.pass_time(11)
        self.successResultOf(ended)
        self.assertEqual(job.record.state, JobState.WAITING)
        self.assertTrue(world.origin.last.closed)


class DuplicatesTests(DescribedCase):
    """Mirrors that the first answer names (RFC 6249)."""

    LINK = f"<{MIRROR}>; rel=duplicate; pri=1"

    def digest(self, algorithm: str = "sha-256") -> str:
        octets = hashlib.new(algorithm.replace("-", ""), CONTENT).digest()
        return f"{algorithm}=:{b64encode(octets).decode()}:"

    def begin(self, fields: dict[str, str], mirror: File | None = None) -> World:
        """A job whose origin sends a little and falls silent, whose mirror has everything."""
        world = World(self, connections_per_host=1)
        origin = File(CONTENT, extra=fields)
        mirror = mirror or File(CONTENT, etag='"m"')

        def script(exchange: Exchange) -> None:
            if exchange.url == MIRROR:
                mirror(exchange)
            else:
                origin.up_to(4 * KIB, lambda _exchange: None)(exchange)

        world.origin.script = script
        world.start(segments=4)
        world.pass_time(5)
        return world

    def test_used(self) -> None:
        """With a digest of the whole file they help."""
        world = self.begin({"Link": self.LINK, "Repr-Digest": self.digest()})
        self.assertTrue(self.helped(world))
        world.pass_time(30)
        self.assertEqual(world.octets(), CONTENT)

    def test_not_used(self) -> None:
        """Without an active digest they must be ignored."""
        for fields in ({}, {"Repr-Digest": self.digest("md5")}):
            world = self.begin({"Link": self.LINK, **fields})
            self.assertNotIn(MIRROR, {x.url for x in world.origin.exchanges})

    def helped(self, world: World) -> bool:
        """Whether the mirror was asked for more than samples, which are unconditional."""
        return any(x.asked("If-Range") == '"m"' for x in world.origin.exchanges)

    def test_other_promise(self) -> None:
        """A mirror that promises another digest is not used, whatever its samples are."""
        other = b64encode(hashlib.sha256(b"").digest()).decode()
        mirror = File(CONTENT, etag='"m"', extra={"Repr-Digest": f"sha-256=:{other}:"})
        world = self.begin({"Link": self.LINK, "Repr-Digest": self.digest()}, mirror)
        self.assertIn(MIRROR, {x.url for x in world.origin.exchanges})
        self.assertFalse(self.helped(world))

    def test_not_for_ever(self) -> None:
        """They count for this run: the job's own addresses stay as they were asked for."""
        world = self.begin({"Link": self.LINK, "Repr-Digest": self.digest()})
        self.assertEqual({r.spec.urls for r in world.store.saved}, {(URL,)})
