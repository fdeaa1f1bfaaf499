"""The section ``hooks``: what is called when something becomes of a job."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from rangedaemon.config.secrets import SecretFile
from rangedaemon.config.section import Section
from rangedaemon.config.values import Count, HttpUrl, PositiveDuration, Text
from rangedaemon.core.occasions import Occasion

_USUAL = (Occasion.COMPLETE, Occasion.FAILURE)


def _some(value: tuple[Occasion, ...]) -> tuple[Occasion, ...]:
    if not value:
        raise ValueError("must not be empty")
    return value


def _argument(value: str) -> str:
    if "\0" in value:
        raise ValueError("expected text without a null character")
    return value


def _program(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0].strip():
        raise ValueError("must name a program: [program, argument, …]")
    if re.search(r"\s", value[0]) and len(value) == 1:
        raise ValueError("there is no shell: each argument is an item of its own in the list")
    return value


class Hook(Section):
    """A command or a webhook; calls of one job come in their order, one at a time."""

    name: Text
    """For the log."""
    on: Annotated[tuple[Occasion, ...], AfterValidator(_some)] = _USUAL
    """start, complete, failure, change (of the file at its origin)."""
    command: (
        Annotated[tuple[Annotated[str, AfterValidator(_argument)], ...], AfterValidator(_program)]
        | None
    ) = None
    """Program and arguments; no shell. The job is in its environment: RANGEDAEMON_EVENT, _ID, …"""
    webhook: HttpUrl | None = Field(None, repr=False)
    """Where a POST with the job as JSON goes; redirects are not followed."""
    secret_file: SecretFile | None = None
    """Its first line signs webhooks: X-Rangedaemon-Signature is sha256= and an HMAC of the body."""
    timeout: PositiveDuration = 60.0
    """Seconds that a command may run, or a try of a webhook may take."""
    attempts: Count = 5
    """Tries of a webhook that is not reached or answered 408, 425, 429 or 5xx."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.command is None) == (self.webhook is None):
            raise ValueError("needs either command or webhook")
        if self.secret_file is not None and self.webhook is None:
            raise ValueError("secret_file is for webhooks")
        return self
