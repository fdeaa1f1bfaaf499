"""Options that more than one command has: what they are called, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from rangedaemon.control.cli.joblist import Body, parse_header, parse_limit, parse_schedule
from rangedaemon.control.cli.units import parse_duration


class Converted(click.ParamType[Any]):
    """A parameter that a function reads which raises `ValueError`."""

    def __init__(self, name: str, convert: Callable[[str], Any]) -> None:
        self.name = name
        self._convert = convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What *value* means; a usage error where it means nothing."""
        try:
            return self._convert(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _parse_levels(text: str) -> int | None:
    """:raises ValueError: *text* is neither a number nor ``all``."""
    if text != "all" and not (text.isascii() and text.isdigit()):
        raise ValueError("give a number of levels, or all")
    return None if text == "all" else int(text)


RATE = Converted("rate", lambda text: (parse_limit(text),))
"""In a tuple of one, since None has a meaning: no limit."""
SCHEDULE = Converted("rate", lambda text: (parse_schedule(text),))
DURATION = Converted("duration", parse_duration)
DEPTH = Converted("levels", lambda text: (_parse_levels(text),))
HEADER = Converted("'name: value'", parse_header)

Command = TypeVar("Command", bound=Callable[..., Any])


def _together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """One decorator for *options*, which help shows in their order."""

    def with_all(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return with_all


def access(whom: str) -> Callable[[Command], Command]:
    """The options that say what *whom* is told besides the request: fields, and who we are."""
    field = click.option(
        "-H", "--header", "headers", type=HEADER, multiple=True, help="Request field to send."
    )
    return _together(field, login(whom))


def login(whom: str) -> Callable[[Command], Command]:
    """The options that say who we are to *whom*."""
    return _together(
        click.option("--user", "username", help=f"Who we are to the {whom}; see --password-file."),
        click.option(
            "--password-file",
            "password",
            type=click.File(encoding="utf-8"),
            help="Where that user's password is, on the first line; - is standard input.",
        ),
    )


def hours(command: Command) -> Command:
    """The options that say when a job runs, and when again."""
    return _together(
        click.option(
            "--at",
            "start_at",
            metavar="TIME",
            help="Not before: 22:00 by the daemon's clock, or 2026-12-24T22:00:00+01:00.",
        ),
        click.option("--window", metavar="HOURS", help="Only then, such as 22:00-06:00."),
        click.option(
            "--every",
            type=DURATION,
            help="Again so long after each end, such as 6h, if it changed.",
        ),
        click.option(
            "--cron", metavar="EXPRESSION", help="Again at these times, as crontab has them."
        ),
    )(command)


_REPEAT = ("every", "cron")


def common_fields(options: Body) -> Body:
    """The fields that the options on the command line set."""
    body = {
        key: value
        for key, value in options.items()
        if value is not None
        and key not in {"headers", "rate_limit", "paused", "password", *_REPEAT}
    }
    repeat = {key: options[key] for key in _REPEAT if options.get(key) is not None}
    if repeat:
        body["repeat"] = repeat
    if options.get("headers"):
        body["headers"] = dict(options["headers"])
    if options["password"] is not None:
        body["password"] = options["password"].readline().rstrip("\r\n")
    if options["rate_limit"] is not None:
        body["rate_limit"] = options["rate_limit"][0]
    if options.get("paused"):
        body["paused"] = True
    return body
