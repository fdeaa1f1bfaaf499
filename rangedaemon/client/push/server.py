"""
The server that one upload goes to: what it is asked, and what may be told of it.

The job's own fields go only to the origin that they were given for (`core.access`).  An
upload's own address lets whoever knows it write to the upload: it is sent to nobody but
its server, and faults name the endpoint in its place.
"""

from __future__ import annotations

from collections.abc import Mapping

from rangedaemon.client.push.body import Body
from rangedaemon.client.push.outbound import Outbound
from rangedaemon.client.push.sender import Request
from rangedaemon.client.push.wire import Heard
from rangedaemon.client.redirects import next_hop
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.push.answers import Answer, refusal
from rangedaemon.errors import (
    BadResponse,
    Fault,
    OriginFault,
    Throttled,
    TooManyRedirects,
    Unreachable,
)

KEEPING_METHOD = frozenset({307, 308})
MOST_REDIRECTS = 5


class Server:
    """An upload server, as one job sees it."""

    def __init__(self, outbound: Outbound, around: Surroundings, spec: JobSpec) -> None:
        self._sender = outbound.sender
        self._access = outbound.access
        self._around = around
        self._spec = spec
        self._told = self._endpoint = spec.urls[0]

    async def ask(
        self,
        method: str,
        fields: Mapping[str, str],
        *,
        at: str | None = None,
        body: Body | None = None,
    ) -> Answer:
        """
        The answer to one request, whatever it says.

        :param at: the address of an upload; None: the endpoint.
        :raises OriginFault: there is none, or it is a redirect that is not followed.
        """
        if at is not None or body is not None:
            return await self._once(method, fields, at or self._endpoint, body)
        for _ in range(MOST_REDIRECTS):
            answer = await self._once(method, fields, self._endpoint, None)
            if answer.status not in KEEPING_METHOD:
                return answer
            self._endpoint = next_hop(self._endpoint, answer.fields.get("location"))
        raise TooManyRedirects(f"more than {MOST_REDIRECTS} redirects", url=self._told)

    async def _once(
        self, method: str, fields: Mapping[str, str], url: str, body: Body | None
    ) -> Answer:
        ours = {name.lower() for name in fields}
        own = self._access.fields(url, self._told, self._spec.headers, self._spec.logins).items()
        route = self._access.route(url, guarded=self._spec.guarded)
        along = {name: value for name, value in own if name.lower() not in ours}
        request = Request(method, url, along | {**fields}, route)
        hosts = self._around.hosts
        hosts.insist_on_peace(url)
        try:
            async with hosts.slot(url):
                heard = await self._sender.ask(request, body)
        except OriginFault as fault:
            if isinstance(fault, Unreachable):
                hosts.overloaded(url, None)
            fault.url = self._told
            raise
        return _answer(heard, self._told)

    def refusal(self, answer: Answer, *, begun: bool) -> Fault:
        """What an answer that is no success means.

        :param begun: whether an upload of ours was asked for, and not the endpoint.
        """
        fault = refusal(answer, self._around.wall(), begun=begun)
        if isinstance(fault, Throttled):
            self._around.hosts.overloaded(self._endpoint, fault.retry_after)
        return fault

    def located(self, answer: Answer) -> str:
        """The address of the upload that *answer* says was begun.

        :raises BadResponse, BadRedirect: it names none that may be used.
        """
        location = answer.fields.get("location")
        if not location:
            raise BadResponse("an upload was begun, but its address is missing", url=self._told)
        try:
            address = next_hop(self._endpoint, location)
            address.encode("ascii")
        except UnicodeEncodeError:
            raise BadResponse("the upload's address is no address", url=self._told) from None
        return address


def _answer(heard: Heard, told: str) -> Answer:
    fields: dict[str, str] = {}
    for name, value in heard.head.headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    body = heard.body.decode("utf-8", "replace")
    return Answer(heard.head.status_code, told, fields, body, whole=not heard.early)
