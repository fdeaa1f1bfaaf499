"""
One request and its answer, judged; a host that refuses is left alone by everybody.

Who answers may be another host than who was asked: a redirect takes the slot with it,
and a refusal counts against the host that refused (RFC 9110 10.2.3).
"""

from __future__ import annotations

from rangedaemon.client.hosts import Slot
from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Acceptance, judge
from rangedaemon.errors import Fault, Throttled


async def ask(
    around: Surroundings, slot: Slot, request: Request, length: int | None
) -> tuple[Reply, Acceptance]:
    """The answer to *request*, and what its octets are.

    :param slot: held for the host of the request; it ends up with the one that answered.
    :param length: the complete length as far as known.
    :raises OriginFault: there is no usable answer.
    """
    reply = await around.origin.get(request, slot.move_to)
    try:
        return reply, judge(reply.answer, request.range, length, now=around.wall())
    except Fault as fault:
        reply.drop()
        if isinstance(fault, Throttled):
            around.hosts.overloaded(reply.answer.url, fault.retry_after)
        raise
