"""Tests for ``/api/v1/limits``."""

from __future__ import annotations

from typing import Any

from rangedaemon.control.tokens import Keyring, Principal, Scope
from rangedaemon.core.jobs import Limits
from rangedaemon.core.timetable import timetable
from tests.control.api_case import ApiTestCase
from tests.control.wire import TOKEN, Wire

PATH = "/api/v1/limits"


class LimitsTests(ApiTestCase):
    """Looking and changing."""

    def patch_limits(self, body: Any) -> Any:
        """The limits after a change that is taken."""
        reply = self.wire.ask("PATCH", PATH, body)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()

    def test_shown(self) -> None:
        """Numbers where there is one limit, windows where there are several."""
        table = timetable({"default": 9, "sat 08:00-18:00": None})
        self.wire.jobs.limits = Limits(5, table, 7, 3, rate_now=9)
        self.assertEqual(
            self.wire.ask("GET", PATH).json(),
            {
                "max_active": 5,
                "rate_limit": {"default": 9, "sat 08:00-18:00": None},
                "rate_limit_now": 9,
                "rate_limit_per_host": 7,
                "connections_per_host": 3,
            },
        )

    def test_changed(self) -> None:
        """Only what is there changes; null takes a limit away."""
        self.wire.jobs.limits = Limits(5, 1000, 7, 3)
        self.assertEqual(self.patch_limits({"max_active": 2})["rate_limit"], 1000)
        self.patch_limits({"rate_limit": {"22:00-06:00": 5, "default": None}})
        self.patch_limits({"rate_limit_per_host": None, "connections_per_host": 1})
        night = timetable({"22:00-06:00": 5, "default": None})
        self.assertEqual(self.wire.jobs.limits, Limits(2, night, None, 1))

    def test_refused(self) -> None:
        """What cannot be is told with its place, and nothing changes."""
        self.wire.jobs.limits = before = Limits(5, 1000, 7, 3)
        for body, place in (
            ({"max_active": 0}, "max_active"),
            ({"max_active": None}, "max_active"),
            ({"rate_limit": 0}, "rate_limit"),
            ({"rate_limit": {}}, "rate_limit"),
            ({"rate_limit": {"night": 5}}, "rate_limit"),
            ({"rate_limit": "2MiB"}, "rate_limit"),
            ({"rate_limit_per_host": {"08:00-18:00": -1}}, "rate_limit_per_host"),
            ({"connections_per_host": "1"}, "connections_per_host"),
            ({"rate": 1}, "rate"),
        ):
            reply = self.wire.ask("PATCH", PATH, body)
            self.assertEqual(reply.status, 400, body)
            self.assertTrue(
                all(error["loc"].startswith(place) for error in reply.json()["errors"]), reply.body
            )
        self.assertEqual(self.wire.jobs.limits, before)

    def test_scope(self) -> None:
        """Who may only add may look, and change nothing."""
        ring = Keyring([(TOKEN, Principal("adder", Scope.ADD))])
        self.wire = Wire(options={"keyring": ring})
        self.assertEqual(self.wire.ask("GET", PATH).status, 200)
        self.assertEqual(self.wire.ask("PATCH", PATH, {"max_active": 1}).status, 403)
