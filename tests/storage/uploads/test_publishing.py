"""Tests for publication: killed at each step, on one file system and over two."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from rangedaemon.core.jobs import OnConflict
from rangedaemon.core.uploads import Upload, UploadState
from rangedaemon.errors import NoSpace, PartFileLost, StorageFault
from rangedaemon.storage import publishing as storage_publishing
from rangedaemon.storage.partfile import PartFile
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.threads import inline
from rangedaemon.storage.uploads import files, publishing
from tests.storage.filesystems import links_within
from tests.storage.uploads.case import UploadsCase, octets

CONTENT = octets(3 * 1024 * 1024 + 5)


class Mortal(Transactions):
    """Threads and a journal that do so many pieces of work, and then nothing any more."""

    def __init__(self, journal: Transactions, lives: int) -> None:
        self.lives = lives
        self._journal = journal

    def _dies(self) -> bool:
        self.lives -= 1
        return self.lives < 0

    def in_thread(self, function: Callable[..., Any], /, *args: object) -> Deferred[Any]:
        """As `InThread`."""
        return Deferred() if self._dies() else inline(function, *args)

    async def transact(self, work: Callable[[Connection], Any]) -> Any:
        """As `Transactions.transact`; it may die before it, and behind it too."""
        if self._dies():
            await Deferred()
        answer = await self._journal.transact(work)
        if self._dies():
            await Deferred()
        return answer


class PublishingCase(UploadsCase):
    """Has a whole upload, and can be killed at any work of disk and journal."""

    def setUp(self) -> None:
        """Remember each part file that is opened."""
        super().setUp()
        self.opened_parts: list[PartFile] = []
        remembered, made = self.opened_parts, PartFile.__init__

        def init(part: PartFile, path: Path, descriptor: int) -> None:
            made(part, path, descriptor)
            remembered.append(part)

        self.patch(PartFile, "__init__", init)

    def whole(self, **wish: Any) -> Upload:
        """An upload that waits for its publication."""
        return self.send(self.create(len(CONTENT), **wish), CONTENT)

    def kill_while_finishing(self, upload: Upload, after: int) -> bool:
        """Whether it was killed before the end."""
        mortal = Mortal(self.journal, after)
        store = self.opened(mortal.in_thread, mortal)
        outcome: list[Upload] = []
        Deferred.fromCoroutine(store.finish(upload)).addCallback(outcome.append)
        self.reopen()
        for part in self.opened_parts:  # as the kernel does when a process ends
            part.close()
        self.opened_parts.clear()
        return not outcome


class KillTests(PublishingCase):
    """A kill between any two steps."""

    def check(self, conflict: OnConflict, before: dict[str, bytes], after: dict[str, bytes]) -> int:
        """Kill after each step in turn; how many there are."""
        steps, killed = 0, True
        while killed:
            for path in self.root.iterdir():
                path.unlink()
            for name, content in before.items():
                (self.root / name).write_bytes(content)
            self.reopen(on_conflict=conflict)
            upload = self.whole()
            killed = self.kill_while_finishing(upload, steps)
            with self.subTest(steps=steps):
                self.assertTrue(self.now(self.store.finish(self.find(upload))).finished)
                self.assertEqual(self.files(), after)
                self.clock.advance(self.mount.expire + 1)
                self.sweep()
                self.assertEqual((self.files(), self.parts()), (after, []))
            steps += 1
        return steps

    def test_linked(self) -> None:
        """On one file system it is there once, whole, whatever the step."""
        self.assertGreater(self.check(OnConflict.RENAME, {}, {"file.iso": CONTENT}), 5)

    def test_copied(self) -> None:
        """Over two file systems too."""
        self.patch(os, "link", links_within(os.link))
        self.assertGreater(self.check(OnConflict.RENAME, {}, {"file.iso": CONTENT}), 6)

    def test_without_links(self) -> None:
        """Where there are no links at all (FAT) too."""
        self.patch(os, "link", _no_links)
        self.assertGreater(self.check(OnConflict.FAIL, {}, {"file.iso": CONTENT}), 6)

    def test_renamed(self) -> None:
        """The name with a number is given once."""
        old = {"file.iso": b"old"}
        self.check(OnConflict.RENAME, old, old | {"file (1).iso": CONTENT})

    def test_overwritten(self) -> None:
        """What is replaced is there whole, or replaced whole."""
        self.check(OnConflict.OVERWRITE, {"file.iso": b"old"}, {"file.iso": CONTENT})

    def test_conclusion(self) -> None:
        """Nobody asks again: the sweep concludes what was claimed."""
        for steps in range(20):
            upload = self.whole(name=f"n{steps}")
            if not self.kill_while_finishing(upload, steps):
                break
            row = self.now(self.store._registry.look(upload.key))
            self.sweep()
            with self.subTest(steps):
                done = row.state is not UploadState.OPEN
                self.assertEqual(self.find(upload).finished, done)
                told = {told.path for told in self.told if told.key == upload.key}
                self.assertEqual(told, {self.root / upload.name} if done else set())
                self.assertEqual(self.files().get(f"n{steps}"), CONTENT if done else None)
        self.assertGreater(steps, 5)

    def test_told(self) -> None:
        """Whoever concludes it: it is told, by the life that was killed or by ours."""
        finders: list[Callable[[Upload], object]] = [
            self.find,
            lambda upload: self.now(self.store.terminate(upload)),
            lambda upload: self.now(self.store.finish(upload)),
        ]
        for number, conclude in enumerate(finders):
            for steps in range(30):
                upload = self.whole(name=f"n{number}-{steps}")
                killed = self.kill_while_finishing(upload, steps)
                row = self.now(self.store._registry.look(upload.key))
                conclude(upload)
                with self.subTest(number=number, steps=steps):
                    there = upload.name in self.files()
                    self.assertTrue(there or row.state is UploadState.OPEN)
                    told = [told.path for told in self.told if told.key == upload.key]
                    self.assertEqual(set(told), {self.root / upload.name} if there else set())
                    self.assertLessEqual(len(told), 2 if killed else 1)
                if not killed:
                    break

    def test_told_once(self) -> None:
        """Who asks again for what is finished has nobody told again."""
        upload = self.whole()
        self.now(self.store.finish(upload))
        self.now(self.store.finish(self.find(upload)))
        self.sweep()
        self.assertEqual(
            [(told.name, told.path) for told in self.told], [("file.iso", self.root / "file.iso")]
        )

    def test_removed_after_a_kill(self) -> None:
        """A kill before its octets' file was removed, then nobody wants it: nothing is left."""
        for steps in range(30):
            upload = self.whole(name=f"n{steps}")
            killed = self.kill_while_finishing(upload, steps)
            self.now(self.store.terminate(self.find(upload)))
            self.clock.advance(1)
            self.sweep()
            with self.subTest(steps):
                self.assertEqual(self.parts(), [])
            if not killed:
                break
        self.assertGreater(steps, 5)


