"""What is done all the time; each round checks every octet that it moved."""

from __future__ import annotations

import http.client
import json
import time
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from soak.stand import SERVED_SEED, SERVED_SIZE, Stand, Wrong
from tests.hostile import content, difference
from tests.integration.waiting import until

PATIENCE = 90.0
"""Seconds for a job or an upload, whatever happens to the daemon meanwhile."""
_FAULTS = (
    "", "reset=300KiB", "cut=500KiB", "rate=2MiB", "status=502~first2", "etag=weak", "nokeep",
    "chunked", "status=500~first1", "retry=1~first1",
)  # fmt: skip
_TUS = {"Tus-Resumable": "1.0.0"}


def read(stand: Stand, chance: Random) -> None:
    """A range of the served file."""
    start = chance.randrange(SERVED_SIZE)
    stop = min(SERVED_SIZE, start + chance.choice((1, 1000, 65536, 4 << 20)))
    wire = http.client.HTTPConnection("127.0.0.1", stand.daemon.file_port, timeout=20)
    with closing(wire):
        wire.request("GET", "/files/f.bin", headers={"Range": f"bytes={start}-{stop - 1}"})
        answer = wire.getresponse()
        if answer.status == 503:
            raise http.client.HTTPException("stopping")
        octets = answer.read()
    if answer.status != 206 or octets != content(SERVED_SEED, start, stop - start):
        raise Wrong(f"read {start}-{stop}: status {answer.status}, {len(octets)} octets")
    stand.count("octets read", stop - start)


def download(stand: Stand, chance: Random) -> None:
    """A job for a file of an origin that misbehaves, from its addition to its removal."""
    seed, size = chance.randrange(1, 9999), chance.choice((1, 300_000, 3 << 20, 9 << 20))
    fault = chance.choice(_FAULTS)
    name = f"{chance.getrandbits(48):x}.bin"
    path = f"/{fault}/{name}" if fault else f"/{name}"
    url = stand.origin.url(f"{path}?size={size}&seed={seed}")
    reply = stand.daemon.api.request("POST", "/api/v1/jobs", {"url": url})
    if reply.status == 503:
        raise http.client.HTTPException("stopping")
    job = reply.json["id"]
    done = _ended(stand, job)
    if done["state"] != "complete":
        raise Wrong(f"job {job} ({fault}): {done['error']}")
    wrong = difference(Path(done["path"]), seed, size)
    if wrong is not None:
        raise Wrong(f"job {job} ({fault}): {wrong}")
    stand.count("octets downloaded", size)
    _insist(lambda: stand.daemon.api.request("DELETE", f"/api/v1/jobs/{job}?files=delete"))


def _ended(stand: Stand, job: str) -> Any:
    """The job when it has ended; it is always there when the daemon is."""

    def ended() -> Any:
        reply = stand.daemon.api.request("GET", f"/api/v1/jobs/{job}")
        if reply.status == 404:
            raise Wrong(f"job {job} is lost")
        finished = reply.status == 200 and reply.json["state"] in ("complete", "failed")
        return reply.json if finished else None

    return _insist(lambda: until(ended, f"job {job} ends", PATIENCE))


def _insist(act: Any) -> Any:
    """Try until the daemon answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return act()
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def upload(stand: Stand, chance: Random) -> None:
    """A file by tus, cut off now and then, resumed from the offset that is acknowledged."""
    seed, size = chance.randrange(1, 9999), chance.choice((1, 300_000, 4 << 20))
    name = f"{chance.getrandbits(48):x}.up"
    fields = {**_TUS, "Upload-Length": str(size),
              "Upload-Metadata": f"filename {b64encode(name.encode()).decode()}"}  # fmt: skip
    status, told = _ask(stand, "POST", "/in", fields)
    if status != 201:
        raise http.client.HTTPException(f"status {status}")
    place = "/" + told["Location"].split("/", 3)[3]
    acknowledged = 0
    while acknowledged < size:
        status, told = _insist(lambda: _ask(stand, "HEAD", place, _TUS))
        if status in (404, 410) and (stand.incoming / name).exists():
            break
        if status == 503:
            time.sleep(0.1)
            continue
        if status != 200 or int(told["Upload-Offset"]) < acknowledged:
            raise Wrong(f"upload {name}: status {status}, {told.get('Upload-Offset')}")
        acknowledged = int(told["Upload-Offset"])
        if acknowledged < size:
            acknowledged = _send(stand, chance, place, seed, acknowledged, size)
    until((stand.incoming / name).exists, f"{name} is published", PATIENCE)
    wrong = difference(stand.incoming / name, seed, size)
    if wrong is not None:
        raise Wrong(f"upload {name}: {wrong}")
    (stand.incoming / name).unlink()
    stand.count("octets received", size)


def _send(stand: Stand, chance: Random, place: str, seed: int, start: int, size: int) -> int:
    """Some octets from *start* on, perhaps cut off; how many are acknowledged then."""
    stop = min(size, start + chance.choice((1, 70_000, 1 << 20)))
    sent = stop if chance.random() < 0.7 else chance.randrange(start, stop)
    wire = http.client.HTTPConnection("127.0.0.1", stand.daemon.file_port, timeout=20)
    try:
        with closing(wire):
            wire.putrequest("PATCH", place)
            for field, value in {**_TUS, "Upload-Offset": str(start),
                                 "Content-Type": "application/offset+octet-stream",
                                 "Content-Length": str(stop - start)}.items():  # fmt: skip
                wire.putheader(field, value)
            wire.endheaders(content(seed, start, sent - start))
            if sent < stop:
                return start
            answer = wire.getresponse()
            answer.read()
            return int(answer.headers["Upload-Offset"]) if answer.status == 204 else start
    except (OSError, http.client.HTTPException):
        stand.count("uploads cut off")
        return start


def _ask(
    stand: Stand, method: str, path: str, fields: dict[str, str]
) -> tuple[int, dict[str, str]]:
    wire = http.client.HTTPConnection("127.0.0.1", stand.daemon.file_port, timeout=20)
    with closing(wire):
        wire.request(method, path, headers=fields)
        answer = wire.getresponse()
        answer.read()
        return answer.status, dict(answer.headers.items())


def steer(stand: Stand, chance: Random) -> None:
    """Questions, events, and jobs that are paused and resumed under way."""
    api = stand.daemon.api
    path = chance.choice(("/api/v1/status", "/api/v1/jobs?limit=20", "/metrics", "/openapi.json"))
    status = api.request("GET", path).status
    if status not in (200, 503):
        raise Wrong(f"GET {path}: status {status}")
    if chance.random() < 0.3:
        _interrupt(stand)
    stand.count("questions answered")
    time.sleep(0.05)


def _interrupt(stand: Stand) -> None:
    """Pause a few jobs, and have them go on whatever becomes of the daemon meanwhile."""
    listed = stand.daemon.api.request("GET", "/api/v1/jobs?limit=3")
    if listed.status == 503:
        return  # the daemon stops just now
    for job in listed.json["jobs"]:
        if job["state"] == "active":
            _insist(lambda job=job: stand.daemon.api.act(job["id"], "pause"))
            _insist(lambda job=job: _resumed(stand, job["id"]))
            stand.count("jobs paused and resumed")


def _resumed(stand: Stand, job: str) -> None:
    """:raises HTTPException: the daemon stops; ask again."""
    if stand.daemon.api.act(job, "resume").status == 503:
        raise http.client.HTTPException("stopping")
