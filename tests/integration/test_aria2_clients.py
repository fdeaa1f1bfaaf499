"""Real aria2 clients steer the daemon: aria2p (library and command line) and aioaria2."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import aria2p

from tests.integration.downloading import SIZE, DownloadCase
from tests.integration.waiting import PATIENCE, until

SLOW = "rate=64KiB"
"""Octets per second and connection with which nothing is done before its test is."""


class ClientCase(DownloadCase):
    """A daemon, an origin, and how to reach them."""

    def url(self, faults: str = "") -> str:
        """The address of a file of this very test."""
        return self.origin.url(f"{self.path(faults)}?size={SIZE}")

    @property
    def secret(self) -> str:
        """The token."""
        return self.daemon.api.token

    def state(self, gid: str) -> str:
        """The job's state by the REST API."""
        return str(self.daemon.api.job(gid)["state"])


class Aria2pTests(ClientCase):
    """The library aria2p."""

    def setUp(self) -> None:
        """An aria2p API object."""
        client = aria2p.Client(host="http://127.0.0.1", port=self.daemon.port, secret=self.secret)
        self.api = aria2p.API(client)

    def test_download(self) -> None:
        """Add, watch, and find the file where aria2p says that it is."""
        download = self.api.add_uris([self.url()], options={"out": "by-aria2p.bin"})
        until(lambda: self.api.get_download(download.gid).is_complete, "it is complete")
        done = self.api.get_download(download.gid)
        self.assertEqual((done.total_length, done.completed_length), (SIZE, SIZE))
        self.assertEqual(done.progress_string(), "100.00%")
        [file] = done.files
        self.assertEqual(file.path.name, "by-aria2p.bin")
        self.assert_file(file.path, 1, SIZE)
        self.assertEqual(done.error_code, "0")

    def test_pause_resume_remove(self) -> None:
        """Each is what the REST API says too."""
        download = self.api.add_uris([self.url(SLOW)])
        until(lambda: self.state(download.gid) == "active", "it is active")
        self.assertEqual(self.api.pause([download]), [True])
        until(lambda: self.api.get_download(download.gid).is_paused, "it is paused")
        self.assertEqual(self.api.resume([download]), [True])
        until(lambda: self.api.get_download(download.gid).is_active, "it is active again")
        self.assertEqual(self.api.remove([self.api.get_download(download.gid)]), [True])
        self.assertNotIn(download.gid, [job["id"] for job in self.daemon.api.jobs()])

    def test_lists(self) -> None:
        """Active, waiting, paused and stopped in one list."""
        paused = self.api.add_uris([self.url()], options={"pause": "true"})
        self.assertIn(paused.gid, [download.gid for download in self.api.get_downloads()])
        self.assertTrue(self.api.get_download(paused.gid).is_paused)
        self.assertGreaterEqual(self.api.get_stats().num_waiting, 1)

    def test_options(self) -> None:
        """Told and changed, for one and for all."""
        download = self.api.add_uris([self.url()], options={"pause": "true", "split": "2"})
        [options] = self.api.get_options([download])
        self.assertEqual(options.split, 2)
        self.assertEqual(self.api.set_options({"max-download-limit": "65536"}, [download]), [True])
        self.assertEqual(self.daemon.api.job(download.gid)["rate_limit"], 65536)
        self.assertEqual(self.api.get_global_options().dir, str(self.daemon.downloads))

    def test_queue(self) -> None:
        """Moved in the queue."""
        first, second = (
            self.api.add_uris([self.url() + f"&n={n}"], options={"pause": "true"}) for n in "12"
        )
        self.assertEqual(self.api.move_to_top(second), 0)
        gids = [struct["gid"] for struct in self.api.client.tell_waiting(0, 1000)]
        self.assertLess(gids.index(second.gid), gids.index(first.gid))
        self.assertEqual(gids[0], second.gid)

    def test_error(self) -> None:
        """A download that fails says why."""
        download = self.api.add_uris([self.url("status=404")])
        until(lambda: self.api.get_download(download.gid).has_failed, "it has failed")
        self.assertEqual(self.api.get_download(download.gid).error_code, "3")

    def test_wrong_secret(self) -> None:
        """aria2p tells aria2's words."""
        stranger = aria2p.Client(host="http://127.0.0.1", port=self.daemon.port, secret="wrong")
        error = self.assertRaises(aria2p.ClientException, stranger.get_version)
        self.assertIn("Unauthorized", str(error))


