"""``python -m soak``: run it, look at everything, print the table."""

from __future__ import annotations

import http.client
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from rangedaemon.storage.opening import JOURNAL_FILE
from rangedaemon.storage.salvage import check
from soak import faults, loads
from soak.meter import MIB, Meter, descriptors, lag_shares
from soak.stand import Stand, Wrong
from tests.integration.waiting import until

CREW: Sequence[tuple[str, int, Callable[[Stand, Random], None]]] = (
    ("reader", 2, loads.read),
    ("downloader", 5, loads.download),
    ("uploader", 2, loads.upload),
    ("steerer", 1, loads.steer),
)
HARD_PART = 0.6
"""Of the time, in which the daemon is ended now and then."""
MOST_GROWTH = 24 * MIB
SELDOM = 0.99999
"""Bounds of the lag that all calls kept are not told."""
MOST_DESCRIPTORS = 16
"""More than a fresh daemon has, once it is left alone."""
IDLE_SECONDS = 60.0
"""For connections that are kept for a next request to be closed."""


def main() -> int:
    """Everything; the exit status."""
    seconds = float(os.environ.get("SOAK_SECONDS", "60"))
    seed = int(os.environ.get("SOAK_SEED", str(int(time.time()))))
    directory = Path(tempfile.mkdtemp(prefix="rangedaemon-soak-"))
    stand = Stand(directory, seconds)
    try:
        stand.daemon.start(60)
        stand.fresh_descriptors = descriptors(stand.daemon.pid)
        meter = run(stand, seconds, seed)
        look(stand, meter)
    finally:
        stand.close()
    print_table(stand, meter, seconds, seed)
    if stand.wrongs:
        print(f"the daemon's log is {stand.daemon.log_file}")
        return 1
    shutil.rmtree(directory)
    return 0


def run(stand: Stand, seconds: float, seed: int) -> Meter:
    """All loads until the end; faults beside them."""
    threads = [
        threading.Thread(target=work, args=(stand, Random(f"{seed}/{name}/{number}"), act, name))
        for name, many, act in CREW
        for number in range(many)
    ]
    for thread in threads:
        thread.start()
    meter = hurt(stand, seconds, Random(seed))
    for thread in threads:
        thread.join()
    return meter


def work(stand: Stand, chance: Random, act: Callable[[Stand, Random], None], name: str) -> None:
    """One load, round after round; what an ended daemon interrupts is begun anew."""
    while stand.goes_on:
        try:
            act(stand, chance)
            stand.count(f"rounds of a {name}")
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, TimeoutError):
                stand.wrong(f"{name}: {error}")
            stand.count("interruptions")
            time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 - a mistake of the soak counts as well
            stand.wrong(f"{name}: {error!r}")
            time.sleep(0.1)


def hurt(stand: Stand, seconds: float, chance: Random) -> Meter:
    """Faults, the hard ones first; memory is looked at once no more restarts come."""
    meter = Meter()
    hard_until = stand.ends - seconds * (1 - HARD_PART)
    while stand.goes_on:
        hard = time.monotonic() < hard_until
        act = chance.choice(faults.HARD if hard else faults.SOFT)
        try:
            act(stand, chance)
        except Wrong as error:
            stand.wrong(str(error))
        except (OSError, http.client.HTTPException) as error:
            stand.wrong(f"{act.__name__}: {error!r}")
        pause = time.monotonic() + chance.uniform(0.5, 3.0)
        while time.monotonic() < pause and stand.goes_on:
            if not hard:
                meter.take(stand.daemon.pid)
            time.sleep(0.25)
    return meter


def look(stand: Stand, meter: Meter) -> None:
    """What is left when all is over."""
    used = stand.daemon.pid
    listed = stand.daemon.api.request("GET", "/api/v1/jobs?limit=1000").json["jobs"]
    unfinished = [job["id"] for job in listed if job["state"] not in ("complete", "failed")]
    if unfinished:
        stand.wrong(f"jobs that nobody ended: {unfinished}")
    meter.lag = lag_shares(stand.daemon.api.request("GET", "/metrics").body.decode())
    if meter.growth > MOST_GROWTH:
        stand.wrong(f"memory grew by {meter.growth / MIB:.0f} MiB")
    if "Traceback" in stand.daemon.log:
        stand.wrong("there is a traceback in the log")
    left = count_descriptors(stand, used)
    if stand.daemon.terminate() != 0:
        stand.wrong("the last stop was not clean")
    problems = check(stand.daemon.directory / "state" / JOURNAL_FILE)
    stand.wrongs += [f"journal: {problem}" for problem in problems]
    stand.counts["descriptors left over"] = left


def count_descriptors(stand: Stand, pid: int) -> int:
    """How many more than a fresh daemon's stay open in one that is left alone."""
    stand.daemon.api.healthy()
    fresh = stand.fresh_descriptors

    def settled() -> bool:
        return descriptors(pid) <= fresh + MOST_DESCRIPTORS

    try:
        until(settled, "descriptors are closed", IDLE_SECONDS)
    except TimeoutError:
        stand.wrong(f"{descriptors(pid) - fresh} descriptors stay open")
    return max(0, descriptors(pid) - fresh)


def print_table(stand: Stand, meter: Meter, seconds: float, seed: int) -> None:
    """What was done and what was found."""
    rows = [(what, f"{number:,}") for what, number in sorted(stand.counts.items())]
    rows += [
        (f"memory after {at:.0f} s, MiB", f"{octets / MIB:.1f}") for at, octets in meter.course()
    ]
    rows += [
        (f"lag up to {bound:g} s", f"{share:.2%}") for bound, share in meter.lag if share < SELDOM
    ]
    rows += [
        ("memory at the most, MiB", f"{meter.peak / MIB:.1f}"),
        ("memory growth, MiB", f"{meter.growth / MIB:.1f}"),
        ("wrong", f"{len(stand.wrongs)}"),
    ]
    print(f"soak of {seconds:g} s, SOAK_SEED={seed}")
    for what, value in rows:
        print(f"  {what:28} {value:>16}")
    for wrong in stand.wrongs:
        print(f"  WRONG {wrong}")


if __name__ == "__main__":
    sys.exit(main())
