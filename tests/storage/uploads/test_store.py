"""Tests for `rangedaemon.storage.uploads.store`: what is created, written, finished."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.uploadfaults import (
    AlreadyFinished,
    DigestMismatch,
    NameRefused,
    NotAPart,
    OffsetMismatch,
    Preempted,
    TooLong,
    UnknownAlgorithm,
    UnknownUpload,
    UploadBusy,
    UploadGone,
)
from rangedaemon.core.uploads import Scope, UploadProtocol, Wish
from tests.storage.uploads.case import SEGMENTED, TUS, Heard, UploadsCase, octets


class CreateTests(UploadsCase):
    """Tests for `create` and `find`."""

    def test_told_again(self) -> None:
        """What was wished is found again, by another life of the daemon too."""
        wish = Wish(
            "a b.iso",
            length=7,
            media_type="text/plain",
            metadata={"k": "v", "empty": "", "odd": "\udcff"},
            partial=True,
            digest="md5=" + "0" * 32,
        )
        upload = self.now(self.store.create(TUS, wish))
        self.reopen()
        self.assertEqual(self.find(upload), upload)
        self.assertEqual((upload.name, upload.length, upload.offset), ("a b.iso", 7, 0))
        self.assertEqual((upload.metadata, upload.media_type), (wish.metadata, "text/plain"))
        self.assertTrue(upload.partial)

    def test_no_octet_no_file(self) -> None:
        """A file is made with the first octet, not before."""
        upload = self.create(3)
        self.assertEqual(self.parts(), [])
        self.send(upload, b"abc")
        self.assertEqual(self.parts(), [upload.file])

    def test_other_scopes_see_nothing(self) -> None:
        """Neither another user, nor another protocol or mount finds it."""
        upload = self.create(scope=replace(TUS, owner="anna"))
        for scope in (
            TUS,
            replace(TUS, owner="berta"),
            replace(TUS, owner="anna", mount="/other"),
            Scope("/files", UploadProtocol.IETF, "anna"),
        ):
            with self.subTest(scope):
                self.failing(UnknownUpload, self.store.find(scope, upload.id))

    def test_ids_that_can_be_none(self) -> None:
        """What is no id is unknown, not an error."""
        for name in ("", "x", "../../etc/passwd", "A" * 32, "0" * 33):
            with self.subTest(name):
                self.failing(UnknownUpload, self.store.find(TUS, name))

    def test_unknown_mount(self) -> None:
        """A mount that takes no uploads has none."""
        scope = replace(TUS, mount="/elsewhere")
        self.failing(UnknownUpload, self.store.create(scope, Wish("x")))

    def test_id_of_client(self) -> None:
        """The same id of two users is two uploads, and cannot be taken twice by one."""
        anna, berta = replace(SEGMENTED, owner="anna"), replace(SEGMENTED, owner="berta")
        self.send(self.create(2, anna, id="1"), b"aa")
        other = self.create(2, berta, id="1")
        self.assertEqual(self.find(other).arrived, IntervalSet())
        self.failing(UploadBusy, self.store.create(anna, Wish("x", id="1", length=3)))

    def test_id_by_whom(self) -> None:
        """Ids are made by the one who makes them in that protocol."""
        self.failing(UnknownUpload, self.store.create(SEGMENTED, Wish("x", length=1)))
        self.failing(UnknownUpload, self.store.create(TUS, Wish("x", id="0" * 32)))

    def test_names(self) -> None:
        """Names that hide or have nothing in them are refused, paths are cut off."""
        for name in ("", ".", "..", "/", ".htaccess", "x/.ssh"):
            with self.subTest(name):
                self.failing(NameRefused, self.store.create(TUS, Wish(name)))
        self.assertEqual(self.create(name="../../etc/pass\0wd").name, "passwd")
        self.reopen(hidden_files=True)
        self.assertEqual(self.create(name=".htaccess").name, ".htaccess")

    def test_directories(self) -> None:
        """A directory has to be there, below the root, and no link."""
        (self.root / "sub").mkdir()
        (self.root / "link").symlink_to(self.directory)
        for segments in (("..",), ("no",), ("link",), ("sub", ".."), (".hidden",), ("a/b",)):
            with self.subTest(segments):
                wish = Wish("x", directory=segments)
                self.failing(NameRefused, self.store.create(TUS, wish))
        upload = self.create(1, directory=("sub",))
        done = self.now(self.store.finish(self.send(upload, b"x")))
        self.assertEqual(done.path, self.root / "sub" / "file.iso")

    def test_too_long(self) -> None:
        """A length above what the mount takes is refused at once."""
        self.reopen(max_size=10)
        self.failing(TooLong, self.store.create(TUS, Wish("x", length=11)))
        self.create(10)


class WriteTests(UploadsCase):
    """Tests for `write` and its writers."""

    def test_in_pieces(self) -> None:
        """What was committed is there, in whatever pieces it came."""
        content = octets(700_000)
        upload = self.create(len(content))
        self.send(upload, content[:1])
        self.send(upload, content[1:300_000], 1)
        self.reopen()
        self.assertEqual(self.find(upload).offset, 300_000)
        upload = self.send(upload, content[300_000:], 300_000)
        self.assertTrue(upload.whole)
        self.now(self.store.finish(upload))
        self.assertEqual(self.files(), {"file.iso": content})

    def test_small_blocks(self) -> None:
        """Many small blocks between large ones come in their order."""
        content = octets(300_000)
        upload = self.create(len(content))
        writer = self.write(upload, 0)
        at = 0
        for size in [1, 2, 3000, 1, 2047, 2048, 2049] * 43:
            writer.push(content[at : at + size])
            at += size
        writer.push(content[at:])
        self.now(self.store.finish(self.now(writer.commit())))
        self.assertEqual(self.files(), {"file.iso": content})

    def test_lost_connection(self) -> None:
        """What came before it was lost is kept."""
        upload = self.create()
        writer = self.write(upload, 0, count=10)
        writer.push(b"0123")
        self.assertEqual(self.now(writer.abandon()).offset, 4)
        self.assertEqual(self.find(upload).offset, 4)

    def test_checkpoints(self) -> None:
        """While octets come they are committed now and then, and that is told."""
        heard = Heard()
        upload = self.create()
        writer = self.write(upload, 0, heard.ears)
        writer.push(b"0123")
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual((heard.committed, self.find(upload).offset), ([4], 4))
        self.reopen()
        self.assertEqual(self.find(upload).offset, 4)

    def test_wrong_offset(self) -> None:
        """Octets in order go on where the upload ends; the fault tells where that is."""
        upload = self.send(self.create(), b"0123")
        fault = self.failing(OffsetMismatch, self.store.write(upload, 3))
        self.assertEqual((fault.expected, fault.provided), (4, 3))
        self.failing(OffsetMismatch, self.store.write(upload, 5))

    def test_longer_than_declared(self) -> None:
        """A run that would go behind the length is refused, or cut where it does."""
        upload = self.create(4)
        self.failing(TooLong, self.store.write(upload, 0, count=5))
        heard = Heard()
        writer = self.write(upload, 0, heard.ears)
        writer.push(b"012345")
        writer.push(b"6")
        self.assertEqual([type(f) for f in heard.faults], [TooLong])
        self.failing(TooLong, writer.commit())
        self.assertEqual(self.find(upload).arrived.total, 4)

    def test_deferred_is_bounded(self) -> None:
        """An upload without a length ends where the mount's limit is."""
        self.reopen(max_size=5)
        upload = self.create(None)
        writer = self.write(upload, 0)
        writer.push(b"0123456")
        self.failing(TooLong, writer.commit())
        self.assertEqual(self.find(upload).offset, 5)

    def test_newer_request_takes_over(self) -> None:
        """The older writer is told, and what it brought counts for the newer one."""
        heard = Heard()
        upload = self.create()
        older = self.write(upload, 0, heard.ears)
        older.push(b"0123")
        self.failing(OffsetMismatch, self.store.write(upload, 0))
        self.assertEqual([type(f) for f in heard.faults], [Preempted])
        newer = self.write(upload, 4)
        older.push(b"xxx")
        newer.push(b"456789")
        self.assertTrue(self.now(newer.commit()).whole)
        self.failing(Preempted, older.commit())
        self.assertEqual(self.now(older.abandon()).offset, 4)
        self.now(self.store.finish(upload))
        self.assertEqual(self.files(), {"file.iso": b"0123456789"})

    def test_asking_takes_over(self) -> None:
        """Who asks for the offset with that wish gets one that stays true."""
        upload = self.create()
        writer = self.write(upload, 0)
        writer.push(b"0123")
        self.assertEqual(self.find(upload).offset, 0)
        found = self.now(self.store.find(TUS, upload.id, preempt=True))
        self.assertEqual(found.offset, 4)
        self.failing(Preempted, writer.commit())

    def test_after_the_end(self) -> None:
        """A finished upload takes nothing; a joined one never does."""
        upload = self.send(self.create(2), b"ab")
        self.now(self.store.finish(upload))
        self.failing(AlreadyFinished, self.store.write(upload, 2))
        part = self.send(self.create(2, partial=True), b"cd")
        joined = self.now(self.store.concatenate(TUS, Wish("j"), [part.id]))
        self.failing(NotAPart, self.store.write(joined, 2))

    def test_end_is_told_once(self) -> None:
        """Committing or abandoning again says the same."""
        upload = self.create(2)
        writer = self.write(upload, 0)
        writer.push(b"ab")
        self.assertEqual(self.now(writer.commit()), self.now(writer.commit()))
        self.assertEqual(self.now(writer.abandon()).offset, 2)