class CommandLineTests(ClientCase):
    """The program aria2p."""

    def aria2p(self, *arguments: str) -> str:
        """What it prints; it must succeed."""
        command = [
            sys.executable, "-W", "ignore", "-m", "aria2p", "-H", "http://127.0.0.1",
            "-p", str(self.daemon.port), "-s", self.secret, *arguments,
        ]  # fmt: skip
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def test_add_show_call(self) -> None:
        """Add, list, ask by name, remove."""
        self.aria2p("add", self.url(SLOW))
        [job] = [job for job in self.daemon.api.jobs() if self._testMethodName in job["urls"][0]]
        until(lambda: self.state(job["id"]) == "active", "it is active")
        self.assertIn(job["id"], self.aria2p("show"))
        told = json.loads(self.aria2p("call", "tellStatus", "-P", job["id"]))
        self.assertEqual(told["status"], "active")
        self.aria2p("pause", job["id"])
        until(lambda: self.state(job["id"]) == "paused", "it is paused")
        self.aria2p("resume", job["id"])
        self.aria2p("remove", job["id"])
        self.assertNotIn(job["id"], [each["id"] for each in self.daemon.api.jobs()])


class ListenTests(ClientCase):
    """``aria2p listen``, which never shows its token on the WebSocket."""

    def test_listen(self) -> None:
        """Where the configuration lets strangers listen, it is told of the completion."""
        daemon = self.make_daemon({"control": {"notify_strangers": True}}).start()
        callbacks = self.make_directory() / "callbacks.py"
        seen = callbacks.with_name("seen")
        callbacks.write_text(CALLBACKS.format(seen=str(seen)))
        command = [
            sys.executable, "-W", "ignore", "-m", "aria2p", "-H", "http://127.0.0.1",
            "-p", str(daemon.port), "-s", daemon.api.token, "listen", "-c", str(callbacks),
        ]  # fmt: skip
        listener = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(listener.wait, PATIENCE)
        self.addCleanup(listener.terminate)
        gids: list[str] = []

        def told() -> bool:
            gids.append(daemon.api.add(self.origin.url("/listen.bin?size=1000"))["id"])
            return seen.exists() and seen.read_text() != ""

        until(told, "the listener is told of a completion")
        self.assertIn(seen.read_text(), gids)


CALLBACKS = """
import pathlib

def on_download_complete(api, gid):
    assert api.get_download(gid).is_complete
    pathlib.Path({seen!r}).write_text(gid)
"""


class Aioaria2Tests(ClientCase):
    """The library aioaria2: HTTP, and a WebSocket with notifications."""

    def run_async(self, story: str) -> Any:
        """Run *story*, the body of an async function, in a process of its own; what it prints."""
        program = PROGRAM.format(
            story=textwrap.indent(textwrap.dedent(story), "    "),
            url=f"http://127.0.0.1:{self.daemon.port}/jsonrpc",
            token=self.secret,
            file=self.url("rate=8MiB"),
        )
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)

    def test_http(self) -> None:
        """Calls and a multicall by POST."""
        told = self.run_async(
            """
            async with aioaria2.Aria2HttpClient(URL, token=TOKEN) as client:
                gid = await client.addUri([FILE], options={"pause": "true"})
                status = await client.tellStatus(gid, ["gid", "status"])
                waiting = await client.tellWaiting(0, 1000, ["gid"])
                await client.remove(gid)
                return [gid, status, waiting, await client.getVersion()]
            """
        )
        gid, status, waiting, version = told
        self.assertEqual(status, {"gid": gid, "status": "paused"})
        self.assertIn({"gid": gid}, waiting)
        self.assertEqual(version["version"], "1.37.0")

    def test_websocket(self) -> None:
        """Calls and notifications on one socket, until the file is there."""
        told = self.run_async(
            """
            done = asyncio.Event()
            seen = []
            client = await aioaria2.Aria2WebsocketClient.new(URL, token=TOKEN)

            async def note(_, message):
                seen.append((message["method"], message["params"][0]["gid"]))
                if "Complete" in message["method"]:
                    done.set()

            client.onDownloadStart(note)
            client.onDownloadComplete(note)
            await client.getVersion()
            gid = await client.addUri([FILE])
            await asyncio.wait_for(done.wait(), 60)
            status = await client.tellStatus(gid)
            await client.close()
            return [gid, seen, status["files"][0]["path"]]
            """
        )
        gid, seen, path = told
        self.assertEqual(seen, [["aria2.onDownloadStart", gid], ["aria2.onDownloadComplete", gid]])
        self.assert_file(path, 1, SIZE)


PROGRAM = """
import asyncio, json, aioaria2
URL, TOKEN, FILE = {url!r}, {token!r}, {file!r}

async def story():
{story}

print(json.dumps(asyncio.run(story())))
"""
