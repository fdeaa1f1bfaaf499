"""
What can be wrong with an upload, in one place for the store and the protocols.

The ``status`` is what a protocol answers that has no number of its own for the
matter (tus has 460 for a checksum, the IETF draft problem types for offsets).
"""

from __future__ import annotations

from rangedaemon.core.intervals import ByteRange
from rangedaemon.errors import ClientFault


class UnknownUpload(ClientFault):
    """No upload of that id here, or it is somebody else's."""

    code = "unknown-upload"
    title = "No such upload"
    status = 404


class UploadGone(ClientFault):
    """There was one: it has expired, was terminated, or could not be what was promised."""

    code = "upload-gone"
    title = "The upload is gone"
    status = 410


class OffsetMismatch(ClientFault):
    """The run does not begin where the upload goes on."""

    code = "offset-mismatch"
    title = "The offset is not the upload's"
    status = 409

    def __init__(self, expected: int, provided: int) -> None:
        super().__init__(
            f"the upload goes on at offset {expected}, not at {provided}: ask for its offset"
        )
        self.expected = expected
        self.provided = provided


class LengthMismatch(ClientFault):
    """Two lengths were told of one upload, or one that is below what came already."""

    code = "inconsistent-length"
    title = "The lengths contradict each other"


class TooLong(ClientFault):
    """More octets than the upload's length, or than the mount takes."""

    code = "too-long"
    title = "Too long"
    status = 413


class UploadBusy(ClientFault):
    """Another request writes these octets right now."""

    code = "upload-busy"
    title = "Another request writes to this upload"
    status = 409
    retryable = True


class Preempted(ClientFault):
    """A newer request for the same upload has taken over; what came is kept."""

    code = "preempted"
    title = "A newer request took the upload over"
    status = 409


class AlreadyFinished(ClientFault):
    """The upload is whole and published: it takes no octets any more."""

    code = "already-finished"
    title = "The upload is finished"
    status = 409


class NotWhole(ClientFault):
    """It cannot be finished or joined: octets are missing, or its length is not known."""

    code = "not-whole"
    title = "The upload is not whole"
    status = 409


class NotAPart(ClientFault):
    """An upload that may not be joined with others, or may not be written to as it is."""

    code = "not-a-part"
    title = "The upload is not of that kind"
    status = 403


class DigestMismatch(ClientFault):
    """Octets that are not what their sender's digest says; they were dropped."""

    code = "digest-mismatch"
    title = "The digest does not match"


class UnknownAlgorithm(ClientFault):
    """A digest that we cannot make."""

    code = "unknown-algorithm"
    title = "Unknown digest algorithm"


class NameRefused(ClientFault):
    """A name that no file may have here."""

    code = "name-refused"
    title = "The name is not allowed"


class QuotaExceeded(ClientFault):
    """More octets than the mount or its user may have."""

    code = "quota-exceeded"
    title = "The quota is exhausted"
    status = 507


class TooManyUploads(ClientFault):
    """More unfinished uploads, or more requests at once, than the mount takes."""

    code = "too-many-uploads"
    title = "Too many uploads"
    status = 503
    retryable = True


class TooManyPieces(ClientFault):
    """Octets scattered over more places than we keep account of."""

    code = "too-many-pieces"
    title = "Too many separate pieces"


def busy_with(piece: ByteRange) -> UploadBusy:
    """The fault of a run that touches octets which another request writes."""
    return UploadBusy(
        f"another request writes to octets {piece.start} to {piece.stop} of this upload; "
        "wait for its end"
    )
