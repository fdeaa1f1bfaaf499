"""How jobs behave unless their spec says otherwise, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rangedaemon.client.lately import Lately
from rangedaemon.client.pacing import Pacer
from rangedaemon.client.push.outbound import Outbound
from rangedaemon.client.space import DiskRules, Space
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.jobs import JobSnapshot
from rangedaemon.core.slowness import Floor
from rangedaemon.storage.ports import JobStore
from rangedaemon.storage.threads import InThread


@dataclass(frozen=True, slots=True)
class Habits:
    """The same for all jobs of a daemon."""

    around: Surroundings
    store: JobStore
    in_thread: InThread
    pacer: Pacer
    """The rates that all jobs are under together."""
    checkpoint_interval: float
    """Seconds between two checkpoints of a running job."""
    min_segment_size: int
    state_dir: Path
    """Where the extent logs are."""
    resume_overlap: int = 0
    """Octets, at most, that are compared again where only the validator says: the same."""
    lately: Lately = field(default_factory=Lately)
    floor: Floor | None = None
    """What is too slow; None: nothing is."""
    in_lane: InThread | None = None
    """Where bodies are hauled; None: where everything else is done."""
    disk: DiskRules = field(default_factory=DiskRules)
    """How files are put on the disk."""
    space: Space = field(default_factory=Space)
    """What running jobs have claimed of the disks."""
    announce: Callable[[str, JobSnapshot], None] = lambda _kind, _snapshot: None
    """Called on every event: its kind, and the job after it."""
    outbound: Outbound | None = None
    """What uploads need besides; None: there are none."""
