"""Which protocol an upload server is spoken to with, by what it says of itself (OPTIONS)."""

from __future__ import annotations

from rangedaemon.core.push import tus
from rangedaemon.core.push.answers import Answer
from rangedaemon.core.push.values import PushProtocol
from rangedaemon.errors import NoUploads


def chosen(wished: PushProtocol, answer: Answer) -> PushProtocol:
    """
    The protocol to use.

    tus comes first: it can be asked for its offset, and some servers join parallel parts.

    :raises NoUploads: the server names none that we know.
    """
    if wished is not PushProtocol.AUTO:
        return wished
    versions = answer.fields.get("tus-version") or answer.fields.get("tus-resumable") or ""
    if tus.VERSION in [version.strip() for version in versions.split(",")]:
        return PushProtocol.TUS
    if "upload-limit" in answer.fields:
        return PushProtocol.IETF
    raise NoUploads(
        f"the server names no upload protocol (OPTIONS was answered {answer.status}); where it"
        " takes one all the same, ask for tus, ietf or segmented by name",
        url=answer.url,
    )
