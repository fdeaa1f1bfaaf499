"""A directory with part files, and programs that get in their way."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.storage.partfile import PartFile

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "rb+")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""

LIMITED = """
import resource, sys
from pathlib import Path
from rangedaemon.errors import NoSpace
from rangedaemon.storage.partfile import PartFile
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
part = PartFile.create(Path(sys.argv[1]))
assert part.write(0, [b"x" * 60000]) == 60000
try:
    part.write(60000, [b"y" * 4000, b"z" * 4000])
except NoSpace as fault:
    print(fault.code)
"""


class PartFileCase(SynchronousTestCase):
    """A directory that goes with the test."""

    def setUp(self) -> None:
        """Make it."""
        self.directory = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "file.iso.part"

    def create(self) -> PartFile:
        """A new part file, closed at the end."""
        part = PartFile.create(self.path)
        self.addCleanup(part.close)
        return part

    def left(self, content: bytes = b"octets") -> Path:
        """A part file that an earlier run left."""
        part = PartFile.create(self.path)
        part.write(0, [content])
        part.close()
        return self.path
