"""The section ``pushes``: files that leave, from where and how fast."""

from __future__ import annotations

from rangedaemon.config.section import Section
from rangedaemon.config.values import AbsolutePath, Rate


class Pushes(Section):
    """Pushing files to upload servers."""

    directories: tuple[AbsolutePath, ...] | None = None
    """Files may be pushed from there and below; by default from downloads.directory."""
    follow_symlinks: bool = False
    """Whether links are followed; never outside of the directories, whatever this says."""
    rate_limit: Rate | None = None
    """Octets per second over all uploads."""
