"""
Which jobs had their origin's word a moment ago, in this very life of the daemon.

A job that goes on after a broken connection or a short pause need not pay each time for
requests whose octets are only compared: nobody has had much time to change its file.
"""

from __future__ import annotations

SECONDS = 60.0
"""How long a word holds."""


class Lately:
    """When each job last heard that its file is the same."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def note(self, job_id: str, now: float) -> None:
        """It was just so; *now* is in seconds of any clock."""
        self._heard.pop(job_id, None)
        self._heard[job_id] = now
        while not self.knows(oldest := next(iter(self._heard)), now):
            del self._heard[oldest]

    def knows(self, job_id: str, now: float) -> bool:
        """Whether that was a moment ago."""
        return 0 <= now - self._heard.get(job_id, float("-inf")) < SECONDS
