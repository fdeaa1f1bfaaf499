"""Everything that a site is made of, as a value that can be handed to another process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from twisted.internet.interfaces import IReactorTime

from rangedaemon.server.accesslog import AccessLog
from rangedaemon.server.mounts import Mount
from rangedaemon.server.site import Limits, RangeSite, build_site, change_site
from rangedaemon.storage.threads import InThread


@dataclass(frozen=True, slots=True)
class SiteSetup:
    """What is served, and what readers may take."""

    mounts: tuple[Mount, ...]
    limits: Limits = field(default_factory=Limits)
    access_log: Path | None = None
    access_format: str = "combined"
    drain_timeout: float = 10.0
    """Seconds that answers under way have to end at a stop."""
    relay: Path | None = None
    """The socket of the process that takes the uploads, for one that does not."""

    def shared_by(self, processes: int) -> SiteSetup:
        """The share of one of several processes: as much of each limit over all connections."""
        most = self.limits.connections
        limits = replace(
            self.limits, connections=None if most is None else max(1, most // processes)
        )
        mounts = tuple(
            mount
            if mount.rate_limit_total is None
            else replace(mount, rate_limit_total=max(1, mount.rate_limit_total // processes))
            for mount in self.mounts
        )
        return replace(self, mounts=mounts, limits=limits)

    def site(self, clock: IReactorTime, in_thread: InThread) -> RangeSite:
        """
        The site.

        :raises ValueError: two mounts have the same path.
        """
        log = self._log(in_thread)
        return build_site(
            self.mounts, clock=clock, in_thread=in_thread, limits=self.limits, access_log=log
        )

    def change(self, site: RangeSite, in_thread: InThread) -> None:
        """
        Have *site* serve so from now on.

        :raises ValueError: two mounts have the same path, and nothing has changed.
        """
        log = self._log(in_thread)
        change_site(site, self.mounts, in_thread=in_thread, limits=self.limits, access_log=log)

    def _log(self, in_thread: InThread) -> AccessLog | None:
        if self.access_log is None:
            return None
        return AccessLog(self.access_log, self.access_format, in_thread)

    def to_json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        told: dict[str, Any] = json.loads(text)
        told["mounts"] = tuple(
            Mount(**{**mount, "cors": tuple(mount["cors"])}) for mount in told["mounts"]
        )
        told["limits"] = Limits(**told["limits"])
        for name in ("access_log", "relay"):
            told[name] = None if told[name] is None else Path(told[name])
        return cls(**told)
