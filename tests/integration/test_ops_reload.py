"""Another configuration for a daemon that runs: what changes at once, and what goes on."""

from __future__ import annotations

import os
import signal
import socket

from tests.integration.ops_case import OpsCase, child_pids
from tests.integration.ports import accepts, free_port
from tests.integration.readers import Kept, Reader, get
from tests.integration.waiting import until


class MountsTests(OpsCase):
    """Other mounts, in the daemon's own process."""

    workers = 0

    def serve(self, *mounts: dict[str, object], **more: object) -> None:
        """Write a configuration with these mounts."""
        self.configure(server={"mounts": mounts, "workers": self.workers, **more})

    def start(self) -> None:
        """Start with the usual mount."""
        self.serve(self.mount("/files"))
        self.daemon.start()

    def test_transfer_goes_on(self) -> None:
        """A transfer from a mount that goes is whole; new requests meet the new mounts alone."""
        self.start()
        workers = child_pids(self.daemon)
        reader = self.begin()
        with Kept(self.daemon.file_port) as kept:
            self.assertEqual(kept.get("/files/none")[0], 404)
            self.serve(self.mount("/other", cache_control="no-store"))
            self.assertEqual(self.reloaded(), {"server.mounts"})
            self.assertEqual(kept.get("/files/f.bin")[0], 404)
            self.assertEqual(kept.get("/other/f.bin")[0], 200)
        status, fields, _ = get(self.daemon.file_port, "/other/f.bin")
        self.assertEqual((status, fields["Cache-Control"]), (200, "no-store"))
        self.assert_whole(reader.rest())
        self.assertEqual(child_pids(self.daemon), workers)
        self.assertNotIn("Traceback", self.daemon.log)

    def test_hot_file(self) -> None:
        """A file that was answered from memory a moment ago is gone with its mount."""
        self.start()
        (self.root / "small").write_bytes(b"x")
        with Kept(self.daemon.file_port) as kept:
            for _ in range(3):
                self.assertEqual(kept.get("/files/small"), (200, b"x"))
            self.serve(self.mount("/other"))
            self.reloaded()
            self.assertEqual(kept.get("/files/small")[0], 404)

    def test_limits(self) -> None:
        """Fewer connections: who is there stays, the next one is told to come later."""
        self.start()
        reader = self.begin()
        self.serve(self.mount("/files"), limits={"connections": max(1, self.workers)})
        self.assertEqual(self.reloaded(), {"server.limits.connections"})
        until(self.told_to_come_later, "one meets the process that has its one already")
        self.assert_whole(reader.rest())

    def told_to_come_later(self) -> bool:
        """Whether another reader is."""
        other = Reader(self.daemon.file_port, "/files/none")
        other.close()
        return other.status == "503"

    def test_signal(self) -> None:
        """SIGHUP does the same; many at once are as good as one."""
        self.start()
        self.serve(self.mount("/other"))
        for _ in range(5):
            self.hang_up()
        until(lambda: get(self.daemon.file_port, "/other/none")[0] == 404, "it listens")
        until(lambda: get(self.daemon.file_port, "/other/f.bin")[0] == 200, "reloaded")
        self.assertIn("reloaded; changed: server.mounts", self.daemon.log)
        self.assertTrue(self.daemon.api.healthy())


