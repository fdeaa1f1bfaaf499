"""Connections to origins: an agent, with a pool of its own, for each route."""

from __future__ import annotations

from twisted.web.iweb import IAgent

from rangedaemon.core.access import Route


class OneAgent:
    """The same agent for every route: where there is one way only."""

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def agent_for(self, route: Route) -> IAgent:  # noqa: ARG002 - all are the same
        """The agent."""
        return self._agent
