"""What every job that a configuration declares may say, whatever its kind."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from rangedaemon.config.section import Section
from rangedaemon.config.values import Duration, Fields, StartAt, Text, User, WindowText
from rangedaemon.control.wishes import check_pair
from rangedaemon.core.repeats import check_cron, check_repeat


class Repeat(Section):
    """When a job runs again: so long after its end, or by a cron expression."""

    every: Annotated[Duration, Field(ge=1)] | None = None
    """From the end of one run to the next."""
    cron: Annotated[Text, AfterValidator(check_cron)] | None = None
    """Minute, hour, day of the month, month, weekday, by the clock here."""
    jitter: Duration = 0.0
    """Up to so much later, by chance."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        check_repeat(self.every, self.cron)
        return self


class Declared(Section):
    """A job that is added at start where none of its name is known yet."""

    name: Text
    """By which the job is known again at the next start."""
    headers: Fields = Field({}, repr=False)
    """Extra request fields; they may hold secrets and are never shown."""
    username: User | None = None
    """Who we are to the origin of url."""
    password: Text | None = Field(None, repr=False)
    """Its password; better ${NAME} than the thing itself."""
    priority: Annotated[int, Field(ge=-1000, le=1000, strict=True)] = 0
    """Higher runs first."""
    paused: bool = False
    """Whether it waits to be resumed by hand."""
    start_at: StartAt | None = None
    """Not before: 22:00 by the clock here, or 2026-12-24T22:00:00+01:00."""
    window: WindowText | None = None
    """Only in these hours by the clock here: 22:00-06:00, sat,sun 00:00-24:00."""

    @model_validator(mode="after")
    def _whose(self) -> Self:
        check_pair(self.username, self.password)
        return self
