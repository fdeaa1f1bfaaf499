"""
Whether a PUT may go on, by its preconditions (RFC 9110, 13.1 and 13.2).

``If-None-Match: *`` keeps a client from replacing what it has not seen, ``If-Match``
lets it replace only what it has.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.web.http import Request

from rangedaemon.core.preconditions import UNCONDITIONAL, Validators, Verdict, evaluate
from rangedaemon.errors import Fault
from rangedaemon.server.answering import Surroundings, request_facts, stamp_of
from rangedaemon.storage.tree import ServedTree


async def may_be_put(
    request: Request, surroundings: Surroundings, tree: ServedTree, segments: Sequence[str]
) -> bool:
    """Whether what *segments* name in *tree* is what the request expects there."""
    asked = request_facts(request).conditions
    if asked == UNCONDITIONAL:
        return True
    try:
        opened = await surroundings.in_thread(tree.open, segments)
    except Fault:  # nothing that anybody could see
        return asked.if_match is None
    try:
        stamp, now = stamp_of(opened), surroundings.now()
    finally:
        opened.close()
    current = Validators(stamp.entity_tag(now), stamp.last_modified(now))
    return evaluate("PUT", asked, current, now=now) is not Verdict.FAILED
