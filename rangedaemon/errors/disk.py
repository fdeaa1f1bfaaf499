"""Faults of our own disk and journal."""

from __future__ import annotations

from rangedaemon.errors.base import Fault


class StorageFault(Fault):
    """Our disk or our journal failed."""

    code = "storage"
    title = "Storage failed"
    status = 500


class NoSpace(StorageFault):
    """The disk, the quota or the file-size limit is full."""

    code = "no-space"
    title = "No space left"
    status = 507


class NeverFits(NoSpace):
    """The file is larger than its disk, or than a file may be there."""


class NotWritable(StorageFault):
    """A directory or file that we may not write."""

    code = "not-writable"
    title = "Not writable"
    status = 500


class PartFileLost(StorageFault):
    """The part file is not what the journal says: gone, cut or swapped."""

    code = "part-file-lost"
    title = "The part file is not what we left"
    retryable = True


class FileMissing(StorageFault):
    """A local file that should be pushed is gone, or may not be read."""

    code = "file-missing"
    title = "The local file cannot be read"


class FileChanged(StorageFault):
    """A local file became another one while it was pushed."""

    code = "file-changed"
    title = "The local file changed"


class BadCertificate(StorageFault):
    """The certificate or key of an endpoint cannot be used."""

    code = "bad-certificate"
    title = "The certificate cannot be used"


class JournalFault(StorageFault):
    """The journal cannot be used; nothing was changed."""

    code = "journal"
    title = "The journal cannot be used"


class JournalLocked(JournalFault):
    """Another daemon has this state directory open."""

    code = "journal-locked"


class JournalTooNew(JournalFault):
    """The journal was written by a newer program."""

    code = "journal-too-new"


class JournalDamaged(JournalFault):
    """The journal is not a journal, or is broken."""

    code = "journal-damaged"
