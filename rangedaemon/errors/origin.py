"""Faults of the other server, and of the way to it."""

from __future__ import annotations

from rangedaemon.errors.base import Fault


class OriginFault(Fault):
    """The origin answered wrongly, or not at all."""

    code = "bad-response"
    title = "The origin's answer cannot be used"
    status = 502

    def __init__(self, message: str, *, url: str | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.answered: int | None = None
        """The status that this is about, where it is about one."""


class BadResponse(OriginFault):
    """An answer that breaks the protocol or does not fit what was asked."""

    retryable = True


class Refused(OriginFault):
    """A status that no repetition will better (400, 405, 418, …)."""

    code = "bad-response"


class NoRanges(OriginFault):
    """The origin answers a range with something else: it does not do ranges (any more)."""

    code = "no-ranges"
    title = "The origin does not serve ranges"
    retryable = True


class Unjoinable(OriginFault):
    """Answers of one origin that nothing shows to be of one representation."""

    code = "unjoinable"
    title = "The origin's answers cannot be joined"
    retryable = True


class Missing(OriginFault):
    """404 or 410: the origin has no such file."""

    code = "not-found"
    title = "The origin has no such file"


class Unauthorized(OriginFault):
    """401, 403 or 407: the origin wants other credentials."""

    code = "unauthorized"
    title = "The origin refuses access"


class Changed(OriginFault):
    """The representation at the origin is not the one that we have a part of."""

    code = "changed"
    title = "The file changed at the origin"


class ChecksumMismatch(OriginFault):
    """Whole, but not what the checksum promised."""

    code = "checksum-mismatch"
    title = "The checksum does not match"


class UnusableDocument(OriginFault):
    """A document that should describe the file (Metalink, list of checksums) does not."""

    code = "bad-description"
    title = "The description of the file cannot be used"


class Incomplete(OriginFault):
    """Some of a mirror's files or folders could not be had; the others are there."""

    code = "incomplete"
    title = "Not all of the folder could be mirrored"


class TooManyRedirects(OriginFault):
    """A chain of redirects longer than the limit, or one that bites its tail."""

    code = "too-many-redirects"
    title = "Too many redirects"


class BadRedirect(OriginFault):
    """A redirect that must not be followed (no Location, other scheme, https to http)."""

    code = "bad-redirect"
    title = "The redirect must not be followed"


class ForbiddenAddress(OriginFault):
    """The host is at an address that jobs of strangers may not ask."""

    code = "forbidden-address"
    title = "The address must not be asked"
    status = 403


class ProxyRefused(OriginFault):
    """The proxy does not want to let us through."""

    code = "proxy-refused"
    title = "The proxy refuses"


class Untrusted(OriginFault):
    """The certificate is not one that we trust, or not the host's."""

    code = "untrusted"
    title = "The origin cannot prove who it is"


class Unreachable(OriginFault):
    """No connection: refused, reset, no route, no such host, TLS failed."""

    code = "unreachable"
    title = "The origin cannot be reached"
    status = 504
    retryable = True


class TimedOut(OriginFault):
    """No answer, or silence in the middle of one."""

    code = "timed-out"
    title = "The origin fell silent"
    status = 504
    retryable = True


class TooSlow(OriginFault):
    """Octets come, but fewer than the configuration asks for."""

    code = "too-slow"
    title = "The origin is too slow"
    status = 504
    retryable = True


class Throttled(OriginFault):
    """429, 503 and their kin: come back later."""

    code = "throttled"
    title = "The origin asks to come back later"
    retryable = True

    def __init__(
        self, message: str, *, url: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, url=url)
        self.retry_after = retry_after
        """Seconds from now, or None where the origin named no time."""


class ServerError(OriginFault):
    """5xx: the origin failed, and may recover."""

    code = "server-error"
    title = "The origin failed"
    retryable = True


class UploadGone(OriginFault):
    """404 or 410: the server has forgotten an upload that it had begun with us."""

    code = "upload-gone"
    title = "The server has forgotten the upload"
    retryable = True


class OffsetConflict(OriginFault):
    """409: the server has other octets of the upload than we think."""

    code = "offset-conflict"
    title = "The server disagrees about what it has"
    retryable = True


class Locked(OriginFault):
    """423: somebody else, perhaps a connection of ours that broke, holds the upload."""

    code = "locked"
    title = "The upload is locked"
    retryable = True


class TooLarge(OriginFault):
    """413: more than the server takes."""

    code = "too-large"
    title = "The server does not take so much"


class NoUploads(OriginFault):
    """The server names no way of uploading that we know, or does not know ours."""

    code = "no-uploads"
    title = "The server takes no resumable uploads here"
