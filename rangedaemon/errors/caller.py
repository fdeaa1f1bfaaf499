"""Faults of whoever asked us."""

from __future__ import annotations

from dataclasses import dataclass

from rangedaemon.errors.base import Fault


class ClientFault(Fault):
    """The one who called us asked for something that cannot be."""

    code = "bad-request"
    title = "Bad request"
    status = 400


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with a request's input: where it is and what is wrong there."""

    loc: str
    msg: str


class InvalidInput(ClientFault):
    """Input that does not fit its model; carries every complaint at once."""

    code = "invalid-input"
    title = "Invalid input"

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("; ".join(f"{c.loc}: {c.msg}" if c.loc else c.msg for c in complaints))
        self.complaints = complaints


class BadConfiguration(InvalidInput):
    """A configuration that cannot be used; the one before it, if any, stays in force."""

    code = "bad-configuration"
    title = "The configuration cannot be used"
    status = 422


class UnknownJob(ClientFault):
    """No job has that id."""

    code = "unknown-job"
    title = "No such job"
    status = 404


class StateForbids(ClientFault):
    """The job's present state does not allow what was asked."""

    code = "state-forbids"
    title = "The job's state forbids this"
    status = 409


class NameTaken(ClientFault):
    """A file or job of that name is there already and the policy is to refuse."""

    code = "name-taken"
    title = "The name is taken"
    status = 409


class OutsideDirectory(ClientFault):
    """A path that leaves the directory that jobs may write to."""

    code = "outside-directory"
    title = "Outside the download directory"
    status = 403
