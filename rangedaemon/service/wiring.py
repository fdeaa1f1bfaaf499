"""From configuration to the plain values and parts that everything below is made of."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tzlocal import get_localzone

from rangedaemon.client.habits import Habits
from rangedaemon.client.hosts import Hosts
from rangedaemon.client.network import Network
from rangedaemon.client.origin import Origin
from rangedaemon.client.pacing import Pacer
from rangedaemon.client.push.outbound import Outbound
from rangedaemon.client.push.sender import Sender
from rangedaemon.client.runner import Runner
from rangedaemon.client.space import DiskRules
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.config import Config, Disk, Downloads, Job, Mirror, Retry, Server, Upload
from rangedaemon.control.mirroring import mirror_of
from rangedaemon.control.pushing import PushPlaces, upload_of
from rangedaemon.control.tokens import Entry, Keyring, Principal, Scope, token_at
from rangedaemon.control.wishes import spec_of
from rangedaemon.core.counters import Counters
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.retry import RetryPolicy, RetryRules
from rangedaemon.core.slowness import Floor
from rangedaemon.core.timetable import Hour
from rangedaemon.server.mounts import Mount
from rangedaemon.server.setup import SiteSetup
from rangedaemon.server.site import Limits
from rangedaemon.service.credentials import Reach, reach_of
from rangedaemon.storage.ports import JobStore
from rangedaemon.storage.threads import InThread


def keyring_of(config: Config, urandom: Callable[[int], bytes]) -> Keyring:
    """The tokens that are valid; what may go wrong stands at `entries_of`."""
    return Keyring(entries_of(config, urandom))


def entries_of(config: Config, urandom: Callable[[int], bytes]) -> list[Entry]:
    """The tokens that the configuration names; their files are made where they are missing.

    :raises StorageFault, NotWritable: a file cannot be read, or cannot be made.
    """
    entries: list[Entry] = [(token_at(str(config.token_file), urandom), _OWNER)]
    for token in config.control.tokens:
        principal = Principal(token.name, Scope(token.scope))
        if token.token_file is not None:
            entries.append((token_at(str(token.token_file), urandom), principal))
        elif token.digest is not None:
            digest = bytes.fromhex(token.digest.removeprefix("sha-256="))
            entries.append((digest, principal))
    return entries


_OWNER = Principal("control", Scope.ADMIN)


def mounts_of(server: Server) -> list[Mount]:
    """What is served."""
    return [
        Mount(
            prefix=mount.path,
            root=mount.root,
            listing=mount.listing,
            disposition=mount.disposition,
            cache_control=mount.cache_control,
            cors=mount.cors,
            hidden_files=mount.hidden_files,
            follow_symlinks=mount.follow_symlinks,
            rate_limit=mount.rate_limit,
            rate_limit_total=mount.rate_limit_total,
            precompressed=mount.precompressed,
            metalink=mount.metalink,
            uploads=mount.uploads is not None,
        )
        for mount in server.mounts
    ]


def setup_of(server: Server | None) -> SiteSetup:
    """All that the site is made of; it serves nothing where there is no *server*."""
    if server is None:
        return SiteSetup(mounts=())
    limits, log = server.limits, server.access_log
    return SiteSetup(
        mounts=tuple(mounts_of(server)),
        limits=Limits(
            idle_timeout=limits.idle_timeout,
            head_timeout=limits.head_timeout,
            stall_timeout=limits.stall_timeout,
            connections=limits.connections,
            connections_per_address=limits.connections_per_address,
        ),
        access_log=log.path if log else None,
        access_format=log.format if log else "combined",
        drain_timeout=limits.drain_timeout,
    )


def specs_of(config: Config) -> list[JobSpec]:
    """The jobs that the configuration declares."""
    return [_declared(job, config.downloads) for job in config.jobs]


def _declared(job: Job | Upload | Mirror, downloads: Downloads) -> JobSpec:
    if isinstance(job, Upload):
        return _upload(job, downloads)
    return _mirror(job, downloads) if isinstance(job, Mirror) else _spec(job, downloads)


def push_places_of(config: Config) -> PushPlaces:
    """Where files may be pushed from."""
    return PushPlaces(tuple(map(str, config.push_directories)), config.pushes.follow_symlinks)


def _upload(job: Upload, downloads: Downloads) -> JobSpec:
    return upload_of(
        job,
        str(job.file),
        segments=downloads.segments,
        source="config",
        guarded=downloads.guard == "all",
    )


def _mirror(job: Mirror, downloads: Downloads) -> JobSpec:
    return mirror_of(
        job,
        base=str(downloads.directory),
        segments=downloads.segments,
        source="config",
        guarded=downloads.guard == "all",
    )


def _spec(job: Job, downloads: Downloads) -> JobSpec:
    return spec_of(
        job,
        (job.url, *job.mirrors),
        base=str(downloads.directory),
        segments=downloads.segments,
        source="config",
        guarded=downloads.guard == "all",
    )


def _network(downloads: Downloads, reactor: Any, reach: Reach, in_thread: InThread) -> Network:
    return Network(
        reactor,
        reach.policy,
        connect_timeout=downloads.connect_timeout,
        most_idle_per_host=downloads.connections_per_host,
        in_thread=in_thread,
    )


def _origin(
    downloads: Downloads, reactor: Any, network: Network, reach: Reach, counters: Counters
) -> Origin:
    return Origin(
        network,
        reactor,
        head_timeout=downloads.connect_timeout + downloads.stall_timeout,
        access=reach.access,
        redirects=reach.redirects,
        counters=counters,
    )


def _floor(downloads: Downloads) -> Floor | None:
    floor = downloads.lowest_speed
    return None if floor is None else Floor(floor.rate, floor.period)


def _disk_rules(disk: Disk) -> DiskRules:
    return DiskRules(
        keep_free=disk.keep_free,
        preallocate=disk.preallocation == "falloc",
        origin_time=disk.file_time == "origin",
        mode=disk.file_mode,
    )


def retry_rules(retry: Retry) -> RetryRules:
    """Which faults are tried again, how often and how late."""
    usual = RetryPolicy(retry.attempts, retry.initial_delay, retry.max_delay)
    given = retry.throttled
    throttled = given and RetryPolicy(given.attempts, given.initial_delay, given.max_delay)
    return RetryRules(usual, throttled or usual, retry.classes)


def hour_now() -> Hour:
    """What the clock on the wall shows where the daemon runs."""
    now = time.localtime()
    return Hour(now.tm_wday, now.tm_hour * 60 + now.tm_min)


def _outbound(
    config: Config, reactor: Any, network: Network, reach: Reach, counters: Counters
) -> Outbound:
    """What uploads share."""
    downloads = config.downloads
    sender = Sender(
        network.ways_for,
        reactor,
        stall_timeout=downloads.stall_timeout,
        answer_timeout=downloads.connect_timeout + downloads.stall_timeout,
        counters=counters,
    )
    return Outbound(
        sender,
        reach.access,
        push_places_of(config).allowed,
        Pacer(reactor, hour_now, config.pushes.rate_limit),
        lambda: secrets.token_hex(16),
    )


def build_runner(
    config: Config, reactor: Any, *, store: JobStore, in_thread: InThread, in_lane: InThread
) -> tuple[Runner, Network]:
    """The runner, and the network that its connections are of.

    :raises StartFailed: a file that the section names cannot be read any more.
    """
    downloads, counters = config.downloads, Counters()
    reach = reach_of(downloads, os.environ)
    network = _network(downloads, reactor, reach, in_thread)
    around = Surroundings(
        origin=_origin(downloads, reactor, network, reach, counters),
        counters=counters,
        clock=reactor,
        hosts=Hosts(reactor, downloads.connections_per_host, reach.access.connections),
        retry=retry_rules(downloads.retry),
        random=random.Random(),  # noqa: S311 - jitter, no secret
        wall=time.time,
        stall_timeout=downloads.stall_timeout,
        new_jar=reach.new_jar,
        zone=get_localzone(),
    )
    habits = Habits(
        around=around,
        store=store,
        in_thread=in_thread,
        pacer=Pacer(
            reactor,
            hour_now,
            downloads.rate_limit,
            downloads.rate_limit_per_host,
            reach.access.rate_limit,
        ),
        floor=_floor(downloads),
        disk=_disk_rules(downloads.disk),
        in_lane=in_lane,
        checkpoint_interval=downloads.checkpoint_interval,
        min_segment_size=downloads.min_segment_size,
        resume_overlap=downloads.resume_overlap,
        state_dir=config.state_dir,
        outbound=_outbound(config, reactor, network, reach, counters),
    )
    runner = Runner(habits, max_active=downloads.max_active, new_id=lambda: secrets.token_hex(8))
    return runner, network


def retuned(habits: Habits, config: Config, reach: Reach) -> Habits:
    """The habits of jobs that start from now on; the limits of hosts and uploads hold at once."""
    downloads, outbound = config.downloads, habits.outbound
    if outbound is not None:
        outbound.pacer.set_rates(config.pushes.rate_limit, None)
        allowed = push_places_of(config).allowed
        outbound = replace(outbound, access=reach.access, allowed=allowed)
    habits.around.hosts.set_own_limits(reach.access.connections)
    habits.pacer.set_own_rates(reach.access.rate_limit)
    around = replace(
        habits.around,
        origin=habits.around.origin.renewed(reach.access, reach.redirects),
        new_jar=reach.new_jar,
        retry=retry_rules(downloads.retry),
        stall_timeout=downloads.stall_timeout,
    )
    return replace(
        habits,
        around=around,
        floor=_floor(downloads),
        disk=_disk_rules(downloads.disk),
        checkpoint_interval=downloads.checkpoint_interval,
        min_segment_size=downloads.min_segment_size,
        resume_overlap=downloads.resume_overlap,
        outbound=outbound,
    )
