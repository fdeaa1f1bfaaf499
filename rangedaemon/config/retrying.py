"""The section ``downloads.retry``: what is tried again, how often and how late."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from rangedaemon.config.section import Section
from rangedaemon.config.values import Count, PositiveDuration
from rangedaemon.core.retry import RetryClass
from rangedaemon.errors import codes


class Pace(Section):
    """How often, and how late."""

    attempts: Count = 10
    """Attempts in a row without progress, the first one included."""
    initial_delay: PositiveDuration = 1.0
    """Seconds before the second attempt; doubles from there."""
    max_delay: PositiveDuration = 300.0
    """Seconds, at most."""

    @model_validator(mode="after")
    def _delays_grow(self) -> Self:
        if self.max_delay < self.initial_delay:
            raise ValueError("max_delay must not be below initial_delay")
        return self


def _name(value: object) -> str:
    """A status, or the code of a fault."""
    name = str(value)
    if re.fullmatch("[345][0-9][0-9]", name) or name in codes():
        return name
    near = difflib.get_close_matches(name, codes(), n=1)
    guess = f', did you mean "{near[0]}"?' if near else ""
    raise ValueError(f"expected a status such as 404, or an error code such as unreachable{guess}")


Name = Annotated[str, BeforeValidator(_name)]


class Retry(Pace):
    """When a failed attempt is made again."""

    throttled: Pace | None = None
    """The same for origins that ask to come back later (429, 503); null: as the others."""
    classes: dict[Name, RetryClass] = {}
    """Statuses or error codes that are to be permanent, transient, throttled or patient."""
