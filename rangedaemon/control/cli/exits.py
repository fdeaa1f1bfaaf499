"""
With which number ``rangectl`` ends, and why: the one place that decides it.

An answer of the control API (problem+json, RFC 9457) becomes a `CommandFault`
here; everything else raises one directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """The exit codes; they are part of the public command line."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    TOKEN = 4
    NOT_FOUND = 5
    CONFLICT = 6
    INVALID = 7
    SERVER = 8
    DAMAGED = 9
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "done; with --wait and watch: every job is complete",
    Exit.JOB_FAILED: "a job that was waited for failed or was removed",
    Exit.USAGE: "the command line or a file that it names is wrong",
    Exit.UNREACHABLE: "the daemon cannot be reached",
    Exit.TOKEN: "the token is missing, wrong or not allowed to do this",
    Exit.NOT_FOUND: "no such job",
    Exit.CONFLICT: "the job's state, or a file that is there already, forbids it",
    Exit.INVALID: "the daemon refuses the input",
    Exit.SERVER: "the daemon failed, or the answer is not one of rangedaemon",
    Exit.DAMAGED: "journal check has found damage",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
}


def exit_table() -> str:
    """The table of exit codes as ``--help`` shows it."""
    rows = [f"  {int(code):<4} {meaning}" for code, meaning in MEANINGS.items()]
    return "\b\nExit codes:\n" + "\n".join(rows)


class CommandFault(Exception):
    """What ends a command, or one item of it: an exit code and a sentence."""

    def __init__(self, exit_code: Exit, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


_BY_STATUS: Mapping[int, Exit] = {
    400: Exit.INVALID,
    401: Exit.TOKEN,
    403: Exit.TOKEN,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    413: Exit.INVALID,
    415: Exit.INVALID,
    416: Exit.INVALID,
    422: Exit.INVALID,
}

_BY_CODE: Mapping[str, Exit] = {
    "outside-directory": Exit.INVALID,
    "unknown-path": Exit.SERVER,
}
"""Where the status alone says too little."""


def exit_of_problem(status: int, problem: Mapping[str, object] | None) -> Exit:
    """
    The exit code for an answer with an error status.

    :param problem: the decoded problem+json, None where the answer was something
        else. Only a problem's 404 speaks of a job: any web server has a 404.
    """
    if problem is None:
        return Exit.TOKEN if status == 401 else Exit.SERVER
    by_code = _BY_CODE.get(str(problem.get("code")))
    return by_code or _BY_STATUS.get(status, Exit.SERVER)


def sentence_of_problem(status: int, problem: Mapping[str, object] | None) -> str:
    """What the daemon said, on one line, with every complaint about the input."""
    if problem is None:
        return f"HTTP status {status} without an explanation; is this the URL of a rangedaemon?"
    said = str(problem.get("detail") or problem.get("title") or f"HTTP status {status}")
    errors = problem.get("errors")
    complaints = [_complaint(entry) for entry in errors] if isinstance(errors, list) else []
    fresh = [text for text in complaints if text not in said]
    return "; ".join([said, *fresh])


def _complaint(entry: object) -> str:
    """One of the ``errors``: ``where: what``."""
    if not isinstance(entry, Mapping):
        return str(entry)
    where, what = entry.get("loc"), str(entry.get("msg", ""))
    if isinstance(where, list):
        where = ".".join(str(part) for part in where)
    return f"{where}: {what}" if where else what
