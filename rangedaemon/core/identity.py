"""
Which file it is: the entity tag of a file, and from when on that tag can be strong.

A strong validator changes whenever the octets do (RFC 9110, 8.8.1).  A file's
octets are told apart by its inode, size, mtime and ctime: a replacement shows in the
inode, an edit in ctime, which no user can set back as they can mtime.

A stamp proves nothing about a write that is still to come within the same tick of
the file system's clock (git's "racy" rule).  Linux stamps by a clock that moves at
least every 10 ms; file systems that keep whole seconds only (or two, as FAT) show it
by a ctime without a fraction.  Until the tick has passed for sure the tag is weak,
and one of its kind: neither a part nor a "not modified" will ever be taken from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rangedaemon.core.etags import EntityTag

FINE_TICK = 0.1
"""Seconds after which a stamp with a fraction is over; ten times the slowest tick."""

COARSE_TICK = 2.0
"""The same for file systems that keep whole seconds."""

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a stat says of an open file."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    def settles_in(self, now: float) -> float:
        """
        Seconds from *now* until another write cannot leave the same stamp; 0 when settled.

        :param now: the time at which the stat was taken, in seconds since the epoch.
        """
        if self.ctime_ns % _NS:
            return max(0.0, self.ctime_ns / _NS + FINE_TICK - now)
        return max(0.0, max(self.ctime_ns, self.mtime_ns) / _NS + COARSE_TICK - now)

    def entity_tag(self, now: float) -> EntityTag:
        """The file's tag: strong when the stamp has settled, else weak and never to recur."""
        stamp = f"v1-{self.inode:x}-{self.size:x}-{self.mtime_ns:x}-{self.ctime_ns:x}"
        if self.settles_in(now) > 0:
            return EntityTag(f"{stamp}-{int(now * _NS):x}", weak=True)
        return EntityTag(stamp)

    def last_modified(self, now: float) -> int:
        """The second of its last change, never one that is still to come (8.8.2.1)."""
        return min(self.mtime_ns // _NS, int(now))