class SegmentTests(UploadsCase):
    """Tests for segments, in any order and in parallel."""

    def test_in_parallel(self) -> None:
        """Segments that do not touch each other come at the same time, mixed."""
        content = octets(600_000)
        upload = self.create(len(content), SEGMENTED, id="s")
        writers = [self.write(upload, at, count=200_000) for at in (400_000, 0, 200_000)]
        for _ in range(4):
            for writer in writers:
                writer.push(content[writer.offset : writer.offset + 50_000])
        for writer in writers:
            upload = self.now(writer.commit())
        self.assertTrue(upload.whole)
        self.now(self.store.finish(upload))
        self.assertEqual(self.files(), {"file.iso": content})

    def test_busy(self) -> None:
        """Octets that a segment under way has are nobody else's."""
        upload = self.create(10, SEGMENTED, id="s")
        self.write(upload, 2, count=4)
        self.failing(UploadBusy, self.store.write(upload, 5, count=2))
        self.failing(UploadBusy, self.store.write(upload, 0, count=10))
        self.write(upload, 6, count=4)
        self.write(upload, 0, count=2)

    def test_again(self) -> None:
        """A segment that is sent again changes nothing of what was acknowledged."""
        upload = self.create(10, SEGMENTED, id="s")
        self.send(upload, b"23", 2)
        self.send(upload, b"67", 6)
        upload = self.send(upload, b"abcdefghij")
        self.assertTrue(upload.whole)
        self.now(self.store.finish(upload))
        self.assertEqual(self.files(), {"file.iso": b"ab23ef67ij"})

    def test_outside(self) -> None:
        """A segment behind the length is refused."""
        upload = self.create(10, SEGMENTED, id="s")
        self.failing(TooLong, self.store.write(upload, 8, count=3))
        self.failing(TooLong, self.store.write(upload, 11, count=0))


