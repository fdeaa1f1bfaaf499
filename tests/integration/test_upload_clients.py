"""Real clients, each cut off in the middle, each ending with the right file."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import warnings
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiotus
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from twisted.trial.unittest import SkipTest

from tests.integration.uploading import SIZE, TOKEN, UploadCase
from tests.integration.waiting import PATIENCE

MIDDLE = SIZE // 2


def run(story: Coroutine[Any, Any, object]) -> object:
    """What *story* ends with; aiohttp minds the size of the blocks that aiotus gives it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        return asyncio.run(story)


class TusClientTests(UploadCase):
    """tuspy and aiotus."""

    def test_tuspy(self) -> None:
        """Cut in its only PATCH; goes on at the offset that the server tells."""
        proxy = self.cutting(MIDDLE)
        source = self.source()
        client = TusClient(self.url(proxy.port))
        stream = self.opened(source)
        uploader = client.uploader(file_stream=stream, metadata={"filename": self.name}, retries=0)
        with self.assertRaises(TusCommunicationError):
            uploader.upload()
        self.assertEqual(proxy.broken, 1)
        self.assert_absent()
        resumed = client.uploader(file_stream=stream, url=uploader.url)
        self.assertGreater(resumed.offset, MIDDLE // 2, "most of what was sent is there")
        self.assertLess(resumed.offset, SIZE)
        resumed.upload()
        self.assert_received()

    def test_tuspy_in_pieces(self) -> None:
        """Many PATCHes with checksums, some of them cut and tried again by itself."""
        proxy = self.cutting(MIDDLE // 2, MIDDLE)
        client = TusClient(self.url(proxy.port))
        client.uploader(
            file_stream=self.opened(self.source()), chunk_size=512 << 10,
            metadata={"filename": self.name},
            retries=5, retry_delay=0, upload_checksum=True,
        ).upload()  # fmt: skip
        self.assertEqual(proxy.broken, 2)
        self.assert_received()

    def test_aiotus(self) -> None:
        """Cut twice, resumed by itself."""
        proxy = self.cutting(MIDDLE // 2, MIDDLE)
        config = aiotus.RetryConfiguration(retry_attempts=8, max_retry_period_seconds=0.2)

        async def upload() -> object:
            stream, metadata = self.opened(self.source()), {"filename": self.name.encode()}
            return await aiotus.upload(self.url(proxy.port), stream, metadata, config=config)

        self.assertIsNotNone(run(upload()))
        self.assertEqual(proxy.broken, 2)
        self.assert_received()

    def test_aiotus_multiple(self) -> None:
        """Partial uploads that are joined."""
        sources = []
        whole = self.source().read_bytes()
        for number, piece in enumerate([whole[:MIDDLE], whole[MIDDLE:]]):
            path = self.make_directory() / f"{number}"
            path.write_bytes(piece)
            sources.append(path)

        async def upload() -> object:
            with sources[0].open("rb") as one, sources[1].open("rb") as two:
                metadata = {"filename": self.name.encode()}
                return await aiotus.upload_multiple(self.url(), [one, two], metadata)

        self.assertIsNotNone(run(upload()))
        self.assert_received()


class CurlTests(UploadCase):
    """curl, by PUT and in segments."""

    def curl(self, *arguments: str, check: bool = True) -> str:
        """What curl prints."""
        if shutil.which("curl") is None:
            raise SkipTest("curl is not installed")
        ended = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", "60", *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check:
            self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def test_put(self) -> None:
        """``curl -T`` cut in the middle, gone on with by ``-C OFFSET``."""
        proxy = self.cutting(MIDDLE)
        source = str(self.source())
        self.curl("-T", source, f"{self.url(proxy.port)}/{self.name}", check=False)
        self.assertEqual(proxy.broken, 1)
        self.assert_absent()
        target = f"{self.url()}/{self.name}"
        told = self.curl("-i", "-X", "PUT", "-H", f"Content-Range: bytes */{SIZE}", target)
        fields = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
        offset = int(fields["Upload-Offset"])
        self.assertTrue(0 < offset < SIZE, told)
        status = self.curl("-w", "%{http_code}", "-C", str(offset), "-T", source, target)
        self.assertEqual(status, "201")
        self.assert_received()

    def test_put_again(self) -> None:
        """``curl -T -C -`` cannot ask, sends all again, and the file is right."""
        proxy = self.cutting(MIDDLE)
        source = str(self.source())
        self.curl("-T", source, f"{self.url(proxy.port)}/{self.name}", check=False)
        self.curl("-C", "-", "-T", source, f"{self.url()}/{self.name}")
        self.assert_received()

    def test_put_from_a_pipe(self) -> None:
        """A chunked body with Expect: 100-continue."""
        command = [
            "curl",
            "-sS",
            "-T",
            "-",
            f"{self.url()}/{self.name}",
            "-H",
            "Expect: 100-continue",
        ]
        with self.source().open("rb") as stream:
            subprocess.run(command, stdin=stream, check=True, capture_output=True, timeout=PATIENCE)
        self.assert_received()

    def test_segments(self) -> None:
        """Segments at the same time, in no order, one of them cut and sent again."""
        whole, count = self.source().read_bytes(), 8
        each = SIZE // count
        place = self.make_directory()
        proxy = self.cutting(each // 2)

        def send(number: int, port: int | None = None) -> str:
            start = number * each
            path = place / str(number)
            path.write_bytes(whole[start : start + each])
            return self.curl(
                "-w", "%{http_code}", "-o", "/dev/null", "--data-binary", f"@{path}",
                "-H", "Content-Type: application/octet-stream",
                "-H", f'Content-Disposition: attachment; filename="{self.name}"',
                "-H", f"X-Content-Range: bytes {start}-{start + each - 1}/{SIZE}",
                "-H", "X-Session-ID: curl-1", self.url(port), check=False,
            )  # fmt: skip

        self.assertNotEqual(send(5, proxy.port), "201")
        self.assertEqual(proxy.broken, 1)
        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(send, [7, 0, 3, 5, 1, 6, 2]))
        self.assertEqual(set(statuses), {"201"})
        self.assert_absent()
        self.assertEqual(send(4), "200")
        self.assert_received()


class GuardedTests(UploadCase):
    """A mount that takes uploads from those with a token."""

    uploads = {"tokens_file": "upload.tokens", "max_size": "5MiB"}

    def test_token(self) -> None:
        """With it, without it, and with another."""
        url = f"/files/{self.name}"
        self.assertEqual(self.request("PUT", url, b"x").status, 401)
        self.assertEqual(
            self.request("PUT", url, b"x", authorization="Bearer " + "x" * 20).status, 401
        )
        self.assertEqual(
            self.request("PUT", url, b"x", authorization=f"Bearer {TOKEN}").status, 201
        )
        self.assertEqual((self.root / self.name).read_bytes(), b"x")
        self.assertNotIn(TOKEN, self.daemon.log)

    def test_refused_early(self) -> None:
        """Tuspy learns that its file is too large from the answer, not from a broken line."""
        client = TusClient(self.url(), headers={"Authorization": f"Bearer {TOKEN}"})
        with self.assertRaises(TusCommunicationError) as caught:
            stream = self.opened(self.source())
            client.uploader(file_stream=stream, metadata={"filename": self.name}).upload()
        self.assertEqual(caught.exception.status_code, 413)

    def test_refused_while_sending(self) -> None:
        """curl, that sends at once, reads the refusal."""
        command = [
            "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:",
            "-T", str(self.source()), f"{self.url()}/{self.name}",
        ]  # fmt: skip
        told = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        self.assertEqual(told.stdout, "401")
