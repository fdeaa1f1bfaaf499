"""A hundred hosts with ten jobs each, all at once: limits per host are kept to, and used up."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from typing import Self

from tests.integration.case import IntegrationCase
from tests.integration.waiting import until

HOSTS, JOBS, LIMIT = 100, 10, 4
BODY = bytes(1000)


class Gatekeeper:
    """
    A server at every address of 127.0.0.0/8 that answers only when a host is full.

    It lets the oldest request of a host go when there are as many as there may be, or as
    many as are left.  So whoever opens fewer connections than allowed waits for ever.
    """

    def __init__(self) -> None:
        self.peaks: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._waiting: defaultdict[str, list[asyncio.Event]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "0.0.0.0", 0, backlog=1000)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self._turn(host)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n\r\n"
                self.done[host] += 1
                writer.write(head.encode() + BODY)
                await writer.drain()
                self._let_go(host)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the connection has ended, or we have
        finally:
            writer.close()

    async def _turn(self, host: str) -> None:
        turn = asyncio.Event()
        self._waiting[host].append(turn)
        self.peaks[host] = max(self.peaks[host], len(self._waiting[host]))
        self._let_go(host)
        await turn.wait()

    def _let_go(self, host: str) -> None:
        waiting = self._waiting[host]
        if waiting and len(waiting) >= min(LIMIT, JOBS - self.done[host]):
            waiting.pop(0).set()


class CrowdTests(IntegrationCase):
    """``connections_per_host`` under a thousand jobs."""

    def test_hundred_hosts(self) -> None:
        """Each host has its four connections as long as it has work for them, and never a fifth."""
        downloads = {
            "max_active": HOSTS * JOBS,
            "segments": 1,
            "connections_per_host": LIMIT,
            "stall_timeout": 240,
        }
        daemon = self.make_daemon({"downloads": downloads}).start()
        with Gatekeeper() as gate:
            jobs = [
                {"url": f"http://127.0.1.{host}:{gate.port}/{host}-{number}.bin"}
                for number in range(JOBS)
                for host in range(1, HOSTS + 1)
            ]
            reply = daemon.api.request("POST", "/api/v1/jobs", jobs)
            self.assertEqual(reply.status, 201)

            def all_complete() -> bool:
                told = daemon.api.request("GET", "/api/v1/status").json["jobs"]
                return told["complete"] == len(jobs)

            until(all_complete, "all jobs are complete", 240)
            self.assertEqual(set(gate.peaks.values()), {LIMIT})
            self.assertEqual(set(gate.done.values()), {JOBS})
            self.assertEqual((len(gate.peaks), len(gate.done)), (HOSTS, HOSTS))
