"""Integrity to the end: a real daemon, its own server, and an origin that damages octets."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import pytest

from tests.hostile import HostileOrigin, content, write_content
from tests.hostile.content import digest
from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.daemon import DaemonProcess

pytestmark = pytest.mark.integration

MIB = 1 << 20
SIZE = 8 * MIB
PIECE = 256 * 1024
CUT_SHORT = 4 * MIB
"""Octets that the origin may have sent into the buffers of connections that were cut."""
SHA256 = digest(1, SIZE).hex()


class IntegrityCase(IntegrationCase):
    """One daemon that serves ``/files`` and downloads, and one hostile origin."""

    origin: ClassVar[HostileOrigin]
    daemon: ClassVar[DaemonProcess]
    served: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        directory = Path(tempfile.mkdtemp(prefix="rangedaemon-test-"))
        cls.addClassCleanup(shutil.rmtree, directory, ignore_errors=True)
        cls.served = directory / "files"
        cls.served.mkdir()
        cls.origin = HostileOrigin()
        cls.addClassCleanup(cls.origin.close)
        sections = {
            "server": {"mounts": [{"path": "/files", "root": "files", "metalink": True}]},
            "downloads": {
                "segments": 4,
                "min_segment_size": "256KiB",
                "stall_timeout": "10s",
                "retry": FAST_RETRY,
            },
        }
        cls.daemon = DaemonProcess(directory, sections)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()

    def own(self, name: str) -> str:
        """The address of a file that the daemon itself serves."""
        return f"http://127.0.0.1:{self.daemon.file_port}/files/{quote(name)}"

    def bad(self, faults: str) -> str:
        """The address of this test's file at the hostile origin, with *faults*."""
        return self.origin.url(f"/{faults}/{self._testMethodName}.bin?size={SIZE}")

    def complete(self, url: str, **wishes: object) -> Job:
        """The job when it is complete; every octet of its file is right."""
        job = self.daemon.api.add(url, **wishes)
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        return done

    def failed(self, url: str, **wishes: object) -> Job:
        """The job when it has failed; nothing has its final name."""
        job = self.daemon.api.add(url, **wishes)
        done = self.daemon.api.wait_for(job["id"], "failed")
        if done["path"] is not None:
            self.assertFalse(Path(done["path"]).exists())
        return done

    def write_metalink(self, *urls: str, whole: str = "") -> str:
        """Serve a document that describes the content by its pieces; its address."""
        name = f"{self._testMethodName}.bin"
        pieces = "".join(
            f"<hash>{hashlib.sha256(content(1, at, min(PIECE, SIZE - at))).hexdigest()}</hash>"
            for at in range(0, SIZE, PIECE)
        )
        listed = "".join(
            f'<url priority="{n}">{url.replace("&", "&amp;")}</url>'
            for n, url in enumerate(urls, 1)
        )
        (self.served / f"{name}.meta4").write_text(
            '<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">'
            f'<file name="{name}"><size>{SIZE}</size>{whole}'
            f'<pieces type="sha-256" length="{PIECE}">{pieces}</pieces>{listed}</file></metalink>'
        )
        return self.own(f"{name}.meta4")


