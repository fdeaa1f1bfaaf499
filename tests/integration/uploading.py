"""One daemon that takes uploads for all tests of a class, and ways to be cut off from it."""

from __future__ import annotations

import http.client
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from tests.hostile.content import content
from tests.integration.api import Reply
from tests.integration.case import IntegrationCase
from tests.integration.cutting import CuttingProxy
from tests.integration.daemon import DaemonProcess
from tests.integration.waiting import PATIENCE

SIZE = 6 << 20
TOKEN = "token-of-the-uploading-tests"


class UploadCase(IntegrationCase):
    """Uploads to ``/files``; every test uses file names of its own."""

    uploads: ClassVar[Mapping[str, Any]] = {"anonymous": True}
    mount: ClassVar[Mapping[str, Any]] = {}
    server: ClassVar[Mapping[str, Any]] = {}
    daemon: ClassVar[DaemonProcess]
    root: ClassVar[Path]
    _directory: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        cls._directory = Path(tempfile.mkdtemp(prefix="rangedaemon-test-"))
        cls.addClassCleanup(shutil.rmtree, cls._directory, ignore_errors=True)
        cls.root = cls._directory / "root"
        cls.root.mkdir()
        (cls._directory / "upload.tokens").write_text(f"tester:{TOKEN}\n")
        mount = {"path": "/files", "root": "root", "uploads": dict(cls.uploads)} | cls.mount
        mounts = [mount, *cls.more_mounts(cls._directory)]
        cls.daemon = DaemonProcess(cls._directory, {"server": {"mounts": mounts, **cls.server}})
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()

    @classmethod
    def more_mounts(cls, place: Path) -> list[dict[str, object]]:
        """Further mounts, of a daemon whose directory is *place*."""
        return []

    @property
    def name(self) -> str:
        """The name of this very test's file."""
        return f"{self._testMethodName}.bin"

    def source(self, size: int = SIZE) -> Path:
        """A file to upload."""
        path = self.make_directory() / self.name
        path.write_bytes(content(1, 0, size))
        return path

    def opened(self, path: Path) -> BinaryIO:
        """A file to read, until the test is over."""
        stream = path.open("rb")
        self.addCleanup(stream.close)
        return stream

    def cutting(self, *cuts: int) -> CuttingProxy:
        """A proxy that breaks connections after so many octets."""
        proxy = CuttingProxy(self.daemon.file_port, cuts)
        self.addCleanup(proxy.close)
        return proxy

    def url(self, port: int | None = None) -> str:
        """Where uploads are made, or where a proxy has it."""
        return f"http://127.0.0.1:{port or self.daemon.file_port}/files"

    def assert_received(self, name: str | None = None, size: int = SIZE) -> None:
        """The file is there, right in every octet."""
        self.assert_file(self.root / (name or self.name), 1, size)

    def assert_absent(self, name: str | None = None) -> None:
        """No file of that name is there."""
        self.assertFalse((self.root / (name or self.name)).exists())

    def request(
        self, method: str, path: str, body: bytes | None = None, **fields: str | int
    ) -> Reply:
        """One request; ``if_range="x"`` is the field ``If-Range: x``."""
        told = {name.replace("_", "-"): str(value) for name, value in fields.items()}
        wire = http.client.HTTPConnection("127.0.0.1", self.daemon.file_port, timeout=PATIENCE)
        with closing(wire):
            wire.request(method, path, body, told)
            response = wire.getresponse()
            fields_ = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, fields_, response.read())