class WorkerMountsTests(MountsTests):
    """The same with workers."""

    workers = 2

    def test_more_workers(self) -> None:
        """Another number: new ones take over, a transfer of an old one is whole, then it ends."""
        self.start()
        before = child_pids(self.daemon)
        reader = self.begin()
        self.serve(self.mount("/files"))
        text = self.daemon.config_file.read_text().replace("workers: 2", "workers: 3")
        self.daemon.config_file.write_text(text)
        self.assertEqual(self.reloaded(), {"server.workers"})
        for _ in range(6):
            self.assertEqual(get(self.daemon.file_port, "/files/none")[0], 404)
        until(lambda: len(child_pids(self.daemon) & before) == 1, "the idle one has ended")
        self.assert_whole(reader.rest())
        until(lambda: len(child_pids(self.daemon)) == 3, "the old ones have ended")
        self.assertFalse(child_pids(self.daemon) & before)
        self.assertNotIn("is gone", self.daemon.log)

    def test_none_and_back(self) -> None:
        """From workers to the daemon's own process and back, under a transfer."""
        self.start()
        readers = [self.begin()]
        for number in ("workers: 0", "workers: 2"):
            text = self.daemon.config_file.read_text()
            other = "workers: 2" if number == "workers: 0" else "workers: 0"
            self.daemon.config_file.write_text(text.replace(other, number))
            self.assertEqual(self.reloaded(), {"server.workers"})
            readers.append(self.begin())
        for reader in readers:
            self.assert_whole(reader.rest())
        until(lambda: len(child_pids(self.daemon)) == 2, "the first ones have ended")

    def test_replaced_one(self) -> None:
        """A worker that dies after the change is followed by one that knows of it."""
        self.start()
        self.serve(self.mount("/other"))
        self.reloaded()
        for pid in child_pids(self.daemon):
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(child_pids(self.daemon)) == 2, "there are two again")
        self.assertEqual(get(self.daemon.file_port, "/other/f.bin")[0], 200)


class ListenersTests(OpsCase):
    """Other ports."""

    workers = 0

    def at(self, *listen: str) -> None:
        """Write a configuration that serves files there."""
        self.configure(
            server={
                "listen": list(listen),
                "mounts": [self.mount("/files")],
                "workers": self.workers,
            }
        )

    def test_moves(self) -> None:
        """A port more, then the first one less; the transfer on that goes on."""
        other = free_port()
        first, second = (
            f"tcp:{port}:interface=127.0.0.1" for port in (self.daemon.file_port, other)
        )
        self.at(first)
        self.daemon.start()
        reader = self.begin()
        self.at(first, second)
        self.assertEqual(self.reloaded(), {"server.listen"})
        for port in (self.daemon.file_port, other):
            self.assertEqual(get(port, "/files/none")[0], 404)
        self.at(second)
        self.assertEqual(self.reloaded(), {"server.listen"})
        until(lambda: not accepts(self.daemon.file_port), "the first is closed")
        self.assertEqual(get(other, "/files/none")[0], 404)
        self.assert_whole(reader.rest())

    def test_same_number(self) -> None:
        """Another address at the same port: closed for the new one, its connections go on."""
        port = self.daemon.file_port
        self.at(f"tcp:{port}:interface=127.0.0.1")
        self.daemon.start()
        reader = self.begin()
        self.at(f"tcp:{port}:interface=0.0.0.0")
        self.assertEqual(self.reloaded(), {"server.listen"})
        self.assertEqual(get(port, "/files/none")[0], 404)
        self.assert_whole(reader.rest())
        self.assertNotIn("Traceback", self.daemon.log)

    def test_taken(self) -> None:
        """One port that cannot be had: refused whole, even what was closed is there again."""
        port = self.daemon.file_port
        self.at(f"tcp:{port}:interface=127.0.0.1")
        self.daemon.start()
        with socket.create_server(("127.0.0.1", 0)) as thief:
            taken = thief.getsockname()[1]
            self.configure(
                server={
                    "listen": [
                        f"tcp:{port}:interface=0.0.0.0",
                        f"tcp:{taken}:interface=127.0.0.1",
                    ],
                    "mounts": [self.mount("/other")],
                    "workers": self.workers,
                }
            )
            problem = self.refused()
        self.assertIn(f"127.0.0.1:{taken}: Address already in use", problem["detail"])
        for _ in range(6):
            self.assertEqual(get(port, "/files/f.bin")[0], 200)
        self.assertIn("reload refused: ", self.daemon.log)

    def test_section(self) -> None:
        """Files are served where they were not before, and no more."""
        self.daemon.configure({})
        self.daemon.start()
        self.at(f"tcp:{self.daemon.file_port}:interface=127.0.0.1")
        self.assertEqual(self.reloaded(), {"server"})
        reader = self.begin()
        self.daemon.configure({})
        self.assertEqual(self.reloaded(), {"server"})
        self.assert_whole(reader.rest())
        until(lambda: not accepts(self.daemon.file_port), "nobody listens")


class WorkerListenersTests(ListenersTests):
    """The same with workers."""

    workers = 2
