"""Which protocol an upload speaks with its server, and who speaks it."""

from __future__ import annotations

from rangedaemon.client.habits import Habits
from rangedaemon.client.push.described import Described
from rangedaemon.client.push.ietf import Ietf
from rangedaemon.client.push.outbound import Outbound
from rangedaemon.client.push.protocol import Uploading
from rangedaemon.client.push.segmented import Segmented
from rangedaemon.client.push.server import Server
from rangedaemon.client.push.tus import Tus
from rangedaemon.core.jobs import JobRecord
from rangedaemon.core.media import media_type
from rangedaemon.core.push.choosing import chosen
from rangedaemon.core.push.values import PushProtocol, PushSpec
from rangedaemon.errors import Fault, Missing, Unauthorized


async def meet(
    habits: Habits, outbound: Outbound, record: JobRecord
) -> tuple[Uploading, PushProtocol]:
    """Ask the server how it likes to be spoken to, where the job does not say.

    :raises NoUploads: in no way that we know.
    :raises OriginFault: it does not answer, or nobody may.
    """
    wished = (record.spec.push or PushSpec()).protocol
    if wished is PushProtocol.AUTO:
        server = _server(habits, outbound, record)
        answer = await server.ask("OPTIONS", {})
        if not answer.ok:
            _insist_on_hope(server.refusal(answer, begun=False))
        wished = chosen(wished, answer)
    return speak(habits, outbound, record, wished), wished


def _insist_on_hope(refusal: Fault) -> None:
    """:raises Fault: *refusal*, where it says more than that OPTIONS is not known there."""
    if refusal.retryable or isinstance(refusal, Missing | Unauthorized):
        raise refusal


def speak(
    habits: Habits, outbound: Outbound, record: JobRecord, protocol: PushProtocol
) -> Uploading:
    """The upload of *record* in *protocol*."""
    server, file = _server(habits, outbound, record), _described(record)
    match protocol:
        case PushProtocol.TUS:
            return Tus(server, file, most_parts=record.spec.segments)
        case PushProtocol.IETF:
            return Ietf(server, file)
        case _:
            return Segmented(server, file, outbound.new_token)


def _server(habits: Habits, outbound: Outbound, record: JobRecord) -> Server:
    return Server(outbound, habits.around, record.spec)


def _described(record: JobRecord) -> Described:
    spec = record.spec
    name = spec.filename or ""
    return Described(
        name=name,
        size=record.size or 0,
        media_type=media_type(name),
        metadata=spec.push.metadata if spec.push is not None else {},
        digest=spec.checksum,
    )