class StagingTests(PublishingCase):
    """Tests for what may stand in the way."""

    def test_no_room_for_a_copy(self) -> None:
        """The mount's disk is full: nothing is left there, and it can be tried again."""
        self.patch(os, "link", links_within(os.link))
        upload = self.whole()
        write = PartFile.write

        def full(part: PartFile, offset: int, blocks: Any) -> int:
            if offset >= 2 * 1024 * 1024:
                raise NoSpace("full")
            return write(part, offset, blocks)

        patch = self.patch(PartFile, "write", full)
        self.failing(NoSpace, self.store.finish(upload))
        self.assertEqual((self.files(), self.find(upload).whole), ({}, True))
        patch.restore()
        self.now(self.store.finish(upload))
        self.assertEqual(self.files(), {"file.iso": CONTENT})

    def test_name_taken_meanwhile(self) -> None:
        """A name that appears between the claim and the link is not overwritten."""
        upload = self.whole()
        put = files.put_in_place

        def late(staged: Path, final: Path, conflict: OnConflict) -> None:
            if final.name == "file.iso":
                final.write_bytes(b"somebody's")
            put(staged, final, conflict)

        self.patch(publishing, "put_in_place", late)
        done = self.now(self.store.finish(upload))
        self.assertEqual(done.path, self.root / "file (1).iso")
        self.assertEqual(self.files(), {"file.iso": b"somebody's", "file (1).iso": CONTENT})

    def test_name_on_the_disk_before_the_word(self) -> None:
        """A life that gave it its name may have died before that was on the disk: it is synced."""
        upload = self.whole()
        put = files.put_in_place
        synced: list[Path] = []

        def killed(*claimed: Any) -> None:
            put(*claimed)
            raise StorageFault("the life ends here")

        patch = self.patch(publishing, "put_in_place", killed)
        self.failing(StorageFault, self.store.finish(upload))
        patch.restore()
        self.patch(storage_publishing, "sync_directory", synced.append)
        self.now(self.store.finish(self.find(upload)))
        self.assertEqual((self.files(), synced), ({"file.iso": CONTENT}, [self.root]))

    def test_octets_are_gone(self) -> None:
        """Somebody has removed the file: those octets have to come again."""
        upload = self.whole()
        (self.state / "uploads" / upload.file).unlink()
        self.assertEqual(self.find(upload).offset, 0)
        self.now(self.store.finish(self.send(self.find(upload), CONTENT)))
        self.assertEqual(self.files(), {"file.iso": CONTENT})

    def test_octets_are_cut(self) -> None:
        """Somebody has cut the file: what is behind has to come again."""
        upload = self.whole()
        os.truncate(self.state / "uploads" / upload.file, 1000)
        self.assertEqual(self.find(upload).offset, 1000)
        self.now(self.store.finish(self.send(self.find(upload), CONTENT[1000:], 1000)))
        self.assertEqual(self.files(), {"file.iso": CONTENT})

    def test_link_in_place_of_octets(self) -> None:
        """What is no file of ours is not written through."""
        upload = self.create(4)
        victim = self.directory / "victim"
        victim.write_bytes(b"safe")
        (self.state / "uploads").mkdir()
        (self.state / "uploads" / upload.file).symlink_to(victim)
        self.failing(PartFileLost, self.store.write(upload, 0))
        self.assertEqual(victim.read_bytes(), b"safe")

    def test_short_source(self) -> None:
        """A copy's source that is too short is told, not padded."""
        path = self.directory / "short"
        path.write_bytes(b"12")
        target = PartFile.create(self.directory / "copy")
        self.addCleanup(target.close)
        self.assertRaises(PartFileLost, list, files.copy_slices(path, target, 0, 3))


def _no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no links here")