class BothEndsTests(IntegrityCase):
    """Our client and our server."""

    def test_metalink_of_our_own_server(self) -> None:
        """The server describes its file, the client becomes the download of what is described."""
        write_content(self.served / "own é.bin", 1, SIZE)
        done = self.complete(self.own("own é.bin.meta4"))
        self.assertEqual((done["verified"], done["checksum"]), ("checksum", f"sha-256={SHA256}"))
        self.assertEqual(done["filename"], "own é.bin")
        self.assertEqual(done["size"], SIZE)
        self.assertLess(done["refetched"], SIZE // 10)

    def test_digest_of_our_own_server(self) -> None:
        """The server tells the digest that the client would like, and the client checks it."""
        write_content(self.served / "digest.bin", 1, SIZE)
        done = self.complete(self.own("digest.bin"))
        self.assertEqual((done["verified"], done["checksum"]), ("repr-digest", f"sha-256={SHA256}"))

    def test_list_of_checksums(self) -> None:
        """``checksum`` may be the address of a ``SHA256SUMS``."""
        write_content(self.served / "summed.bin", 1, SIZE)
        sums = f"{'0' * 64}  other.bin\n{SHA256} *summed.bin\n"
        (self.served / "SHA256SUMS").write_text(sums)
        done = self.complete(self.own("summed.bin"), checksum=self.own("SHA256SUMS"))
        self.assertEqual((done["verified"], done["checksum"]), ("checksum", f"sha-256={SHA256}"))

    def test_list_without_a_line(self) -> None:
        """A list that does not know the file ends the job before anything is fetched."""
        (self.served / "MD5SUMS").write_text("nothing\n")
        done = self.failed(self.own("x.bin"), checksum=f"md5={self.own('MD5SUMS')}")
        self.assertEqual(done["error"]["code"], "bad-description")
        self.assertEqual(done["error"]["url"], self.own("MD5SUMS"))


class DamageTests(IntegrityCase):
    """An origin whose octets change on the way."""

    def test_bad_piece_from_another_source(self) -> None:
        """A source that always damages one octet: that piece comes from the other."""
        flip = 5 * MIB + 12345
        bad, good = self.bad(f"flip={flip}"), self.bad("date=fixed")
        done = self.complete(self.write_metalink(bad, good))
        self.assertEqual(done["verified"], "pieces")
        self.assertTrue(PIECE <= done["refetched"] <= 8 * PIECE, done["refetched"])

    def test_bad_piece_once(self) -> None:
        """A piece that was damaged on the way comes again, alone."""
        path = f"flip={5 * MIB}~first1"
        done = self.complete(self.write_metalink(self.bad(path)))
        self.assertEqual(done["verified"], "pieces")
        sent = self.origin.ledger.octets(f"/{path}/{self._testMethodName}.bin")
        self.assertLess(sent, SIZE + PIECE + CUT_SHORT)

    def test_bad_piece_always(self) -> None:
        """The only source is bad for good: the job says which octets never came right."""
        done = self.failed(self.write_metalink(self.bad(f"flip={5 * MIB}")))
        self.assertEqual(done["error"]["code"], "checksum-mismatch")
        self.assertIn(str(5 * MIB), done["error"]["message"])
        # four deliveries of the piece, each of which others may race for, and what was cut
        self.assertTrue(3 * PIECE <= done["refetched"] <= 12 * PIECE, done["refetched"])

    def test_lying_digest(self) -> None:
        """An origin whose octets are not those of its Repr-Digest gives no file."""
        done = self.failed(self.bad("digest=wrong"))
        self.assertEqual(done["error"]["code"], "checksum-mismatch")

    def test_digest_finds_damage(self) -> None:
        """A damaged octet does not pass where the origin tells a digest of the whole."""
        done = self.failed(self.bad(f"digest=right/flip={3 * MIB}"))
        self.assertEqual(done["error"]["code"], "checksum-mismatch")

    def test_part_digest(self) -> None:
        """With a digest of each part the damaged part alone comes again."""
        done = self.complete(self.bad(f"atmost=1MiB/partdigest/flip={3 * MIB + 5}~first6"))
        self.assertTrue(0 < done["refetched"] <= 4 * MIB, done["refetched"])

    def test_part_digest_slow(self) -> None:
        """Nobody takes over the rest of a slow part: only all of it can be held to its digest."""
        faults = "atmost=2MiB/partdigest/rate=1MiB~first1/flip=5~first1"
        done = self.complete(self.bad(faults))
        self.assertTrue(0 < done["refetched"] <= 2 * MIB, done["refetched"])

    def test_part_digest_kept(self) -> None:
        """Parts that are as promised cost nothing."""
        done = self.complete(self.bad("atmost=1MiB/partdigest"))
        self.assertLessEqual(done["refetched"], MIB)

    def test_kill_in_the_middle(self) -> None:
        """After a kill what is there is checked by its pieces, and the rest is fetched."""
        name = f"{self._testMethodName}.bin"
        slow = self.origin.url(f"/rate=1MiB/{name}?size={SIZE}")
        job = self.daemon.api.add(self.write_metalink(slow))
        self.daemon.api.wait_received(job["id"], 2 * MIB)
        self.daemon.kill()
        part = self.daemon.downloads / f"{name}.part"
        with part.open("r+b") as file:
            file.seek(MIB // 4)
            file.write(b"somebody was here")
        self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assertEqual(done["verified"], "pieces")
        self.assert_file(done["path"], 1, SIZE)
        self.assertLess(self.origin.ledger.octets(f"/rate=1MiB/{name}"), SIZE + 3 * MIB)
