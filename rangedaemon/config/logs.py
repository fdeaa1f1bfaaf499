"""The section ``log``: what the daemon's own log looks like."""

from __future__ import annotations

from typing import Literal

from rangedaemon.config.section import Section


class Log(Section):
    """The daemon's own log, which goes where twistd puts it (standard output, --logfile)."""

    format: Literal["auto", "text", "json", "journal"] = "auto"
    """text: a line with its time; json: one object a line; journal: for systemd's journal, with
    priorities and without times; auto: journal where the output is systemd's, else text."""

    level: Literal["debug", "info", "warn", "error"] = "info"
    """What is less is not logged; debug tells of readers who went away early, too."""
