"""A store in a directory of its own, over a real journal, with time by hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.uploads import Scope, Upload, UploadProtocol, Wish
from rangedaemon.errors import Fault
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.threads import InThread, inline
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.ports import DEAF, Ears, Writer
from rangedaemon.storage.uploads.store import Uploads, open_upload_store

T = TypeVar("T")
START = 1_700_000_000.0
TUS = Scope("/files", UploadProtocol.TUS)
SEGMENTED = Scope("/files", UploadProtocol.SEGMENTED)


def octets(count: int, seed: int = 0) -> bytes:
    """So many octets that are the same in every run."""
    return Random(seed).randbytes(count)


class Heard:
    """What a writer has told."""

    def __init__(self) -> None:
        self.drained = 0
        self.faults: list[Fault] = []
        self.committed: list[int] = []

    @property
    def ears(self) -> Ears:
        """Ears that keep what they hear here."""
        return Ears(self._on_drained, self.faults.append, self.committed.append)

    def _on_drained(self) -> None:
        self.drained += 1


class UploadsCase(SynchronousTestCase):
    """A store over a journal and a mount; everything answers at once."""

    def setUp(self) -> None:
        """Make it."""
        self.directory = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.root = self.directory / "srv"
        self.root.mkdir()
        self.state = self.directory / "state"
        self.clock = Clock()
        self.mount = UploadMount("/files", self.root)
        self.ids = Random(1)
        self.journal = self.now(Journal.open(self.state / "journal.sqlite", in_thread=inline))
        self.addCleanup(lambda: self.now(self.journal.close()))
        self.told: list[Upload] = []
        """Of which it was told that they are files."""
        self.store = self.opened()

    def opened(
        self, in_thread: InThread = inline, journal: Transactions | None = None, **mount: Any
    ) -> Uploads:
        """A store, as after a start; *mount* changes its mount's settings."""
        self.mount = replace(self.mount, **mount)
        return open_upload_store(
            self.state,
            [self.mount],
            journal=journal or self.journal,
            in_thread=in_thread,
            clock=self.clock,
            wall=lambda: START + self.clock.seconds(),
            new_id=lambda: self.ids.randbytes(16).hex(),
            keep_free=0,
            on_published=self.told.append,
        )

    def reopen(self, **mount: Any) -> None:
        """Kill the daemon: what was in memory is gone, what was written is there."""
        self.store = self.opened(**mount)

    def now(self, answer: Coroutine[Any, Any, T]) -> T:
        """What *answer* ends with, at once."""
        return self.successResultOf(Deferred.fromCoroutine(answer))

    def failing(self, fault: type[T], answer: Coroutine[Any, Any, Any]) -> T:
        """The *fault* that *answer* ends with."""
        return self.failureResultOf(Deferred.fromCoroutine(answer), fault).value  # type: ignore[no-any-return]

    # -- steps of a story -----------------------------------------------------------

    def create(self, length: int | None = 10, scope: Scope = TUS, **wish: Any) -> Upload:
        """A new upload."""
        named = Wish(**{"name": "file.iso", "length": length} | wish)
        return self.now(self.store.create(scope, named))

    def write(self, upload: Upload, offset: int, ears: Ears = DEAF, **asked: Any) -> Writer:
        """A writer."""
        return self.now(self.store.write(upload, offset, ears, **asked))

    def send(self, upload: Upload, content: bytes, offset: int = 0, **asked: Any) -> Upload:
        """A run of octets from its beginning to its end."""
        writer = self.write(upload, offset, count=len(content), **asked)
        writer.push(content)
        return self.now(writer.commit())

    def find(self, upload: Upload) -> Upload:
        """What is told of it now."""
        return self.now(self.store.find(upload.scope, upload.id))

    def files(self) -> dict[str, bytes]:
        """The files of the mount, hidden ones too."""
        return {path.name: path.read_bytes() for path in self.root.iterdir()}

    def parts(self) -> list[str]:
        """The octets' files in the state directory."""
        directory = self.state / "uploads"
        return sorted(p.name for p in directory.iterdir()) if directory.exists() else []

    def sweep(self) -> None:
        """Sweep until nothing is due."""
        while self.now(self.store.sweep()):
            pass