class DigestTests(UploadsCase):
    """Tests for runs and wholes with digests."""

    def test_run(self) -> None:
        """A run counts when it has been judged, not before."""
        upload = self.create()
        writer = self.write(upload, 0, digest="sha-1=" + hashlib.sha1(b"01234").hexdigest())
        writer.push(b"01")
        writer.push(b"234")
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(self.find(upload).offset, 0)
        self.assertEqual(self.now(writer.commit()).offset, 5)

    def test_mismatch(self) -> None:
        """A run that is not what its digest says is dropped, and can be sent again."""
        upload = self.send(self.create(), b"012")
        wrong = "sha-1=" + hashlib.sha1(b"other").hexdigest()
        writer = self.write(upload, 3, count=4, digest=wrong)
        writer.push(b"xxxx")
        self.failing(DigestMismatch, writer.commit())
        self.assertEqual(self.find(upload).offset, 3)
        self.now(self.store.finish(self.send(upload, b"3456789", 3)))
        self.assertEqual(self.files(), {"file.iso": b"0123456789"})

    def test_cut_off(self) -> None:
        """Nobody can judge a part of a run: it is dropped."""
        upload = self.create()
        writer = self.write(upload, 0, digest="sha-1=" + hashlib.sha1(b"0123").hexdigest())
        writer.push(b"0123")
        self.assertEqual(self.now(writer.abandon()).offset, 0)

    def test_dropped_behind_the_end(self) -> None:
        """What a dropped run left behind the length is not in the file."""
        upload = self.create(None)
        writer = self.write(upload, 0, digest="md5=" + "0" * 32)
        writer.push(b"x" * 1000)
        self.failing(DigestMismatch, writer.commit())
        self.send(upload, b"0123")
        self.now(self.store.finish(self.now(self.store.set_length(upload, 4))))
        self.assertEqual(self.files(), {"file.iso": b"0123"})

    def test_whole(self) -> None:
        """The whole is compared before it gets its name; a wrong one is gone."""
        for content, there in ((b"right", True), (b"wrong", False)):
            with self.subTest(content):
                digest = "sha-256=" + hashlib.sha256(b"right").hexdigest()
                upload = self.send(self.create(5, name=content.decode(), digest=digest), content)
                if there:
                    self.assertTrue(self.now(self.store.finish(upload)).finished)
                else:
                    self.failing(DigestMismatch, self.store.finish(upload))
                    self.failing(UploadGone, self.store.find(TUS, upload.id))
        self.assertEqual(self.files(), {"right": b"right"})
        self.assertEqual(self.parts(), [])

    def test_unknown(self) -> None:
        """Digests that cannot be made are refused before octets come."""
        upload = self.create()
        for digest in ("crc32=00000000", "sha-1=xyz", "sha-1=", ""):
            with self.subTest(digest):
                self.failing(UnknownAlgorithm, self.store.write(upload, 0, digest=digest))
                self.failing(UnknownAlgorithm, self.store.create(TUS, Wish("x", digest=digest)))
