"""``rangectl plan``: what a reload would make of the jobs that the configuration declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.text import Text

from rangedaemon.control.cli.exits import Exit
from rangedaemon.control.cli.session import Session, json_option, pass_session
from rangedaemon.control.cli.units import safe

_SIGNS = {"new": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}


@click.command()
@json_option
@pass_session
def plan(session: Session) -> Exit:
    """
    Show what a reload would change about the declared jobs; nothing is changed.

    A line for each job: + for a new one, ~ and what is declared otherwise, - for one that is not
    declared any more. Secrets are not shown.
    """
    answer = session.client.plan()
    session.show(answer, lambda: plan_view(answer["changes"]))
    return Exit.OK


def plan_view(changes: Sequence[Mapping[str, Any]]) -> Text:
    """The lines of a plan."""
    if not changes:
        return Text("every declared job is as declared")
    return Text("\n").join(_line(change) for change in changes)


def _line(change: Mapping[str, Any]) -> Text:
    sign, colour = _SIGNS[change["change"]]
    fields = ", ".join(f"{f['field']} {f['old']} -> {f['new']}" for f in change["fields"])
    said = f"{sign} {change['name']}" + (f": {fields}" if fields else "")
    return Text(safe(said), style=colour)
